"""Keeps what was learnt up to date: traces come in, families come out."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from llmos.evolution.akin import akin, likeness
from llmos.evolution.align import entities
from llmos.evolution.columns import Observed, ToolHabits
from llmos.evolution.family import Family, grow, solve
from llmos.evolution.group import Group
from llmos.evolution.hidden import is_one_sided
from llmos.evolution.hints import Hint, Naming, resting_on
from llmos.evolution.left_open import LeftOpen
from llmos.evolution.meanings import Meanings, meanings_of
from llmos.evolution.plan import Stop
from llmos.evolution.prove import MINIMUM, OTHERS, UNANIMOUS, Proof, prove
from llmos.evolution.spelling import Spellings
from llmos.evolution.templates import Index, Template
from llmos.values import Trace

_OPEN = 3
"""Different values that show an argument to be open: other goals may name them too."""

_YOUNG = 12
"""Good runs up to which a family is explained anew to take in others."""

_OTHER_SIDE = "a condition of which only one outcome was seen, and other goals like it met another"

_NAMELESS = "a an the to of in on at by for with my me i can you please and is it"
_FILLERS = frozenset(_NAMELESS.split())
"""Words that a name does without."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to understand a goal."""

    family: str
    template: int
    slots: dict[str, str]


@dataclass
class Learner:
    """Incremental learning over one volume.

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
    _fresh: list[Trace] = field(default_factory=list)
    _index: Index = field(default_factory=Index)
    _where: dict[int, tuple[str, int]] = field(default_factory=dict)
    _told: Meanings | None = None
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

    def add(self, trace: Trace) -> None:
        """Take in a good trace; it is looked at with the next `learn`."""
        self._fresh.append(trace)

    def learn(self, progress: Callable[[str], None] = lambda told: None) -> None:
        """Learn from what has come in since the last time."""
        for trace in self._fresh:
            self.observed.add(trace.steps)
            self.spellings.add(trace.steps)
        meanings = self._meanings()
        known = self.habits()
        touched, changed = self._spelled_anew(known)
        fresh, self._fresh = list(map(self.spellings.as_said, self._fresh)), []
        for trace in fresh:
            for place, words in entities(trace.goal, trace.steps):
                self.entities_of.setdefault(place, set()).add(words)
        for trace in fresh:
            progress(trace.goal)
            alone = Group.of(trace, self.phrases)
            name = self._absorbed(alone, known)
            if name is not None:
                changed.add(name)
                continue
            group = self._filed(alone)
            if all(group is not t for t in touched):
                touched.append(group)
        touched = self._refiled(touched)
        changed |= self._explain(touched, known, progress) | self.refuted
        self.refuted = set()
        if self._meanings() != meanings:
            # Words that one family explains may be what others lacked.
            known = replace(known, meanings=self._meanings())
            again = [g for g in self.loose if len(g.traces) > 1]
            changed |= self._explain(again, known, progress)
        self._gather(changed, known)
        changed |= self._tell(changed)
        self.changed |= changed
        self._unite(changed, known)
        for name in [n for n, f in self.families.items() if self._is_half_known(f)]:
            self._give_up(name, _OTHER_SIDE)
            self.changed.add(name)
        self._note_tried()
        for name in self.changed & self.families.keys():
            self._prove(name)
        self._leave_open(known)
        self.reindex()

    def knows(self, trace_id: str) -> bool:
        """Whether a trace is among those that were learnt from."""
        return any(t.id == trace_id for t in self._traces())

    def forget(self, trace_id: str) -> None:
        """Leave out a trace that turned out to be wrong; its family is explained anew.

        The family is gone where what is left does not make one, and what it alone taught others
        goes with it.
        """
        known = replace(self.habits(), meanings=())
        for group in self.loose:
            _without(group, trace_id)
        self.loose = [g for g in self.loose if g.traces]
        for name, family in list(self.families.items()):
            if not any([_without(g, trace_id) for g in family.groups]):
                continue
            groups = [g for g in family.groups if g.traces]
            again, _ = solve(groups, known, seconds=self.seconds)
            if again is not None and not self._is_half_known(again):
                again.agreed, again.disagreed = family.agreed, family.disagreed
                self.families[name] = again
                self._prove(name)
            else:
                del self.families[name], self.proofs[name]
                self.retired.add(name)
                self.loose += groups
            self.changed.add(name)
        for name in self._tell(()):
            self.changed.add(name)
            self._prove(name)
        self._leave_open(known)
        self.reindex()

    def refute(self, name: str) -> None:
        """Count a run of a family's tool that somebody said was wrong: its trust starts over."""
        name = self.merged.get(name, name)
        family = self.tools.get(name)
        if family is not None:
            family.disagreed += 1
            family.agreed = 0
            self.refuted.add(name)

    def audited(self, name: str, trace_id: str, trace: Trace | None) -> None:
        """Count a disagreement that an audit found: once, whatever the trace itself tells.

        Args:
            name: The family whose tool would have done something else.
            trace_id: The model's run.
            trace: The same as a trace to learn from; None where it is not good enough for that.
        """
        family = self.families.get(name)
        before = family.disagreed if family is not None else 0
        if trace is not None:
            self.add(trace)
            self.learn()
        family = self.families.get(name)
        due = before + (trace_id not in self.settled)
        self.settled.add(trace_id)
        if family is not None and family.disagreed != due:
            family.disagreed = due
            self.refuted.add(name)

    def peers(self, name: str) -> tuple[int, int]:
        """How many other families were put to the test and were exact, and were not."""
        others = [exact for other, exact in self.tried.items() if other != name]
        return sum(others), len(others) - sum(others)

    def _note_tried(self) -> None:
        for name, family in self.families.items():
            if family.disagreed:
                self.tried[name] = False
            elif family.agreed:
                self.tried.setdefault(name, True)

    def habits(self) -> ToolHabits:
        """What all traces together show, and what was proposed."""
        hints = tuple((h.place, h.expr) for h in self.hints)
        return replace(self.observed.habits(), meanings=self._meanings(), hints=hints)

    @property
    def used_names(self) -> set[str]:
        """Names that no other family can have."""
        return {*self.tools, *self.retired, *self.merged, *self.taken}

    @property
    def tools(self) -> dict[str, Family]:
        """All families: those that need no model, and those that leave it a value."""
        return {**self.families, **self.left_open.families}

    def look_again(self, group: Group) -> set[str]:
        """Explain a group without a program anew; the families that this changed or made."""
        changed = self._explain([group], self.habits(), lambda told: None)
        for name in changed & self.families.keys():
            self._prove(name)
        self.changed |= changed
        self.reindex()
        return changed & self.families.keys()

    def rename(self, name: str, to: str) -> None:
        """Give a family another name, under which it is found from now on."""
        self.families[to], self.proofs[to] = self.families.pop(name), self.proofs.pop(name)
        self.merged = {old: to if new == name else new for old, new in self.merged.items()}
        self.merged[name] = to
        if name in self.tried:
            self.tried[to] = self.tried.pop(name)
        self.changed = {*(self.changed - {name}), to}
        self.reindex()

    def _meanings(self) -> Meanings:
        return meanings_of(self.families.values())

    def _traces(self) -> Iterator[Trace]:
        groups = [*self.loose, *(g for f in self.families.values() for g in f.groups)]
        return (t for g in groups for t in g.traces)

    def _prove(self, name: str) -> None:
        """Look at a family's evidence; without a proof it is given up."""
        family = self.tools[name]
        family.refresh()
        try:
            self.proofs[name] = prove(
                family.program,
                family.examples,
                agreed=family.agreed,
                disagreed=family.disagreed,
                peers=self.peers(name),
                prior=OTHERS if resting_on(family.program, self.hints) else UNANIMOUS,
            )
        except Stop as e:
            self._give_up(name, str(e))

    def _give_up(self, name: str, why: str) -> None:
        self.proofs.pop(name, None)
        self.retired.add(name)
        if self.left_open.families.pop(name, None) is not None:
            return
        groups = self.families.pop(name).groups
        for group in groups:
            group.why = why
        self.loose += groups

    def _leave_open(self, known: ToolHabits) -> None:
        """Make tools of what has no program, where a model need only be asked for a value."""
        changed, gone = self.left_open.update(
            self.loose if self.leave_open else (),
            known,
            self.proofs,
            self._new_name,
            seconds=self.seconds,
        )
        for name in gone:
            self.proofs.pop(name, None)
        self.retired |= gone
        self.changed |= changed
        for name in self.changed & self.left_open.families.keys():
            self._prove(name)

    def parse(self, goal: str) -> list[Reading]:
        """All readings of a goal."""
        found = []
        for name, template, bound in self._index.parse(goal):
            found.append(Reading(name, self._where[id(template)][1], bound))
        return found

    def _spelled_anew(self, known: ToolHabits) -> tuple[list[Group], set[str]]:
        """Have all runs say things as their goals do, where that is now known to be the same.

        Returns:
            The loose groups that it changed, and the names of the families.
        """
        news, refuted = self.spellings.look()
        if not news:
            return [], set()
        touched = [g for g in self.loose if self._respelt(g)]
        changed: set[str] = set()
        for name, family in list(self.families.items()):
            before = [g.traces for g in family.groups]
            if not any([self._respelt(g) for g in family.groups]):
                continue
            again, why = solve(family.groups, known, seconds=self.seconds)
            if again is not None:
                again.agreed, again.disagreed = family.agreed, family.disagreed
                self.families[name] = again
            elif refuted:
                self._give_up(name, why)
            else:
                for group, traces in zip(family.groups, before, strict=True):
                    group.traces = traces
                continue
            changed.add(name)
        return touched, changed

    def _respelt(self, group: Group) -> bool:
        """Whether a run of a group now says something otherwise."""
        traces = list(map(self.spellings.as_said, group.traces))
        if all(a is b for a, b in zip(traces, group.traces, strict=True)):
            return False
        group.traces = traces
        return True

    # --- one trace -----------------------------------------------------------------------------

    def _absorbed(self, alone: Group, known: ToolHabits) -> str | None:
        """The family that a trace is of, by a known wording or one that is nearly known."""
        goal = alone.wording.shown.goal
        if not alone.readable:
            return None
        for name, family in self.families.items():
            for k, template in enumerate(family.templates):
                if len(template.match(goal)) != 1:
                    continue
                if self._grown(name, k, alone, known):
                    return name
                # The tool knew the goal, and a good run did something else: that counts.
                self.changed.add(name)
        for name, family in self.families.items():
            for k, group in enumerate(family.groups):
                counts = family.agreed, family.disagreed
                if akin(group, alone) and self._grown(name, k, alone, known):
                    return name
                family.agreed, family.disagreed = counts
        return None

    def _grown(self, name: str, k: int, alone: Group, known: ToolHabits) -> bool:
        """Take a trace into a group of a family, if all can still be explained."""
        family = self.families[name]
        group = family.groups[k]
        before = group.copy()
        if not group.take(alone):
            return False
        names = family.names[k]
        told = all(slot.name in names for slot in group.template.slots)
        if told and family.absorb(k, known, self.proofs.get(name)):
            return True
        began = time.perf_counter()
        again, _ = solve(family.groups, known, seconds=self.seconds)
        self.times.append(time.perf_counter() - began)
        if again is not None:
            again.agreed, again.disagreed = family.agreed, family.disagreed
            self.families[name] = again
            return True
        family.groups[k] = before
        family.refresh()
        return False

    def _refiled(self, touched: list[Group]) -> list[Group]:
        """File loose traces again where words were learnt that are slots in them too."""
        groups = [*touched, *(g for f in self.families.values() for g in f.groups)]
        new = {w: "word" for g in groups for w in g.phrases() if w not in self.phrases}
        for names in self.entities_of.values():
            if len(names) >= _OPEN:
                new.update({w: "text" for w in names if w not in self.phrases and w not in new})
        if not new:
            return touched
        self.phrases.update(new)
        again = [t for g in self.loose for t in g.traces if any(p in t.goal for p in new)]
        ids = {id(t) for t in again}
        kept = [g for g in self.loose if not any(id(t) in ids for t in g.traces)]
        rest = [t for g in self.loose if all(g is not k for k in kept) for t in g.traces]
        self.loose = kept
        filed = [g for g in touched if any(g is k for k in kept)]
        for trace in rest:
            group = self._filed(Group.of(trace, self.phrases))
            if all(group is not f for f in filed):
                filed.append(group)
        return [g for g in filed if any(g is k for k in self.loose)]

    def _filed(self, alone: Group) -> Group:
        """The loose group that a trace has become part of, which may be a new one."""
        goal = alone.wording.shown.goal
        for group in self.loose:
            if len(group.template.match(goal)) == 1 and group.take(alone):
                return group
        for group in self.loose:
            if group.take(alone):
                for other in list(self.loose):
                    if other is not group and group.join(other):
                        self.loose.remove(other)
                return group
        # A goal that can be read in two ways, even with what is known of it, teaches nothing.
        if alone.readable:
            self.loose.append(alone)
        else:
            self.unreadable += alone.traces
        return alone

    # --- families ------------------------------------------------------------------------------

    def _explain(
        self, touched: Sequence[Group], known: ToolHabits, progress: Callable[[str], None]
    ) -> set[str]:
        changed: set[str] = set()
        for group in sorted(touched, key=lambda g: -len(g.traces)):
            if not any(group is g for g in self.loose):
                continue
            progress(group.traces[0].goal)
            name = self._attached(group, known)
            if name is None:
                others = [g for g in self.loose if g is not group and akin(group, g)]
                others.sort(key=lambda g: -likeness(group, g))
                began = time.perf_counter()
                family, why = grow(group, others, known, seconds=self.seconds)
                self.times.append(time.perf_counter() - began)
                if family is not None and self._is_half_known(family):
                    family, why = None, _OTHER_SIDE
                if family is None:
                    group.why = why
                    if len(group.traces) > MINIMUM and (apart := self._apart(group, known)):
                        self.loose = [g for g in self.loose if g is not group] + apart
                        changed |= self._explain(apart, known, progress)
                    continue
                name = self._new_name(family)
                self.families[name] = family
            self._take_out({t.id for g in self.families[name].groups for t in g.traces})
            for other in list(self.loose):
                if akin(group, other) and self.families[name].attach(other, known):
                    self.loose.remove(other)
            changed.add(name)
        return changed

    def _take_out(self, taken: set[str]) -> None:
        """Take traces that have found their family out of the loose groups."""
        left: list[Group] = []
        for group in self.loose:
            rest = [t for t in group.traces if t.id not in taken]
            if len(rest) == len(group.traces):
                left.append(group)
            elif rest:
                left.append(group.only(rest))
                left[-1].why = "it was done otherwise than in most runs"
        self.loose = left

    def _apart(self, group: Group, known: ToolHabits) -> list[Group]:
        """Parts of a group without a program; by mere words only if one of them then has one."""
        parts = group.split(self.phrases)
        if parts:
            return parts
        parts = group.split(self.phrases, anyhow=True)
        for part in parts:
            if len(part.traces) < MINIMUM:
                continue
            family, _ = solve([part], known, seconds=self.seconds)
            if family is not None and not self._is_half_known(family):
                return parts
        return []

    def _is_half_known(self, family: Family) -> bool:
        """Whether one outcome of its condition is known, and other wordings have met another."""
        if not is_one_sided(family.program, family.examples):
            return False
        met = set[frozenset[str]]().union(*(g.outcomes for g in family.groups))
        others = [*self.loose, *(g for f in self.families.values() for g in f.groups)]
        return any(
            akin(own, other) and not other.outcomes <= met
            for own in family.groups
            for other in others
        )

    def _new_name(self, family: Family) -> str:
        """A name made of the words that the wordings have in common.

        What left something open, and no longer has to, keeps its name.
        """
        if name := self.left_open.replaced_by(family):
            return name
        told = re.findall(r"[a-z0-9]+", str(family.templates[0]).lower())
        slots = set(family.slots)
        words = [w for w in told if w not in slots and w not in _FILLERS][:5] or ["job"]
        base = "-".join(words)[:48].strip("-")
        numbered = (base if k == 1 else f"{base}-{k}" for k in range(1, 10_000))
        taken = self.used_names
        return next(n for n in numbered if n not in taken)

    def _attached(self, group: Group, known: ToolHabits) -> str | None:
        near: list[str] = []
        for name, family in self.families.items():
            if any(akin(group, g) for g in family.groups):
                near.append(name)
            elif not family.may_ask(group):
                continue
            if family.attach(group, known):
                return name
        for name in near:
            # What few runs gave may have been too narrow: explained again with this one.
            if len(self.families[name].examples) <= _YOUNG and self._widened(name, [group], known):
                return name
        return None

    def _widened(self, name: str, groups: Sequence[Group], known: ToolHabits) -> bool:
        """Explain a family anew together with other groups; whether one program does all."""
        family = self.families[name]
        began = time.perf_counter()
        again, _ = solve([*family.groups, *groups], known, seconds=self.seconds)
        self.times.append(time.perf_counter() - began)
        if again is None:
            return False
        again.agreed, again.disagreed = family.agreed, family.disagreed
        self.families[name] = again
        return True

    def _tell(self, changed: Collection[str]) -> set[str]:
        """Let families know what words stand for in others; the names of those that learnt."""
        meanings = self._meanings()
        anew = self.families.keys() if meanings != self._told else changed
        self._told = meanings
        return {n for n, family in self.families.items() if n in anew and family.widen(meanings)}

    def _gather(self, changed: set[str], known: ToolHabits) -> None:
        """Take loose wordings into the families that have changed, where one program does all."""
        for name in sorted(changed & self.families.keys()):
            for group in list(self.loose):
                family = self.families[name]
                if not any(akin(group, g) for g in family.groups):
                    continue
                young = len(family.examples) <= _YOUNG
                if family.attach(group, known) or (young and self._widened(name, [group], known)):
                    self.loose = [g for g in self.loose if g is not group]

    def _unite(self, changed: set[str], known: ToolHabits) -> None:
        """Make one family of those that turn out to do the same."""
        for name in sorted(changed & self.families.keys()):
            for other in [n for n in self.families if n != name]:
                if name not in self.families or other not in self.families:
                    continue
                mine, theirs = self.families[name], self.families[other]
                if not any(akin(a, b) for a in mine.groups for b in theirs.groups):
                    continue
                young = len(mine.examples) <= _YOUNG or len(theirs.examples) <= _YOUNG
                larger = len(mine.examples) > len(theirs.examples)
                keep, drop = (name, other) if larger else (other, name)
                if young and self._widened(keep, self.families[drop].groups, known):
                    del self.families[drop]
                    self.proofs.pop(drop, None)
                    self.merged[drop] = keep
                    self.changed |= {keep, drop}

    def reindex(self) -> None:
        """Make goals find the families as they are now."""
        filed: dict[str, list[Template]] = {}
        self._where = {}
        for name, family in self.families.items():
            filed[name] = family.templates
            for k, template in enumerate(family.templates):
                self._where[id(template)] = (name, k)
        self._index = Index.of(filed)


def _without(group: Group, trace_id: str) -> bool:
    """Take a trace out of a group; whether it was there."""
    kept = [t for t in group.traces if t.id != trace_id]
    if len(kept) == len(group.traces):
        return False
    group.reset(kept)
    return True
