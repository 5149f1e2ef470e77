"""One undo for what crons and people did with artifacts: an event, or a whole cycle.

Nothing is deleted: taking back is a change like any other, with an event of its own, so that it
can be taken back too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, select

from llmos.errors import PermissionDenied, UserError
from llmos.observability.rows import Reader, among, event_row
from llmos.store import EventRow, Transaction
from llmos.store.schema import events, stamp, versions
from llmos.values import EventType
from llmos.volumes.access import Access, Caller, may
from llmos.volumes.inverse import changes_an_artifact, inverse_of, place_of
from llmos.volumes.records import What

_SHORT = 6
"""Characters from the end of an id that are enough to name what happened lately."""
_LATELY = 100_000
"""Events in which the end of an id is looked for: a person read it in a feed or a report."""
_CYCLE = (EventType.CYCLE_BEGIN, EventType.CYCLE_END)
_SYSTEM_CRON = "system-cron"
_MARKS = (What.STATUS, What.ARCHIVED, What.RESTORED)


@dataclass(frozen=True, slots=True)
class Happening:
    """What a person means by an id: one event, or a cycle of a cron."""

    row: EventRow

    @property
    def is_cycle(self) -> bool:
        """Whether it is all that a cycle did."""
        return self.row.type in _CYCLE

    @property
    def id(self) -> str:
        """Of the event, or of the cycle."""
        return self.row.subject if self.is_cycle else self.row.id


def find_happening(conn: Connection, named: str, user_id: str) -> Happening | None:
    """What a person means; None if there is no such thing in what concerns them.

    Args:
        conn: Where to read.
        named: Id of an event or of a cycle, or the last six characters of it.
        user_id: Who asks.

    Raises:
        UserError: Several things are named so.
    """
    text = named.strip().upper()
    if len(text) < _SHORT or not (text.isascii() and text.isalnum()):
        return None
    rows = [event_row(row) for row in conn.execute(_named(conn, text, user_id)).all()]
    found = {(h.is_cycle, h.id): h for h in map(Happening, rows)}
    if len(found) > 1:
        raise UserError(f"{named[:40]!r} names several events", "give more of the id")
    return next(iter(found.values()), None)


def take_back(tx: Transaction, event: str, author: str) -> list[str]:
    """Take back what an event tells, or all that a cycle did, the newest first.

    Args:
        tx: An open transaction.
        event: Id of the event or of the cycle, or the last six characters of it.
        author: Who takes it back.

    Returns:
        What was done, one line each; what was so already, or was left because somebody changed
        it since, is told too.

    Raises:
        UserError: There is no such event, it has no inverse, or something came after it.
        PermissionDenied: The volume is not the author's to change.
    """
    found = find_happening(tx.conn, event, author)
    if found is None:
        raise UserError(f"there is no event {event[:40]!r}", "see: llmos feed")
    if found.is_cycle:
        return _take_back_cycle(tx, found, author)
    row = found.row
    if not changes_an_artifact(row):
        raise UserError(f"{row.title or row.type.value} cannot be taken back", _hint(row))
    _require(tx, row, author)
    inverse = inverse_of(tx, row, author=author, why=f"takes back {row.id[-_SHORT:].lower()}")
    if inverse.do is not None:
        inverse.do()
    return [inverse.told]


def _take_back_cycle(tx: Transaction, cycle: Happening, author: str) -> list[str]:
    after, end = _bounds(tx.conn, cycle)
    _require(tx, end, author)
    rows = _done_in(tx.conn, after, end)
    touched = _touched(tx.conn, rows, end)
    why = f"takes back cycle {cycle.id[-_SHORT:].lower()}"
    told = [line for row in rows if (line := _one(tx, row, touched, author, why))]
    return told or [f"cycle {cycle.id[-_SHORT:].lower()} changed nothing that is still so"]


def _one(
    tx: Transaction, row: EventRow, touched: dict[str, EventRow], author: str, why: str
) -> str:
    """Takes one of many back; what to tell of it, or nothing."""
    try:
        # Who may take back a cycle may take back all that it did, where its cron may write.
        inverse = inverse_of(tx, row, author=author, why=why)
    except UserError as e:
        return f"left: {e.message}"
    if inverse.do is None:
        return ""
    since = touched.get(row.subject)
    if since is not None:
        return f"left: {since.title}, by {since.actor} since"
    inverse.do()
    return inverse.told


def _bounds(conn: Connection, cycle: Happening) -> tuple[int, EventRow]:
    row = cycle.row
    of_it = select(events).where(
        events.c.subject == row.subject,
        events.c.actor == row.actor,
        among(events, [(row.volume, row.owner)]),
    )
    found = {r.type: event_row(r) for r in conn.execute(of_it).all()}
    if EventType.CYCLE_END not in found:
        raise UserError(f"cycle {row.subject[-_SHORT:].lower()} is not over", "try again later")
    end = found[EventType.CYCLE_END]
    return _last_end(conn, found.get(EventType.CYCLE_BEGIN, end)), end


def _last_end(conn: Connection, begin: EventRow) -> int:
    """Number of the event with which the cycle before ended; 0 if there was none.

    A cycle's beginning is told when it has ended and is known to have done something.
    """
    before = select(func.max(events.c.seq)).where(
        events.c.type == EventType.CYCLE_END.value,
        events.c.seq < begin.seq,
        events.c.actor == begin.actor,
        among(events, [(begin.volume, begin.owner)]),
    )
    return int(conn.scalar(before) or 0)


def _done_in(conn: Connection, after: int, end: EventRow) -> list[EventRow]:
    """What a cycle changed, the newest first, less the steps to what it changed anyway."""
    between = select(events).where(
        events.c.seq > after, events.c.seq < end.seq, events.c.actor == end.actor
    )
    if end.actor != _SYSTEM_CRON:
        between = between.where(among(events, [(end.volume, end.owner)]))
    rows = conn.execute(between.order_by(events.c.seq.desc())).all()
    # What is announced by name is created or evolved too, and told so by its id.
    changed = [row for row in map(event_row, rows) if "what" in row.payload]
    fresh = _fresh(conn, changed, end)
    # A status of a version that the cycle made goes with the version: were it taken back by
    # itself, to restore the version would not bring it back into use.
    return [
        row
        for row in changed
        if not (row.payload.get("what") in _MARKS and (row.subject, _digest(row)) in fresh)
    ]


def _fresh(conn: Connection, rows: Sequence[EventRow], end: EventRow) -> set[tuple[str, str]]:
    """Artifact and digest of the versions that a cycle made."""
    first = min((row.at for row in rows), default=end.at)
    query = select(versions.c.artifact_id, versions.c.digest).where(
        versions.c.artifact_id.in_({row.subject for row in rows}),
        versions.c.author == end.actor,
        versions.c.created_at >= stamp(first),
        versions.c.created_at <= stamp(end.at),
    )
    return {(artifact, digest) for artifact, digest in conn.execute(query)}


def _touched(conn: Connection, rows: Sequence[EventRow], end: EventRow) -> dict[str, EventRow]:
    """The newest event of another author after the cycle, by the id of what it is about."""
    if not rows:
        return {}
    places = sorted({(row.volume, row.owner) for row in rows})
    since = select(events).where(
        among(events, places),
        events.c.seq > end.seq,
        events.c.actor != end.actor,
        events.c.subject.in_({row.subject for row in rows}),
    )
    found = map(event_row, conn.execute(since.order_by(events.c.seq)).all())
    return {row.subject: row for row in found if "what" in row.payload}


def _named(conn: Connection, text: str, user_id: str) -> Select[Any]:
    reader = Reader.of(conn, user_id)
    is_cycle = events.c.type.in_([type.value for type in _CYCLE])
    if len(text) == 26:
        named = (events.c.id == text) | (is_cycle & (events.c.subject == text))
    else:
        newest = conn.scalar(select(func.max(events.c.seq))) or 0
        ends = events.c.id.endswith(text) | (is_cycle & events.c.subject.endswith(text))
        named = (events.c.seq > newest - _LATELY) & ends
    query = select(events).where(named).order_by(events.c.seq)
    return query if reader.is_admin else query.where(among(events, reader.places))


def _require(tx: Transaction, row: EventRow, author: str) -> None:
    if not may(tx.conn, Caller.person(author), place_of(row), Access.WRITE):
        who = "a maintainer" if row.volume == "team" else "an admin"
        raise PermissionDenied(
            f"{place_of(row)} is not yours to change", f"ask {who} to take it back"
        )


def _hint(row: EventRow) -> str:
    if row.type in (EventType.TASK_STARTED, EventType.TASK_COMPLETED, EventType.TASK_FAILED):
        return f"it tells of a run: llmos undo {row.subject}"
    return "only changes of tools, insights and suggestions are, and cycles"


def _digest(row: EventRow) -> str:
    return str(row.payload.get("digest", ""))
