"""How things are shown: answers and JSON on standard output, everything else on standard error.

Text of models, tools and files is never taken for markup, and control characters in it are shown
instead of obeyed: a file name must not be able to repaint the terminal.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from llmos.values import Json

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

SHORT = 6
"""Characters from the end of an id that people are shown."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_WIDE = 10_000
"""Columns where there is no terminal: nothing is cut for a pipe."""


def printable(text: str) -> str:
    """``text`` with its control characters spelled out; line ends and tabs stay."""
    return _CONTROL.sub(lambda m: m.group().encode("unicode_escape").decode(), text)


def to_json(value: Any) -> Json:
    """Any of our values as JSON."""
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(v) for v in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Path) else value


def print_json(value: Any) -> None:
    """Print ``value`` as JSON on standard output."""
    print(json.dumps(to_json(value), ensure_ascii=False, indent=2))


def print_answer(text: str) -> None:
    """Print an answer on standard output: as it is into a pipe, harmless on a terminal."""
    if text:
        print(printable(text) if sys.stdout.isatty() else text, flush=True)


def out() -> Console:
    """A console on standard output."""
    return _console(sys.stdout)


def err() -> Console:
    """A console on standard error."""
    return _console(sys.stderr)


def _console(stream: IO[str]) -> Console:
    from rich.console import Console

    width = None if stream.isatty() else _WIDE
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
    """Print rows under a header on standard output; the last column takes what is left.

    Args:
        header: Names of the columns; one that begins with ``>`` is set to the right.
        rows: As many cells each.
    """
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.expand = sys.stdout.isatty()
    for i, name in enumerate(header):
        last = i == len(header) - 1
        widest = max((_width(row[i]) for row in rows), default=0)
        table.add_column(
            name.lstrip(">"),
            justify="right" if name.startswith(">") else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if last else None,
            min_width=None if last else max(widest, len(name.lstrip(">"))),
        )
    for row in rows:
        table.add_row(*row)
    print_block(table)


def _width(cell: str | Text) -> int:
    from rich.cells import cell_len

    return cell_len(str(cell))


def print_block(block: RenderableType) -> None:
    """Print something with columns on standard output, without blanks at the line ends."""
    console = out()
    with console.capture() as capture:
        console.print(block)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def short(identifier: str) -> str:
    """The end of an id, by which people name it."""
    return identifier[-SHORT:]


def duration(seconds: float) -> str:
    """A time span for people: ``12 ms``, ``3.2 s``, ``2 min 5 s``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def dollars(usd: float) -> str:
    """An amount for people: ``$1.50``, ``$0.000012``."""
    from llmos.kernel.ledger import dollars as exactly

    return exactly(round(usd * 1_000_000))


def moment(at: datetime) -> str:
    """A time for people, where they are."""
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def when(at: datetime) -> str:
    """A time for a column: on a terminal only what today leaves open."""
    if not sys.stdout.isatty():
        return moment(at)
    here, now = at.astimezone(), datetime.now().astimezone()
    if here.date() == now.date():
        return f"{here:%H:%M}"
    return f"{here:%b %d}" if here.year == now.year else f"{here:%Y-%m-%d}"


def one_line(text: str, longest: int = 120) -> str:
    """The first ``longest`` characters of a text on one line, harmless on a terminal."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
