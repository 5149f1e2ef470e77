"""Runs one command line: bounded output, a group of its own, and nothing left running."""

from __future__ import annotations

import asyncio
import codecs
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from llmos.plugins import sandbox
from llmos.plugins.invoke import ToolError
from llmos.plugins.tool import ToolContext

MAX_OUTPUT = 30_000
"""Characters of output that are told, as agents know it."""


def environment(tmp: str) -> dict[str, str]:
    """All the environment that a command gets: no keys, and nothing that varies by itself."""
    home = os.path.expanduser("~")
    path = os.environ.get("PATH") or os.defpath
    return {
        # The running Python comes last: what the person calls `python` stays what it is.
        "PATH": os.pathsep.join([path, str(Path(sys.executable).parent)]),
        "HOME": home,
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "TMPDIR": tmp,
        "XDG_CACHE_HOME": f"{tmp}/.cache",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
    }


@asynccontextmanager
async def in_sandbox(
    argv: list[str], context: ToolContext, output: Output
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run ``argv`` in the sandbox; on the way out everything in it has ended."""
    read_end, write_end = os.pipe()
    try:
        argv = sandbox.command(argv, context, write_end)
        env = environment("/tmp")
        async with _process(argv, context.cwd, env, output, write_end) as process:
            yield process
    finally:
        os.close(write_end)
        await asyncio.shield(_ended(read_end))


async def _ended(read_end: int) -> None:
    try:
        await sandbox.ended(read_end)
    finally:
        os.close(read_end)


@asynccontextmanager
async def plainly(
    argv: list[str], context: ToolContext, output: Output
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run ``argv`` as it is; on the way out it has ended, and what it started.

    A process that both leaves the group and clears its environment is not found.
    """
    folder = tempfile.mkdtemp(prefix="llmos-")
    try:
        async with _process(argv, context.cwd, environment(folder), output) as process:
            try:
                yield process
            finally:
                _end_group(process.pid)
                _end_strays(folder)
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))


@asynccontextmanager
async def _process(
    argv: list[str], cwd: Path, env: dict[str, str], output: Output, *kept_open: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process in a group of its own; on the way out the group ends and the output is complete."""
    # A pipe of our own: asyncio's would make `wait` depend on who else holds it open.
    read_end, write_end = os.pipe()
    reader = await _reader(read_end, output)
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            cwd=cwd,
            env=env,
            start_new_session=True,
            pass_fds=kept_open,
        )
    except BaseException as e:
        reader.close()
        if isinstance(e, OSError):
            raise ToolError(f"the command cannot be started: {e.strerror}") from e
        raise
    finally:
        os.close(write_end)
    try:
        yield process
    finally:
        _end_group(process.pid)
        # Not interrupted by a cancel: an unread pipe and a zombie would stay behind.
        await asyncio.shield(_finished(process, reader, output))


async def _reader(read_end: int, output: Output) -> asyncio.ReadTransport:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: output, os.fdopen(read_end, "rb", 0))
    return transport


async def _finished(
    process: asyncio.subprocess.Process, reader: asyncio.ReadTransport, output: Output
) -> None:
    await process.wait()
    with suppress(TimeoutError):
        # Whoever holds the pipe has been killed; one that got away does not hold us up.
        await asyncio.wait_for(output.closed.wait(), 1.0)
    reader.close()


def _end_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _end_strays(tmp: str) -> None:
    """Kill what has left the group: the private TMPDIR tells whose child it was."""
    mark = f"TMPDIR={tmp}".encode()
    for _ in range(5):  # a process may fork while the list is read
        strays = [pid for pid in _processes() if mark in _environment_of(pid)]
        for pid in strays:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not strays:
            return


def _processes() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except FileNotFoundError:  # no /proc on this system: the group is what can be found
        return []


def _environment_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


class Output(asyncio.Protocol):
    """Collects output in bounded memory: the beginning and the end."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._head = ""
        self._tail = ""
        self._total = 0

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self._add(self._decoder.decode(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio at the end of the output."""
        self._add(self._decoder.decode(b"", final=True))
        self.closed.set()

    def text(self) -> str:
        """What came, without the line end; cut in the middle if it is too long."""
        left_out = self._total - len(self._head) - len(self._tail)
        note = f"\n(… {left_out} characters left out …)\n" if left_out else ""
        return f"{self._head}{note}{self._tail}".rstrip("\n")

    def _add(self, text: str) -> None:
        self._total += len(text)
        free = MAX_OUTPUT // 2 - len(self._head)
        self._head += text[:free]
        self._tail = (self._tail + text[free:])[-(MAX_OUTPUT // 2) :]
