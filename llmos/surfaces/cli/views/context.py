"""How is shown what a model would see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmos.surfaces.cli.output import one_line, out, short

if TYPE_CHECKING:
    from llmos.cortex.assembly import Assembled

_BY_ID = ("fact", "example")
"""Sources whose pieces are named by the id of a fact or of a run."""


def show_context(told: Assembled) -> None:
    """Print every piece: what it is, its size, whether it is shown and why."""
    console = out()
    console.print(f"\ncontext · about {told.tokens:,} of {told.budget:,} tokens", style="bold")
    for piece in told.pieces:
        mark, style = ("✓", "green") if piece.shown else ("✗", "yellow")
        named = short(piece.name) if piece.source in _BY_ID else one_line(piece.name, 40)
        name = f" {named}" if named else ""
        console.print(
            f"  {mark} {piece.source}{name} · {piece.tokens:,} · {piece.why}", style=style
        )
        console.print(f"    {one_line(piece.text, 160)}", style="dim")
