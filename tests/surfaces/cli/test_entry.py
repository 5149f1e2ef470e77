"""Arguments, errors and exit codes: the same for every command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmos.errors import StoreError
from llmos.surfaces.cli.entry import hoisted
from tests.surfaces.cli.conftest import Cli


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("run x --user bob", "--user bob run x"),
        ("run --home=/h x --debug --json", "--home=/h --debug run x --json"),
        ("traces list --limit 3", "traces list --limit 3"),
        ("run -- --user bob", "run -- --user bob"),
        ("run x --team", "--team"),
        ("", ""),
    ],
)
def test_global_options_may_stand_anywhere(given: str, expected: str) -> None:
    assert hoisted(given.split()) == expected.split()


def test_a_global_option_without_its_value_is_what_the_error_names(cli: Cli) -> None:
    said = cli("run", "x", "--team")
    assert said.code == 2
    assert "'--team' requires an argument" in said.err


def test_a_mistyped_command_is_answered_with_the_nearest(cli: Cli) -> None:
    said = cli("rnu", "x")
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "error: no such command 'rnu'. Did you mean 'run'?\nhint:  see `llmos --help`\n"
    )


def test_a_goal_without_quotes_is_told_to_be_put_in_quotes(cli: Cli) -> None:
    said = cli("run", "Write", "a", "haiku")
    assert said.code == 2
    assert 'put the goal in quotes: llmos run "…"' in said.err


def test_errors_are_json_where_json_was_asked_for(cli: Cli) -> None:
    said = cli("run", "", "--json")
    assert (said.code, said.err) == (2, "")
    assert said.json["error"]["type"] == "UserError"
    assert "empty" in said.json["error"]["message"]
    assert said.json["error"]["hint"]
    assert cli("traces", "--colour", "--json").json["error"]["type"] == "UserError"


def test_a_user_that_is_a_path_is_refused_by_every_command(cli: Cli, home: Path) -> None:
    for command in (["run", "x"], ["traces"], ["feed"], ["budget"], ["doctor"]):
        said = cli(*command, "--user", "../../x")
        assert said.code == 2
        assert "user id '../../x'" in said.err
    assert not list(home.parent.glob("x*"))


def test_our_own_mistake_is_one_line_and_a_traceback_only_on_demand(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: object, **named: object) -> None:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr("llmos.memory.traces.Traces.recent", broken)
    said = cli("traces")
    assert said.code == 1
    first, hint = said.err.splitlines()
    assert first == "error: this is our mistake: ZeroDivisionError: two lines"
    assert "--debug" in hint
    assert "Traceback" in cli("traces", "--debug").err


def test_errors_of_the_world_exit_1_and_errors_of_the_person_2(cli: Cli, home: Path) -> None:
    assert StoreError("x").exit_code == 1
    home.mkdir()
    (home / "llmos.db").write_bytes(b"this is no database, whatever its name says")
    said = cli("traces")
    assert said.code == 1
    assert "llmos.db" in said.err
    (home / "config.toml").write_text("nonsense = 1\n")
    assert cli("run", "x").code == 2


def test_the_home_can_be_named_on_the_line(cli: Cli, tmp_path: Path) -> None:
    said = cli("config", "path", "--home", str(tmp_path / "other"))
    assert said.out == f"{tmp_path / 'other' / 'config.toml'}\n"


def test_version(cli: Cli) -> None:
    import llmos

    assert cli("--version").out == f"llmos {llmos.__version__}\n"


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["run", "--help"], ["budget", "set", "-h"]])
def test_help_is_no_error(cli: Cli, words: list[str]) -> None:
    said = cli(*words)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("Usage: llmos")


def test_every_command_that_lists_takes_json_and_limit(cli: Cli) -> None:
    for command in (["traces"], ["traces", "list"], ["budget", "history"], ["feed"]):
        said = cli(*command, "--json", "--limit", "1")
        assert said.code == 0, said.err
        json.loads(said.out)
        assert cli(*command, "--limit", "0").code == 2


@pytest.mark.parametrize("command", [["config", "show"], ["config", "show", "--json"], ["--help"]])
def test_a_pipe_that_is_closed_early_is_no_crash(home: Path, command: list[str]) -> None:
    code = (
        "import os, sys\n"
        "from llmos.surfaces.cli import main\n"
        "r, w = os.pipe(); os.dup2(w, 1); os.close(r); os.close(w)\n"
        "main(sys.argv[1:])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (1, "")
