"""How is shown what a model would see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmos.surfaces.cli.output import one_line, out

if TYPE_CHECKING:
    from llmos.cortex.assembly import Assembled


def show_context(told: Assembled) -> None:
    """Print every piece: what it is, its size, whether it is shown and why."""
    console = out()
    console.print(f"\ncontext · about {told.tokens:,} of {told.budget:,} tokens", style="bold")
    for piece in told.pieces:
        mark, style = ("✓", "green") if piece.shown else ("✗", "yellow")
        name = f" {one_line(piece.name, 40)}" if piece.name else ""
        console.print(
            f"  {mark} {piece.source}{name} · {piece.tokens:,} · {piece.why}", style=style
        )
        console.print(f"    {one_line(piece.text, 160)}", style="dim")
