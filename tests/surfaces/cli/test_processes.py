"""The command as people start it: in a process of its own."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.conftest import recording
from tests.surfaces.cli.conftest import Cli, Learn

PROJECT = Path(__file__).parents[3]

HELLO = recording(
    "Write a greeting to hello.txt",
    ("Write", {"file_path": "hello.txt", "content": "hello\n"}),
    output="Wrote hello.txt.",
)


def python(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        input=stdin,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT)}


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from llmos.surfaces.cli.entry import run\n"
        "assert run(['--help']) == 0\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = python("-c", code)
    assert done.stdout.startswith("Usage: llmos")
    heavy = {"rich", "sqlalchemy", "pydantic", "prompt_toolkit", "httpx", "asyncio", "alembic"}
    assert heavy & set(done.stderr.split()) == set()


def test_the_package_runs_as_a_module(learn: Learn, cwd: Path) -> None:
    learn(HELLO)
    done = python("-m", "llmos", "run", HELLO.goal)
    assert (done.returncode, done.stdout) == (0, "Wrote hello.txt.\n")
    assert "FOLLOWER · 0 tokens" in done.stderr
    assert (cwd / "hello.txt").exists()


def test_the_prompt_opens_by_the_path_of_boot(learn: Learn) -> None:
    learn(HELLO)
    done = python(str(PROJECT / "llmos" / "boot.py"), "interactive", stdin=f"{HELLO.goal}\n")
    assert (done.returncode, done.stdout) == (0, "Wrote hello.txt.\n"), done.stderr


def test_a_new_goal_without_a_model_exits_2(home: Path) -> None:
    done = python("-m", "llmos", "run", "Something new")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: no language model is configured\n")


WAITING = '''
import time
from pathlib import Path

from llmos import tool

HOLD, STARTED = Path({hold!r}), Path({started!r})


@tool(effects="read", name="slow.wait")
def wait() -> str:
    """Wait while a file is there."""
    STARTED.touch()
    while HOLD.exists():
        time.sleep(0.02)
    return "waited"
'''

WAIT = recording("Wait for it", ("slow.wait", {}), output="Waited.")


@pytest.fixture
def hold(home: Path, tmp_path: Path, learn: Learn) -> Path:
    """A file that keeps the tool of `WAIT` waiting; the goal is known already."""
    hold, started = tmp_path / "hold", tmp_path / "started"
    (home / "plugins").mkdir(parents=True)
    code = WAITING.format(hold=str(hold), started=str(started))
    (home / "plugins" / "slow.py").write_text(code)
    learn(WAIT, undo=False)
    started.unlink()
    hold.touch()
    return hold


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert path.exists(), process.communicate()


def test_ctrl_c_exits_130_after_the_run_is_recorded_as_failed(hold: Path, cli: Cli) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "llmos", "run", WAIT.goal],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(hold.with_name("started"), process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-2:] == [
        "error: interrupted: the run is kept as failed",
        "hint:  see `llmos traces`",
    ]
    newest = cli("traces", "--json").json[0]
    assert (newest["goal"], newest["verdict"]) == (WAIT.goal, "failed")
    assert "cancelled" in newest["error"]


def test_at_a_real_terminal_a_run_can_be_undone_by_one_key(learn: Learn, cwd: Path) -> None:
    learn(HELLO)
    terminal, inner = pty.openpty()
    termios.tcsetwinsize(inner, (24, 80))
    process = subprocess.Popen(
        [sys.executable, "-m", "llmos"],
        env={**environment(), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
        stdin=inner,
        stdout=inner,
        stderr=inner,
    )
    os.close(inner)
    screen = ""

    def until(text: str) -> None:
        nonlocal screen
        while text not in screen:
            screen += os.read(terminal, 4096).decode("utf-8", "replace")
        screen = screen[screen.index(text) + len(text) :]

    try:
        until("❯")
        os.write(terminal, f"{HELLO.goal}\r".encode())
        until("Wrote hello.txt.")
        until("undo")
        assert (cwd / "hello.txt").exists()
        os.write(terminal, b"u")
        until("1 change taken back")
        until("❯")
        os.write(terminal, b"\x04")
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        os.close(terminal)
    assert not (cwd / "hello.txt").exists()
