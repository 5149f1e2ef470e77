"""How the feed is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmos.surfaces.cli.output import (
    dollars,
    one_line,
    out,
    print_table,
    printable,
    short,
    when,
)
from llmos.values import EventType

if TYPE_CHECKING:
    from llmos.observability import FeedEntry, Notification

_MARKS = {
    EventType.TASK_COMPLETED: ("✓", "green"),
    EventType.TASK_FAILED: ("✗", "red"),
    EventType.SYSTEM_ALERT: ("!", "yellow"),
}


def show_feed(
    pending: Sequence[Notification], lines: Sequence[FeedEntry], since_hours: float
) -> None:
    """Print what waits for the reader, then what happened."""
    from rich.text import Text

    console = out()
    for note in pending:
        console.print(Text.assemble(("● ", "yellow"), (printable(note.title), "bold")))
        for line in note.description.splitlines():
            console.print(f"  {printable(line)}")
        console.print(f"  llmos ack {short(note.event_id)}", style="dim")
    if pending and lines:
        console.print()
    if not lines:
        print(f"Nothing happened in the last {since_hours:g} hours.")
        return
    rows = []
    for entry in lines:
        what = Text(one_line(entry.what))
        if entry.since:
            what.append(f" ×{entry.count} since {when(entry.since)}")
        if entry.why:
            what.append(f" · {one_line(entry.why)}", "dim")
        if entry.evidence:
            what.append(f" · {one_line(entry.evidence)}", "dim")
        cost = dollars(entry.cost_usd) if entry.cost_usd else ""
        mark = Text(*_MARKS.get(entry.type, ("·", "dim")))
        undo = Text(entry.undo.removeprefix("llmos undo "), "dim")
        rows.append((mark, when(entry.when), entry.who, cost, undo, what))
    print_table((" ", "WHEN", "WHO", ">COST", "UNDO", "WHAT"), rows)
    if any(entry.undo for entry in lines):
        console.print("take one back: llmos undo ID", style="dim")
