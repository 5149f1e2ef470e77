"""``llmos learn``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from llmos import Trace
from llmos.memory.importers import Importer
from tests.memory.importers.transcript import Transcript
from tests.surfaces.cli.conftest import Cli


@pytest.fixture
def projects(tmp_path: Path) -> Path:
    """The transcripts of a person who has worked with Claude Code."""
    folder = tmp_path / "person" / ".claude" / "projects"
    said = Transcript().user("Write a note").calls("Write", file_path="/work/shop/n", content="n")
    said.gives("ok").says("Noted.").user("Use password=hunter2222").says("I did.")
    said.raw("{broken").save(folder)
    return folder


def test_without_a_path_the_persons_own_sessions_are_learnt(cli: Cli, projects: Path) -> None:
    said = cli("learn")
    assert said.code == 0
    told = {" ".join(line.split()) for line in said.out.splitlines()}
    assert "1 sessions 1 new" in told
    assert "2 traces stored" in told
    assert "1 steps 1 Write" in told
    assert "1 secrets taken out 1 password" in told
    assert "1 not understood 1 line: no JSON" in told
    assert said.err == ""
    listed = cli("traces").out
    assert "Write a note" in listed
    assert "Use password=[redacted:password]" in listed
    assert "1 known" in cli("learn").out


def test_a_dry_run_stores_nothing(cli: Cli, projects: Path) -> None:
    said = cli("learn", str(projects), "--dry-run")
    assert "traces would be stored" in said.out
    assert "No run yet" in cli("traces").out


def test_the_report_as_json(cli: Cli, projects: Path) -> None:
    told = cli("learn", str(projects), "--json").json
    assert (told["sessions"], told["goals"], told["traces"]) == (1, 2, 2)
    assert told["steps"] == {"Write": 1}
    assert told["redactions"] == {"password": 1}
    assert told["not_understood"] == {"line: no JSON": 1}
    assert told["seconds"] > 0


def test_what_the_tokens_cost_is_told_where_it_is_known(cli: Cli, projects: Path) -> None:
    cli("learn")
    costs = [trace["cost_usd"] for trace in cli("traces", "list", "--json").json]
    assert all(cost > 0 for cost in costs)


def test_a_path_that_does_not_exist_is_the_users_mistake(cli: Cli) -> None:
    said = cli("learn", "nothing.jsonl")
    assert said.code == 2
    assert "'nothing.jsonl' does not exist" in said.err


def test_a_person_without_transcripts_is_told_where_they_were_sought(cli: Cli) -> None:
    said = cli("learn")
    assert said.code == 2
    assert ".claude/projects' does not exist" in said.err


def test_an_interrupted_import_says_what_is_kept(
    cli: Cli, projects: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Importer._store

    async def stop(self: Importer, batch: Sequence[Trace]) -> None:
        await store(self, batch)
        raise KeyboardInterrupt

    monkeypatch.setattr(Importer, "_store", stop)
    said = cli("learn")
    assert said.code == 130
    assert "interrupted: 2 traces are stored" in said.err
