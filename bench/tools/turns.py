"""How often a model is asked for one job: call by call, calls asked for together, or a program.

The job: of twelve notes, stamp those that say "draft" and have no stamp. The model is a script that
works as well as can be in each way; what it is sent is counted, nothing leaves the machine. It runs
through the pydantic-ai processor and the whole kernel.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.tools.size import tokens
from llmos import LLMOS, LLMOSConfig, tool

NOTES = {f"n{k}": f"{'draft' if k % 2 else 'letter'} number {k}" for k in range(12)}
DRAFTS = [note for note, text in NOTES.items() if "draft" in text]
GOAL = "Stamp every note that is a draft"
PROGRAM = """\
def main():
    stamped = []
    for note in call("notes.list"):
        if "draft" in call("notes.read", note=note):
            call("notes.stamp", note=note, mark="seen")
            stamped.append(note)
    return stamped
"""

Turn = list[tuple[str, dict[str, Any]]]


def plugins(stamped: list[str]) -> list[Any]:
    """The tools of the job."""

    @tool(effects="read", name="notes.list")
    def list_notes() -> list[str]:
        """List all notes."""
        return list(NOTES)

    @tool(effects="read", name="notes.read")
    def read_note(note: str) -> str:
        """Read one note."""
        return NOTES[note]

    @tool(effects="write", name="notes.stamp", undo=lambda arguments, result: None)
    def stamp(note: str, mark: str) -> str:
        """Put a mark on a note."""
        stamped.append(note)
        return "Stamped."

    return [list_notes, read_note, stamp]


def one_by_one() -> Iterator[Turn]:
    """A call in each turn."""
    yield [("notes.list", {})]
    for note in NOTES:
        yield [("notes.read", {"note": note})]
        if note in DRAFTS:
            yield [("notes.stamp", {"note": note, "mark": "seen"})]


def together() -> Iterator[Turn]:
    """All that can be asked for at once in one turn."""
    yield [("notes.list", {})]
    yield [("notes.read", {"note": note}) for note in NOTES]
    yield [("notes.stamp", {"note": note, "mark": "seen"}) for note in DRAFTS]


def program() -> Iterator[Turn]:
    """One program."""
    yield [("run_program", {"program": PROGRAM})]


WAYS = {"call by call": one_by_one, "calls together": together, "run_program": program}


def rows() -> list[dict[str, Any]]:
    """One row for each way; none without pydantic-ai."""
    if find_spec("pydantic_ai") is None:
        return []
    return [asyncio.run(_row(way)) for way in WAYS]


async def _row(way: str) -> dict[str, Any]:
    from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

    from llmos.cortex.processors.pydantic_ai import PydanticAIProcessor

    sent: list[int] = []
    turns = WAYS[way]()

    async def reply(messages: Any, info: AgentInfo) -> AsyncIterator[Any]:
        tools = [[t.name, t.description, t.parameters_json_schema] for t in info.function_tools]
        sent.append(tokens(tools) + tokens(info.instructions or "") + _size(messages))
        turn = next(turns, None)
        if turn is None:
            yield "The drafts are stamped."
            return
        yield {
            k: DeltaToolCall(name.replace(".", "_"), json.dumps(arguments))
            for k, (name, arguments) in enumerate(turn)
        }

    stamped: list[str] = []
    model = PydanticAIProcessor(FunctionModel(stream_function=reply))
    with tempfile.TemporaryDirectory() as folder:
        made: dict[str, Any] = {"plugins": plugins(stamped), "config": LLMOSConfig(audit_rate=0)}
        async with LLMOS(Path(folder, "home"), processor=model, cwd=folder, **made) as os:
            result = await os.execute(GOAL)
            assert result.success and stamped == DRAFTS, result
            again = await os.execute(GOAL)
            assert again.usage.total_tokens == 0 and again.success, again
    return {
        "what": f"a job of {len(result.steps)} calls, {way}",
        "turns": len(sent),
        "input_tokens_of_all_turns": sum(sent),
        "steps": len(result.steps),
        "replayed_free": True,
    }


def _size(messages: Any) -> int:
    """Tokens of what was said: texts, arguments and results, without the library's own fields."""
    told = []
    for message in messages:
        for part in message.parts:
            told += [getattr(part, field, "") for field in ("content", "args", "tool_name")]
    return sum(tokens(text) for text in told if text)
