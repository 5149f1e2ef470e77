"""A server as a process of ours: lines of JSON on its standard input and output.

It runs in a process group of its own, which is ended with it, and sees only the variables that
it was given. What it writes on standard error is kept to be told when it fails, never printed.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from llmos.plugins.mcp.listing import clean

MOST_LINE = 16 << 20
"""Bytes of one message. A server that sends more is ended."""

_EXIT_S = 1.0
"""How long a server may take to end once its input is closed, and again once it is asked to."""


@dataclass
class Told:
    """What a process has said beside its messages, for whoever asks why it ended."""

    lines: deque[str] = field(default_factory=lambda: deque(maxlen=5))

    def note(self, line: bytes | str) -> None:
        """Keep a line of it."""
        text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
        if text.strip():
            self.lines.append(clean(" ".join(text.split()), 200))

    @property
    def last(self) -> str:
        """The last of it, in a clause; "" if it said nothing."""
        return f": it said {self.lines[-1]!r}" if self.lines else ""


@asynccontextmanager
async def process_streams(
    argv: Sequence[str], env: Mapping[str, str], cwd: str, told: Told, gone: Callable[[], None]
) -> AsyncIterator[tuple[Any, Any]]:
    """Start a server and yield the streams that the client reads and writes.

    Args:
        argv: Program and arguments.
        env: All variables that it gets.
        cwd: Its working directory.
        told: Takes what it says beside its messages.
        gone: Called when no more messages will come, before whoever waits for one is told.

    Raises:
        OSError: It cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(env),
        cwd=cwd,
        start_new_session=True,
        limit=MOST_LINE,
    )
    incoming, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
    tasks = [
        asyncio.create_task(_read(process, incoming, told, gone)),
        asyncio.create_task(_write(process, outgoing, incoming)),
        asyncio.create_task(_listen(process, told)),
    ]
    try:
        yield read, write
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for stream in (incoming, read, write, outgoing):
            stream.close()


async def _read(
    process: asyncio.subprocess.Process, incoming: Any, told: Told, gone: Callable[[], None]
) -> None:
    with incoming, suppress(anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
        try:
            async for message in _messages(process, told):
                await incoming.send(message)
        finally:
            gone()


async def _messages(
    process: asyncio.subprocess.Process, told: Told
) -> AsyncIterator[SessionMessage]:
    assert process.stdout is not None
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError:
            told.note(f"a message of more than {MOST_LINE >> 20} MiB")
            return
        if not line:
            return
        try:
            message = jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError:
            told.note(line[:400])  # a print, say: no message, and no reason to end
            continue
        yield SessionMessage(message)


async def _write(process: asyncio.subprocess.Process, outgoing: Any, incoming: Any) -> None:
    assert process.stdin is not None
    try:
        async for message in outgoing:
            line = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            process.stdin.write(line.encode() + b"\n")
            await process.stdin.drain()
    except OSError:
        incoming.close()  # nobody will answer: let whoever waits know


async def _listen(process: asyncio.subprocess.Process, told: Told) -> None:
    assert process.stderr is not None
    while True:
        try:
            line = await process.stderr.readline()
        except ValueError:
            continue  # a line without an end; its beginning is dropped
        if not line:
            return
        told.note(line)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process with all that it has started."""
    if process.stdin is not None:
        process.stdin.close()
    if not await _gone(process):
        _signal(process.pid, signal.SIGTERM)
        await _gone(process)
    # Also after it has ended by itself: what it started does not outlive it.
    _signal(process.pid, signal.SIGKILL)
    await _gone(process)
    # Its pipes may be held open by somebody who got away; nothing public lets go of them.
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()


async def _gone(process: asyncio.subprocess.Process) -> bool:
    # Not `wait`: it also waits for pipes that a child of the server may have kept.
    loop = asyncio.get_running_loop()
    until = loop.time() + _EXIT_S
    while process.returncode is None and loop.time() < until:
        await asyncio.sleep(0.01)
    return process.returncode is not None


def _signal(group: int, what: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, what)
