"""How settings are shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmos.surfaces.cli.output import out, printable

if TYPE_CHECKING:
    from llmos.surfaces.settings import Shown


def show_settings(settings: Sequence[Shown]) -> None:
    """Print settings as the file would hold them, each with its meaning and source."""
    from rich.text import Text

    console = out()
    for one in settings:
        value = json.dumps(one.value, ensure_ascii=False)
        changed = one.source != "default"
        line = Text.assemble((one.name, "bold"), f" = {printable(value)}")
        line.append(f"  # {printable(one.source)}", "cyan" if changed else "dim")
        console.print(line)
        console.print(f"    {one.about}", style="dim")
