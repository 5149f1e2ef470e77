"""How families come of loose groups, take in others, and become one with their like."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from llmos.evolution.akin import akin, likeness
from llmos.evolution.columns import ToolHabits
from llmos.evolution.family import Family, grow, solve
from llmos.evolution.filing import take_out
from llmos.evolution.group import Group
from llmos.evolution.hidden import is_one_sided
from llmos.evolution.learnt import Learnt
from llmos.evolution.prove import MINIMUM
from llmos.evolution.trust import new_name

_YOUNG = 12
"""Good runs up to which a family is explained anew to take in others."""

OTHER_SIDE = "a condition of which only one outcome was seen, and other goals like it met another"
"""Why what is half known makes no family."""


def explain(
    learnt: Learnt, touched: Sequence[Group], known: ToolHabits, progress: Callable[[str], None]
) -> set[str]:
    """Find families for loose groups, the largest first.

    Args:
        learnt: What is learnt so far.
        touched: The groups; those that are no longer loose are passed over.
        known: What all runs together show.
        progress: Told a goal of the group that is being looked at.

    Returns:
        The families that this changed or made.
    """
    changed: set[str] = set()
    for group in sorted(touched, key=lambda g: -len(g.traces)):
        if not any(group is g for g in learnt.loose):
            continue
        progress(group.traces[0].goal)
        name = _attached(learnt, group, known) or _founded(learnt, group, known)
        if name is None:
            if len(group.traces) > MINIMUM and (apart := _apart(learnt, group, known)):
                learnt.loose = [g for g in learnt.loose if g is not group] + apart
                changed |= explain(learnt, apart, known, progress)
            continue
        take_out(learnt, {t.id for g in learnt.families[name].groups for t in g.traces})
        for other in list(learnt.loose):
            if akin(group, other) and learnt.families[name].attach(other, known):
                learnt.loose.remove(other)
        changed.add(name)
    return changed


def _attached(learnt: Learnt, group: Group, known: ToolHabits) -> str | None:
    """The family that has taken in a group, explained anew where it is young."""
    near: list[str] = []
    for name, family in learnt.families.items():
        if any(akin(group, g) for g in family.groups):
            near.append(name)
        elif not family.may_ask(group):
            continue
        if family.attach(group, known):
            return name
    for name in near:
        # What few runs gave may have been too narrow: explained again with this one.
        if len(learnt.families[name].examples) <= _YOUNG and _widened(learnt, name, [group], known):
            return name
    return None


def _founded(learnt: Learnt, group: Group, known: ToolHabits) -> str | None:
    """The new family of a group, and of those like it that one program does too."""
    others = [g for g in learnt.loose if g is not group and akin(group, g)]
    others.sort(key=lambda g: -likeness(group, g))
    began = time.perf_counter()
    family, why = grow(group, others, known, seconds=learnt.seconds)
    learnt.times.append(time.perf_counter() - began)
    if family is not None and is_half_known(learnt, family):
        family, why = None, OTHER_SIDE
    if family is None:
        group.why = why
        return None
    name = new_name(learnt, family)
    learnt.families[name] = family
    return name


def _widened(learnt: Learnt, name: str, groups: Sequence[Group], known: ToolHabits) -> bool:
    """Explain a family anew together with other groups; whether one program does all."""
    began = time.perf_counter()
    again, _ = solve([*learnt.families[name].groups, *groups], known, seconds=learnt.seconds)
    learnt.times.append(time.perf_counter() - began)
    if again is None:
        return False
    learnt.renew(name, again)
    return True


def _apart(learnt: Learnt, group: Group, known: ToolHabits) -> list[Group]:
    """Parts of a group without a program; by mere words only if one of them then has one."""
    parts = group.split(learnt.phrases)
    if parts:
        return parts
    parts = group.split(learnt.phrases, anyhow=True)
    for part in parts:
        if len(part.traces) < MINIMUM:
            continue
        family, _ = solve([part], known, seconds=learnt.seconds)
        if family is not None and not is_half_known(learnt, family):
            return parts
    return []


def is_half_known(learnt: Learnt, family: Family) -> bool:
    """Whether one outcome of its condition is known, and other wordings have met another."""
    if not is_one_sided(family.program, family.examples):
        return False
    met = set[frozenset[str]]().union(*(g.outcomes for g in family.groups))
    others = [*learnt.loose, *(g for f in learnt.families.values() for g in f.groups)]
    return any(
        akin(own, other) and not other.outcomes <= met for own in family.groups for other in others
    )


def gather(learnt: Learnt, changed: set[str], known: ToolHabits) -> None:
    """Take loose wordings into the families that have changed, where one program does all."""
    for name in sorted(changed & learnt.families.keys()):
        for group in list(learnt.loose):
            family = learnt.families[name]
            if not any(akin(group, g) for g in family.groups):
                continue
            young = len(family.examples) <= _YOUNG
            if family.attach(group, known) or (young and _widened(learnt, name, [group], known)):
                learnt.loose = [g for g in learnt.loose if g is not group]


def unite(learnt: Learnt, changed: set[str], known: ToolHabits) -> None:
    """Make one family of those that turn out to do the same."""
    for name in sorted(changed & learnt.families.keys()):
        for other in [n for n in learnt.families if n != name]:
            if name not in learnt.families or other not in learnt.families:
                continue
            mine, theirs = learnt.families[name], learnt.families[other]
            if not any(akin(a, b) for a in mine.groups for b in theirs.groups):
                continue
            young = len(mine.examples) <= _YOUNG or len(theirs.examples) <= _YOUNG
            larger = len(mine.examples) > len(theirs.examples)
            keep, drop = (name, other) if larger else (other, name)
            if young and _widened(learnt, keep, learnt.families[drop].groups, known):
                del learnt.families[drop]
                learnt.proofs.pop(drop, None)
                learnt.merged[drop] = keep
                learnt.changed |= {keep, drop}


def tell(learnt: Learnt, changed: Collection[str]) -> set[str]:
    """Let families know what words stand for in others; the names of those that learnt."""
    meanings = learnt.meanings()
    anew = learnt.families.keys() if meanings != learnt.told else changed
    learnt.told = meanings
    return {n for n, family in learnt.families.items() if n in anew and family.widen(meanings)}
