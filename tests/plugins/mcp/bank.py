"""A server made with the library: ``bank.py FILE [PORT TOKEN]``. It keeps one number in a file.

At a port it serves only whoever shows the token.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

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


def serve(port: int, token: str) -> None:
    """Serve at a port."""
    import uvicorn
    from starlette.responses import Response

    app = server.streamable_http_app()

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        shown = dict(scope.get("headers", ())).get(b"authorization")
        known = scope["type"] != "http" or shown == f"Bearer {token}".encode()
        await (app if known else Response(status_code=401))(scope, receive, send)

    uvicorn.run(guarded, host="127.0.0.1", port=port, log_level="error")


if len(sys.argv) > 2:
    serve(int(sys.argv[2]), sys.argv[3])
else:
    server.run()
