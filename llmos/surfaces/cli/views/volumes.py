"""How a volume is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmos.surfaces.cli.output import dollars, one_line, out, print_table, when
from llmos.surfaces.cli.views.volumes_owner import what
from llmos.values import Json

if TYPE_CHECKING:
    from llmos.volumes import Change
    from llmos.volumes.privacy import Kept


def show_volume(
    stats: dict[str, Json], changes: Sequence[Change], kept: Sequence[Kept] = ()
) -> None:
    """Print the numbers of a volume, what is private, what recurs, and what was changed last."""
    console = out()
    of = "" if stats["volume"] == "system" else f" of {stats['owner']}"
    held = ", ".join(f"{n} {type}{'s' * (n != 1)}" for type, n in stats["by_type"].items() if n)
    console.print(f"{stats['volume']} volume{of}: {held or 'empty'}", style="bold")
    stand = ", ".join(f"{n} {status}" for status, n in stats["by_status"].items() if n)
    if stand:
        console.print(f"  {stand}; {stats['versions']} versions, {stats['pinned']} pinned")
    if stats["uses"]:
        saved = f"about {stats['saved_tokens_estimate']:,} tokens"
        usd = dollars(stats["saved_usd_estimate"])
        console.print(f"  used {stats['uses']:,} times; {saved} and {usd} saved (estimate)")
    if kept:
        more = f", and {len(kept) - 3} more" if len(kept) > 3 else ""
        console.print(f"  private: {', '.join(what(k) for k in kept[:3])}{more}")
    if stats["patterns"]:
        rows = [
            (str(p["runs"]), str(p["free_runs"]), p["tool"] or "", one_line(p["shape"]))
            for p in stats["patterns"]
        ]
        console.print()
        print_table((">RUNS", ">FREE", "TOOL", "RECURRING GOAL"), rows)
    if changes:
        console.print()
        print_table(("WHEN", "BY", "WHAT", "ARTIFACT", "WHY"), [_cells(c) for c in changes])


def _cells(change: Change) -> tuple[str, ...]:
    what = change.now if change.what.value == "status" else change.what.value.replace("_", " ")
    name = f"{change.type.value} {change.name}"
    return when(change.at), change.by, what, name, one_line(change.why)
