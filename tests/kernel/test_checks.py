"""The user's own check decides; one that breaks or hangs has not passed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from llmos.kernel.checks import Check, Checked, run_check
from llmos.values import Decision, Mode, RunResult, Usage, Verdict

ROOT = Path(__file__).parents[2]
RESULT = RunResult(
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "Do it",
    Mode.LEARNER,
    True,
    Verdict.COMPLETED,
    "42",
    (),
    Usage(),
    0.0,
    0.1,
    Decision(Mode.LEARNER, 1.0),
)


async def check(what: Check, cwd: Path, timeout_s: float = 20.0) -> Checked:
    return await run_check(what, RESULT, cwd, timeout_s)


async def test_a_command_that_exits_0_has_passed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    assert await check("test -f a.txt && echo fine", tmp_path) == Checked(True, "fine")


@pytest.mark.parametrize("command", ["exit 1", "exit 200", "nosuchcommand", "kill -9 $$", "if"])
async def test_any_other_end_has_not(tmp_path: Path, command: str) -> None:
    assert not (await check(command, tmp_path)).passed


async def test_its_last_words_are_told(tmp_path: Path) -> None:
    said = (await check("seq 100000; printf 'x\\377y' >&2; exit 1", tmp_path)).said
    assert said.endswith("99999\n100000\nx\ufffdy")
    assert len(said) <= 500


async def test_it_gets_no_input(tmp_path: Path) -> None:
    assert (await check("! read line", tmp_path)).passed


async def test_a_command_that_hangs_has_not_passed_and_nothing_of_it_is_left(
    tmp_path: Path,
) -> None:
    command = "sleep 600 & echo $! > pid; wait"
    got = await check(command, tmp_path, 0.5)
    assert not got.passed and "0.5 s" in got.said
    await gone(int((tmp_path / "pid").read_text()))


async def test_what_a_passed_check_left_running_neither_delays_nor_outlives_it(
    tmp_path: Path,
) -> None:
    command = "sleep 600 & echo $! > pid; echo fine"
    assert await check(command, tmp_path) == Checked(True, "fine")
    await gone(int((tmp_path / "pid").read_text()))


async def gone(pid: int) -> None:
    """Wait until a process is dead, or a zombie that nobody collects."""
    async with asyncio.timeout(10):
        while True:
            try:
                status = Path(f"/proc/{pid}/stat").read_text()
            except OSError:
                return
            if status.rpartition(")")[2].split()[0] == "Z":
                return
            await asyncio.sleep(0.01)


async def test_cancelling_ends_the_command(tmp_path: Path) -> None:
    running = asyncio.ensure_future(check("echo $$ > pid.new; mv pid.new pid; sleep 600", tmp_path))
    while not (tmp_path / "pid").exists():
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await gone(int((tmp_path / "pid").read_text()))


async def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    got = await check("true", tmp_path / "gone")
    assert not got.passed and "FileNotFoundError" in got.said


async def test_a_function_is_given_the_result(tmp_path: Path) -> None:
    async def later(result: RunResult) -> bool:
        await asyncio.sleep(0)
        return result.output == "42"

    assert (await check(lambda r: r.output == "42", tmp_path)).passed
    assert (await check(later, tmp_path)).passed
    assert not (await check(lambda r: r.output == "43", tmp_path)).passed


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("x"), AssertionError("n != 5"), StopIteration(), SystemExit(0)]
)
async def test_a_function_that_raises_has_not_passed(tmp_path: Path, error: Any) -> None:
    def broken(result: RunResult) -> bool:
        raise error

    async def later(result: RunResult) -> bool:
        raise error

    checks = [broken] if isinstance(error, SystemExit) else [broken, later]
    for each in checks:
        got = await check(each, tmp_path)
        assert not got.passed and "broke" in got.said


async def test_a_function_that_hangs_stops_nobody(tmp_path: Path) -> None:
    end = threading.Event()
    try:
        got = await check(lambda r: end.wait(600), tmp_path, 0.1)
        assert not got.passed and "0.1 s" in got.said
        got = await check(lambda r: asyncio.sleep(600), tmp_path, 0.1)  # type: ignore[return-value]
        assert not got.passed
    finally:
        end.set()


HANGING = """
import asyncio, sys, threading
from pathlib import Path
from llmos.kernel.checks import run_check
from tests.kernel.test_checks import RESULT

hanging = run_check(lambda r: threading.Event().wait(), RESULT, Path(sys.argv[1]), 0.1)
print(asyncio.run(hanging).passed)
"""


def test_a_function_that_hangs_does_not_keep_the_program_from_ending(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HANGING, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert (done.stdout, done.returncode) == ("False\n", 0), done.stderr
