"""A server at a URL: streamable HTTP, with the headers of the settings.

A redirect to another host is not followed, so that the headers go nowhere else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from llmos.plugins.mcp.server import Server

_STAND_INS = ("Server returned an error response", "Not Found")
"""What the client says in place of a status that came without a message."""

_NOT_LET_IN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
"""Statuses by which a server, or who stands before it, says that it has not begun."""


@dataclass
class Request:
    """One call, for which it is kept how it was answered."""

    status: int = 0

    @property
    def not_let_in(self) -> bool:
        """Whether the server has surely not begun."""
        return self.status in _NOT_LET_IN


ASKED: ContextVar[Request | None] = ContextVar("llmos_mcp_request", default=None)
"""The call that is made; the client sends a request in the context of whoever makes it."""


@dataclass
class Answers:
    """How a server has answered, for whoever asks why it failed."""

    server: Server
    status: int = 0
    """The last one."""

    def note(self, status: int) -> None:
        """Keep a status, also for the call that it answers."""
        self.status = status
        asked = ASKED.get()
        if asked is not None:
            asked.status = status

    def behind(self, message: str, request: Request | None = None) -> str:
        """What stands behind a message of the client; "" where that says it all.

        Args:
            message: What the client says.
            request: The call that it says it of; the last request when left out.
        """
        status = self.status if request is None else request.status
        refused = status >= HTTPStatus.BAD_REQUEST and message in _STAND_INS
        return _told(self.server, status) if refused else ""


@asynccontextmanager
async def http_streams(
    server: Server, environ: Mapping[str, str], answers: Answers
) -> AsyncIterator[tuple[Any, Any]]:
    """Yield the streams that the client reads and writes.

    Args:
        server: Where it is.
        environ: What variables of ours its URL and headers may refer to.
        answers: Takes what it answers that is no message.

    Raises:
        ConfigError: One of the variables is not set.
    """
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    async def note(response: Any) -> None:
        # A server need not have a stream of its own, which is asked for by GET.
        if response.request.method == "POST":
            answers.note(response.status_code)

    headers = {k: server.expanded(v, environ) for k, v in server.headers.items()}
    url = server.expanded(server.url, environ)
    # How long a call may take is bounded elsewhere; a server may hold a stream open.
    timeout = httpx2.Timeout(server.start_timeout_s, read=None)
    hooks = {"response": [note]}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=timeout, event_hooks=hooks) as client,
        streamable_http_client(url, http_client=client) as streams,
    ):
        yield streams


def _told(server: Server, status: int) -> str:
    try:
        said = f"it answered {status} {HTTPStatus(status).phrase}"
    except ValueError:
        said = f"it answered {status}"
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        sent = ", ".join(server.headers) or "none"
        return (
            f"{said}: it wants to know who asks (headers sent: {sent}; a token is given by "
            "--header Authorization='Bearer ${NAME}'; OAuth logins are not spoken)"
        )
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        return f"{said}: is the path of its URL right? Often it ends in /mcp"
    return said
