"""`llmos crons` and `llmos daemon`, as processes: one works, the other says so."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmos.crons.holding import holder
from llmos.surfaces.cli.entry import run


@pytest.fixture(autouse=True)
def this_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that a test starts have the package that is tested, wherever they stand."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A daemon on ``<tmp_path>/home`` that runs its crons."""
    command = [*llmos(tmp_path), "--user", "alice", "--team", "engineering", "daemon"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline() == "the crons run; Ctrl-C ends them\n"
    yield process
    process.kill()
    process.communicate()


def llmos(tmp_path: Path) -> list[str]:
    return [sys.executable, "-m", "llmos", "--home", str(tmp_path / "home")]


def said(tmp_path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    code = run(["--home", str(tmp_path / "home"), *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_second_daemon_says_who_runs_the_crons_and_the_first_ends_by_a_signal(
    tmp_path: Path, daemon: subprocess.Popen[str], capsys: pytest.CaptureFixture[str]
) -> None:
    second = subprocess.run(
        [*llmos(tmp_path), "--user", "bob", "daemon"], capture_output=True, text=True
    )
    assert second.returncode == 2
    assert f"are run by daemon {daemon.pid} since" in second.stderr
    assert "llmos crons stop" in second.stderr
    code, report = said(tmp_path, capsys, "crons", "run", "user", "alice")
    assert (code, report["why"]) == (0, "nothing new")
    _, shown = said(tmp_path, capsys, "crons", "status", "--limit", "2")
    assert shown["run_by"]["pid"] == daemon.pid
    # The second daemon's user has a cron as well: whoever runs the crons runs all of them.
    assert (len(shown["crons"]), shown["all"]) == (2, 4)
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(30) == 0
    _, shown = said(tmp_path, capsys, "crons")
    assert shown["run_by"] is None
    assert "running" not in {c["status"] for c in shown["crons"]}


def test_crons_start_in_the_background_and_stop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, started = said(tmp_path, capsys, "crons", "start")
    try:
        assert code == 0
        assert Path(started["log"]) == tmp_path / "home" / "logs" / "daemon.log"
        code, error = said(tmp_path, capsys, "crons", "start")
        assert (code, error["error"]["type"]) == (2, "CronsElsewhere")
    finally:
        code, stopped = said(tmp_path, capsys, "crons", "stop")
    assert (code, stopped) == (0, {"stopped": True, "pid": started["pid"]})
    assert holder(tmp_path / "home") is None
    assert said(tmp_path, capsys, "crons", "stop")[1] == {"stopped": False, "pid": None}


def test_crons_are_paused_and_resumed_by_level_and_by_owner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(tmp_path, capsys, "--user", "alice", "crons", "run")
    assert said(tmp_path, capsys, "crons", "pause", "user", "alice") == (0, {"changed": 1})
    assert said(tmp_path, capsys, "crons", "pause", "user") == (0, {"changed": 0})
    assert said(tmp_path, capsys, "crons")[1]["crons"][0]["paused"]
    assert said(tmp_path, capsys, "crons", "resume", "user") == (0, {"changed": 1})


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("crons", "pause", "planet"), "there is no cron of level 'planet'"),
        (("crons", "pause", "user", "bob"), "there is no such cron: the user cron of 'bob'"),
        (("crons", "run", "team"), "whose team?"),
    ],
)
def test_a_cron_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    code, told = said(tmp_path, capsys, *words)
    assert (code, told["error"]["message"]) == (2, says)


def test_a_home_that_shares_the_database_says_where_the_crons_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLMOS_DATABASE_URL", f"sqlite:///{tmp_path / 'shared.db'}")
    elsewhere = tmp_path / "elsewhere"
    command = [sys.executable, "-m", "llmos", "--home", str(elsewhere), "daemon"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == "the crons run; Ctrl-C ends them\n"
        _, shown = said(tmp_path, capsys, "crons", "status")
        assert shown["run_by"]["pid"] == process.pid
        assert shown["run_by"]["home"] == str(elsewhere)
        code, error = said(tmp_path, capsys, "crons", "stop")
        assert (code, error["error"]["type"]) == (2, "CronsElsewhere")
        assert "stop it first there" in error["error"]["hint"]
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert said(tmp_path, capsys, "crons", "status")[1]["run_by"] is None
