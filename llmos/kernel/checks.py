"""Checks: the user's own test of whether a run did what it should."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import signal
import tempfile
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        result: What the run came to, for functions. They are called in a thread of their own.
        cwd: Where a command runs.
        timeout_s: Wall clock.
    """
    try:
        async with asyncio.timeout(timeout_s):
            if isinstance(check, str):
                return await _command(check, cwd)
            said = await _in_thread(check, result)
            return Checked(bool(await said if inspect.isawaitable(said) else said))
    except TimeoutError:
        return Checked(False, f"the check took longer than {timeout_s:g} s")
    except Exception as e:
        return Checked(False, f"the check broke: {type(e).__name__}: {e}")


async def _in_thread(check: Callable[[RunResult], Any], result: RunResult) -> Any:
    # A daemon: one that hangs must neither stop the other runs nor the end of the program.
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()

    def tell(told: tuple[Any, BaseException | None]) -> None:
        if not outcome.done():
            outcome.set_result(told)

    def work() -> None:
        try:
            told: tuple[Any, BaseException | None] = (check(result), None)
        except BaseException as e:  # also SystemExit: a check does not end the program
            told = (None, e)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(tell, told)

    threading.Thread(target=work, name="llmos-check", daemon=True).start()
    said, error = await outcome
    if error is None:
        return said
    raise error if isinstance(error, Exception) else RuntimeError(type(error).__name__)


async def _command(command: str, cwd: Path) -> Checked:
    # Into a file: a pipe stays open as long as anything that the command left running has it.
    with tempfile.TemporaryFile() as out:
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            command,
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            await process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        out.seek(max(0, out.seek(0, os.SEEK_END) - 2000))
        said = out.read().decode("utf-8", "replace").strip()
    return Checked(process.returncode == 0, said[-500:])
