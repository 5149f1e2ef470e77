"""The right writes of every template, on any world.

    python -m bench.workbench.oracles PATH

Prints, per template, on how many of its tasks the oracle ends in the same state as the published
calls on the world as it is, and exits 1 unless that is all. Slots are read from a goal by the
wording that it was made from, both of which come from the data: no goal stands here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from bench.workbench import oracles_analytics, oracles_calendar, oracles_office
from bench.workbench.data import Call, Task, load_tasks
from bench.workbench.oracles_common import Oracle, Slots, Undefined
from bench.workbench.world import World, same_state
from llmos.errors import LLMOSError

__all__ = ["ORACLES", "Slots", "Undefined", "answer", "retold", "slots_of", "template_of", "truth"]

ORACLES: dict[str, Oracle] = {
    **oracles_analytics.ORACLES,
    **oracles_calendar.ORACLES,
    **oracles_office.ORACLES,
}
"""The oracles by template id: ``calendar-02`` for the tasks ``calendar-02-0``, ``s101-…-0``."""

SLOT = re.compile(r"\{(\w+)\}")

QUOTED = re.compile(r"(?<![\w}])'(\S.*?\S)'(?:(?!\w)|(?=say))")
"""A quoted text of a wording; an apostrophe within a word does not end it. One wording has no
space after the quote."""


class Agreement(NamedTuple):
    """How often oracle and published calls end in the same state."""

    template: str
    same: int
    total: int
    wrong: str
    """Id of the first task in which they differ, or empty."""


def template_of(task: Task) -> str:
    """The id of the task's template: its own id without the seed before and the number after."""
    found = re.search(r"[a-z]+-\d\d(?=-\d+$)", task.id)
    if not found:
        raise ValueError(f"the task's id {task.id!r} names no template")
    return found[0]


def slots_of(task: Task) -> dict[str, str]:
    """What the goal has in the places of its wording's slots, and the texts that it quotes.

    Quoted texts are those of the template's base wording, in its order, filled in: other wordings
    leave some out, and the right calls have them nevertheless.

    Raises:
        ValueError: The goal was not made from the wording.
    """
    seen: set[str] = set()
    pattern = ""
    for i, part in enumerate(SLOT.split(task.paraphrase)):
        if i % 2 == 0:
            pattern += re.escape(part)
        else:
            pattern += f"(?P={part})" if part in seen else f"(?P<{part}>.+?)"
            seen.add(part)
    found = re.fullmatch(pattern, task.goal, re.DOTALL)
    if not found:
        raise ValueError(f"the goal of {task.id!r} does not have its wording")
    slots = found.groupdict()
    texts = enumerate(QUOTED.findall(task.template), 1)
    return slots | {f"text{i}": SLOT.sub(lambda m: slots[m[1]], text) for i, text in texts}


def answer(template: str, slots: Slots, world: World) -> tuple[Call, ...]:
    """The right writes for the slots on the world as it began, by its clock.

    Raises:
        Undefined: On this world no single answer is right.
    """
    return tuple(ORACLES[template](slots, world.fresh(), world.now.replace(tzinfo=None)))


def truth(task: Task, world: World) -> tuple[Call, ...]:
    """The right writes for the task's goal on this world.

    Raises:
        Undefined: On this world no single answer is right.
    """
    return answer(template_of(task), slots_of(task), world)


def retold(tasks: Iterable[Task], world: World) -> Iterator[Task]:
    """The tasks with what is right on this world in the place of what was right on the first.

    Left out are those with a label conflict, and those that have no single right answer here.
    """
    for task in tasks:
        if task.label_conflict:
            continue
        try:
            yield replace(task, truth=truth(task, world))
        except Undefined:
            continue


def agreements(tasks: Iterable[Task], world: World) -> Iterator[Agreement]:
    """Compare with the published calls, label conflicts left out, by template."""
    groups: dict[str, list[Task]] = {}
    for task in tasks:
        if not task.label_conflict:
            groups.setdefault(template_of(task), []).append(task)
    for template, group in sorted(groups.items()):
        wrong = [task.id for task in group if not _agrees(task, world)]
        same = len(group) - len(wrong)
        yield Agreement(template, same, len(group), wrong[0] if wrong else "")


def _agrees(task: Task, world: World) -> bool:
    try:
        ours = replace(task, truth=truth(task, world))
    except Undefined:
        return False
    return same_state(ours.right_world(world), task.right_world(world))


def main(arguments: list[str]) -> int:
    """Print the report; 0 when the oracles agree on every task."""
    if len(arguments) != 1:
        print("usage: python -m bench.workbench.oracles PATH", file=sys.stderr)
        return 2
    path = Path(arguments[0])
    try:
        found = list(agreements(load_tasks(path, more=True), World.load(path)))
    except LLMOSError as e:
        print(f"error: {e.message}. {e.hint}", file=sys.stderr)
        return e.exit_code
    for one in found:
        print(f"{one.same}/{one.total} {one.template} {one.wrong and f'(first: {one.wrong})'}")
    same, total = sum(one.same for one in found), sum(one.total for one in found)
    print(f"{same}/{total} tasks of {len(found)} templates")
    return 0 if same == total else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
