from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from llmos.config import LLMOSConfig
from llmos.cortex.processors import local
from llmos.cortex.processors.local import LocalProcessor
from llmos.cortex.processors.local_engine import Completion, ContextOverflow, EngineError
from llmos.cortex.processors.local_grammar import Answer, offered, parse, reply_schema
from llmos.cortex.processors.local_grammar import Call as Asked
from llmos.cortex.processors.local_prompt import MAX_OBSERVATION
from llmos.errors import RunStopped
from llmos.plugins.builtin import builtin_tools
from llmos.values import (
    CallResult,
    Done,
    Effect,
    Json,
    Limits,
    Processor,
    Spent,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
)
from tests.cortex.processors.conformance import (
    GOAL,
    PATIENCE_S,
    Call,
    Harness,
    ProcessorContract,
    Script,
    calls_of,
    collect,
    context,
    done_of,
)
from tests.support.fake_syscalls import FakeSyscalls

Messages = Sequence[Mapping[str, str]]
Reply = Callable[[Messages, Mapping[str, Json]], str]
CHECK = "If that is not all of it"


class FakeEngine:
    """Stands in for the model at the boundary to it: text in, text out."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.sent: list[str] = []
        self.schemas: list[Mapping[str, Json]] = []
        self.temperatures: list[float] = []
        self.closed = 0

    def complete(
        self,
        messages: Messages,
        schema: Mapping[str, Json],
        max_tokens: int,
        stop: threading.Event,
        temperature: float = 0.0,
    ) -> Completion:
        self.sent.append("\n".join(m["content"] for m in messages))
        self.schemas.append(schema)
        self.temperatures.append(temperature)
        return Completion(self.reply(messages, schema), Usage(100, 10, 50), "stop")

    def close(self) -> None:
        self.closed += 1


def call(tool: str, **arguments: Any) -> str:
    return json.dumps({"tool": tool, "arguments": arguments})


def answer(text: str) -> str:
    return json.dumps({"answer": text})


def replies(*texts: str) -> FakeEngine:
    """Says these, one after the other."""
    left = iter(texts)
    return FakeEngine(lambda messages, schema: next(left))


def may_answer(schema: Mapping[str, Json]) -> bool:
    return any("answer" in way["properties"] for way in schema["anyOf"])


def processor(engine: FakeEngine) -> LocalProcessor:
    return LocalProcessor("tiny.gguf", engine=engine)


class LocalHarness(Harness):
    priced = False
    runs_unknown_tools = False  # the grammar knows only the tools of the run

    def __init__(self) -> None:
        self.engine: FakeEngine | None = None

    @asynccontextmanager
    async def open(self, script: Script, goal: str = GOAL) -> AsyncIterator[Processor]:
        # One call a reply, so calls that are asked for at once come one after the other.
        items: list[str | Call] = []
        for turn in script.turns:
            items += [turn] if isinstance(turn, str) else turn
        last, n = "", 0

        def reply(messages: Messages, schema: Mapping[str, Json]) -> str:
            nonlocal last, n
            if CHECK in messages[-1]["content"]:
                return last
            if items:
                item = items.pop(0)
                told = answer(item) if isinstance(item, str) else call(item.tool, **item.arguments)
                last = told
                return told
            if script.then == "fail":
                raise EngineError("scripted failure\nin two lines")
            n += 1
            return call("add", a=n, b=1)

        self.engine = FakeEngine(reply)
        made = processor(self.engine)
        try:
            yield made
        finally:
            await made.aclose()

    def seen(self) -> str | None:
        return self.engine.sent[-1] if self.engine else None


class TestContract(ProcessorContract):
    @pytest.fixture
    def harness(self) -> Harness:
        return LocalHarness()


async def run(
    engine: FakeEngine, syscalls: FakeSyscalls | None = None, limits: Limits | None = None
) -> list[Any]:
    return await collect(processor(engine), syscalls or FakeSyscalls(), limits=limits)


# --- the conversation ---------------------------------------------------------------------------


async def test_answer_after_calls_is_given_once_the_model_was_asked_whether_that_is_all() -> None:
    engine = replies(
        call("add", a=2, b=3), answer("Five."), call("notes.append", text="5"), answer("Noted."),
        answer("Yes."),
    )  # fmt: skip
    syscalls = FakeSyscalls()
    done = done_of(await run(engine, syscalls))
    assert [tool for tool, _ in syscalls.calls] == ["add", "notes.append"]
    assert done.output == "Noted.", "the answer before the second question is about the goal"
    assert CHECK in engine.sent[-1]


async def test_cost_is_nothing_and_usage_is_what_the_engine_counted() -> None:
    events = await run(replies(call("add", a=2, b=3), answer("Five."), answer("Five.")))
    done = done_of(events)
    assert (done.cost_usd, done.model) == (0.0, "tiny")
    assert done.usage == Usage(300, 30, 150)
    assert sum((e.usage for e in events if isinstance(e, Spent)), Usage()) == done.usage


async def test_second_equal_call_is_not_made_and_the_model_is_told() -> None:
    add = call("add", a=2, b=3)
    engine = replies(add, add, answer("Five."), answer("Five."))
    syscalls = FakeSyscalls()
    assert done_of(await run(engine, syscalls)).stop == "end"
    assert len(syscalls.calls) == 1
    assert "exactly that call before" in engine.sent[2]
    assert engine.temperatures[2] > 0, "else it would say the same again"


async def test_model_that_repeats_itself_all_the_same_is_stopped() -> None:
    syscalls = FakeSyscalls()
    done = done_of(await run(FakeEngine(lambda m, s: call("add", a=2, b=3)), syscalls))
    assert done.stop == "error" and "repeats itself" in done.error
    assert len(syscalls.calls) == 1


async def test_reading_again_after_a_write_is_no_repetition() -> None:
    add, note = call("add", a=2, b=3), call("notes.append", text="5")
    syscalls = FakeSyscalls()
    await run(replies(add, note, add, answer("Done."), answer("Done.")), syscalls)
    assert [tool for tool, _ in syscalls.calls] == ["add", "notes.append", "add"]


class FailingWrites(FakeSyscalls):
    """A tool that fails after it was let through."""

    async def _run(self, tool: str, arguments: Mapping[str, Json], index: int) -> CallResult:
        return CallResult("exit code 1", is_error=True, step=index)


async def test_model_must_go_on_after_a_failed_write_but_not_for_ever() -> None:
    notes = [call("notes.append", text=str(n)) for n in range(3)]
    engine = replies(*notes, answer("It cannot be done."), answer("No."))
    done = done_of(await run(engine, FailingWrites()))
    assert [may_answer(schema) for schema in engine.schemas[:4]] == [True, False, False, True]
    assert done.output == "No.", "an answer made under a failure is asked for again"


class FirstWriteFails(FakeSyscalls):
    async def _run(self, tool: str, arguments: Mapping[str, Json], index: int) -> CallResult:
        return CallResult("told", is_error=index == 0, step=index)


async def test_looking_around_does_not_make_up_for_a_failed_write() -> None:
    note, add = call("notes.append", text="5"), call("add", a=2, b=3)
    again = call("notes.append", text="five")
    engine = replies(note, add, again, answer("Noted."), answer("Yes."))
    assert done_of(await run(engine, FirstWriteFails())).output == "Noted."
    assert [may_answer(schema) for schema in engine.schemas] == [True, False, False, True, True]


async def test_model_may_give_up_at_once_after_a_refused_or_a_reading_call() -> None:
    engine = replies(call("refuse", what="all"), answer("Denied."), answer("Denied."))
    await run(engine)
    assert all(map(may_answer, engine.schemas))
    engine = replies(call("add", a=1, b=2), answer("It failed."), answer("It failed."))
    await run(engine, FailingWrites())
    assert all(map(may_answer, engine.schemas))


@pytest.mark.parametrize("broken", ["", "{", '{"answer": ""}', "[]", '{"tool": "rm"}', "null"])
async def test_broken_reply_is_asked_for_once_more_and_then_an_error(broken: str) -> None:
    engine = replies(broken, answer("Five."))
    assert done_of(await run(engine)).output == "Five."
    assert engine.temperatures == [0.0, 0.7]
    done = done_of(await run(replies(broken, broken)))
    assert done.stop == "error" and "neither a call nor an answer" in done.error


async def test_reply_that_is_cut_off_is_a_limit() -> None:
    class Endless(FakeEngine):
        def complete(self, *args: Any, **kwargs: Any) -> Completion:
            return Completion('{"answer": "and so on', Usage(1, 2_000), "length")

    done = done_of(await run(Endless(lambda m, s: "")))
    assert done.stop == "limit" and "longer than" in done.error


class SmallContext(FakeEngine):
    """Takes no more than ``room`` characters."""

    room = 6_000

    def complete(self, messages: Messages, *args: Any, **kwargs: Any) -> Completion:
        if sum(len(m["content"]) for m in messages) > self.room:
            raise ContextOverflow("request exceeds the available context size")
        return super().complete(messages, *args, **kwargs)


class LongResults(FakeSyscalls):
    async def _run(self, tool: str, arguments: Mapping[str, Json], index: int) -> CallResult:
        return CallResult("x" * 100_000, step=index)


async def test_long_results_are_cut_with_a_note() -> None:
    engine = replies(call("add", a=2, b=3), answer("Long."), answer("Long."))
    events = await run(engine, LongResults())
    assert "characters left out" in engine.sent[1]
    assert engine.sent[1].count("x") < MAX_OBSERVATION + 200
    told = next(e for e in events if isinstance(e, ToolResult))
    assert len(told.observation) == 100_000, "the record has all of it"


async def test_conversation_that_outgrows_the_context_is_shortened() -> None:
    left = iter([call("add", a=1, b=1), call("add", a=2, b=1), answer("Long."), answer("Long.")])
    engine = SmallContext(lambda m, s: next(left))
    assert done_of(await run(engine, LongResults())).stop == "end"
    assert len(engine.sent[-1]) <= engine.room


async def test_job_that_does_not_fit_the_context_at_all_is_a_limit() -> None:
    engine = SmallContext(lambda m, s: answer("Never."))
    engine.room = 10
    done = done_of(await run(engine))
    assert done.stop == "limit" and "context" in done.error


class Thinking(FakeEngine):
    """Thinks until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(lambda m, s: "")
        self.started, self.stopped = threading.Event(), threading.Event()

    def complete(
        self,
        messages: Messages,
        schema: Mapping[str, Json],
        max_tokens: int,
        stop: threading.Event,
        temperature: float = 0.0,
    ) -> Completion:
        self.started.set()
        assert stop.wait(PATIENCE_S)
        self.stopped.set()
        return Completion('{"ans', Usage(5, 1), "stopped")


