"""How the inbox is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmos.surfaces.cli.output import one_line, out, print_table, short, when

if TYPE_CHECKING:
    from llmos.observability import Notification
    from llmos.observability.waiting import Waiting

_WORDS = {"doubt": "in doubt"}


def show_inbox(waiting: Sequence[Waiting], told: Sequence[Notification], limit: int) -> None:
    """Print what is open, with what to type about it, then what was told and not acknowledged.

    Args:
        waiting: What is open.
        told: Notifications.
        limit: How many of each at most.
    """
    rows = [
        (one.id[-6:].lower(), when(one.at), _WORDS.get(one.kind, one.kind), one.command, one.title)
        for one in waiting[:limit]
    ]
    # A write in doubt is in the list above already, with what to type.
    doubts = {one.id for one in waiting if one.kind == "doubt"}
    for n in told:
        if n.subject not in doubts:
            command = f"llmos ack {short(n.event_id).lower()}"
            rows.append((short(n.event_id).lower(), when(n.at), "told", command, one_line(n.title)))
    if not rows:
        print("Nothing waits for you.")
        return
    print_table(("ID", "WHEN", "KIND", "SAY", "WHAT"), rows)
    if len(waiting) > limit:
        more = len(waiting) - limit
        out().print(f"… and {more} more: llmos inbox --limit {len(waiting)}", style="dim")
