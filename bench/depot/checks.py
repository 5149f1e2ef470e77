"""What the tools of the warehouse have in common. What one does not do, it refuses in words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from bench.depot.world import Row, World
from llmos.plugins import ToolError
from llmos.values import Json

SITES = ("main", "overflow")
Function = Callable[..., Json]


def find(world: World, table: str, column: str, wanted: Json) -> Row:
    for row in world[table]:
        if row[column] == wanted:
            return row
    raise ToolError(f"no {column} {wanted!r} among the {table}")


def one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ToolError(f"{what} must be one of {', '.join(known)}; not {value!r}")


def positive(what: str, value: float) -> None:
    if value <= 0:
        raise ToolError(f"{what} must be more than 0; not {value}")


def day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ToolError(f"{text!r} is no date of the form YYYY-MM-DD") from None