async def test_cancelling_stops_the_model_before_it_returns() -> None:
    engine = Thinking()
    task = asyncio.create_task(run(engine))
    assert await asyncio.to_thread(engine.started.wait, PATIENCE_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.stopped.is_set()


async def test_wall_clock_stops_the_model() -> None:
    engine = Thinking()
    done = done_of(await run(engine, limits=Limits(wall_s=0.05)))
    assert engine.stopped.is_set()
    assert done.stop == "limit" and "0.05 s" in done.error
    assert done.usage == Usage(5, 1), "what was said until then counts"


async def test_stop_of_the_kernel_leaves_no_thread_behind() -> None:
    syscalls = FakeSyscalls(raises={0: RunStopped("enough")})
    with pytest.raises(RunStopped):
        await run(replies(call("add", a=2, b=3)), syscalls)


# --- the grammar --------------------------------------------------------------------------------


def spec(parameters: Mapping[str, Json], name: str = "t") -> ToolSpec:
    return ToolSpec(name, "Does it.\n\nMore.", parameters, Effect.READ)


def test_small_model_is_offered_few_arguments_of_the_built_in_tools() -> None:
    tools = [tool.spec for tool in builtin_tools(sandboxed=True)]
    short = {tool.name: tool for tool in offered(tools, "Count the lines of a.txt")}
    assert set(short) == {"Read", "Write", "Edit", "Glob", "Grep", "Bash"}
    assert set(short["Grep"].parameters["properties"]) == {"pattern", "path"}
    assert set(short["Bash"].parameters["properties"]) == {"command"}
    assert short["Grep"].parameters["properties"]["path"] == {"type": "string"}
    for tool in tools:
        if tool.name in short:
            required = set(tool.parameters.get("required", ()))
            assert required <= set(short[tool.name].parameters["properties"])


def test_web_is_offered_only_where_the_job_names_an_address() -> None:
    tools = [tool.spec for tool in builtin_tools(sandboxed=True)]
    assert "WebFetch" in {t.name for t in offered(tools, "Read https://example.com/ and sum up")}


def test_references_are_resolved_and_words_no_grammar_knows_are_left_out() -> None:
    schema: dict[str, Json] = {
        "type": "object",
        "properties": {
            "who": {"$ref": "#/$defs/Who"},
            "on": {"type": "string", "format": "date", "pattern": "^(?=x)"},
            "tags": {
                "type": "array",
                "items": {"type": ["string", "integer"]},
                "uniqueItems": True,
            },
        },
        "required": ["who", "gone"],
        "$defs": {"Who": {"type": "object", "properties": {"name": {"type": "string"}}}},
    }
    (short,) = offered([spec(schema)], "")
    text = json.dumps(short.parameters)
    assert not any(word in text for word in ("$ref", "format", "pattern", "uniqueItems", "gone"))
    properties = short.parameters["properties"]
    assert properties["who"]["properties"] == {"name": {"type": "string"}}
    assert properties["tags"]["items"] == {"anyOf": [{"type": "string"}, {"type": "integer"}]}
    assert short.parameters["required"] == ["who"]


def test_recursive_schema_ends() -> None:
    schema: dict[str, Json] = {
        "type": "object",
        "properties": {"node": {"$ref": "#/$defs/Node"}},
        "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
    }
    (short,) = offered([spec(schema)], "")
    assert len(json.dumps(short.parameters)) < 2_000


def test_reply_schema_without_tools_leaves_only_the_answer() -> None:
    assert may_answer(reply_schema([], may_answer=False))


def test_parse_takes_what_the_schema_allows_and_nothing_else() -> None:
    tools = [spec({"type": "object"}, "t")]
    assert parse('{"answer": " Five. "}', tools) == Answer("Five.")
    assert parse('{"tool": "t", "arguments": {"a": 1}}', tools) == Asked("t", {"a": 1})
    for wrong in (
        '{"tool": "u", "arguments": {}}',
        '{"tool": "t"}',
        '{"tool": "t", "arguments": 1}',
    ):
        assert parse(wrong, tools) is None


# --- the model file -----------------------------------------------------------------------------


@pytest.fixture
def with_package() -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra llmos[local]")


def test_unset_model_file_says_how_to_set_it() -> None:
    assert "LLMOS_LOCAL_MODEL" in (local.usable(LLMOSConfig()) or "")


def test_missing_package_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    reason = local.usable(LLMOSConfig(local_model=str(tmp_path / "m.gguf")))
    assert reason is not None and "llmos[local]" in reason


@pytest.mark.usefixtures("with_package")
@pytest.mark.parametrize("content", [None, b"", b"GG", b"PK\x03\x04 not a model"])
async def test_file_that_is_no_model_is_refused_in_one_line(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "m.gguf"
    if content is not None:
        path.write_bytes(content)
    reason = local.usable(LLMOSConfig(local_model=str(path)))
    assert reason is not None and str(path) in reason and "\n" not in reason
    done = done_of(await collect(LocalProcessor(path), FakeSyscalls()))
    assert (done.stop, done.error) == ("error", reason)


@pytest.mark.usefixtures("with_package")
def test_file_with_the_right_beginning_is_usable(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF\x03\x00")
    config = LLMOSConfig(local_model=str(path))
    assert local.usable(config) is None
    assert (local.make(config).name, local.make(config).free) == ("local", True)


@pytest.mark.usefixtures("with_package")
async def test_damaged_model_is_an_error_of_the_run(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF\x03\x00\x00\x00 and then nothing that makes sense")
    made = LocalProcessor(path)
    done = done_of(await collect(made, FakeSyscalls()))
    await made.aclose()
    assert done.stop == "error" and "could not be loaded" in done.error


# --- the real model -----------------------------------------------------------------------------

MODEL = os.environ.get("LLMOS_TEST_GGUF", "")
live = pytest.mark.skipif(not MODEL, reason="LLMOS_TEST_GGUF names no model file")


@pytest.fixture(scope="module")
def real() -> Iterator[LocalProcessor]:
    made = LocalProcessor(MODEL, threads=2, context=4096)
    yield made
    asyncio.run(made.aclose())


async def live_run(made: LocalProcessor, goal: str, syscalls: FakeSyscalls) -> Done:
    async with asyncio.timeout(110):
        events = [e async for e in made.run(goal, context(), syscalls, Limits(max_turns=8))]
    assert calls_of(events) == syscalls.calls
    return done_of(events)


@live
@pytest.mark.slow
@pytest.mark.local_model
class TestRealModel:
    async def test_direct_answer(self, real: LocalProcessor) -> None:
        done = await live_run(real, "What is the capital of France?", FakeSyscalls())
        assert done.stop == "end" and "Paris" in done.output
        assert done.usage.input_tokens + done.usage.cache_read_tokens > 100
        assert done.usage.output_tokens > 3
        assert (done.cost_usd, done.model) == (0.0, Path(MODEL).stem)

    async def test_one_call(self, real: LocalProcessor) -> None:
        syscalls = FakeSyscalls()
        done = await live_run(real, "Add 20 and 22 with the tool add.", syscalls)
        assert ("add", {"a": 20, "b": 22}) in syscalls.calls
        assert done.stop == "end" and "42" in done.output

    async def test_grammar_holds_also_against_the_wish_of_the_model(
        self, real: LocalProcessor
    ) -> None:
        from llmos.cortex.processors.local_engine import LlamaEngine

        engine = real._engine
        assert isinstance(engine, LlamaEngine)
        tools = offered(FakeSyscalls().tools(), "")
        asked = [{"role": "user", "content": "Write a poem about the sea. No JSON."}]
        schema = reply_schema(tools, may_answer=False)
        completion = engine.complete(asked, schema, 60, threading.Event())
        assert completion.text.startswith('{"tool": "')

    async def test_cancelling_stops_it_and_it_works_again(self, real: LocalProcessor) -> None:
        goal = "Tell the whole history of the city of Rome, as long as you can."
        task = asyncio.create_task(live_run(real, goal, FakeSyscalls()))
        await asyncio.sleep(3)  # long enough to be at work, whatever at
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 30)
        done = await live_run(real, "What is the capital of France?", FakeSyscalls())
        assert "Paris" in done.output

    async def test_goal_longer_than_the_context_is_a_limit(self, real: LocalProcessor) -> None:
        done = await live_run(real, "Add these: " + "one and two and " * 3_000, FakeSyscalls())
        assert done.stop == "limit" and "context" in done.error

    async def test_long_result_is_shortened_until_it_fits(self) -> None:
        class Long(FakeSyscalls):
            async def _run(self, tool: str, arguments: Mapping[str, Json], i: int) -> CallResult:
                return CallResult("3 " * 20_000, step=i)

        made = LocalProcessor(MODEL, threads=2, context=1024)
        syscalls = Long()
        try:
            done = await live_run(made, "Add 1 and 2 with the tool add.", syscalls)
        finally:
            await made.aclose()
        assert syscalls.calls, "it came as far as a result that does not fit"
        assert done.stop == "end", done.error

    async def test_closing_frees_it_and_a_later_run_loads_it_again(
        self, real: LocalProcessor
    ) -> None:
        await real.aclose()
        await real.aclose()
        done = await live_run(real, "What is the capital of France?", FakeSyscalls())
        assert "Paris" in done.output


def test_names_of_events_are_unique_over_a_run() -> None:
    events = asyncio.run(
        run(replies(call("add", a=1, b=1), call("add", a=2, b=2), answer("4"), answer("4")))
    )
    ids = [e.id for e in events if isinstance(e, ToolCall)]
    assert len(ids) == len(set(ids)) == 2
