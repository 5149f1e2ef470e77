"""Learned tools that work on real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmos import LLMOS, LLMOSConfig, Step, Trace
from llmos.cortex.processors import RecordedProcessor
from llmos.values import Mode

GOAL = 'Write a note called "{}" to notes/{}.md'
TOLD = [("Water", "a"), ("Call", "b"), ("Buy", "c")]


def lesson(title: str, name: str) -> Trace:
    arguments = {"file_path": f"notes/{name}.md", "content": f"# {title}\n"}
    return Trace(GOAL.format(title, name), (Step("Write", arguments),), "Done.")


def taught(folder: Path) -> LLMOS:
    recordings = {trace.goal: trace for trace in (lesson(*told) for told in TOLD)}
    processor = RecordedProcessor(recordings)
    return LLMOS(folder / "home", processor=processor, config=LLMOSConfig(), cwd=folder)


async def learn(os: LLMOS) -> str:
    for told in TOLD:
        await os.execute(GOAL.format(*told))
    (name,) = (await os.kernel.run_cron_now()).learnt.created
    return str(name)


async def test_a_new_file_is_written_for_nothing_and_can_be_taken_back(tmp_path: Path) -> None:
    async with taught(tmp_path) as os:
        await learn(os)
        result = await os.execute(GOAL.format("Cat", "new"))
        assert (result.mode, result.success, result.usage.total_tokens) == (
            Mode.CRYSTALLIZED,
            True,
            0,
        )
        assert (tmp_path / "notes" / "new.md").read_text() == "# Cat\n"
        await os.undo(result.trace_id)
        assert not (tmp_path / "notes" / "new.md").exists()


async def test_a_tool_that_always_made_new_files_does_not_replace_one(tmp_path: Path) -> None:
    async with taught(tmp_path) as os:
        await learn(os)
        old = tmp_path / "notes" / "old.md"
        old.write_text("a year of diary\n")
        result = await os.execute(GOAL.format("Cat", "old"))
        assert result.side_exit is not None
        assert "is there already" in result.side_exit.reason
        assert old.read_text() == "a year of diary\n"


@pytest.mark.parametrize("again", [False, True])
async def test_a_refuted_lesson_does_not_give_trust_back(tmp_path: Path, again: bool) -> None:
    async with taught(tmp_path) as os:
        first = [await os.execute(GOAL.format(*told)) for told in TOLD]
        fourth = lesson("Pay", "d")
        await os.learn([fourth])
        await os.kernel.run_cron_now()
        served = await os.execute(GOAL.format("Cat", "new"))
        await os.feedback(served.trace_id, success=False)
        await os.kernel.run_cron_now()
        assert os.explain(GOAL.format("Dog", "other"))[0].mode is not Mode.CRYSTALLIZED
        if again:
            await os.feedback(first[0].trace_id, success=False)
            await os.kernel.run_cron_now()
        assert os.explain(GOAL.format("Dog", "other"))[0].mode is not Mode.CRYSTALLIZED
