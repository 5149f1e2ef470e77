"""``llmos volumes private`` and ``purge``: shown before, asked, and only by whom access allows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.surfaces.cli.conftest import Cli
from tests.surfaces.cli.test_tools import NOTE, NOTES, teach


@pytest.fixture(autouse=True)
def learnt(home: Path) -> None:
    teach(home, NOTES)


def run_of(cli: Cli) -> str:
    return str(cli("traces", "--json").json[0]["id"])


def test_a_volume_a_tool_and_a_run_are_kept_private_and_shown(cli: Cli) -> None:
    assert "Nothing is private" in cli("volumes", "private").out
    run = run_of(cli)
    assert f"tool {NOTE} is private" in cli("volumes", "private", "on", NOTE).out
    assert f"run {run[-6:].lower()} is private" in cli("volumes", "private", "on", run[-6:]).out
    assert "your volume is private" in cli("volumes", "private", "on").out
    assert "was private already" in cli("volumes", "private", "on").out
    shown = cli("volumes", "private").out
    assert "your whole volume" in shown and NOTE in shown and run[-6:].lower() in shown
    assert f"private: your whole volume, run {run[-6:].lower()}" in cli("volumes", "show").out
    kinds = [k["kind"] for k in cli("volumes", "show", "--json").json["private"]]
    assert kinds[0] == "volume" and sorted(kinds[1:]) == ["artifact", "trace"]
    said = cli("volumes", "private", "off", NOTE).out
    assert "private no longer" in said and "your whole volume is private" in said
    assert cli("volumes", "private", "off", "--json").json == {
        "type": "volume",
        "name": "",
        "private": False,
        "changed": True,
    }
    assert [k["kind"] for k in cli("volumes", "private", "--json").json] == ["trace"]


def test_a_purge_says_what_goes_and_is_not_done_without_a_yes(cli: Cli) -> None:
    told = cli("volumes", "purge", NOTE, "--dry-run")
    assert f"tool {NOTE} of the user volume of alice would be deleted for good" in told.out
    assert "Nothing was deleted." in told.out
    refused = cli("volumes", "purge", NOTE)
    assert refused.code == 2 and "--yes" in refused.err and "cannot be undone" in refused.err
    assert cli("volumes", "purge", NOTE, "--json").code == 2
    (version,) = cli("volumes", "purge", NOTE, "--dry-run", "--json").json["versions"]
    assert (version["type"], version["name"], version["owner"]) == ("tool", NOTE, "alice")
    assert cli("tools", "show", NOTE).code == 0
    done = cli("volumes", "purge", NOTE, "--yes", "--why", "mine")
    assert done.code == 0 and "Deleted." in done.out
    assert cli("tools", "show", NOTE).code == 2


def test_a_run_is_purged_with_the_tool_that_was_made_from_it(cli: Cli) -> None:
    run = run_of(cli)
    told = cli("volumes", "purge", run[-6:], "--dry-run").out
    assert f"run {run[-6:].lower()} of the user volume" in told and f"tool {NOTE}" in told
    assert cli("volumes", "purge", run, "--yes", "--json").json["purged"] is True
    assert cli("tools", "show", NOTE).code == 2
    assert run not in str(cli("traces", "--json").json)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("purge", "nothing-like-it"), "there is no artifact or run"),
        (("purge", NOTE, "--type", "planet"), "there is no type"),
        (("private", "on", "nothing-like-it"), "there is no artifact or run"),
        (("purge", NOTE, "team", "blue"), "may not read"),
    ],
)
def test_what_is_not_there_or_not_yours_is_told(
    cli: Cli, words: tuple[str, ...], says: str
) -> None:
    said = cli("volumes", *words)
    assert said.code == 2 and says in said.err


def test_a_pinned_tool_is_not_purged(cli: Cli) -> None:
    cli("tools", "pin", NOTE)
    said = cli("volumes", "purge", NOTE, "--yes")
    assert said.code == 2 and "pinned" in said.err


def test_undo_last_after_an_import_means_what_llm_os_did_itself(cli: Cli) -> None:
    said = cli("undo", "last")
    assert said.code == 2 and "all runs were imported" in said.err
    named = cli("undo", run_of(cli))
    assert named.code == 2 and "it was imported" in named.err


def test_undo_last_passes_over_what_was_imported_later(cli: Cli, home: Path, cwd: Path) -> None:
    done = cli("run", "Write a note called 'jam' to list.txt")
    assert done.code == 0, done.err
    teach(home, NOTES[:1])
    assert (cwd / "list.txt").exists()
    assert cli("undo", "last").code == 0
    assert not (cwd / "list.txt").exists()
