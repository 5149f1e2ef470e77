"""What the tools of several domains do with rows alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bench.workbench.world import Row
from llmos.plugins import ToolError
from llmos.values import Json

CAP = 5
"""Rows that a capped search shows."""


class Refused(ToolError):
    """The tool does not do this; the text is its answer, word for word."""


def find(rows: Sequence[Row], column: str, wanted: str, otherwise: str) -> Row:
    """The first row whose ``column`` is exactly ``wanted``.

    Raises:
        Refused: There is none; says ``otherwise``.
    """
    for row in rows:
        if row[column] == wanted:
            return row
    raise Refused(otherwise)


def one_field(row: Row, field: str) -> Row:
    """The row's ``field`` alone, as an object.

    Raises:
        Refused: There is no such column.
    """
    if field not in row:
        raise Refused("Field not found.")
    return {field: row[field]}


def matching(rows: Iterable[Row], column: str, pattern: str) -> list[Row]:
    """The rows in whose ``column`` the regular expression is found, ignoring case.

    Raises:
        re.error: It is no regular expression.
        TypeError: The column of a row is empty.
    """
    search = re.compile(pattern, re.IGNORECASE).search
    return [row for row in rows if search(row[column])]


def put(rows: list[Row], old: Row, field: str, value: Json) -> None:
    """Put a row with ``field`` set in the place of ``old``."""
    rows[_place(rows, old)] = {**old, field: value}


def remove(rows: list[Row], old: Row) -> None:
    """Take ``old`` out; what follows moves up."""
    del rows[_place(rows, old)]


def next_number(rows: Sequence[Row], column: str) -> int:
    """One more than the greatest id, where greatest is meant as text.

    Raises:
        ValueError: The table is empty, or the id is no number.
    """
    return int(max(row[column] for row in rows)) + 1


def next_id(rows: Sequence[Row], column: str) -> str:
    """`next_number`, padded with zeros to eight digits."""
    return f"{next_number(rows, column):08d}"


def _place(rows: Sequence[Row], wanted: Row) -> int:
    return next(i for i, row in enumerate(rows) if row is wanted)
