"""Of several traces of a goal, the one is followed whose files are as it found them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llmos import LLMOS, Mode
from llmos.values import Context, Done, Event, Limits, Spent, Syscalls, Usage
from tests.conftest import MakeOS

GOAL = "What does motto.txt say?"


class Reader:
    """Reads the file and says what it holds."""

    name = "reader"

    async def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        result = await syscalls.call("Read", {"file_path": "motto.txt"})
        yield Spent(Usage(100, 10), 0.01)
        yield Done(result.text.partition("\t")[2], Usage(100, 10), 0.01, model="reader")

    async def aclose(self) -> None:
        """Nothing to release."""


async def asks(os: LLMOS, cwd: Path, says: str) -> Mode:
    (cwd / "motto.txt").write_text(f"{says}\n")
    result = await os.execute(GOAL)
    assert (result.success, result.output) == (True, says), result
    return result.mode


@pytest.fixture
async def os(make_os: MakeOS) -> LLMOS:
    return await make_os(processor=Reader())


async def test_after_a_lasting_change_the_goal_is_free_again(os: LLMOS, cwd: Path) -> None:
    # The old trace has the better standing.
    assert [await asks(os, cwd, "old") for _ in range(3)] == ["LEARNER", "FOLLOWER", "FOLLOWER"]
    assert await asks(os, cwd, "new") is Mode.MIXED
    assert [await asks(os, cwd, "new") for _ in range(3)] == ["FOLLOWER"] * 3
    assert await asks(os, cwd, "old") is Mode.FOLLOWER


async def test_a_confirmed_trace_of_another_world_stands_in_nobodys_way(
    os: LLMOS, cwd: Path
) -> None:
    for n in range(8):
        (cwd / "motto.txt").write_text(f"{n}\n")
        result = await os.execute(GOAL)
        await os.feedback(result.trace_id, success=True)
    assert await asks(os, cwd, "last") is Mode.MIXED
    assert await asks(os, cwd, "last") is Mode.FOLLOWER


async def test_what_is_explained_is_what_is_done(os: LLMOS, cwd: Path) -> None:
    first = await os.execute(GOAL) if await asks(os, cwd, "old") else None
    await asks(os, cwd, "new")
    assert first is not None and first.mode is Mode.FOLLOWER
    decision, source = os.explain(GOAL)
    assert source is not None and source.output == "new"
    assert (await os.execute(GOAL)).decision.source == decision.source == source.id
    (cwd / "motto.txt").write_text("neither\n")
    decision, source = os.explain(GOAL)
    assert decision.mode is Mode.FOLLOWER and source is not None and source.output == "new"
