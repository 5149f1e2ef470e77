"""A server by hand at a loopback port, for what servers made with the library do not do.

It keeps sessions, as servers did before there were requests that need none, and can be in a mood.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAY = {"name": "pay", "inputSchema": {"type": "object", "properties": {"to": {"type": "string"}}}}


class Desk:
    """Its state, and what it was asked."""

    def __init__(self) -> None:
        self.session = "one"
        self.status: dict[str, int] = {}
        """By method, what is answered in place of a message."""
        self.moods: list[int] = []
        """Statuses of the next calls, one each."""
        self.results: dict[str, Any] = dict(_RESULTS)
        """By method; what is not there it has not."""
        self.type = "text/html"
        self.location = ""
        self.did: list[Any] = []
        """Arguments of calls that were carried out."""
        self.authorization: set[str | None] = set()
        self.url = ""


@contextmanager
def desk() -> Iterator[Desk]:
    """A desk that is open."""
    state = Desk()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            method = body["method"]
            state.authorization.add(self.headers["authorization"])
            fresh = method in ("initialize", "server/discover")
            if not fresh and self.headers["mcp-session-id"] != state.session:
                return self.answer(404)
            if method == "tools/call" and state.moods:
                return self.answer(state.moods.pop())
            if method == "tools/call" and state.status.get(method) not in (401, 403, 429):
                state.did.append(body["params"]["arguments"])
            if method in state.status:
                return self.answer(state.status[method])
            if "id" not in body:
                return self.answer(202)
            result = state.results.get(method)
            if result is None:
                error = {"code": -32601, "message": "no such method"}
                return self.message({"jsonrpc": "2.0", "id": body["id"], "error": error})
            return self.message({"jsonrpc": "2.0", "id": body["id"], "result": result})

        def do_GET(self) -> None:
            self.answer(405)

        do_DELETE = do_GET

        def message(self, told: dict[str, Any]) -> None:
            self.answer(200, "application/json", json.dumps(told).encode())

        def answer(self, status: int, kind: str = "", body: bytes = b"<h1>") -> None:
            self.send_response(status)
            self.send_header("content-type", kind or state.type)
            self.send_header("content-length", str(len(body)))
            self.send_header("mcp-session-id", state.session)
            if state.location:
                self.send_header("location", state.location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/mcp"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


_RESULTS: dict[str, Any] = {
    "initialize": {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "desk", "version": "1"},
    },
    "tools/list": {"tools": [PAY]},
    "tools/call": {"content": [{"type": "text", "text": "paid"}]},
}
