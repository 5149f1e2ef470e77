"""Checks: the user's own test of whether a run did what it should."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from llmos.values import RunResult

Check = str | Callable[[RunResult], bool | Awaitable[bool]]
"""A shell command that exits 0, or a function that returns True, when the result is right."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check said."""

    passed: bool
    said: str = ""
    """Its last words, for a person."""


async def run_check(check: Check, result: RunResult, cwd: Path, timeout_s: float) -> Checked:
    """Run a check. One that breaks or hangs has not passed.

    Args:
        check: The user's own command or function: it runs with the user's rights, unsandboxed.
        result: What the run came to, for functions.
        cwd: Where a command runs.
        timeout_s: Wall clock.
    """
    try:
        async with asyncio.timeout(timeout_s):
            if isinstance(check, str):
                return await _command(check, cwd)
            said = check(result)
            return Checked(bool(await said if inspect.isawaitable(said) else said))
    except TimeoutError:
        return Checked(False, f"the check took longer than {timeout_s:g} s")
    except Exception as e:
        return Checked(False, f"the check broke: {type(e).__name__}: {e}")


async def _command(command: str, cwd: Path) -> Checked:
    process = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        command,
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return Checked(process.returncode == 0, out.decode("utf-8", "replace").strip()[-500:])
