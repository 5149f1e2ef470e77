"""Runs that hold what another one holds: what is done with one of them is done with all."""

from __future__ import annotations

from sqlalchemy import Connection, or_, select

from llmos.store.schema import traces
from llmos.volumes.records import Place

REPLAY = "replay:"
"""What the source of a replay begins with, as `llmos.memory.traces` writes it."""


def with_it(conn: Connection, place: Place, run_id: str) -> list[str]:
    """The runs that go with a run, itself first: its plan and all parts of that, and replays.

    The parts of a plan say what the plan says, and the plan what they answered.

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
        ids = conn.scalars(select(traces.c.id).where(mine, near).order_by(traces.c.id))
        found += [i for i in ids if i not in found]
    return found
