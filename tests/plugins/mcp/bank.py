"""A server made with the library: ``bank.py FILE [PORT]``. It keeps one number in a file."""

from __future__ import annotations

import sys
from pathlib import Path

from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

BALANCE = Path(sys.argv[1])
server = MCPServer("bank", version="1")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def balance(account: str) -> dict[str, int]:
    """Tell what an account holds."""
    return {account: int(BALANCE.read_text())}


@server.tool()
def pay(account: str, amount: int) -> str:
    """Pay into an account."""
    BALANCE.write_text(str(int(BALANCE.read_text()) + amount))
    return f"paid {amount} to {account}"


if len(sys.argv) > 2:
    server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
else:
    server.run()
