"""The MCP servers of a home: their tools in the registry, their connections while it is open.

No server is started to decide anything: the tools come from what was last read of it. It is
started when one of its tools is called, or when a model is to be shown tools that were never
read. What it then says of its tools replaces what was remembered.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from llmos.errors import UserError
from llmos.plugins.invoke import ToolError
from llmos.plugins.loader import LoadProblem
from llmos.plugins.mcp.connection import Connection, Forgotten
from llmos.plugins.mcp.listing import Definition, Listing, Remembered
from llmos.plugins.mcp.server import Server
from llmos.plugins.mcp.server_tool import tool_for
from llmos.plugins.mcp.thread import LoopThread
from llmos.plugins.registry import Registry, Source
from llmos.values import Clock, Json, utc_now

_CLOSE_S = 12.0


class Servers:
    """The servers of one home.

    Args:
        home: Home of LLM OS, where what was read of them is kept.
        servers: By name, as the settings have them.
        registry: Where their tools are offered.
        clock: Tells when something was read.
    """

    def __init__(
        self, home: Path, servers: Mapping[str, Server], registry: Registry, clock: Clock = utc_now
    ) -> None:
        self._servers = {name: server for name, server in servers.items() if server.enabled}
        self._remembered = Remembered(home)
        self._registry = registry
        self._clock = clock
        self._thread = LoopThread("llmos-mcp")
        self._open: dict[str, Connection] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._changed: set[str] = set()
        self._stamps: dict[str, int] = {}
        self._listings: dict[str, Listing] = {}
        self._failed: set[str] = set()
        self.refresh()

    def refresh(self) -> None:
        """Offer what was last read of every server, also by another process. Starts none."""
        for name, server in self._servers.items():
            stamp = self._remembered.stamp(name)
            if self._stamps.get(name) == stamp:
                continue
            self._stamps[name] = stamp
            listing = self._remembered.load(server)
            if listing is None:
                self._complain(name, f"its tools were never read: llmos mcp tools {name}")
            else:
                self._offer(server, listing)

    async def read(self, name: str) -> Listing:
        """Ask a server for its tools, and offer these from now on.

        Raises:
            UserError: There is no such server.
            ToolError: It cannot be started or reached.
        """
        return await self._thread.run(self._read(self._named(name)))

    async def read_missing(self) -> None:
        """Ask the servers whose tools were never read; those that fail are told as problems."""
        wanted = [n for n in self._servers if n not in self._listings and n not in self._failed]
        await self._read_each(wanted)

    async def read_all(self) -> None:
        """Ask all servers; one that fails keeps its tools and is told as a problem."""
        await self._read_each(list(self._servers))

    async def _read_each(self, names: Sequence[str]) -> None:
        async def ask(name: str) -> None:
            try:
                await self.read(name)
            except ToolError as e:
                self._failed.add(name)
                self._complain(name, e.message)

        await asyncio.gather(*map(ask, names))

    def listing(self, name: str) -> Listing | None:
        """What was last read of a server; None if nothing was."""
        return self._listings.get(name)

    def close(self) -> None:
        """End all connections, and the processes behind them. Idempotent."""
        self._thread.stop(self._close_all(), _CLOSE_S)

    async def _ask(self, name: str, tool: Definition, arguments: Mapping[str, Json]) -> Json:
        return await self._thread.run(self._call(self._named(name), tool, arguments))

    # --- on the loop of the connections --------------------------------------------------------

    async def _call(self, server: Server, tool: Definition, arguments: Mapping[str, Json]) -> Json:
        try:
            return await self._call_once(server, tool, arguments)
        except Forgotten:
            # It was started anew since, and has not begun: it gets to know us, and then does it.
            return await self._call_once(server, tool, arguments)

    async def _call_once(
        self, server: Server, tool: Definition, arguments: Mapping[str, Json]
    ) -> Json:
        connection = await self._connected(server)
        now = self._listings[server.name].find(tool.name)
        if now is None or now.digest != tool.digest:
            what = "has no such tool any more" if now is None else "describes it in another way now"
            raise ToolError(f"{server.name}.{tool.name} was not called: the server {what}")
        return await connection.call(tool.name, arguments)

    async def _read(self, server: Server) -> Listing:
        self._changed.add(server.name)
        await self._connected(server)
        return self._listings[server.name]

    async def _connected(self, server: Server) -> Connection:
        """An open connection whose tools are known as they are now."""
        name = server.name
        async with self._locks.setdefault(name, asyncio.Lock()):
            connection = self._open.get(name)
            if connection is not None and (connection.doubtful or name in self._changed):
                try:
                    await self._take_in(connection)
                except ToolError:
                    connection = None  # a new one is made, if it can be
            if connection is not None and connection.alive:
                return connection
            return await self._reopened(server)

    async def _reopened(self, server: Server) -> Connection:
        old = self._open.pop(server.name, None)
        if old is not None:
            await old.close()
        changed = self._changed.add
        connection = Connection(server, os.environ, lambda: changed(server.name))
        await connection.open()
        self._open[server.name] = connection
        await self._take_in(connection)
        return connection

    async def _take_in(self, connection: Connection) -> None:
        """Read the tools and offer them; what another process has changed is seen by all."""
        server = connection.server
        self._changed.discard(server.name)
        listing = await connection.read(self._clock())
        known = self._listings.get(server.name)
        if known is None or _said(known) != _said(listing) or not self._stamps.get(server.name):
            self._offer(server, listing)
        self._listings[server.name] = listing
        self._remembered.save(server, listing)
        self._stamps[server.name] = self._remembered.stamp(server.name)

    async def _close_all(self) -> None:
        open_now, self._open = list(self._open.values()), {}
        await asyncio.gather(*(c.close() for c in open_now), return_exceptions=True)

    # --- what is offered -----------------------------------------------------------------------

    def _offer(self, server: Server, listing: Listing) -> None:
        self._listings[server.name] = listing
        tools = tuple(tool_for(server, tool, self._ask) for tool in listing.tools)
        told = [*listing.problems, *_stale(server, listing)]
        where = f"mcp server {server.name}"
        problems = tuple(LoadProblem(where, None, why) for why in told)
        self._registry.put(Source("server", server.name, tools, problems))

    def _complain(self, name: str, why: str) -> None:
        problem = LoadProblem(f"mcp server {name}", None, why)
        known = next((s for s in self._registry.sources if s.key == f"server:{name}"), None)
        tools = known.tools if known is not None and name in self._listings else ()
        self._registry.put(Source("server", name, tools, (problem,)))

    def _named(self, name: str) -> Server:
        found = self._servers.get(name)
        if found is None:
            known = ", ".join(self._servers) or "none"
            raise UserError(f"no MCP server {name[:40]!r} is in use", f"servers: {known}")
        return found


def _said(listing: Listing) -> tuple[tuple[str, str], ...]:
    return tuple((tool.name, tool.digest) for tool in listing.tools)


def _stale(server: Server, listing: Listing) -> list[str]:
    """What the user has said of tools that are not what they were, or not there."""
    told = []
    for name, said in server.effects.items():
        tool = listing.find(name)
        if tool is None:
            told.append(f"the settings speak of a tool {name[:64]!r}, which it does not have")
        elif said.partition("@")[0] != server.effect(name, tool.digest).value:
            told.append(
                f"{name!r} has changed since it was trusted, and counts as external: "
                f"llmos mcp trust {server.name} {name} --effect {said.partition('@')[0]}"
            )
    return told
