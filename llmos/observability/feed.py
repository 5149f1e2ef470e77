"""From events to lines that a person reads: who did what, why, when, and what it cost.

Quiet things (a free replay, a cycle that found nothing to do, a healthy health check) are one
line for all their repetitions, and so is all that one transaction did to one artifact. All of it
is computed from events, never from a model's words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from llmos.observability import outcomes
from llmos.store import EventRow
from llmos.store.schema import stamp
from llmos.values import EventType, Json

_ENDED_BY = {
    EventType.TASK_STARTED: (EventType.TASK_COMPLETED, EventType.TASK_FAILED),
    EventType.CYCLE_BEGIN: (EventType.CYCLE_END,),
}
"""Beginnings that say nothing once the end is told."""


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
    """How many times it happened, where all of them share the line."""
    since: datetime | None = None
    """The first time that was looked at, where several events share the line."""
    evidence: str = ""
    """The numbers that it stands on."""
    undo: str = ""
    """What to type to take it back; ``""`` where that cannot be."""
    diff: str = ""
    """What to type to see what changed."""

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
        quiet = (row.type, row.actor, row.title, outcomes.why_of(row))
        key = quiet if outcomes.is_quiet(row) else outcomes.outcome_of(row)
        if key not in lines and len(lines) >= limit:
            break
        lines.setdefault(key, []).append(row)
    return [_entry(rows) for rows in lines.values()]


def _entry(rows: list[EventRow]) -> FeedEntry:
    row = outcomes.telling(rows)
    count = sum(map(outcomes.times, rows)) if outcomes.is_quiet(row) else 1
    return FeedEntry(
        when=rows[0].at,
        who=row.actor or "kernel",
        what=outcomes.title_of(row),
        why=outcomes.why_of(row) or next(filter(None, map(outcomes.why_of, rows)), ""),
        cost_usd=float(row.payload.get("cost_usd") or 0.0),
        type=row.type,
        subject=row.subject,
        event_id=row.id,
        count=count,
        since=outcomes.first_of(rows) if count > 1 else None,
        evidence=outcomes.evidence_of(row),
        undo=outcomes.undo_of(row),
        diff=outcomes.diff_of(row),
    )
