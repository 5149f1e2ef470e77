"""How the sources of tools are shown."""

from __future__ import annotations

from collections.abc import Sequence

from llmos.plugins.told import PluginRow
from llmos.surfaces.cli.output import err, one_line, print_table, printable


def print_plugins(rows: Sequence[PluginRow]) -> None:
    """Print sources with their tools, then what is wrong with them."""
    shown = []
    for row in rows:
        named = (f"{tool} ({effect})" for tool, effect in row.tools.items())
        tools = one_line(", ".join(named) or "none", 400)
        shown.append((row.kind, one_line(row.name, 60), str(len(row.tools)), tools))
    print_table(("KIND", "NAME", ">TOOLS", "WHICH, AND WHAT THEY COUNT AS"), shown)
    for row in rows:
        for problem in row.problems:
            where = row.where if row.kind == "file" else f"{row.kind} {row.name}"
            err().print(printable(f"{where}: {problem}"), style="yellow")
