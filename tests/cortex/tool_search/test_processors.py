"""Every kind of processor can search for tools, call what it found, and send programs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from llmos import LLMOSConfig
from llmos.cortex.processors.local import LocalProcessor
from llmos.values import Json
from tests.conftest import MakeOS
from tests.cortex.processors.test_local import FakeEngine
from tests.cortex.tool_search.conftest import Notes, crowd

GOAL = "Oil the machine"
CONFIG = LLMOSConfig(tools_given=3)
STAMP = {"note": "n1", "mark": "seen"}
PROGRAM = 'def main():\n    return call("notes.stamp", note="n2", mark="seen")\n'


async def works(make_os: MakeOS, processor: Any) -> None:
    """Run the goal in a home of many tools; what the model found was called."""
    notes = Notes()
    os = await make_os(processor=processor, plugins=[*crowd(60), *notes.plugins()], config=CONFIG)
    result = await os.execute(GOAL)
    assert result.success, result.error
    assert {s.tool for s in result.steps} == {"notes.stamp"}
    assert "n1:seen" in notes.stamped
    assert os.explain(GOAL)[0].mode == "FOLLOWER"


async def test_pydantic_ai_calls_by_name_what_it_found(make_os: MakeOS) -> None:
    pytest.importorskip("pydantic_ai", reason="needs the extra llmos[models]")
    from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

    from llmos.cortex.processors.pydantic_ai import PydanticAIProcessor

    seen: list[list[str]] = []
    turns = iter(
        [
            ("search_tools", {"query": "mark on a note"}),
            ("notes_stamp", STAMP),
            ("run_program", {"program": PROGRAM}),
        ]
    )

    async def reply(messages: Any, info: AgentInfo) -> AsyncIterator[Any]:
        seen.append([tool.name for tool in info.function_tools])
        turn = next(turns, None)
        yield {0: DeltaToolCall(turn[0], json.dumps(turn[1]))} if turn else "Stamped."

    await works(make_os, PydanticAIProcessor(FunctionModel(stream_function=reply)))
    assert "notes_stamp" not in seen[0] and "call_tool" not in seen[0]
    assert seen[1][: len(seen[0])] == seen[0], "what was there keeps its place"
    assert "notes_stamp" in seen[1]


async def test_a_local_model_calls_by_name_what_it_found(make_os: MakeOS) -> None:
    replies = iter(
        [
            {"tool": "search_tools", "arguments": {"query": "mark on a note"}},
            {"tool": "notes.stamp", "arguments": STAMP},
            {"answer": "Stamped."},
            {"answer": "Stamped."},
        ]
    )

    def reply(messages: Sequence[Mapping[str, str]], schema: Mapping[str, Json]) -> str:
        return json.dumps(next(replies))

    engine = FakeEngine(reply)
    await works(make_os, LocalProcessor("model.gguf", engine=engine))
    assert '"notes.stamp"' not in json.dumps(engine.schemas[0])
    assert '"notes.stamp"' in json.dumps(engine.schemas[1])
    assert "run_program" not in json.dumps(engine.schemas)


async def test_claude_calls_by_call_tool_what_it_found(make_os: MakeOS) -> None:
    pytest.importorskip("claude_agent_sdk", reason="needs the extra llmos[claude]")
    from tests.cortex.processors.test_claude import claude
    from tests.support.messages_server import MessagesServer, Reply

    turns = [
        ("search_tools", {"query": "mark on a note"}),
        ("call_tool", {"tool": "notes.stamp", "arguments": STAMP}),
        ("run_program", {"program": PROGRAM}),
    ]
    script = [Reply(calls=((f"mcp__llmos__{name}", given),)) for name, given in turns]
    with MessagesServer([*script, Reply("Stamped.")]) as server, claude(server) as processor:
        await works(make_os, processor)
        assert len(server.requests[0].tools) == 3 + 7 + 3
