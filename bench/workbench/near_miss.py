"""Goals that nearly are those of the data: one critical word is another.

    python -m bench.workbench.near_miss PATH

Prints how many there are of each kind, and an example of each.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from bench.workbench.data import Call, Task, load_tasks
from bench.workbench.near_miss_rules import (
    EXCHANGES,
    OPPOSITES,
    OTHERS,
    TAILS,
    WORDS,
    Tail,
    Word,
)
from bench.workbench.oracles import SLOT, Undefined, slots_of, template_of, truth
from bench.workbench.world import World, same_state
from llmos.errors import LLMOSError

EACH, EACH_TAIL = 2, 1
"""Near misses that a rule makes of a template's goals, at most."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A goal for which doing what the original asks is wrong."""

    task_id: str
    """The original."""
    kind: str
    goal: str
    right: tuple[Call, ...] | None
    """The right writes, possibly none. None: only a learner can know; all that can be said is
    that whoever writes what is right for the original is wrong."""


@dataclass(frozen=True, slots=True)
class Group:
    """The tasks of one template, and the world that they are about."""

    template: str
    tasks: Sequence[Task]
    slots: Mapping[str, dict[str, str]]
    """By task id."""
    world: World


Found = Iterator[tuple[Task, NearMiss]]


def near_misses(tasks: Sequence[Task], world: World) -> list[NearMiss]:
    """All near misses that the rules make of these tasks, at most `EACH` per rule and template.

    Kept are only those whose goal is no task's and with which the original's right calls end in
    another state than the right one. Where what is right is not known the original writes.

    Args:
        tasks: Those with a label conflict are left out. Their truth is not looked at: what is
            right on this world is computed.
        world: Where the near misses are to be run.
    """
    groups: dict[str, list[Task]] = {}
    goals = {task.goal for task in tasks}
    for task in tasks:
        if not task.label_conflict:
            groups.setdefault(template_of(task), []).append(task)
    kept: list[NearMiss] = []
    for template, members in sorted(groups.items()):
        group = Group(template, members, {t.id: slots_of(t) for t in members}, world)
        for at_most, found in _rules(group):
            misses = (m for task, m in found if m.goal not in goals and _misses(task, m, world))
            for miss in islice(misses, at_most):
                goals.add(miss.goal)
                kept.append(miss)
    return kept


def _misses(task: Task, miss: NearMiss, world: World) -> bool:
    """Would doing what the original asks be wrong?"""
    try:
        asked = truth(task, world)
    except Undefined:
        return False
    if miss.right is None:
        return bool(asked)
    ends = (replace(task, truth=calls).right_world(world) for calls in (asked, miss.right))
    return not same_state(*ends)


def _rules(group: Group) -> Iterator[tuple[int, Found]]:
    """What each rule makes of the group's goals, lazily, and how many are wanted of it."""
    for word in WORDS:
        if re.fullmatch(word.templates, group.template):
            yield EACH, _said(group, word)
    for tail in TAILS:
        yield EACH_TAIL, _with_tail(group, tail)
    names = list(next(iter(group.slots.values())))
    for other in OTHERS:
        for name in names:
            if re.fullmatch(other.slots, name):
                yield EACH, _refilled(group, other.kind, _other_values(group, name))
    for kind, slot, words in OPPOSITES:
        if slot in names:
            yield EACH, _refilled(group, kind, _opposite(slot, words))
    for kind, templates, first, second in EXCHANGES:
        if re.fullmatch(templates, group.template):
            yield EACH, _refilled(group, kind, _exchanged(first, second))


def _said(group: Group, word: Word) -> Found:
    for task in group.tasks:
        slots = group.slots[task.id]
        into = _places(word.into, task, group.world)
        wording = _replaced(task.paraphrase, word.pattern, into)
        if wording != task.paraphrase:
            yield from _made(group, task, word, _filled(wording, slots))


def _with_tail(group: Group, tail: Tail) -> Found:
    for task in group.tasks:
        goal = task.goal.rstrip("?.") + _places(tail.text, task, group.world)
        yield from _made(group, task, tail, goal)


def _made(group: Group, task: Task, rule: Word | Tail, goal: str) -> Found:
    try:
        right = rule.right(group.template, group.slots[task.id], group.world)
    except Undefined:
        return
    yield task, NearMiss(task.id, rule.kind, goal, right)


Refill = Callable[[Mapping[str, str]], Iterable[dict[str, str]]]
"""Takes a goal's slots; returns those that are to be others."""


def _refilled(group: Group, kind: str, refill: Refill) -> Found:
    for task in group.tasks:
        slots = group.slots[task.id]
        for new in refill(slots):
            other = replace(task, goal=_filled(task.paraphrase, {**slots, **new}))
            try:
                right = truth(other, group.world)
            except Undefined:
                continue
            yield task, NearMiss(task.id, kind, other.goal, right)


def _other_values(group: Group, name: str) -> Refill:
    values = sorted({slots[name] for slots in group.slots.values()})

    def refill(slots: Mapping[str, str]) -> Iterable[dict[str, str]]:
        # The neighbour: the most alike of them.
        following = values[(values.index(slots[name]) + 1) % len(values)]
        return [{name: following}] if following not in slots.values() else []

    return refill


def _opposite(slot: str, words: Mapping[str, str]) -> Refill:
    return lambda slots: [{slot: words[slots[slot]]}] if slots[slot] in words else []


def _exchanged(first: str, second: str) -> Refill:
    return lambda slots: [{first: slots[second], second: slots[first]}]


def _replaced(wording: str, pattern: str, into: str) -> str:
    """The wording with the first match in its fixed text replaced."""
    parts = SLOT.split(wording)
    for i in range(0, len(parts), 2):
        changed, times = re.subn(pattern, into, parts[i], count=1)
        # What is anchored at the beginning means the goal's, not that of a part.
        if times and not (i and pattern.startswith("^")):
            parts[i] = changed
            break
    return "".join(f"{{{p}}}" if i % 2 else p for i, p in enumerate(parts))


def _filled(wording: str, slots: Mapping[str, str]) -> str:
    return SLOT.sub(lambda match: slots[match[1]], wording)


def _places(text: str, task: Task, world: World) -> str:
    """The text with a colleague whom the goal does not name, and days of the week, put in."""
    names = (str(row["address"]).partition(".")[0] for row in world.directory)
    someone = next(name for name in names if name not in task.goal.lower())
    today = world.now.weekday()
    return (
        text.replace("<someone>", someone.capitalize())
        .replace("<today>", WEEKDAYS[today])
        .replace("<other day>", WEEKDAYS[today - 2])
    )


def main(arguments: list[str]) -> int:
    """Print the report."""
    if len(arguments) != 1:
        print("usage: python -m bench.workbench.near_miss PATH", file=sys.stderr)
        return 2
    path = Path(arguments[0])
    try:
        found = near_misses(load_tasks(path, more=True), World.load(path))
    except LLMOSError as e:
        print(f"error: {e.message}. {e.hint}", file=sys.stderr)
        return e.exit_code
    examples = {miss.kind: miss for miss in found}
    for kind, count in Counter(miss.kind for miss in found).most_common():
        print(f"{count:4} {kind}: {examples[kind].task_id}: {examples[kind].goal}")
    known = sum(miss.right is not None for miss in found)
    empty = sum(miss.right == () for miss in found)
    originals = len({miss.task_id for miss in found})
    print(
        f"{len(found)} near misses of {originals} tasks: for {known} what is right is known,"
        f" for {empty} of them that is to write nothing"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
