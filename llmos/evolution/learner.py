"""Keeps what was learnt up to date: traces come in, families come out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from llmos.evolution.columns import ToolHabits
from llmos.evolution.families import OTHER_SIDE, explain, gather, is_half_known, tell, unite
from llmos.evolution.family import solve
from llmos.evolution.filing import file_runs, spelled_anew
from llmos.evolution.group import Group
from llmos.evolution.learnt import Learnt
from llmos.evolution.trust import give_up, leave_open, note_tried, prove_family
from llmos.values import Trace


@dataclass
class Learner(Learnt):
    """Incremental learning over one volume.

    Where runs belong is in `filing`, how families come of them in `families`, and which of these
    have a tool in `trust`.
    """

    _fresh: list[Trace] = field(default_factory=list)

    def add(self, trace: Trace) -> None:
        """Take in a good trace; it is looked at with the next `learn`."""
        self._fresh.append(trace)

    def learn(self, progress: Callable[[str], None] = lambda told: None) -> None:
        """Learn from what has come in since the last time."""
        for trace in self._fresh:
            self.observed.add(trace.steps)
            self.spellings.add(trace.steps)
        meanings = self.meanings()
        known = self.habits()
        touched, changed = spelled_anew(self, known)
        fresh, self._fresh = list(map(self.spellings.as_said, self._fresh)), []
        touched, grown = file_runs(self, fresh, touched, known, progress)
        changed |= grown | explain(self, touched, known, progress) | self.refuted
        self.refuted = set()
        if self.meanings() != meanings:
            # Words that one family explains may be what others lacked.
            known = replace(known, meanings=self.meanings())
            again = [g for g in self.loose if len(g.traces) > 1]
            changed |= explain(self, again, known, progress)
        gather(self, changed, known)
        changed |= tell(self, changed)
        self.changed |= changed
        unite(self, changed, known)
        self._settle(known)

    def _settle(self, known: ToolHabits) -> None:
        """Give up what is half known, prove what has changed, and make goals find it."""
        for name in [n for n, f in self.families.items() if is_half_known(self, f)]:
            give_up(self, name, OTHER_SIDE)
            self.changed.add(name)
        note_tried(self)
        for name in self.changed & self.families.keys():
            prove_family(self, name)
        leave_open(self, known)
        self.reindex()

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
            if again is not None and not is_half_known(self, again):
                self.renew(name, again)
                prove_family(self, name)
            else:
                del self.families[name], self.proofs[name]
                self.retired.add(name)
                self.loose += groups
            self.changed.add(name)
        for name in tell(self, ()):
            self.changed.add(name)
            prove_family(self, name)
        leave_open(self, known)
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

    def look_again(self, group: Group) -> set[str]:
        """Explain a group without a program anew; the families that this changed or made."""
        changed = explain(self, [group], self.habits(), lambda told: None)
        for name in changed & self.families.keys():
            prove_family(self, name)
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


def _without(group: Group, trace_id: str) -> bool:
    """Take a trace out of a group; whether it was there."""
    kept = [t for t in group.traces if t.id != trace_id]
    if len(kept) == len(group.traces):
        return False
    group.reset(kept)
    return True
