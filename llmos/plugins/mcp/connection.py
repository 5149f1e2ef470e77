"""One open connection to an MCP server. It lives in a task of its own, on the loop of `Servers`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any

from llmos.errors import LLMOSError
from llmos.plugins.invoke import ToolError, ToolFailed
from llmos.plugins.mcp.http import ASKED, Answers, Request, http_streams
from llmos.plugins.mcp.listing import MOST_TOOLS, Listing, clean, listing_of
from llmos.plugins.mcp.results import observation_of, text_of
from llmos.plugins.mcp.server import Server
from llmos.plugins.paths import user_home
from llmos.values import Json

_PAGES = 100
"""Pages of a list of tools that are asked for."""

_BAD_REQUEST = -32600
_NOT_MADE = (_BAD_REQUEST, -32601, -32602)
"""Codes by which a server says that it has not begun: no such request, method or arguments."""

_FORGOTTEN = "Session terminated"
"""What the client says where a server at a URL knows nothing of us any more, with that code.

Other bad requests the client makes up itself, for an answer that it cannot read: what the server
did before it, nobody knows.
"""


class Forgotten(ToolError):
    """The server has begun anew, and does not know us: the call was not made."""


class Connection:
    """An open connection; made by `open`.

    Args:
        server: Where it leads.
        environ: What variables of ours the settings may refer to.
        on_changed: Called when the server says that its tools have changed.
    """

    def __init__(
        self, server: Server, environ: Mapping[str, str], on_changed: Callable[[], None]
    ) -> None:
        self.server = server
        self.alive = False
        self.doubtful = False
        """A call got no answer, or an odd one: the server may hang or have forgotten us."""
        self._environ = environ
        self._on_changed = on_changed
        self._client: Any = None
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._last: Callable[[], str] = str
        self._answers = Answers(server)

    async def open(self) -> None:
        """Start or reach the server.

        Raises:
            ToolError: It cannot be; nothing was asked of it.
        """
        _require_client()
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._live(ready))
        try:
            async with asyncio.timeout(self.server.start_timeout_s):
                await asyncio.shield(ready)
        except TimeoutError:
            why = f"no answer within {self.server.start_timeout_s:g} s{self._last()}"
        except LLMOSError as e:
            why = "; ".join(part for part in (e.message, e.hint) if part)
        except (Exception, BaseExceptionGroup) as e:
            why = f"{self._why(e)}{self._last()}"
        else:
            return
        finally:
            if not self.alive:
                self._task.cancel()  # it may wait for an answer that never comes
                await self.close()
        raise ToolError(
            f"the MCP server {self.server.name!r} cannot be used: {why}; "
            f"see: llmos mcp show {self.server.name}"
        )

    async def read(self, now: datetime) -> Listing:
        """Ask for the tools.

        Raises:
            ToolError: There is no answer that can be used.
        """
        try:
            async with asyncio.timeout(self.server.start_timeout_s):
                tools = await self._pages()
        except (Exception, BaseExceptionGroup) as e:
            await self.close()
            raise ToolError(
                f"the MCP server {self.server.name!r} does not tell its tools: {self._why(e)}"
            ) from e
        self.doubtful = False
        info = self._client.server_info
        program = f"{info.name} {info.version}".strip() if info is not None else ""
        return listing_of(self.server, program, tools, now)

    async def call(self, tool: str, arguments: Mapping[str, Json]) -> Json:
        """Call a tool of the server.

        Raises:
            Forgotten: The server has not begun, and wants us to introduce ourselves again.
            ToolError: The server has not begun.
            ToolFailed: It failed; what it did by then is not known.
        """
        from mcp import MCPError

        name = f"{self.server.name}.{tool}"
        request = Request()
        ASKED.set(request)
        try:
            result = await self._client.call_tool(tool, dict(arguments))
        except asyncio.CancelledError:
            self.doubtful = True
            raise
        except MCPError as e:
            self.doubtful = True
            if self._forgotten(e.code, e.message):
                raise Forgotten(f"{name}: the server has forgotten us") from e
            if e.code in _NOT_MADE and (self.server.command or e.code != _BAD_REQUEST):
                raise ToolError(f"{name}: {clean(e.message, 500)}") from e
            if not self.alive:
                raise self._broken(name) from e
            said = self._answers.behind(e.message, request)
            if said and request.not_let_in:
                raise ToolError(f"{name}: {said}") from e
            raise ToolFailed(f"{name}: {said or clean(e.message, 500)}") from e
        except (Exception, BaseExceptionGroup) as e:
            self.doubtful = True
            if not self.alive:
                raise self._broken(name) from e
            raise ToolFailed(f"{name}: {self._why(e)}") from e
        answer: dict[str, Any] = result.model_dump(mode="json", by_alias=True, exclude_none=True)
        if result.is_error:
            # Its own word alone: what it did before it failed nobody knows.
            raise ToolFailed(f"{name}: {clean(text_of(answer) or 'it failed', 2000)}")
        return observation_of(answer)

    async def close(self) -> None:
        """End the connection, and the server's process. Idempotent."""
        self.alive = False
        self._stop.set()
        if self._task is not None:
            _, late = await asyncio.wait((self._task,), timeout=8)
            for task in late:
                task.cancel()
                await asyncio.wait((task,), timeout=2)

    def _why(self, error: BaseException) -> str:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        return self._answers.behind(str(error)) or _told(error)

    def _forgotten(self, code: int, message: str) -> bool:
        return not self.server.command and (code, message) == (_BAD_REQUEST, _FORGOTTEN)

    def _gone(self) -> None:
        self.alive = False

    def _broken(self, name: str) -> ToolFailed:
        return ToolFailed(
            f"{name}: the server ended in the middle of the call{self._last()}",
            "it is started again at the next call",
        )

    async def _pages(self) -> list[dict[str, Any]]:
        tools: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(_PAGES):
            page = await self._client.list_tools(cursor=cursor)
            tools += [
                t.model_dump(mode="json", by_alias=True, exclude_none=True) for t in page.tools
            ]
            cursor = page.next_cursor
            if not cursor or len(tools) > MOST_TOOLS:
                break
        return tools

    async def _live(self, ready: asyncio.Future[None]) -> None:
        """Hold the connection open until it is closed or breaks."""
        try:
            async with AsyncExitStack() as stack:
                await self._connect(stack)
                self.alive = True
                if not ready.done():
                    ready.set_result(None)
                await self._stop.wait()
        except (Exception, BaseExceptionGroup) as e:
            if not ready.done():
                ready.set_exception(e)
        finally:
            self.alive = False
            if not ready.done():
                ready.cancel()

    async def _connect(self, stack: AsyncExitStack) -> None:
        from mcp import Client
        from mcp_types import Implementation, ToolListChangedNotification

        async def heard(message: Any) -> None:
            if isinstance(message, ToolListChangedNotification):
                self._on_changed()

        self._client = await stack.enter_async_context(
            Client(
                self._transport(),
                client_info=Implementation(name="llmos", version="0"),
                message_handler=heard,
                cache=None,
            )
        )

    def _transport(self) -> Any:
        server = self.server
        if not server.command:
            return http_streams(server, self._environ, self._answers)
        from llmos.plugins.mcp.stdio import Told, process_streams

        told = Told()
        self._last = lambda: told.last
        argv = [server.expanded(text, self._environ) for text in (server.command, *server.args)]
        person = user_home()
        usual = str(person) if person.is_dir() else "/"
        cwd = server.expanded(server.cwd, self._environ) or usual
        env = server.environment(self._environ)
        return process_streams(argv, env, cwd, told, self._gone)


def _require_client() -> None:
    try:
        # Takes seconds the first time: not to be counted as the server's.
        import mcp  # noqa: F401
    except ImportError:
        raise ToolError("MCP servers need a client: pip install 'llmos[mcp]'") from None


def _told(error: BaseException) -> str:
    """An exception in a line."""
    text = clean(" ".join(str(error).split()), 300)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
