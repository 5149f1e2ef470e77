"""From events to lines that a person reads: who did what, why, when, and what it cost.

Quiet things (a free replay, a cycle that found nothing to do, a healthy health check) are one
line for all their repetitions. All of it is computed from events, never from a model's words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from llmos.store import EventRow
from llmos.store.schema import parse_stamp, stamp
from llmos.values import EventType, Json, Mode

_ENDED_BY = {
    EventType.TASK_STARTED: (EventType.TASK_COMPLETED, EventType.TASK_FAILED),
    EventType.CYCLE_BEGIN: (EventType.CYCLE_END,),
}
"""Beginnings that say nothing once the end is told."""

_MODES = {
    Mode.FOLLOWER: "replayed from a trace",
    Mode.MIXED: "the model worked from an example",
    Mode.LEARNER: "the model worked alone",
}


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One line of the feed."""

    when: datetime
    """The last time, where several events share the line."""
    who: str
    what: str
    why: str
    cost_usd: float
    type: EventType
    subject: str
    event_id: str
    count: int = 1
    """How many events share the line."""
    since: datetime | None = None
    """The first time that was looked at, where several events share the line."""

    def as_dict(self) -> dict[str, Json]:
        """The entry as JSON; times are ISO 8601 in UTC."""
        told = asdict(self) | {"type": self.type.value, "when": stamp(self.when)}
        return told | {"since": stamp(self.since) if self.since else None}


def entries(newest_first: Iterable[EventRow], limit: int) -> list[FeedEntry]:
    """The lines for these events, the newest first.

    Args:
        newest_first: Events of one owner.
        limit: How many lines; no further event is looked at once they are there.
    """
    lines: dict[object, list[EventRow]] = {}
    ended: set[tuple[EventType, str, str]] = set()
    for row in newest_first:
        ended.add((row.type, row.actor, row.subject))
        if any((end, row.actor, row.subject) in ended for end in _ENDED_BY.get(row.type, ())):
            continue
        key = (row.type, row.actor, row.title, _why(row)) if _quiet(row) else row.seq
        if key not in lines and len(lines) >= limit:
            break
        lines.setdefault(key, []).append(row)
    return [_entry(rows) for rows in lines.values()]


def _entry(rows: list[EventRow]) -> FeedEntry:
    row, first = rows[0], rows[-1]
    # Quiet cycles are told many at once, with how many and since when.
    count = sum(int(r.payload.get("times") or 1) for r in rows)
    since = parse_stamp(first.payload["since"]) if first.payload.get("times") else first.at
    return FeedEntry(
        when=row.at,
        who=row.actor or "kernel",
        what=row.title or " ".join((row.type.value.lower().replace("_", " "), row.subject)),
        why=_why(row),
        cost_usd=float(row.payload.get("cost_usd") or 0.0),
        type=row.type,
        subject=row.subject,
        event_id=row.id,
        count=count,
        since=since if count > 1 else None,
    )


def _why(row: EventRow) -> str:
    told = row.payload
    for name in ("why", "note"):
        if told.get(name):
            return str(told[name])
    stopped = f"the replay stopped: {told['side_exit']}" if told.get("side_exit") else ""
    if row.type is EventType.TASK_FAILED:
        return str(told.get("error") or stopped)
    if row.type is EventType.TASK_COMPLETED:
        if told.get("already_done"):
            return "it was already done"
        return stopped or _MODES.get(told.get("mode", ""), "")
    return ""


def _quiet(row: EventRow) -> bool:
    told = row.payload
    if row.type is EventType.TASK_COMPLETED:
        return told.get("mode") == Mode.FOLLOWER and not told.get("side_exit")
    if row.type is EventType.CYCLE_END:
        return not told.get("tasks") and bool(told.get("ok", True))
    return row.type is EventType.HEALTH_CHECK and bool(told.get("ok", True))
