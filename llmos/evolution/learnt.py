"""What is learnt so far: the families with their tools, and the runs that have none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from llmos.evolution.columns import Observed, ToolHabits
from llmos.evolution.family import Family
from llmos.evolution.group import Group
from llmos.evolution.hints import Hint, Naming
from llmos.evolution.left_open import LeftOpen
from llmos.evolution.meanings import Meanings, meanings_of
from llmos.evolution.prove import Proof
from llmos.evolution.spelling import Spellings
from llmos.evolution.templates import Index, Template
from llmos.values import Trace


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to understand a goal."""

    family: str
    template: int
    slots: dict[str, str]


@dataclass
class Learnt:
    """What is learnt of one volume, and what can be asked of it. Nothing here searches.

    Attributes:
        seconds: Search time for one family.
    """

    seconds: float = 10.0
    leave_open: bool = True
    """Whether a tool may leave a value to a model."""
    families: dict[str, Family] = field(default_factory=dict)
    proofs: dict[str, Proof] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    """Names that somebody else has given."""
    merged: dict[str, str] = field(default_factory=dict)
    """Families that have become part of another: name to that other."""
    retired: set[str] = field(default_factory=set)
    """Names of families that were given up."""
    loose: list[Group] = field(default_factory=list)
    """Groups without a program."""
    unreadable: list[Trace] = field(default_factory=list)
    """Traces whose goal can be read in two ways: nothing is learnt from them."""
    phrases: dict[str, str] = field(default_factory=dict)
    """Words that made a difference in some goal are slots in every other: words to kind."""
    times: list[float] = field(default_factory=list)
    """Seconds that each search took."""
    entities_of: dict[str, set[str]] = field(default_factory=dict)
    """What goals said of each argument."""
    observed: Observed = field(default_factory=Observed)
    spellings: Spellings = field(default_factory=Spellings)
    left_open: LeftOpen = field(default_factory=LeftOpen)
    """Families that leave a value to a model; their runs are still among the loose ones."""
    told: Meanings | None = None
    """What words stand for, as the families were last told."""
    refuted: set[str] = field(default_factory=set)
    """Families whose tool was said to be wrong since the last `learn`."""
    tried: dict[str, bool] = field(default_factory=dict)
    """Families that were ever put to the test, and whether all that came agreed with them."""
    settled: set[str] = field(default_factory=set)
    """Audited runs whose disagreement with a family is counted."""
    changed: set[str] = field(default_factory=set)
    """Families that the last `learn` changed or made."""
    hints: list[Hint] = field(default_factory=list)
    """Expressions that were proposed and have explained something."""
    named: dict[str, Naming] = field(default_factory=dict)
    """Families whose names somebody has proposed, or was asked for."""
    asked: dict[str, int] = field(default_factory=dict)
    """Wordings that somebody was asked about, with the runs that there were then."""
    _index: Index = field(default_factory=Index)
    _where: dict[int, tuple[str, int]] = field(default_factory=dict)

    @property
    def used_names(self) -> set[str]:
        """Names that no other family can have."""
        return {*self.tools, *self.retired, *self.merged, *self.taken}

    @property
    def tools(self) -> dict[str, Family]:
        """All families: those that need no model, and those that leave it a value."""
        return {**self.families, **self.left_open.families}

    def habits(self) -> ToolHabits:
        """What all traces together show, and what was proposed."""
        hints = tuple((h.place, h.expr) for h in self.hints)
        return replace(self.observed.habits(), meanings=self.meanings(), hints=hints)

    def meanings(self) -> Meanings:
        """What words stand for, as the families explain them."""
        return meanings_of(self.families.values())

    def knows(self, trace_id: str) -> bool:
        """Whether a trace is among those that were learnt from."""
        return any(t.id == trace_id for t in self._traces())

    def _traces(self) -> Iterator[Trace]:
        groups = [*self.loose, *(g for f in self.families.values() for g in f.groups)]
        return (t for g in groups for t in g.traces)

    def peers(self, name: str) -> tuple[int, int]:
        """How many other families were put to the test and were exact, and were not."""
        others = [exact for other, exact in self.tried.items() if other != name]
        return sum(others), len(others) - sum(others)

    def parse(self, goal: str) -> list[Reading]:
        """All readings of a goal."""
        found = []
        for name, template, bound in self._index.parse(goal):
            found.append(Reading(name, self._where[id(template)][1], bound))
        return found

    def reindex(self) -> None:
        """Make goals find the families as they are now."""
        filed: dict[str, list[Template]] = {}
        self._where = {}
        for name, family in self.families.items():
            filed[name] = family.templates
            for k, template in enumerate(family.templates):
                self._where[id(template)] = (name, k)
        self._index = Index.of(filed)

    def renew(self, name: str, again: Family) -> None:
        """Put a family explained anew in its place; how the old one served still counts."""
        old = self.families[name]
        again.agreed, again.disagreed = old.agreed, old.disagreed
        self.families[name] = again
