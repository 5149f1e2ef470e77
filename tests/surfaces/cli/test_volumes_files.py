"""``llmos volumes``: tools as files, and what becomes of edited ones on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.surfaces.cli.conftest import Cli
from tests.surfaces.cli.test_tools import NOTE, NOTES, teach


@pytest.fixture
def path(home: Path, cli: Cli) -> Path:
    """The file of a learned tool."""
    teach(home, NOTES)
    assert cli("volumes", "mirror").code == 0
    return home / "workspace/volumes/users/alice/tools" / f"{NOTE}.py"


def test_the_mirror_says_what_it_wrote_and_where(home: Path, cli: Cli, path: Path) -> None:
    assert path.read_text().startswith(f"# {NOTE} · version 1 · ")
    assert "nothing to write" in cli("volumes", "mirror").out
    path.unlink()
    said = cli("volumes", "mirror", "--json")
    assert said.json["written"] == [f"users/alice/tools/{NOTE}.py"]
    assert said.json["folder"] == str(home / "workspace/volumes")


def test_an_edited_tool_is_pushed_shown_as_unproven_and_rolled_back(cli: Cli, path: Path) -> None:
    assert "no edited file" in cli("volumes", "push").out
    path.write_text(path.read_text() + "\nMINE = 1\n")
    assert f"would be taken  tool {NOTE}" in cli("volumes", "push", "--dry-run").out
    said = cli("volumes", "push")
    assert said.code == 0 and f"tool {NOTE} is at version 2, draft" in said.out
    assert f"llmos tools rollback {NOTE}" in said.out

    shown = cli("tools", "show", NOTE)
    assert shown.code == 0 and "unproven" in shown.out and "MINE = 1" in shown.out
    assert cli("tools", "show", NOTE, "--json").json["proof"] is None
    assert "unproven" in cli("tools").out
    assert cli("tools", "history", NOTE, "--json").json["versions"][0]["runs"] is None
    assert "edited by hand" in cli("tools", "history", NOTE).out
    assert "+MINE = 1" in cli("tools", "diff", NOTE).out

    refused = cli("tools", "activate", NOTE)
    assert refused.code == 2 and "no proof" in refused.err
    assert cli("tools", "run", NOTE, "x=1").code == 2
    goal = "Write a note called 'jam' to list.txt"
    assert cli("explain", goal).out.startswith("LEARNER")
    assert cli("tools", "rollback", NOTE).code == 0
    assert cli("explain", goal).out.startswith("CRYSTALLIZED")


def test_a_file_that_is_refused_ends_in_an_error_and_the_others_are_taken(
    cli: Cli, path: Path
) -> None:
    path.with_name("bad.py").write_text("x = 1\ny = (\n")
    path.with_name("good.py").write_text("x = 1\n")
    said = cli("volumes", "push", "--json")
    assert said.code == 1
    assert [p["name"] for p in said.json["pushed"]] == ["good"]
    assert said.json["refused"][0]["told"].startswith("line 2: ")


def test_an_edited_file_is_named_with_what_to_type(cli: Cli, path: Path) -> None:
    path.write_text(path.read_text() + "\nMINE = 1\n")
    cli("tools", "archive", NOTE)
    said = cli("volumes", "mirror")
    assert said.code == 0 and f"users/alice/tools/{NOTE}.py: is edited" in said.err
