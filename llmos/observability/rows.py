"""Events as they are read back, and whose events a person may read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, or_, select

from llmos.store import EventRow
from llmos.store.schema import roles
from llmos.values import EventType

LOOKS_AFTER = ("maintainer", "admin")
"""Roles that decide for a team, or for the system."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A person, the teams they belong to, and what they look after."""

    user_id: str
    teams: tuple[str, ...] = ()
    maintains: tuple[str, ...] = ()
    """Teams that they decide for."""
    is_admin: bool = False

    @classmethod
    def of(cls, conn: Connection, user_id: str) -> Reader:
        """The reader as the table of roles has them now."""
        query = select(roles).where(roles.c.user_id == user_id).order_by(roles.c.owner)
        rows = conn.execute(query).all()
        teams = [r for r in rows if r.scope == "team"]
        return cls(
            user_id,
            tuple(r.owner for r in teams),
            tuple(r.owner for r in teams if r.role in LOOKS_AFTER),
            any(r.scope == "system" and r.role in LOOKS_AFTER for r in rows),
        )

    @property
    def places(self) -> list[tuple[str, str]]:
        """Type and owner of the volumes that concern them: their own first, the system's last."""
        return [("user", self.user_id), *(("team", t) for t in self.teams), ("system", "system")]

    @property
    def mine(self) -> list[tuple[str, str]]:
        """Their own volume."""
        return self.places[:1]

    @property
    def audiences(self) -> list[tuple[str, str]]:
        """To whom notifications are told that reach them."""
        return self.places if self.is_admin else self.places[:-1]

    @property
    def decided(self) -> list[tuple[str, str]]:
        """The volumes that they may change."""
        return [place for place in self.places if self.decides(*place)]

    def decides(self, volume: str, owner: str) -> bool:
        """Whether they may change a volume, as `volumes.access` has it."""
        if volume == "system":
            return self.is_admin
        mine = (volume, owner) == ("user", self.user_id)
        return mine or (volume == "team" and owner in self.maintains)


def among(
    table: Table, places: Sequence[tuple[str, str]], volume: str = "volume"
) -> ColumnElement[bool]:
    """The condition that a row of ``table`` lies in one of these volumes.

    Args:
        table: With a column ``owner``.
        places: Types and owners.
        volume: Name of the column of the type.
    """
    return or_(*((table.c[volume] == v) & (table.c.owner == o) for v, o in places))


def event_row(row: Row[Any]) -> EventRow:
    """An event from its row."""
    return EventRow(
        row.seq,
        row.id,
        EventType(row.type),
        datetime.fromisoformat(row.at),
        row.volume,
        row.owner,
        row.actor,
        row.subject,
        row.title,
        json.loads(row.payload),
    )
