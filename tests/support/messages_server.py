"""A scripted Messages API on loopback: what a model said, decided by a list or a function.

A script is a sequence of replies, one for each request of the main conversation, or a function
from a request to a reply. Requests are kept in ``requests``. Everything else a client asks for
(token counts, model lists) gets a harmless default.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Reply:
    """One answer of the model: text, then calls."""

    text: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    """Name and input of each ``tool_use`` block, named as the request's tools are."""
    stop_reason: str = ""
    """``end_turn``, or ``tool_use`` when there are calls, unless given."""
    input_tokens: int = 100
    output_tokens: int = 20


@dataclass(frozen=True)
class Fault:
    """An error of the API: 401, 429, 500, 529."""

    status: int
    type: str = "api_error"
    message: str = "something broke"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Garbage:
    """Status 200 and a stream that is none."""

    body: bytes = b"event: message_start\ndata: {not json\n\n\x00\xff garbage\n\n"


@dataclass(frozen=True)
class Hang:
    """Headers, the beginning of a message, then silence."""


UNAUTHORIZED = Fault(401, "authentication_error", "invalid x-api-key")
OVERLOADED = Fault(529, "overloaded_error", "Overloaded", (("retry-after", "0"),))
BROKEN = Fault(500, "api_error", "Internal server error", (("retry-after", "0"),))

Answer = Reply | Fault | Garbage | Hang


@dataclass(frozen=True)
class Request:
    """A request of the main conversation."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def tools(self) -> list[str]:
        return [tool["name"] for tool in self.body.get("tools", ())]

    @property
    def system(self) -> str:
        return _text(self.body.get("system", ""))

    @property
    def text(self) -> str:
        """All text of all messages, results of tools included."""
        return "\n".join(_text(message["content"]) for message in self.body["messages"])

    @property
    def last(self) -> str:
        """The last text block or tool result that a user message holds."""
        content = [m["content"] for m in self.body["messages"] if m["role"] == "user"][-1]
        return content if isinstance(content, str) else _text(content[-1:])

    @property
    def results(self) -> list[dict[str, Any]]:
        """The tool results of the conversation, oldest first."""
        return [
            block
            for message in self.body["messages"]
            if isinstance(message["content"], list)
            for block in message["content"]
            if block.get("type") == "tool_result"
        ]


Script = Sequence[Answer] | Callable[[Request], Answer]


@dataclass
class MessagesServer:
    """Use as a context manager; ``url`` is the base URL while it runs."""

    script: Script
    requests: list[Request] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    """Method and path of every request that was not for a message."""
    url: str = ""

    def __enter__(self) -> Self:
        self._closing = threading.Event()
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: Request) -> Answer:
        with self._lock:
            index = len(self.requests)
            self.requests.append(request)
        if callable(self.script):
            return self.script(request)
        if index >= len(self.script):
            return Fault(400, "invalid_request_error", f"the script ends after {index} replies")
        return self.script[index]


class _Handler(BaseHTTPRequestHandler):
    owner: MessagesServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def handle(self) -> None:
        with suppress(ConnectionError):  # a client that was killed
            super().handle()

    def do_HEAD(self) -> None:
        self._other()

    def do_GET(self) -> None:
        self._other()

    def do_CONNECT(self) -> None:
        """Somebody took us for a proxy on the way to another host."""
        self.owner.other.append(f"CONNECT {self.path}")
        self._json(403, {})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        path = self.path.partition("?")[0]
        if path == "/v1/messages/count_tokens":
            self.owner.other.append(f"POST {path}")
            self._json(200, {"input_tokens": 100})
        elif path == "/v1/messages":
            body = json.loads(raw)
            headers = {key.lower(): value for key, value in self.headers.items()}
            self._send(self.owner.answer(Request(path, headers, body)), body)
        else:
            self._other()

    def _other(self) -> None:
        self.owner.other.append(f"{self.command} {self.path}")
        self._json(200, {"data": [], "has_more": False})

    def _send(self, answer: Answer, body: dict[str, Any]) -> None:
        if isinstance(answer, Fault):
            error = {"type": answer.type, "message": answer.message}
            self._json(answer.status, {"type": "error", "error": error}, answer.headers)
        elif isinstance(answer, Garbage):
            self._stream(answer.body)
        elif isinstance(answer, Hang):
            self._stream(_event("message_start", {"message": _head(Reply(), body)}))
            self.owner._closing.wait()
        elif body.get("stream"):
            self._stream(b"".join(_stream(answer, body)))
        else:
            self._json(200, {**_head(answer, body), **_tail(answer), "content": _blocks(answer)})

    def _stream(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        self.wfile.write(data)
        self.wfile.flush()

    def _json(
        self, status: int, body: dict[str, Any], headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        data = b"" if self.command == "HEAD" else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for key, value in headers:
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)


_ids = iter(range(1, 1_000_000))


def _head(reply: Reply, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"msg_{next(_ids):06}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model", ""),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": reply.input_tokens, "output_tokens": 1},
    }


def _tail(reply: Reply) -> dict[str, Any]:
    reason = reply.stop_reason or ("tool_use" if reply.calls else "end_turn")
    usage = {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens}
    return {"stop_reason": reason, "stop_sequence": None, "usage": usage}


def _blocks(reply: Reply) -> list[dict[str, Any]]:
    texts = [{"type": "text", "text": reply.text}] if reply.text else []
    calls = [
        {"type": "tool_use", "id": f"toolu_{next(_ids):06}", "name": name, "input": arguments}
        for name, arguments in reply.calls
    ]
    return [*texts, *calls]


def _stream(reply: Reply, body: dict[str, Any]) -> list[bytes]:
    events = [_event("message_start", {"message": _head(reply, body)})]
    for index, block in enumerate(_blocks(reply)):
        if block["type"] == "text":
            start, delta = {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
        else:
            start = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        events += [
            _event("content_block_start", {"index": index, "content_block": start}),
            _event("content_block_delta", {"index": index, "delta": delta}),
            _event("content_block_stop", {"index": index}),
        ]
    tail = _tail(reply)
    usage = tail.pop("usage")
    return [
        *events,
        _event("message_delta", {"delta": tail, "usage": usage}),
        _event("message_stop", {}),
    ]


def _event(kind: str, fields: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    found = []
    for block in content:
        if block.get("type") == "text":
            found.append(block["text"])
        elif block.get("type") == "tool_result":
            found.append(_text(block.get("content", "")))
    return "\n".join(found)
