"""What a write function is given: one open transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from llmos.store import dialect
from llmos.store.ids import new_id
from llmos.store.schema import dumps, events, notifications, stamp
from llmos.values import EventType, Json


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event, as it is stored."""

    seq: int
    """Position in the order of commits; the same for every reader."""
    id: str
    type: EventType
    at: datetime
    volume: str
    owner: str
    actor: str
    subject: str
    title: str
    payload: dict[str, Json]


class Transaction:
    """An open transaction on the writer thread; valid until the write function returns."""

    __slots__ = ("conn", "events", "now", "process_id")

    def __init__(self, conn: Connection, now: datetime, process_id: str) -> None:
        self.conn = conn
        self.now = now
        """The store's clock when the transaction began; aware."""
        self.process_id = process_id
        """The process that writes, as in the table ``processes``."""
        self.events: list[EventRow] = []
        """What this transaction has appended, in order."""

    def event(
        self,
        type: EventType,
        *,
        owner: str,
        volume: str = "user",
        actor: str = "",
        subject: str = "",
        title: str = "",
        payload: Mapping[str, Json] | None = None,
    ) -> str:
        """Append an event that becomes true with this transaction; its id.

        Args:
            type: What happened.
            owner: Id of the user or team whose volume it happened in.
            volume: ``user``, ``team`` or ``system``.
            actor: User id, or name of the cron, that did it.
            subject: Id of what it is about.
            title: One line for the feed.
            payload: More, as JSON.
        """
        told = dict(payload or {})
        event_id = new_id()
        row = {
            "id": event_id,
            "type": type.value,
            "at": stamp(self.now),
            "volume": volume,
            "owner": owner,
            "actor": actor,
            "subject": subject,
            "title": title,
            "payload": dumps(told),
        }
        key = self.conn.execute(_INSERT_EVENT, row).inserted_primary_key
        assert key is not None
        self.events.append(
            EventRow(key[0], event_id, type, self.now, volume, owner, actor, subject, title, told)
        )
        return event_id

    def notify(
        self,
        event_id: str,
        *,
        audience: str = "user",
        owner: str,
        title: str,
        description: str,
        reason: str,
        finding: str,
    ) -> bool:
        """Tell ``owner`` of an event, unless the same finding was told already; whether it did.

        Args:
            event_id: What `event` returned. An event has at most one notification.
            audience: ``user``, ``team`` or ``system``.
            owner: Id of the user or team.
            title: One line.
            description: What happened.
            reason: Why the reader is told.
            finding: Key that equal findings share; told once to each audience and owner.
        """
        row = {
            "event_id": event_id,
            "audience": audience,
            "owner": owner,
            "title": title,
            "description": description,
            "reason": reason,
            "finding": finding,
            "at": stamp(self.now),
        }
        key = ["audience", "owner", "finding"]
        return dialect.insert_new(self.conn, notifications, row, key)


_INSERT_EVENT = events.insert()
