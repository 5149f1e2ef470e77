"""How a check-up is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmos.surfaces.cli.output import out, printable

if TYPE_CHECKING:
    from llmos.surfaces.checkup import Finding

_STATES = {
    "ok": ("✓", "green"),
    "note": ("·", "dim"),
    "lacks": ("!", "yellow"),
    "broken": ("✗", "red"),
}


def show_findings(findings: Sequence[Finding]) -> None:
    """Print a check-up."""
    from rich.text import Text

    console = out()
    width = max(len(found.name) for found in findings)
    for found in findings:
        mark, style = _STATES[found.state.value]
        name = f"{found.name:<{width}}  "
        console.print(Text.assemble((f"{mark} ", style), (name, "bold"), printable(found.text)))
        if found.hint:
            console.print(f"  {'':<{width}}  {printable(found.hint)}", style="dim")
