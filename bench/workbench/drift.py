"""The same office some time later: other tables, or the clock at another day.

    python -m bench.workbench.drift PATH

Prints, for several worlds, for how many tasks what was right on the first world is wrong, and
exits 1 when a tool refuses a right call or a careful run's read there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from random import Random
from typing import NamedTuple

from bench.workbench.catalog import call
from bench.workbench.data import Call, Task, load_expert_traces, load_tasks
from bench.workbench.drift_tables import CHANGES
from bench.workbench.oracles import retold
from bench.workbench.world import Row, World, same_state
from llmos.errors import LLMOSError
from llmos.values import Effect, Json

SEEDS = range(5)
DAYS = (date(2023, 11, 21), date(2023, 12, 5))
"""What the report looks at."""


class ClockedWorld(World):
    """A world whose clock stands at ``now`` (aware)."""

    def __init__(self, tables: Mapping[str, Sequence[Row]], now: datetime) -> None:
        super().__init__(tables)
        self._now = now

    @property
    def now(self) -> datetime:
        return self._now

    def fresh(self) -> ClockedWorld:
        return ClockedWorld(self.tables, self._now)


class Shift(NamedTuple):
    """What another world does to the tasks."""

    tasks: int
    """Those with a single right answer there, and no label conflict."""
    other: int
    """Among them those for which the first world's right calls end wrong."""
    refused: int
    """Right calls, and reads of the careful runs, that raise or are refused there."""


def with_clock(world: World, on: date) -> World:
    """The world with its clock at the beginning of another day.

    What had not happened by an earlier day is not there: visits from that day on, mails and
    customers' last contacts after it. Everything else stays as it is.
    """
    happened = {
        "visits": [row for row in world.tables["visits"] if row["date_of_visit"] < str(on)],
        "emails": [row for row in world.tables["emails"] if row["sent_datetime"][:10] <= str(on)],
        "customers": [
            row for row in world.tables["customers"] if row["last_contact_date"] <= str(on)
        ],
    }
    return ClockedWorld({**world.tables, **happened}, datetime.combine(on, time(), UTC))


def drifted(world: World, seed: int) -> World:
    """The world after people have worked in it: the same clock, all tables changed.

    Rows are gone, moved, reassigned and added, and all ids are dealt anew. Tables stay in their
    order of time, people in their roles, dates of what happened in the past.
    """
    tables = {
        name: change(list(world.tables[name]), Random(f"{name} {seed}"), world.now)
        for name, change in CHANGES.items()
    }
    return ClockedWorld({**world.tables, **tables}, world.now)


def shift(tasks: Iterable[Task], world: World, reads: Iterable[Call]) -> Shift:
    """What the world does to tasks whose truth is that of another world."""
    before = {task.id: task for task in tasks}
    after = list(retold(before.values(), world))
    other = sum(
        not same_state(task.right_world(world), before[task.id].right_world(world))
        for task in after
    )
    refused = sum(_refused(world.fresh(), task.truth) for task in after)
    return Shift(len(after), other, refused + _refused(world.fresh(), reads))


def _refused(world: World, calls: Iterable[Call]) -> int:
    def fails(tool: str, arguments: Mapping[str, Json]) -> bool:
        try:
            return call(world, tool, arguments).is_error
        except Exception:
            return True

    return sum(fails(*one) for one in calls)


def _reads(path: Path) -> list[Call]:
    return [
        Call(step.tool, step.arguments)
        for trace in load_expert_traces(path, more=True).values()
        for step in trace.steps
        if step.effect is Effect.READ
    ]


def main(arguments: list[str]) -> int:
    """Print the report; 0 when no right call and no read is refused anywhere."""
    if len(arguments) != 1:
        print("usage: python -m bench.workbench.drift PATH", file=sys.stderr)
        return 2
    path = Path(arguments[0])
    try:
        world, tasks, reads = World.load(path), load_tasks(path, more=True), _reads(path)
    except LLMOSError as e:
        print(f"error: {e.message}. {e.hint}", file=sys.stderr)
        return e.exit_code
    worlds = {f"tables, seed {seed}": drifted(world, seed) for seed in SEEDS}
    worlds |= {f"clock at {on}": with_clock(world, on) for on in DAYS}
    worlds["tables, seed 0, clock at " + str(DAYS[0])] = with_clock(drifted(world, 0), DAYS[0])
    refused = 0
    for name, changed in worlds.items():
        found = shift(tasks, changed, reads)
        refused += found.refused
        share = found.other / found.tasks
        print(f"{found.other}/{found.tasks} ({share:.0%}) other, {found.refused} refused: {name}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
