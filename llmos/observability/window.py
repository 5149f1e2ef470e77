"""What a report looks at: one reader, one period, and the events of it, by index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    func,
    select,
)

from llmos.observability.harmless import line
from llmos.observability.rows import Reader, among
from llmos.store.dialect import json_number, json_text
from llmos.store.schema import events, ledger, stamp
from llmos.values import EventType, Json

FIRST = bindparam("first", type_=BigInteger)
"""Of a query: the number of the first event of the period."""
SINCE, UNTIL = bindparam("since", type_=Text), bindparam("until", type_=Text)
"""Of a query: the ends of the period."""
LIMIT = bindparam("limit", type_=Integer)
"""Of a query: how many lines are shown."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a report. What it says is harmless on a terminal."""

    text: str
    command: str = ""
    """What to type to go on from here."""
    evidence: str = ""
    """What it stands on, or came from."""

    @classmethod
    def of(cls, text: str, command: str = "", evidence: str = "") -> Line:
        """A line from text that may be anybody's."""
        return cls(line(text, 240), line(command, 200), line(evidence, 240))

    def as_dict(self) -> dict[str, Json]:
        """The line as JSON."""
        return {"text": self.text, "evidence": self.evidence, "command": self.command}


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of one kind."""

    key: str
    title: str
    lines: tuple[Line, ...]
    total: int
    """How many there are, those that are left out included."""
    command: str = ""
    """What to type to see the rest."""

    @property
    def left_out(self) -> str:
        """What stands for the lines that are left out, or nothing."""
        more = self.total - len(self.lines)
        return f"… and {more:,} more: {self.command}" if more > 0 else ""

    def as_dict(self) -> dict[str, Json]:
        """The section as JSON."""
        lines = [told.as_dict() for told in self.lines]
        told = {"key": self.key, "title": self.title, "total": self.total, "lines": lines}
        return told | {"command": self.command}


@dataclass(frozen=True, slots=True)
class Window:
    """One period, as one person sees it."""

    conn: Connection
    reader: Reader
    since: datetime
    until: datetime
    limit: int
    """Lines of a section at most."""
    _first: int = field(default=0)

    @classmethod
    def of(
        cls, conn: Connection, user_id: str, since: datetime, until: datetime, limit: int
    ) -> Window:
        """The window, with the number of its first event."""
        # Clocks can step back: the first by number is not always the first by time.
        # Of a sum, since the smallest number alone would be looked for from the oldest event on.
        new = select(func.min(events.c.seq + 0)).where(events.c.at >= stamp(since))
        last = select(func.max(events.c.seq)).scalar_subquery()
        first = conn.scalar(select(func.coalesce(new.scalar_subquery(), last + 1, 1)))
        reader = Reader.of(conn, user_id)
        return cls(conn, reader, since, until, limit, int(first or 1))

    @property
    def mine(self) -> list[tuple[str, str]]:
        """The reader's own volume."""
        return self.reader.mine

    @property
    def others(self) -> list[tuple[str, str]]:
        """The volumes of their teams, and the system's."""
        return self.reader.others

    def rows(self, query: Select[*tuple[Any, ...]]) -> Sequence[Row[*tuple[Any, ...]]]:
        """The rows of a query whose conditions are those of `happened` and the like."""
        until, since = stamp(self.until), stamp(self.since)
        bounds = {"first": self._first, "since": since, "until": until, "limit": self.limit}
        return self.conn.execute(query, bounds).all()


def happened(places: Sequence[tuple[str, str]], *types: EventType) -> ColumnElement[bool]:
    """The condition that an event of these types lies in the period and in these volumes.

    The period is that of the window whose `Window.rows` executes it: what looks at the same
    volumes is built once, which takes longer than to execute it.
    """
    return and_(
        # The type does not choose the index: that of the owner goes straight to the period.
        func.coalesce(events.c.type, "").in_([t.value for t in types]),
        among(events, places),
        events.c.seq >= FIRST,
        events.c.at >= SINCE,
        events.c.at <= UNTIL,
    )


def first_of_ledger() -> ColumnElement[int]:
    """Number of the first line of the ledger in the period; lines are in order of time."""
    # Walks back from the newest line, no further than the period.
    before = select(func.max(ledger.c.seq)).where(ledger.c.at < SINCE)
    return func.coalesce(before.scalar_subquery(), 0) + 1


def told(name: str) -> ColumnElement[str]:
    """A member of an event's payload, as text."""
    return json_text(events.c.payload, name)


def number(name: str) -> ColumnElement[float]:
    """A member of an event's payload, as a number."""
    return json_number(events.c.payload, name)


def counted(n: int, one: str, many: str = "") -> str:
    """A number and what it counts: ``1 run``, ``2 runs``."""
    return f"{n:,} {one}" if n == 1 else f"{n:,} {many or one + 's'}"
