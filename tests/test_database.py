"""The whole of LLM OS with its database on a server: nothing of it knows the difference."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmos import LLMOSConfig
from tests.conftest import MakeOS, recording
from tests.support.databases import Database, Server
from tests.surfaces.cli.conftest import Cli, cli  # noqa: F401

GOAL = "Note the total"


@pytest.fixture
def shared(postgres: Server, home: Path, tmp_path: Path) -> Database:
    return Database(home, postgres.usual(tmp_path / "first"))


async def test_a_goal_is_learned_followed_and_undone(
    make_os: MakeOS, shared: Database, home: Path, cwd: Path
) -> None:
    config = LLMOSConfig(database_url=shared.url or "")
    written = recording(GOAL, ("Write", {"file_path": "out.txt", "content": "a\0b \x1a"}))
    os = await make_os([written], config=config)
    first = await os.execute(GOAL)
    assert first.success and not (home / "llmos.db").exists()
    (cwd / "out.txt").unlink()
    second = await os.execute(GOAL)
    assert (second.mode.value, second.usage.total_tokens) == ("FOLLOWER", 0)
    assert (cwd / "out.txt").read_text() == "a\0b \x1a"
    await os.undo(second.trace_id)
    assert not (cwd / "out.txt").exists()
    feed = os.kernel.get_activity_feed()
    assert feed and "secret" not in str(feed)


async def test_a_second_home_follows_what_the_first_has_learned(
    make_os: MakeOS, shared: Database, cwd: Path, tmp_path: Path
) -> None:
    config = LLMOSConfig(database_url=shared.url or "")
    written = recording(GOAL, ("Write", {"file_path": "out.txt", "content": "1"}))
    one = await make_os([written], config=config)
    await one.execute(GOAL)
    (cwd / "out.txt").unlink()
    other = await make_os(config=config, home=tmp_path / "other")
    assert (await other.execute(GOAL)).mode.value == "FOLLOWER"


def test_doctor_names_the_database_without_its_password(
    cli: Cli,  # noqa: F811
    shared: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert shared.url is not None
    url = shared.url.replace("postgres:@", "postgres:secret@")
    monkeypatch.setenv("LLMOS_DATABASE_URL", url)
    said = cli("doctor")
    assert said.code == 0
    assert "PostgreSQL" in said.out and "llmos_" in said.out
    assert "secret" not in said.out + said.err
    assert "secret" not in cli("config", "show").out
    assert "secret" not in cli("config", "set", "database_url", url).out
    monkeypatch.setenv("LLMOS_DATABASE_URL", "postgresql://alice:secret@127.0.0.1:1/x")
    for debug in ((), ("--debug",)):
        said = cli(*debug, "doctor")
        assert said.code == 1 and "cannot reach" in said.out + said.err
        said = cli(*debug, "traces")
        assert said.code == 1 and "secret" not in said.out + said.err
