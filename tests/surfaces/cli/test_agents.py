"""``llmos agents`` as people use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.conftest import recording
from tests.surfaces.cli.conftest import Cli

KIND = (
    "---\nname: kind\ndescription: For kindness.\ntools: Read, Write\ncolor: red\n---\n\nBe kind.\n"
)
WRITE = recording(
    "Write a greeting to hello.txt", ("Write", {"file_path": "hello.txt", "content": "hello\n"})
)


def test_an_agent_from_its_file_to_the_archive(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "kind.md"
    file.write_text(KIND)
    made = cli("agents", "create", "--file", str(file))
    assert (made.code, made.out[:24]) == (0, "agent kind is at version")
    assert "'color' is kept" in made.err
    shown = cli("agents", "show", "kind")
    assert shown.out == KIND and "may use: Read, Write" in shown.err
    changed = KIND.replace("Be kind", "Be brief")
    assert cli("agents", "modify", "kind", "--file", "-", stdin=changed.encode()).code == 0
    assert "+  Be brief." in cli("agents", "diff", "kind").out
    assert [v["version"] for v in cli("agents", "history", "kind", "--json").json] == [2, 1]
    assert cli("agents", "rollback", "kind").code == 0
    assert cli("agents", "show", "kind").out == KIND
    assert cli("agents", "archive", "kind", "--why", "enough").code == 0
    assert "kind" not in cli("agents").out
    assert "kind" in cli("agents", "list", "--all").out
    assert cli("agents", "restore", "kind").code == 0


def test_the_list_as_json(cli: Cli) -> None:
    rows = cli("agents", "list", "--json").json
    assert {r["name"]: r["version"] for r in rows}["coder"] == 0
    assert len(cli("agents", "--json", "--limit", "2").json) == 2


def test_what_is_malformed_is_told_with_its_line(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "kind.md"
    file.write_text(KIND.replace("name: kind", "name: Kind"))
    said = cli("agents", "create", "--file", str(file))
    assert said.code == 2 and "line 2: 'Kind' is no name" in said.err
    said = cli("agents", "create", "--file", str(tmp_path / "not-there.md"))
    assert said.code == 2 and "cannot read" in said.err
    assert cli("agents", "show", "nobody").code == 2
    assert cli("agents", "diff", "coder").code == 2
    assert cli("agents", "create", "--file", str(file), "--in", "moon").code == 2


def test_a_folder_of_claude_code_is_imported(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "person" / ".claude" / "agents"
    folder.mkdir(parents=True)
    (folder / "kind.md").write_text(KIND)
    (folder / "bad.md").write_text("---\nname: x\n---\n")
    said = cli("agents", "import")
    assert said.code == 1
    assert "new  kind" in said.out and "line 1: the front matter has no description" in said.out
    (folder / "bad.md").unlink()
    assert [r["outcome"] for r in cli("agents", "import", "--json").json] == ["unchanged"]


def test_an_edited_file_is_pushed_and_used(cli: Cli, tmp_path: Path, home: Path) -> None:
    cli("agents", "create", "--file", "-", stdin=KIND.encode())
    cli("volumes", "mirror")
    path = home / "workspace/volumes/users/alice/agents/kind.md"
    assert path.read_text() == KIND
    path.write_text(KIND.replace("Be kind", "Be brief"))
    said = cli("volumes", "push")
    assert said.code == 0 and "llmos agents rollback kind" in said.out
    assert "Be brief." in cli("agents", "show", "kind").out
    path.write_text("Be nothing")
    said = cli("volumes", "push")
    assert said.code == 1 and "line 1: " in said.err
    assert "Be brief." in cli("agents", "show", "kind").out


def test_a_run_names_the_agent_that_made_it(cli: Cli, model: Any) -> None:
    model(WRITE)
    cli("agents", "create", "--file", "-", stdin=KIND.encode())
    assert cli("run", WRITE.goal, "--agent", "kind").code == 0
    assert "agent: kind@" in cli("traces", "show", "last").out
    told = cli("explain", WRITE.goal, "--agent", "kind", "--json").json
    assert told["decision"]["mode"] == "FOLLOWER"
    assert cli("run", WRITE.goal, "--agent", "nobody").code == 2


def test_what_each_model_did_is_shown(cli: Cli) -> None:
    cli("agents", "create", "--file", "-", stdin=KIND.encode())
    shown = cli("agents", "show", "kind", "--json").json
    assert (shown["models"], shown["model"]) == ({}, "")
