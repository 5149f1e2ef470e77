"""How MCP servers and their tools are shown. What a server says of itself is said to be that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmos.surfaces.cli.output import err, one_line, print_table, printable


def print_servers(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a list of servers."""
    if not rows:
        print("No MCP servers. Add one: llmos mcp add NAME -- COMMAND, or: llmos mcp import FILE")
        return
    shown = [
        (
            str(row["name"]) if row["enabled"] else f"{row['name']} (off)",
            "never read" if row["tools"] is None else str(row["tools"]),
            str(row["read_at"] or "")[:16].replace("T", " "),
            one_line(str(row["where"])),
        )
        for row in rows
    ]
    print_table(("SERVER", "TOOLS", "READ", "WHERE"), shown)


def print_server(shown: Mapping[str, Any]) -> None:
    """Print what the settings say of a server, and what was read of it."""
    for key, value in shown["settings"].items():
        told = " ".join(map(str, value)) if isinstance(value, list) else value
        if isinstance(value, dict):
            told = ", ".join(f"{k}={v}" for k, v in value.items())
        print(printable(f"{key:<16}{told}"))
    read = shown["read"]
    if read is None:
        err().print(f"its tools were never read: llmos mcp tools {shown['name']}", style="yellow")
    else:
        at = str(read["at"])[:16].replace("T", " ")
        print(printable(f"{'read':<16}{at}: {read['tools']} tools of {read['program'] or '?'}"))


def print_tools(rows: Sequence[Mapping[str, Any]], left_out: Sequence[str]) -> None:
    """Print the tools of a server: what counts for us, then what the server says."""
    shown = [
        (
            str(row["name"]),
            str(row["effect"]),
            ", ".join(f"{k}={str(v).lower()}" for k, v in row["hints"].items()),
            one_line(str(row["description"])),
        )
        for row in rows
    ]
    print_table(("TOOL", "COUNTS AS", "ITS SERVER HINTS", "ITS SERVER SAYS"), shown)
    for told in left_out:
        err().print(f"left out: {printable(told)}", style="yellow")
