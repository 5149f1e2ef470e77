"""``Bash``: one command line, with a limit on time and output, and nothing left running."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace

from llmos.plugins.builtin.process import Output, in_sandbox, plainly
from llmos.plugins.invoke import ToolError
from llmos.plugins.tool import Tool, ToolContext, tool, tool_of
from llmos.values import Effect, Json

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


async def _run(command: str, context: ToolContext, limit_s: float, sandboxed: bool) -> str:
    argv = [shutil.which("bash") or "/bin/sh", "-c", command]
    output = Output()
    start = in_sandbox if sandboxed else plainly
    async with start(argv, context, output) as process:
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
