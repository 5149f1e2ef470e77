"""What was imported before, read once for each import."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sqlalchemy import select

from llmos.memory.fold import goal_key
from llmos.memory.traces import Traces
from llmos.store.schema import traces
from llmos.values import Trace

PREFIX = "import:"
"""Begin of the source of an imported trace; ``<session>#<index>@<end>`` comes after it."""

_SOURCE = re.compile(rf"{PREFIX}(?P<session>.*)#(?P<index>\d+)@(?P<end>\d+)", re.S)


Moment = tuple[str, str, str]
"""Time (ISO 8601), `goal_key` and context digest of a goal."""


@dataclass
class Known:
    """The imported traces of one user."""

    goals: dict[str, set[int]] = field(default_factory=dict)
    """Indices of the goals that are known, by session."""
    ends: dict[str, int] = field(default_factory=dict)
    """Offset up to which a session is known, in bytes."""
    moments: set[Moment] = field(default_factory=set)
    """Of every goal: a session that was forked repeats those before."""

    def add(self, source: str, moment: Moment) -> None:
        """Note an imported trace.

        Args:
            source: Its source.
            moment: When which goal was asked for after what.
        """
        found = _SOURCE.fullmatch(source)
        if found is None:
            return
        session, end = found["session"], int(found["end"])
        self.goals.setdefault(session, set()).add(int(found["index"]))
        self.ends[session] = max(end, self.ends.get(session, 0))
        self.moments.add(moment)

    def note(self, trace: Trace) -> None:
        """Note a trace that is being stored."""
        self.add(trace.source, _moment(trace))

    def elsewhere(self, trace: Trace) -> bool:
        """Whether the goal is known from another session that has the same beginning."""
        return _moment(trace) in self.moments


def _moment(trace: Trace) -> Moment:
    return trace.now.isoformat(), goal_key(trace.goal), trace.context_digest


def known_of(stored: Traces, user_id: str) -> Known:
    """What ``user_id`` has imported; one query, whatever the number of sessions.

    Args:
        stored: The stored runs.
        user_id: Whose.
    """
    column = traces.c
    query = select(column.source, column.now, column.goal_key, column.context_digest).where(
        traces.c.volume == "user",
        traces.c.owner == user_id,
        traces.c.source.like(f"{PREFIX}%"),
    )
    known = Known()
    # All that is read is needed here only; `Traces` has no use for it.
    for source, *moment in stored._store.read(lambda c: c.execute(query).all()):
        known.add(source, (moment[0], moment[1], moment[2]))
    return known
