"""Where a run belongs: to a family that its goal is of, or to the loose runs of one wording."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from llmos.evolution.akin import akin
from llmos.evolution.align import entities
from llmos.evolution.columns import ToolHabits
from llmos.evolution.family import solve
from llmos.evolution.group import Group
from llmos.evolution.learnt import Learnt
from llmos.evolution.trust import give_up
from llmos.values import Trace

_OPEN = 3
"""Different values that show an argument to be open: other goals may name them too."""


def file_runs(
    learnt: Learnt,
    fresh: Sequence[Trace],
    touched: Sequence[Group],
    known: ToolHabits,
    progress: Callable[[str], None],
) -> tuple[list[Group], set[str]]:
    """File runs that nobody has looked at.

    Args:
        learnt: What is learnt so far.
        fresh: The runs.
        touched: Loose groups that are to be looked at in any case.
        known: What all runs together show.
        progress: Told the goal that is being looked at.

    Returns:
        The loose groups that are to be looked at now, and the families that have taken in a run.
    """
    found, changed = list(touched), set[str]()
    for trace in fresh:
        for place, words in entities(trace.goal, trace.steps):
            learnt.entities_of.setdefault(place, set()).add(words)
    for trace in fresh:
        progress(trace.goal)
        alone = Group.of(trace, learnt.phrases)
        name = _absorbed(learnt, alone, known)
        if name is not None:
            changed.add(name)
            continue
        group = _filed(learnt, alone)
        if all(group is not t for t in found):
            found.append(group)
    return _refiled(learnt, found), changed


# --- one run -----------------------------------------------------------------------------------


def _absorbed(learnt: Learnt, alone: Group, known: ToolHabits) -> str | None:
    """The family that a trace is of, by a known wording or one that is nearly known."""
    goal = alone.wording.shown.goal
    if not alone.readable:
        return None
    for name, family in learnt.families.items():
        for k, template in enumerate(family.templates):
            if len(template.match(goal)) != 1:
                continue
            if _grown(learnt, name, k, alone, known):
                return name
            # The tool knew the goal, and a good run did something else: that counts.
            learnt.changed.add(name)
    for name, family in learnt.families.items():
        for k, group in enumerate(family.groups):
            counts = family.agreed, family.disagreed
            if akin(group, alone) and _grown(learnt, name, k, alone, known):
                return name
            family.agreed, family.disagreed = counts
    return None


def _grown(learnt: Learnt, name: str, k: int, alone: Group, known: ToolHabits) -> bool:
    """Take a trace into a group of a family, if all can still be explained."""
    family = learnt.families[name]
    group = family.groups[k]
    before = group.copy()
    if not group.take(alone):
        return False
    names = family.names[k]
    told = all(slot.name in names for slot in group.template.slots)
    if told and family.absorb(k, known, learnt.proofs.get(name)):
        return True
    began = time.perf_counter()
    again, _ = solve(family.groups, known, seconds=learnt.seconds)
    learnt.times.append(time.perf_counter() - began)
    if again is not None:
        learnt.renew(name, again)
        return True
    family.groups[k] = before
    family.refresh()
    return False


def _filed(learnt: Learnt, alone: Group) -> Group:
    """The loose group that a trace has become part of, which may be a new one."""
    goal = alone.wording.shown.goal
    for group in learnt.loose:
        if len(group.template.match(goal)) == 1 and group.take(alone):
            return group
    for group in learnt.loose:
        if group.take(alone):
            for other in list(learnt.loose):
                if other is not group and group.join(other):
                    learnt.loose.remove(other)
            return group
    # A goal that can be read in two ways, even with what is known of it, teaches nothing.
    if alone.readable:
        learnt.loose.append(alone)
    else:
        learnt.unreadable += alone.traces
    return alone


# --- all loose runs ----------------------------------------------------------------------------


def _refiled(learnt: Learnt, touched: list[Group]) -> list[Group]:
    """File loose traces again where words were learnt that are slots in them too."""
    groups = [*touched, *(g for f in learnt.families.values() for g in f.groups)]
    new = {w: "word" for g in groups for w in g.phrases() if w not in learnt.phrases}
    for names in learnt.entities_of.values():
        if len(names) >= _OPEN:
            new.update({w: "text" for w in names if w not in learnt.phrases and w not in new})
    if not new:
        return touched
    learnt.phrases.update(new)
    again = [t for g in learnt.loose for t in g.traces if any(p in t.goal for p in new)]
    ids = {id(t) for t in again}
    kept = [g for g in learnt.loose if not any(id(t) in ids for t in g.traces)]
    rest = [t for g in learnt.loose if all(g is not k for k in kept) for t in g.traces]
    learnt.loose = kept
    filed = [g for g in touched if any(g is k for k in kept)]
    for trace in rest:
        group = _filed(learnt, Group.of(trace, learnt.phrases))
        if all(group is not f for f in filed):
            filed.append(group)
    return [g for g in filed if any(g is k for k in learnt.loose)]


def take_out(learnt: Learnt, taken: set[str]) -> None:
    """Take traces that have found their family out of the loose groups."""
    left: list[Group] = []
    for group in learnt.loose:
        rest = [t for t in group.traces if t.id not in taken]
        if len(rest) == len(group.traces):
            left.append(group)
        elif rest:
            left.append(group.only(rest))
            left[-1].why = "it was done otherwise than in most runs"
    learnt.loose = left


# --- what goals and runs call the same ---------------------------------------------------------


def spelled_anew(learnt: Learnt, known: ToolHabits) -> tuple[list[Group], set[str]]:
    """Have all runs say things as their goals do, where that is now known to be the same.

    Returns:
        The loose groups that it changed, and the names of the families.
    """
    news, refuted = learnt.spellings.look()
    if not news:
        return [], set()
    touched = [g for g in learnt.loose if _respelt(learnt, g)]
    changed: set[str] = set()
    for name, family in list(learnt.families.items()):
        before = [g.traces for g in family.groups]
        if not any([_respelt(learnt, g) for g in family.groups]):
            continue
        again, why = solve(family.groups, known, seconds=learnt.seconds)
        if again is not None:
            learnt.renew(name, again)
        elif refuted:
            give_up(learnt, name, why)
        else:
            for group, traces in zip(family.groups, before, strict=True):
                group.traces = traces
            continue
        changed.add(name)
    return touched, changed


def _respelt(learnt: Learnt, group: Group) -> bool:
    """Whether a run of a group now says something otherwise."""
    traces = list(map(learnt.spellings.as_said, group.traces))
    if all(a is b for a, b in zip(traces, group.traces, strict=True)):
        return False
    group.traces = traces
    return True
