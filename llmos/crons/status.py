"""How a cron stands, and the row that remembers it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select, update

from llmos.crons.cycle import CronLevel
from llmos.errors import UserError
from llmos.store import Transaction
from llmos.store.dialect import insert_new
from llmos.store.schema import crons, parse_stamp, stamp
from llmos.values import Json

SYSTEM_OWNER = "system"


@dataclass(frozen=True, slots=True)
class CronStatus:
    """One cron."""

    level: CronLevel
    owner: str
    team: str | None = None
    """Of a user's cron: the team that it reports to."""
    paused: bool = False
    status: str = "new"
    """``new``, ``running``, ``ok``, ``quiet`` or ``failed``."""
    began_at: datetime | None = None
    """Of the newest cycle."""
    ended_at: datetime | None = None
    told: str = ""
    """What the newest cycle did, or why it did nothing."""
    failures: int = 0
    """Of its cycles in a row."""
    next_at: datetime | None = None
    """When the next cycle is due."""

    @property
    def running(self) -> bool:
        """Whether a cycle of it is under way."""
        return self.status == "running"

    def as_dict(self) -> dict[str, Json]:
        """The cron as JSON; times are ISO 8601 in UTC."""
        return {
            "level": self.level.value,
            "owner": self.owner,
            "team": self.team,
            "paused": self.paused,
            "status": self.status,
            "began_at": _stamp(self.began_at),
            "ended_at": _stamp(self.ended_at),
            "told": self.told,
            "failures": self.failures,
            "next_at": _stamp(self.next_at),
        }


def list_crons(conn: Connection) -> list[CronStatus]:
    """All crons of the home: users, teams, the system."""
    order = {level: i for i, level in enumerate(CronLevel)}
    found = [_status(row) for row in conn.execute(select(crons))]
    return sorted(found, key=lambda c: (order[c.level], c.owner))


def find_cron(conn: Connection, level: CronLevel, owner: str) -> CronStatus | None:
    """One cron, or None if nobody ever registered it."""
    row = conn.execute(select(crons).where(meant(level, owner))).first()
    return _status(row) if row is not None else None


def add_cron(
    tx: Transaction, level: CronLevel, owner: str, now: datetime, team: str | None = None
) -> bool:
    """Have a cron, due at once; whether it is new. One that is there keeps how it stands.

    Raises:
        UserError: ``owner`` is not a usable name.
    """
    place = level.place(owner)
    row: dict[str, Any] = {
        "level": level.value,
        "owner": place.owner,
        "team": team,
        "paused": False,
        "status": "new",
        "told": "",
        "failures": 0,
        "next_at": stamp(now),
    }
    new = insert_new(tx.conn, crons, row, ["level", "owner"])
    if not new and team is not None:
        tx.conn.execute(update(crons).where(meant(level, owner)).values(team=team))
    return new


def set_paused(tx: Transaction, level: CronLevel, owner: str | None, paused: bool) -> int:
    """Pause or resume the crons of a level, or one of them; how many that changed.

    Raises:
        UserError: There is no such cron.
    """
    which = crons.c.level == level.value if owner is None else meant(level, owner)
    if tx.conn.execute(select(crons.c.owner).where(which)).first() is None:
        raise no_cron(level, owner)
    changed = which & (crons.c.paused != paused)
    return tx.conn.execute(update(crons).where(changed).values(paused=paused)).rowcount


def make_due(tx: Transaction, level: CronLevel, owner: str, now: datetime) -> None:
    """Let a cron be due now."""
    tx.conn.execute(update(crons).where(meant(level, owner)).values(next_at=stamp(now)))


def meant(level: CronLevel, owner: str) -> ColumnElement[bool]:
    """The row of one cron."""
    return (crons.c.level == level.value) & (crons.c.owner == owner)


def no_cron(level: CronLevel, owner: str | None) -> UserError:
    """What is said of a cron that is not there."""
    who = f"the {level.value} cron" + (f" of {owner!r}" if owner is not None else "")
    return UserError(f"there is no such cron: {who}", "see them: llmos crons status")


def _status(row: Row[Any]) -> CronStatus:
    return CronStatus(
        CronLevel(row.level),
        row.owner,
        row.team,
        row.paused,
        row.status,
        _parse(row.began_at),
        _parse(row.ended_at),
        row.told,
        row.failures,
        _parse(row.next_at),
    )


def _stamp(at: datetime | None) -> str | None:
    return stamp(at) if at is not None else None


def _parse(text: str | None) -> datetime | None:
    return parse_stamp(text) if text is not None else None
