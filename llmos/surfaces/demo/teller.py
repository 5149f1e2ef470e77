"""How the story is told: on a terminal, or not at all when only the facts are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmos.values import Json

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, slots=True)
class Claim:
    """Something the demo says, and whether it was so."""

    text: str
    held: bool


class Teller:
    """Tells the story and keeps account of what was claimed.

    Args:
        console: Where it is told; None to stay silent.
    """

    def __init__(self, console: Console | None) -> None:
        self._console = console
        self.claims: list[Claim] = []

    @property
    def ok(self) -> bool:
        """Whether every claim held, and there was one."""
        return bool(self.claims) and all(claim.held for claim in self.claims)

    def chapter(self, title: str) -> None:
        """Begin a new part of the story."""
        self._print("")
        self._print(title, style="bold")

    def say(self, text: str, *, indent: int = 2, style: str = "") -> None:
        """Tell something that is no claim."""
        self._print(text, indent, style)

    def claim(self, text: str, held: bool) -> bool:
        """Tell something that must be so; returns whether it was."""
        self.claims.append(Claim(text, held))
        mark, style = ("✓", "green") if held else ("✗ NOT SO:", "bold red")
        self._print(f"{mark} {text}", 2, style)
        return held

    def table(
        self, head: Sequence[str], rows: Sequence[Sequence[str]], *, total: Sequence[str]
    ) -> None:
        """Show numbers: the first column is text, the others stand to the right."""
        if self._console is None:
            return
        from rich import box
        from rich.padding import Padding
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False)
        for i, (name, sum_) in enumerate(zip(head, total, strict=True)):
            justify = "right" if i else "left"
            table.add_column(name, sum_, justify=justify)  # type: ignore[arg-type]
        for row in rows:
            table.add_row(*row)
        self._console.print(Padding(table, (0, 0, 0, 2)))

    def as_json(self) -> list[dict[str, Json]]:
        """All claims, in order."""
        return [{"claim": claim.text, "held": claim.held} for claim in self.claims]

    def _print(self, text: str, indent: int = 0, style: str = "") -> None:
        if self._console is None:
            return
        from rich.padding import Padding
        from rich.text import Text

        # As `Text`, so that nothing in a goal or a command is taken for markup.
        self._console.print(Padding(Text(text, style=style), (0, 0, 0, indent)))
