"""A run under an agent: its prompt, its tools, its model, and what is recorded of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from llmos import LLMOSConfig, Mode
from llmos.cortex.processors import RecordedProcessor
from llmos.errors import UserError
from llmos.values import Context, Event, Limits, Syscalls
from tests.conftest import MakeOS, recording

GOAL = "Write a greeting to hello.txt"
WRITE = recording(GOAL, ("Write", {"file_path": "hello.txt", "content": "hello\n"}), output="Ok.")
LOOK = recording("Look into hello.txt", ("Read", {"file_path": "hello.txt"}), output="hello")


class Watched(RecordedProcessor):
    """Plays recordings, and keeps what it was shown."""

    def __init__(self, *recordings: Any) -> None:
        super().__init__({t.goal: t for t in recordings})
        self.shown: list[Context] = []
        self.tools: list[set[str]] = []

    async def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        self.shown.append(context)
        self.tools.append({spec.name for spec in syscalls.tools()})
        async for event in super().run(goal, context, syscalls, limits):
            yield event


def text(name: str, *, tools: str = "", model: str = "", says: str = "Be kind.") -> str:
    more = (f"tools: {tools}\n" if tools else "") + (f"model: {model}\n" if model else "")
    return f"---\nname: {name}\ndescription: d\n{more}---\n{says}\n"


async def test_the_model_is_told_the_agent_first_and_given_its_tools_alone(
    make_os: MakeOS, cwd: Path
) -> None:
    processor = Watched(WRITE)
    os = await make_os(processor=processor)
    stored = os.kernel.agents.create(text("kind", tools="Read, Write, WebSearch", model="haiku"))
    result = await os.execute(GOAL, agent="kind")
    assert result.success and (cwd / "hello.txt").exists()
    assert processor.shown[0].system == "Be kind."
    assert processor.shown[0].model == "haiku"
    assert processor.tools[0] == {"Read", "Write"}
    assert os.traces.get(result.trace_id).agent == stored.label


async def test_without_an_agent_all_is_as_before(make_os: MakeOS) -> None:
    processor = Watched(WRITE)
    os = await make_os(processor=processor)
    result = await os.execute(GOAL)
    trace = os.traces.get(result.trace_id)
    assert (trace.agent, trace.context_digest) == ("", "")
    assert (processor.shown[0].system, processor.shown[0].model) == ("", "")
    assert processor.tools[0] == set(os.kernel.tool_names)


async def test_a_call_beyond_the_agents_tools_is_refused_whatever_the_model_does(
    make_os: MakeOS, cwd: Path
) -> None:
    os = await make_os([WRITE])
    os.kernel.agents.create(text("reader", tools="Read"))
    result = await os.execute(GOAL, agent="reader")
    assert not result.success
    assert "the agent of this run does not use it" in result.error
    assert not (cwd / "hello.txt").exists()


async def test_an_agent_never_widens_what_the_rules_allow(make_os: MakeOS, cwd: Path) -> None:
    os = await make_os([WRITE], config=LLMOSConfig(deny=("Write",)))
    os.kernel.agents.create(text("writer", tools="Write"))
    result = await os.execute(GOAL, agent="writer")
    assert not result.success and not (cwd / "hello.txt").exists()


async def test_the_second_run_under_the_same_version_is_free_and_under_another_is_not(
    make_os: MakeOS,
) -> None:
    os = await make_os([WRITE])
    os.kernel.agents.create(text("kind"))
    await os.execute(GOAL, agent="kind")
    assert (await os.execute(GOAL, agent="kind")).mode is Mode.FOLLOWER
    assert os.explain(GOAL)[0].mode is not Mode.FOLLOWER, "another, so it may do it otherwise"
    os.kernel.agents.modify("kind", text("kind", says="Be brief."))
    decision, _ = os.explain(GOAL, agent="kind")
    assert decision.mode is not Mode.FOLLOWER
    assert "worked as another agent" in decision.reason


async def test_what_the_default_has_done_is_not_followed_under_an_agent(make_os: MakeOS) -> None:
    os = await make_os([WRITE])
    await os.execute(GOAL)
    assert os.explain(GOAL)[0].mode is Mode.FOLLOWER
    assert os.explain(GOAL, agent="coder")[0].mode is Mode.MIXED


async def test_an_agent_that_is_not_there_begins_nothing(make_os: MakeOS) -> None:
    os = await make_os([WRITE])
    with pytest.raises(UserError, match="there is no agent 'nobody'") as e:
        await os.execute(GOAL, agent="nobody")
    assert "coder" in e.value.hint
    assert os.traces.recent() == []
