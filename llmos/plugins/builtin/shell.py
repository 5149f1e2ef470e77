"""``Bash``: one command line, with a limit on time and output, and nothing left running."""

from __future__ import annotations

import asyncio
import codecs
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from llmos.plugins import sandbox
from llmos.plugins.invoke import ToolError
from llmos.plugins.tool import Tool, ToolContext, tool, tool_of
from llmos.values import Effect, Json

MAX_OUTPUT = 30_000
"""Characters of output that are told, as agents know it."""

DEFAULT_TIMEOUT_MS = 120_000
"""Time limit when the call names none, as agents know it. The kernel's own may be shorter."""


def bash_tool(sandboxed: bool) -> Tool:
    """The ``Bash`` tool.

    Args:
        sandboxed: Run commands in the sandbox, where they reach only the working directory:
            effect ``write``. Otherwise they can do anything: effect ``external``.
    """

    @tool(
        name="Bash",
        effects=Effect.WRITE if sandboxed else Effect.EXTERNAL,
        reads=_working_directory,
        writes=_working_directory,
        compare=same_output,
        version="1",
    )
    async def bash(
        command: str,
        context: ToolContext,
        timeout: int | None = None,
        description: str | None = None,
    ) -> str:
        """Run a command line with bash in the working directory. Nothing it starts outlives it.

        Args:
            command: The command line. There is no input; standard output and error come together.
            timeout: Time limit in milliseconds; 120000 when left out.
            description: What the command does, in a few words, for people who look on.
            context: Handed in by the kernel.
        """
        if "\0" in command:
            raise ToolError("a command cannot hold a NUL character")
        asked = DEFAULT_TIMEOUT_MS if timeout is None else max(1, timeout)
        # A little earlier than the kernel's own limit, so that the output so far can be told.
        limit_s = min(asked / 1000, context.timeout_s * 0.95)
        return await _run(command, context, limit_s, sandboxed)

    return replace(tool_of(bash), sandboxed=sandboxed)


def same_output(recorded: Json, live: Json) -> bool:
    """Whether two observations tell the same, elapsed times of known tools aside.

    Known are pytest (``3 passed in 0.01s``), unittest (``Ran 3 tests in 0.000s``) and bash's
    ``time`` (``real 0m0.003s``).
    """
    if isinstance(recorded, str) and isinstance(live, str):
        return _without_times(recorded) == _without_times(live)
    return bool(recorded == live)


_OUTCOMES = r"\d+ (?:passed|failed|errors?|skipped|deselected|xfailed|xpassed|warnings?)"
_TIMES = (
    # pytest fills the line with "=" around its text, so their number changes with the time.
    re.compile(
        rf"^(?:=+ )?((?:{_OUTCOMES}(?:, )?)+|no tests ran) in [\d.]+s(?: \([\d:]+\))?(?: =+)?$"
    ),
    re.compile(r"^(Ran \d+ tests?) in [\d.]+s$"),
    re.compile(r"^(real|user|sys)\s+\d+m[\d.]+s$"),
)


def _without_times(text: str) -> list[str]:
    lines = text.split("\n")
    for pattern in _TIMES:
        lines = [pattern.sub(r"\1", line) for line in lines]
    return lines


def _working_directory(context: ToolContext, arguments: Mapping[str, Json]) -> tuple[str, ...]:
    return (f"tree:{os.path.realpath(context.cwd)}",)


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


async def _run(command: str, context: ToolContext, limit_s: float, sandboxed: bool) -> str:
    argv = [shutil.which("bash") or "/bin/sh", "-c", command]
    output = _Output()
    async with _temporary(sandboxed) as tmp:
        if sandboxed:
            argv = sandbox.command(argv, context)
        async with _process(argv, context.cwd, environment(tmp), output) as process:
            try:
                code: int | None = await asyncio.wait_for(process.wait(), limit_s)
            except TimeoutError:
                code = None
    text = output.text()
    if code is None:
        raise ToolError(f"Command timed out after {limit_s:g} s\n{text}".strip())
    if code == 0:
        return text or "(no output)"
    if sandboxed and text.startswith("bwrap: "):
        raise ToolError(f"The sandbox could not be set up: {text}")
    # A signal n shows as 128 + n, as bash itself tells it.
    raise ToolError(f"Exit code {code if code > 0 else 128 - code}\n{text}".strip())


@asynccontextmanager
async def _temporary(sandboxed: bool) -> AsyncIterator[str]:
    """A folder for temporary files of this call alone; the sandbox has one of its own."""
    if sandboxed:
        yield "/tmp"
        return
    folder = tempfile.mkdtemp(prefix="llmos-")
    try:
        yield folder
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))


@asynccontextmanager
async def _process(
    argv: list[str], cwd: Path, env: dict[str, str], output: _Output
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
        )
    except OSError as e:
        reader.close()
        raise ToolError(f"the command cannot be started: {e.strerror}") from e
    finally:
        os.close(write_end)
    try:
        yield process
    finally:
        _end(process.pid, env["TMPDIR"])
        # Not interrupted by a cancel: an unread pipe and a zombie would stay behind.
        await asyncio.shield(_finished(process, reader, output))


async def _reader(read_end: int, output: _Output) -> asyncio.ReadTransport:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: output, os.fdopen(read_end, "rb", 0))
    return transport


async def _finished(
    process: asyncio.subprocess.Process, reader: asyncio.ReadTransport, output: _Output
) -> None:
    await process.wait()
    with suppress(TimeoutError):
        # Whoever holds the pipe has been killed; one that got away does not hold us up.
        await asyncio.wait_for(output.closed.wait(), 1.0)
    reader.close()


def _end(group: int, tmp: str) -> None:
    """Kill the process group, and what left it: the private TMPDIR tells whose child it was."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    if tmp == "/tmp":  # sandboxed: everything in it died with its first process
        return
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


class _Output(asyncio.Protocol):
    """Collects output in bounded memory: the beginning and the end."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._head = ""
        self._tail = ""
        self._total = 0

    def data_received(self, data: bytes) -> None:
        self._add(self._decoder.decode(data))

    def connection_lost(self, exc: Exception | None) -> None:
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
