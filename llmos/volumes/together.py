"""Runs that hold what another one holds: what is done with one of them is done with all."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sqlalchemy import Connection, or_, select

from llmos.store.schema import steps, traces
from llmos.values import Mode
from llmos.volumes.records import Place

REPLAY = "replay:"
"""What the source of a replay begins with, as `llmos.memory.traces` writes it."""

PART = "llmos.goal"
"""The tool of a step of a plan's run, as `llmos.cortex.plans` writes it; the step names the run."""


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
    found = [run_id]
    for one in found:  # which grows meanwhile
        plan = select(traces.c.part_of).where(traces.c.id == one, traces.c.part_of.is_not(None))
        near = or_(
            traces.c.part_of == one, traces.c.source == f"{REPLAY}{one}", traces.c.id.in_(plan)
        )
        ids = list(conn.scalars(select(traces.c.id).where(mine, near).order_by(traces.c.id)))
        having = (steps.c.tool == PART) & steps.c.observation.contains(f'"{one}"')
        plans = (
            select(traces.c.id)
            .join(steps, steps.c.trace_id == traces.c.id)
            .where(mine, traces.c.mode == Mode.ORCHESTRATOR.value, having)
        )
        ids += [*conn.scalars(plans.order_by(traces.c.id)), *parts_of(conn, one)]
        found += [i for i in dict.fromkeys(ids) if i not in found]
    return found


def parts_of(conn: Connection, run_id: str) -> Iterator[str]:
    """The runs whose answers a plan's run holds, also those that an earlier one had done."""
    mine = (steps.c.trace_id == run_id) & (steps.c.tool == PART)
    for observation in conn.scalars(select(steps.c.observation).where(mine).order_by(steps.c.idx)):
        seen = json.loads(observation)
        if isinstance(seen, dict) and seen.get("run"):
            yield str(seen["run"])
