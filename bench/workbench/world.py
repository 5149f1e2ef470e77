"""The tables of the benchmark world: loaded once, reset cheaply, compared as its rules say.

Rows are never changed in place: a tool that changes one puts a new dict where the old one was.
So a fresh world shares all rows with the one that it was made from, and two worlds are compared
at the cost of the rows in which they differ.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from llmos.errors import UserError
from llmos.values import Json

Row = dict[str, Json]
"""One row by column. Text, or None where nothing is known; replaced, never changed."""

State = dict[str, tuple[Row, ...]]
"""The rows of each table that a run can change, as they are; compare by `same_state`."""

NOW = datetime(2023, 11, 30, tzinfo=UTC)
"""What the clock of the world always says."""

SENT_AT = NOW.replace(tzinfo=None)
"""Sending time of a mail sent in the run. A datetime, not text: that is what tells it from the
mails that were there before, in searches (which cannot sort the two together) and in `same_state`.
"""

FILES = {
    "events": "calendar_events.csv",
    "emails": "emails.csv",
    "visits": "analytics_data.csv",
    "tasks": "project_tasks.csv",
    "customers": "customer_relationship_manager_data.csv",
    "directory": "email_addresses.csv",
}
"""File of each table. The directory's has no header: its one column is called ``address``."""

STATE = ("events", "emails", "plots", "tasks", "customers")
"""The tables that make up a final state."""

EXACT = frozenset({"status", "list_name", "board"})
"""Columns in which the case of the text counts when states are compared."""


class World:
    """Everything that the tools read and write.

    Args:
        tables: Rows by table, named as in `FILES`; to be left alone from now on. A changed
            world is made by ``World({**world.tables, "events": other_rows})``.

    Raises:
        UserError: A table is missing.
    """

    def __init__(self, tables: Mapping[str, Sequence[Row]]) -> None:
        missing = FILES.keys() - tables.keys()
        if missing:
            raise UserError(
                f"the world lacks the tables {', '.join(sorted(missing))}",
                f"tables: {', '.join(FILES)}",
            )
        self.tables = tables
        """The rows that the world began with."""
        self.events = list(tables["events"])
        self.emails = list(tables["emails"])
        self.visits = tables["visits"]
        self.tasks = list(tables["tasks"])
        self.customers = list(tables["customers"])
        self.directory = tables["directory"]
        self.plots: list[Row] = []
        self.durations_as_numbers = False
        """Session durations are shown as numbers from the first mean over all visits on."""

    @classmethod
    def load(cls, path: Path) -> World:
        """Read the tables of a data folder.

        Args:
            path: The folder that holds ``world/``, or that folder itself.

        Raises:
            UserError: A table's file is missing.
        """
        folder = path / "world" if (path / "world").is_dir() else path
        return cls({name: _read(folder / file, name) for name, file in FILES.items()})

    @property
    def now(self) -> datetime:
        """The clock of the world; it stands still."""
        return NOW

    def fresh(self) -> World:
        """A world as this one was when it was made, whatever has been done to it since."""
        return World(self.tables)

    def state(self) -> State:
        """The present state; later calls do not change it."""
        return {name: tuple(getattr(self, name)) for name in STATE}


def same_state(a: World | State, b: World | State) -> bool:
    """Whether two final states count as the same.

    Order of rows counts. Text is compared ignoring case, but for the columns in `EXACT`. When a
    mail that was sent in the run was sent is left out.
    """
    left, right = (x.state() if isinstance(x, World) else x for x in (a, b))
    return all(
        len(left[name]) == len(right[name])
        and all(
            x is y or _folded(x) == _folded(y) for x, y in zip(left[name], right[name], strict=True)
        )
        for name in STATE
    )


def _folded(row: Row) -> Row:
    return {column: _folded_cell(column, value) for column, value in row.items()}


def _folded_cell(column: str, value: Json) -> Json:
    if isinstance(value, datetime):
        return "sent in the run"
    return value.lower() if isinstance(value, str) and column not in EXACT else value


def _read(file: Path, table: str) -> list[Row]:
    try:
        with file.open(newline="", encoding="utf-8") as f:
            names = ["address"] if table == "directory" else None
            return [
                {column: _cell(column, text) for column, text in line.items()}
                for line in csv.DictReader(f, fieldnames=names)
            ]
    except FileNotFoundError as e:
        raise UserError(f"there is no table {str(file)!r}", "name the benchmark's folder") from e


def _cell(column: str, text: str) -> Json:
    if text == "":
        return None
    return text == "True" if column == "user_engaged" else text
