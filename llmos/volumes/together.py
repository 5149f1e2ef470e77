"""Runs that hold what another one holds: what is done with one of them is done with all."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, or_, select

from llmos.store.schema import REPLAY, steps, traces
from llmos.values import Mode
from llmos.volumes.records import Place

PART = "llmos.goal"
"""The tool of a step of a plan's run, as `llmos.cortex.plans` writes it; the step names the run."""

_BATCH = 200
"""Runs that are asked for together: SQLite takes at most 999 parameters."""


def with_it(conn: Connection, place: Place, run_id: str) -> list[str]:
    """The runs that go with a run, itself first: its plan and all parts of that, and replays.

    The parts of a plan say what the plan says, and the plan what they answered; so does a plan that
    has taken up another one, of the parts that had been done.

    Args:
        conn: Where to read.
        place: The volume of the run.
        run_id: Its id, in full.
    """
    mine = (traces.c.volume == place.volume) & (traces.c.owner == place.owner)
    answers = _answers(conn, mine)
    found, new = {run_id: None}, [run_id]
    while new:  # all that are as near as each other are asked for together
        some, new = new[:_BATCH], new[_BATCH:]
        plans = select(traces.c.part_of).where(traces.c.id.in_(some), traces.c.part_of.is_not(None))
        near = or_(
            traces.c.part_of.in_(some),
            traces.c.source.in_([f"{REPLAY}{one}" for one in some]),
            traces.c.id.in_(plans),
        )
        ids = [*conn.scalars(select(traces.c.id).where(mine, near).order_by(traces.c.id))]
        for one in some:
            ids += answers.get(one, ())
        new += [i for i in dict.fromkeys(ids) if i not in found]
        found |= dict.fromkeys(ids)
    return list(found)


def _answers(conn: Connection, mine: ColumnElement[bool]) -> Mapping[str, Sequence[str]]:
    """By run: plans that hold its answer, and of a plan the runs whose answers it holds."""
    query = (
        select(steps.c.trace_id, steps.c.observation)
        .join(traces, traces.c.id == steps.c.trace_id)
        .where(mine, traces.c.mode == Mode.ORCHESTRATOR.value, steps.c.tool == PART)
        .order_by(steps.c.trace_id, steps.c.idx)
    )
    told = [(plan, part) for plan, seen in conn.execute(query) for part in _named(seen)]
    named = list(dict.fromkeys(part for _, part in told))
    there = set[str]()  # what was imported may name runs that are another's, or nobody's
    for k in range(0, len(named), _BATCH):
        some = traces.c.id.in_(named[k : k + _BATCH])
        there |= set(conn.scalars(select(traces.c.id).where(mine, some)))
    found: dict[str, list[str]] = defaultdict(list)
    for plan, part in told:
        if part in there:
            found[plan].append(part)
            found[part].append(plan)
    return found


def parts_of(conn: Connection, run_id: str) -> Iterator[str]:
    """The runs whose answers a plan's run holds, also those that an earlier one had done."""
    mine = (steps.c.trace_id == run_id) & (steps.c.tool == PART)
    for observation in conn.scalars(select(steps.c.observation).where(mine).order_by(steps.c.idx)):
        yield from _named(observation)


def _named(observation: str) -> Iterator[str]:
    seen = json.loads(observation)
    if isinstance(seen, dict) and seen.get("run"):
        yield str(seen["run"])
