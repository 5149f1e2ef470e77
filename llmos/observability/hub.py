"""The hub: the activity feed, notifications, and what was acknowledged, for one person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, exists, select

from llmos.errors import UserError
from llmos.observability.feed import FeedEntry, entries
from llmos.observability.notifications import Notification, named, notification
from llmos.observability.outcomes import short
from llmos.observability.rows import Reader, among, event_row
from llmos.store import EventRow, Store, Transaction
from llmos.store.dialect import insert_new
from llmos.store.schema import acknowledgements, events, journal, notifications, stamp
from llmos.values import Clock, EventType, Json, utc_now

_BATCH = 200
_LOOKED_AT = 600
"""Events that one feed is made of at most: what lets it answer in milliseconds from a million."""


class ObservabilityHub:
    """What happened in one volume, read by one person.

    Args:
        store: Where the events are.
        user_id: Who reads and acknowledges.
        volume: ``user``, ``team`` or ``system``.
        owner: Id of the user or team whose volume it is; ``user_id`` when left out.
        clock: Decides what "the last 24 hours" are; the one the store was opened with.
    """

    def __init__(
        self,
        store: Store,
        *,
        user_id: str,
        volume: str = "user",
        owner: str | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._store = store
        self._user = user_id
        self._volume = volume
        self._owner = owner or user_id
        self._clock = clock

    # --- writing -----------------------------------------------------------------------------

    def record_artifact_created(
        self, subject: str, *, title: str = "", why: str = "", actor: str = ""
    ) -> str:
        """An artifact is there that its owner should see; returns the event's id.

        Args:
            subject: Name of the artifact.
            title: One line; made from the name when left out.
            why: What it was made for or from.
            actor: Who made it; the owner when left out.
        """
        title = title or f"{subject} was created"
        return self._announce(EventType.ARTIFACT_CREATED, subject, title, why, actor)

    def record_proposal_created(
        self, subject: str, *, title: str = "", why: str = "", actor: str = ""
    ) -> str:
        """A change is proposed to the owner; arguments as in `record_artifact_created`."""
        title = title or f"{subject} is proposed"
        return self._announce(EventType.PROPOSAL_CREATED, subject, title, why, actor)

    def record_cycle_complete(
        self,
        *,
        tasks: int,
        duration_s: float,
        why: str = "",
        actor: str = "",
        cost_usd: float = 0.0,
    ) -> str:
        """A background cycle ended; returns the event's id. Nobody is notified of it.

        Args:
            tasks: What it did; 0 is a quiet cycle.
            duration_s: How long it took.
            why: Why it did nothing, or what started it.
            actor: Name of the cron; the owner when left out.
            cost_usd: What it cost.
        """
        done = "1 task" if tasks == 1 else f"{tasks} tasks"
        title = f"cycle: {done} in {duration_s:.1f} s" if tasks else "cycle: nothing to do"
        told = {"tasks": tasks, "duration_s": duration_s, "cost_usd": cost_usd, "why": why}
        return self._store.write(
            lambda tx: self._event(tx, EventType.CYCLE_END, "", title, told, actor)
        )

    def acknowledge(self, which: str) -> int:
        """Note that the reader has seen it; returns how many notifications that ended.

        Args:
            which: Id of the event, the last six characters of it, or the subject.

        Raises:
            UserError: There never was such a notification.
        """

        def write(tx: Transaction) -> tuple[int, int]:
            told_to = self._told_to(tx.conn, notifications.c.event_id)
            meant = told_to.where(named(which))
            found = tx.conn.scalars(meant).all()
            told = [{"event_id": f, "user_id": self._user, "at": stamp(tx.now)} for f in found]
            key = ["event_id", "user_id"]
            return len(found), sum(insert_new(tx.conn, acknowledgements, r, key) for r in told)

        found, ended = self._store.write(write)
        if not found:
            raise UserError(f"there is no notification {which[:80]!r}", "see `llmos feed`")
        return ended

    # --- reading -----------------------------------------------------------------------------

    def get_activity_feed(self, since_hours: float = 24, limit: int = 50) -> list[FeedEntry]:
        """What happened, the newest first.

        Args:
            since_hours: How far to look back.
            limit: How many lines at most. They are made of the newest 600 events.
        """
        since = stamp(self._clock() - timedelta(hours=since_hours))
        return self._store.read(lambda c: _undoable(c, entries(self._newest(c, since), limit)))

    def get_pending_notifications(self, limit: int = 100) -> list[Notification]:
        """What the reader has not acknowledged, the newest first.

        In one's own volume also what is told to one's teams, and to those who look after the
        system; each of them acknowledges it for themselves.
        """
        seen = and_(
            acknowledgements.c.event_id == notifications.c.event_id,
            acknowledgements.c.user_id == self._user,
        )

        def read(c: Connection) -> list[Notification]:
            told_to = self._told_to(c, notifications, events.c.type, events.c.subject)
            pending = told_to.where(~exists().where(seen)).order_by(events.c.seq.desc())
            return [notification(row) for row in c.execute(pending.limit(limit)).all()]

        return self._store.read(read)

    # --- small things ------------------------------------------------------------------------

    def _newest(self, connection: Connection, since: str) -> Iterator[EventRow]:
        """Walks back through the owner's events, by index, until they are too old."""
        looked_at, last = 0, None
        while looked_at < _LOOKED_AT:
            query = self._events().limit(_BATCH)
            if last is not None:
                query = query.where(events.c.seq < last)
            rows = connection.execute(query).all()
            # Clocks can step back, so that one old event is not the end of the new ones.
            fresh = [row for row in rows if row.at >= since]
            yield from map(event_row, fresh)
            if len(rows) < _BATCH or not fresh:
                return
            looked_at += len(rows)
            last = rows[-1].seq

    def _events(self) -> Select[Any]:
        mine = and_(events.c.volume == self._volume, events.c.owner == self._owner)
        return select(events).where(mine).order_by(events.c.seq.desc())

    def _told_to(self, connection: Connection, *columns: Any) -> Select[Any]:
        """Selects among the notifications that reach the reader, and their events."""
        audiences = [(self._volume, self._owner)]
        if audiences == [("user", self._user)]:
            audiences = Reader.of(connection, self._user).audiences
        joined = notifications.join(events, events.c.id == notifications.c.event_id)
        told_to = among(notifications, audiences, volume="audience")
        return select(*columns).select_from(joined).where(told_to)

    def _announce(self, type: EventType, subject: str, title: str, why: str, actor: str) -> str:
        def write(tx: Transaction) -> str:
            event = self._event(tx, type, subject, title, {"why": why}, actor)
            tx.notify(
                event,
                audience=self._volume,
                owner=self._owner,
                title=title,
                description=why,
                reason=f"it is new in the {self._volume} volume of {self._owner}",
                finding=f"{type.value}:{subject}",
            )
            return event

        return self._store.write(write)

    def _event(
        self,
        tx: Transaction,
        type: EventType,
        subject: str,
        title: str,
        payload: dict[str, Json],
        actor: str,
    ) -> str:
        return tx.event(
            type,
            volume=self._volume,
            owner=self._owner,
            actor=actor or self._owner,
            subject=subject,
            title=title,
            payload=payload,
        )


def _undoable(connection: Connection, lines: Sequence[FeedEntry]) -> list[FeedEntry]:
    """The lines, those of single runs with how to undo them, where something is left to undo."""
    ended = (EventType.TASK_COMPLETED, EventType.TASK_FAILED)
    runs = [e.subject for e in lines if e.type in ended and e.count == 1]
    left = journal.c.trace_id.in_(runs) & journal.c.undone_at.is_(None)
    changed = set(connection.scalars(select(journal.c.trace_id).where(left).distinct()))
    return [
        replace(e, undo=f"llmos undo {short(e.subject)}")
        if e.subject in changed and e.type in ended and e.count == 1
        else e
        for e in lines
    ]
