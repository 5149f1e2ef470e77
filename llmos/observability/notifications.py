"""Notifications: events that somebody should know of, and by what names they go."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, or_

from llmos.store.schema import events, stamp
from llmos.values import EventType, Json

_SHORT = 6
"""Characters from the end of an event's id that are enough to name it."""


@dataclass(frozen=True, slots=True)
class Notification:
    """Something its reader should know."""

    event_id: str
    type: EventType
    subject: str
    title: str
    description: str
    reason: str
    """Why the reader is told."""
    at: datetime

    def as_dict(self) -> dict[str, Json]:
        """The notification as JSON; the time is ISO 8601 in UTC."""
        return asdict(self) | {"type": self.type.value, "at": stamp(self.at)}


def named(which: str) -> ColumnElement[bool]:
    """Whether a notification is the one that a person means."""
    text = which.strip()
    meant = [events.c.id == text.upper(), events.c.subject == text]
    if len(text) >= _SHORT and text.isalnum():
        meant.append(events.c.id.endswith(text.upper()))
    return or_(*meant)


def notification(row: Row[Any]) -> Notification:
    """A notification from its row, joined with the type and subject of its event."""
    return Notification(
        row.event_id,
        EventType(row.type),
        row.subject,
        row.title,
        row.description,
        row.reason,
        datetime.fromisoformat(row.at),
    )
