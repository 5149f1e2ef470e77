"""Homes that cannot be used: one clear error each, and nothing that was there is lost."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmos import LLMOS, LLMOSConfig
from llmos.cortex.processors import RecordedProcessor
from llmos.errors import ConfigError, StoreError
from tests.conftest import recording

GOAL = recording("Greet", ("Write", {"file_path": "a.txt", "content": "hello\n"}), output="Done.")


def system(home: Path, cwd: Path) -> LLMOS:
    processor = RecordedProcessor({GOAL.goal: GOAL})
    return LLMOS(home, processor=processor, cwd=cwd, config=LLMOSConfig())


async def learn_once(home: Path, cwd: Path) -> str:
    async with system(home, cwd) as os_:
        result = await os_.execute(GOAL.goal)
        assert result.success
        return result.trace_id


async def still_there(home: Path, cwd: Path, trace_id: str) -> None:
    async with system(home, cwd) as os_:
        assert os_.traces.get(trace_id).verdict == "completed"


async def test_a_locked_database_is_one_clear_error_and_the_run_can_be_repeated(
    home: Path, cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llmos.store import dialect

    monkeypatch.setattr(dialect, "BUSY_TIMEOUT_S", 0.2)
    trace_id = await learn_once(home, cwd)
    other = sqlite3.connect(home / "llmos.db", isolation_level=None)
    async with system(home, cwd) as os_:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError) as e:
            await os_.execute(GOAL.goal)
        assert "\n" not in e.value.message
        other.execute("ROLLBACK")
        assert (await os_.execute(GOAL.goal)).success
    other.close()
    await still_there(home, cwd, trace_id)


async def test_a_database_from_a_newer_version_is_not_touched(home: Path, cwd: Path) -> None:
    await learn_once(home, cwd)
    with sqlite3.connect(home / "llmos.db") as db:
        db.execute("UPDATE alembic_version SET version_num = '9999_future'")
    before = (home / "llmos.db").read_bytes()
    with pytest.raises(ConfigError, match="newer"):
        await system(home, cwd).boot()
    assert (home / "llmos.db").read_bytes() == before


async def test_a_settings_file_that_is_no_toml_names_the_file(home: Path, cwd: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_bytes(b"\xff\xfe budget")
    with pytest.raises(ConfigError, match=r"config\.toml"):
        await LLMOS(home, cwd=cwd).boot()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True
    )
    if made.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_full_disk_fails_the_run_and_loses_nothing(small_disk: Path, cwd: Path) -> None:
    home = small_disk / "home"
    trace_id = await learn_once(home, cwd)
    (cwd / "a.txt").unlink()
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as f:
        try:
            while True:
                f.write(os.urandom(4096))
        except OSError:
            pass
    with pytest.raises(StoreError) as e:
        async with system(home, cwd) as os_:
            for _ in range(50):
                await os_.execute(GOAL.goal, mode="LEARNER")
    assert "\n" not in e.value.message
    filler.unlink()
    await still_there(home, cwd, trace_id)
    async with system(home, cwd) as os_:
        assert (await os_.execute(GOAL.goal)).success
