"""Events as they are read back, and whose events a person may read."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, or_, select

from llmos.store import EventRow
from llmos.store.schema import projects, roles
from llmos.values import EventType

LOOKS_AFTER = ("maintainer", "admin")
"""Roles that decide for a team, or for the system."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A person, the teams they belong to, what they look after, and the projects of all of them."""

    user_id: str
    teams: tuple[str, ...] = ()
    maintains: tuple[str, ...] = ()
    """Teams that they decide for."""
    is_admin: bool = False
    projects: tuple[tuple[str, str], ...] = ()
    """Type and owner of the volumes of their own projects and of their teams'."""

    @classmethod
    def of(cls, conn: Connection, user_id: str) -> Reader:
        """The reader as the table of roles has them now."""
        query = select(roles).where(roles.c.user_id == user_id).order_by(roles.c.owner)
        rows = conn.execute(query).all()
        teams = [r for r in rows if r.scope == "team"]
        whose = [("user", user_id), *(("team", r.owner) for r in teams)]
        named = select(projects).where(among(projects, whose))
        within = conn.execute(named.order_by(projects.c.owner, projects.c.name)).all()
        return cls(
            user_id,
            tuple(r.owner for r in teams),
            tuple(r.owner for r in teams if r.role in LOOKS_AFTER),
            any(r.scope == "system" and r.role in LOOKS_AFTER for r in rows),
            tuple((r.volume, f"{r.owner}:{r.name}") for r in within),
        )

    @property
    def places(self) -> list[tuple[str, str]]:
        """Type and owner of the volumes that concern them: own, teams', system's, projects'."""
        return [*self._whole, *self.projects]

    @property
    def _whole(self) -> list[tuple[str, str]]:
        """The volumes that concern them, without those of projects: the system's last."""
        return [("user", self.user_id), *(("team", t) for t in self.teams), ("system", "system")]

    @property
    def mine(self) -> list[tuple[str, str]]:
        """Their own volume, and those of its projects."""
        return [self._whole[0], *(p for p in self.projects if p[0] == "user")]

    @property
    def others(self) -> list[tuple[str, str]]:
        """The volumes of their teams with their projects, and the system's."""
        return [*self._whole[1:], *(p for p in self.projects if p[0] != "user")]

    @property
    def audiences(self) -> list[tuple[str, str]]:
        """To whom notifications are told that reach them."""
        return self._whole if self.is_admin else self._whole[:-1]

    @property
    def decided(self) -> list[tuple[str, str]]:
        """The volumes that they may change."""
        return [place for place in self.places if self.decides(*place)]

    def decides(self, volume: str, owner: str) -> bool:
        """Whether they may change a volume, as `volumes.access` has it."""
        if volume == "system":
            return self.is_admin
        holder = owner.partition(":")[0]
        mine = (volume, holder) == ("user", self.user_id)
        return mine or (volume == "team" and holder in self.maintains)


def among(
    table: Table, places: Sequence[tuple[str, str]], volume: str = "volume"
) -> ColumnElement[bool]:
    """The condition that a row of ``table`` lies in one of these volumes.

    Args:
        table: With a column ``owner``.
        places: Types and owners.
        volume: Name of the column of the type.
    """
    owners: dict[str, list[str]] = defaultdict(list)
    for type, owner in places:
        owners[type].append(owner)
    # A condition for each of many projects would be deeper than SQLite takes.
    return or_(*((table.c[volume] == v) & table.c.owner.in_(o) for v, o in owners.items()))


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
