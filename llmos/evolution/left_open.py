"""Tools for wordings that have no program, but for one that leaves a value to a model.

They stand beside what is learnt and take nothing from it: their runs stay without a program, and
when those find one, the tool that left something open is given up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from llmos.evolution.columns import ToolHabits
from llmos.evolution.example import NoProgram, distinct
from llmos.evolution.family import Family, solve
from llmos.evolution.group import Group
from llmos.evolution.holes import MOST, Hole, hole, place_of
from llmos.evolution.prove import MINIMUM, Proof
from llmos.evolution.roles import roles
from llmos.evolution.synthesize import Unexplained, synthesize
from llmos.values import Step, Trace

_MORE = 2
"""A wording is looked at again when it has so many times the runs that it had."""

OF_A_WRITE = "the value of w"
"""How it begins why there is no program where nothing explains a value of a write."""


@dataclass
class LeftOpen:
    """The families that leave something open, by name."""

    families: dict[str, Family] = field(default_factory=dict)
    _tried: dict[str, int] = field(default_factory=dict)
    """Wordings that were looked at in vain, with the runs that there were then."""

    def replaced_by(self, family: Family) -> str:
        """The name of a family of the same runs, which is given up; ``""`` if there is none."""
        own = {t.id for t in family.traces}
        for name, old in self.families.items():
            if own.intersection(_ids(old.traces)):
                del self.families[name]
                return name
        return ""

    def update(
        self,
        loose: Sequence[Group],
        known: ToolHabits,
        proofs: Mapping[str, Proof],
        named: Callable[[Family], str],
        *,
        seconds: float,
    ) -> tuple[set[str], set[str]]:
        """Bring the families up to what the wordings without a program hold now.

        Args:
            loose: These wordings; why they have none is told of them anew.
            known: How tools cut off their results.
            proofs: What the families were served by until now.
            named: Gives a new family its name.
            seconds: Search time for one program.

        Returns:
            The names of those that are new or changed, and of those that are gone.
        """
        changed: set[str] = set()
        left = list(loose)
        families, self.families = self.families, {}
        for name, family in families.items():
            group = _nearest(family, left)
            if group is None:
                continue
            left = [g for g in left if g is not group]
            if _steps(group.traces) == _steps(family.traces):
                self.families[name] = family
            elif (again := _grown(family, group, known, proofs.get(name), seconds)) is not None:
                self.families[name] = again
                changed.add(name)
        for group in left:
            runs, wording = len(group.traces), str(group.template)
            if runs < MINIMUM or runs < _MORE * self._tried.get(wording, 0):
                continue
            if not group.why.startswith(OF_A_WRITE):
                continue  # it is something else that is not explained
            new = with_holes(group, known, seconds=seconds)
            if new is None:
                self._tried[wording] = runs
                continue
            name = named(new)
            self.families[name] = new
            changed.add(name)
            group.why = f"{group.why}; {name} leaves it to a model"
        return changed, families.keys() - self.families.keys()


def _ids(traces: Sequence[Trace]) -> tuple[str, ...]:
    return tuple(sorted(t.id for t in traces))


def _steps(traces: Sequence[Trace]) -> dict[str, tuple[Step, ...]]:
    """What was done by id: what a run asked for may be read otherwise than before."""
    return {t.id: t.steps for t in traces}


def _nearest(family: Family, groups: Sequence[Group]) -> Group | None:
    """The wording that holds most of a family's runs; None where none holds any."""
    own = set(_ids(family.traces))
    shared = {k: len(own.intersection(_ids(g.traces))) for k, g in enumerate(groups)}
    best = max(shared, key=lambda k: shared[k], default=None)
    return groups[best] if best is not None and shared[best] else None


def _grown(
    family: Family, group: Group, known: ToolHabits, proof: Proof | None, seconds: float
) -> Family | None:
    """The family with what its wording holds now; None where that makes none."""
    own, now = _steps(family.traces), _steps(group.traces)
    if own.items() <= now.items():
        new = [t for t in group.traces if t.id not in own]
        if all(family.groups[0].take(Group.of(t)) and family.absorb(0, known, proof) for t in new):
            return family
    again = with_holes(group, known, seconds=seconds)
    if again is not None:
        again.agreed, again.disagreed = family.agreed, family.disagreed
    return again


def with_holes(group: Group, known: ToolHabits, *, seconds: float) -> Family | None:
    """A family of a wording whose program leaves to a model what nothing explains.

    Args:
        group: The wording; the family has a copy of it.
        known: How tools cut off their results.
        seconds: Search time for one program.
    """
    if group.conditional:
        return None  # what nothing explains may be what the condition is about
    own, holes = group.copy(), ()  # type: Group, tuple[Hole, ...]
    while len(holes) < MOST:
        further = _hole(own, known, seconds, holes)
        if further is None:
            return None
        holes += (further,)
        family, _ = solve([own], known, seconds=seconds, holes=holes)
        if family is not None:
            return family
    return None


def _hole(group: Group, known: ToolHabits, seconds: float, holes: Sequence[Hole]) -> Hole | None:
    """The hole for the first value of a write that nothing explains."""
    names = roles(group.template, group.bound(), [t.steps for t in group.traces])
    examples = distinct(group.named(names, 0, holes)[1])
    if len(examples) < MINIMUM:
        return None
    try:
        synthesize(examples, known, seconds=seconds)
    except Unexplained as e:
        where = [(t, s) for t in group.traces for s in t.steps if place_of(s, e.place)]
        runs = [t for t, _ in where]
        # Once in a run, and in enough of them.
        if len(runs) < MINIMUM or len({id(t) for t in runs}) < len(runs):
            return None
        return hole(e.place, [s.arguments[place_of(s, e.place) or ""] for _, s in where], runs)
    except NoProgram:
        pass
    return None
