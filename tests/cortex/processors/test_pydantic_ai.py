from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

pytest.importorskip("pydantic_ai", reason="needs the extra llmos[models]")

from pydantic_ai.exceptions import ModelHTTPError, UnexpectedModelBehavior
from pydantic_ai.messages import ModelMessage, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel

from llmos.config import LLMOSConfig
from llmos.cortex.processors import pydantic_ai as module
from llmos.cortex.processors.pricing import Price
from llmos.cortex.processors.pydantic_ai import PydanticAIProcessor
from llmos.values import Done, Event, Limits, Processor, Spent, Text, ToolCall, ToolResult
from tests.cortex.processors.conformance import (
    ADD,
    GOAL,
    Call,
    Harness,
    ProcessorContract,
    Script,
    collect,
    context,
    done_of,
)
from tests.support.fake_syscalls import FakeSyscalls

Piece = str | DeltaToolCalls
PRICE = Price(2000, 20)
"""About a tenth of a dollar for one of `FunctionModel`'s calls, which it counts as 50 tokens."""


def deltas(calls: tuple[Call, ...]) -> DeltaToolCalls:
    """Calls as a provider sends them: under names it takes, with arguments as text."""
    return {
        i: DeltaToolCall(c.tool.replace(".", "_"), json.dumps(c.arguments))
        for i, c in enumerate(calls)
    }


class ScriptedModel:
    """Plays a script, one item for a model call, and keeps what it was sent."""

    def __init__(self, script: Script) -> None:
        self.turns = list(script.turns)
        self.then = script.then
        self.sent = ""
        self.made = 0

    async def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Piece]:
        self.sent = f"{info.instructions}\n{messages}"
        self.made += 1
        if self.turns:
            turn = self.turns.pop(0)
            yield turn if isinstance(turn, str) else deltas(turn)
        elif self.then == "forever":
            yield deltas((Call("add", {"a": self.made, "b": 1}),))
        else:
            raise ModelHTTPError(529, "scripted", {"error": "overloaded"})


class PydanticAIHarness(Harness):
    def __init__(self) -> None:
        self.model: ScriptedModel | None = None

    @asynccontextmanager
    async def open(self, script: Script, goal: str = GOAL) -> AsyncIterator[Processor]:
        self.model = ScriptedModel(script)
        made = PydanticAIProcessor(FunctionModel(stream_function=self.model), price=PRICE)
        try:
            yield made
        finally:
            await made.aclose()

    def seen(self) -> str | None:
        return self.model.sent if self.model else None


class TestContract(ProcessorContract):
    @pytest.fixture
    def harness(self) -> Harness:
        return PydanticAIHarness()


async def run(
    model: Any, syscalls: FakeSyscalls | None = None, limits: Limits | None = None
) -> list[Event]:
    made = PydanticAIProcessor(FunctionModel(stream_function=model), price=PRICE)
    return await collect(made, syscalls or FakeSyscalls(), limits=limits)


async def test_text_is_told_piece_by_piece_and_put_together_at_the_end() -> None:
    async def model(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Piece]:
        for piece in ("It ", "is ", "five."):
            yield piece

    events = await run(model)
    assert [e.text for e in events if isinstance(e, Text)] == ["It ", "is ", "five."]
    assert done_of(events).output == "It is five."


async def test_calls_of_one_turn_are_made_one_after_the_other_in_order() -> None:
    calls = tuple(Call("add", {"a": n, "b": 0}) for n in range(5))
    syscalls = FakeSyscalls()
    events = await run(ScriptedModel(Script((calls, "Done."))), syscalls)
    assert [a["a"] for _, a in syscalls.calls] == [0, 1, 2, 3, 4]
    assert syscalls.most_at_once == 1
    kinds = [type(e) for e in events if isinstance(e, ToolCall | ToolResult)]
    assert kinds == [ToolCall, ToolResult] * 5


async def test_call_is_told_before_it_is_made() -> None:
    syscalls = FakeSyscalls()
    model = FunctionModel(stream_function=ScriptedModel(Script(((ADD,), "Five."))))
    processor = PydanticAIProcessor(model, price=PRICE)
    async for event in processor.run(GOAL, context(), syscalls, Limits()):
        if isinstance(event, ToolCall):
            assert syscalls.calls == []
        if isinstance(event, ToolResult):
            assert len(syscalls.calls) == 1


async def test_arguments_reach_the_kernel_as_the_model_made_them() -> None:
    odd = {"what": {"deep": [1, "2", None]}, "extra": True}
    syscalls = FakeSyscalls()
    await run(ScriptedModel(Script(((Call("refuse", odd),), "Done."))), syscalls)
    assert syscalls.calls == [("refuse", odd)]


@pytest.mark.parametrize("text", ['{"a": 1', "[1, 2]", '"a"'])
async def test_arguments_that_are_no_object_are_sent_back_without_a_call(text: str) -> None:
    told: list[ToolReturnPart] = []

    async def model(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Piece]:
        told.extend(p for m in messages for p in m.parts if isinstance(p, ToolReturnPart))
        yield "I give up." if told else {0: DeltaToolCall("add", text)}

    syscalls = FakeSyscalls()
    assert done_of(await run(model, syscalls)).stop == "end"
    assert syscalls.calls == []
    assert "not a JSON object" in str(told[0].content) and told[0].outcome == "failed"


@pytest.mark.parametrize(
    "error",
    [
        ModelHTTPError(401, "m", {"error": "invalid x-api-key"}),
        UnexpectedModelBehavior("garbage\nin two lines"),
        RuntimeError(),
        ConnectionError("refused"),
        TimeoutError("the provider's own"),
    ],
)
async def test_whatever_the_provider_raises_is_one_line_of_error(error: Exception) -> None:
    async def model(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Piece]:
        raise error
        yield ""

    done = done_of(await run(model))
    assert (done.stop, done.output) == ("error", "")
    assert str(error).split("\n")[0][:20] in done.error or type(error).__name__ in done.error


async def test_what_came_before_a_broken_stream_is_paid_but_is_no_answer() -> None:
    async def model(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Piece]:
        yield "It is "
        raise ModelHTTPError(500, "m")

    events = await run(model)
    done = done_of(events)
    assert (done.stop, done.output) == ("error", "")
    assert done.cost_usd == sum(e.cost_usd for e in events if isinstance(e, Spent)) > 0


async def test_empty_answer_is_an_error() -> None:
    async def model(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Piece]:
        yield " \n"

    assert done_of(await run(model)).stop == "error"


async def test_silent_provider_is_cut_at_the_wall_clock() -> None:
    async def model(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Piece]:
        yield "It is "
        await asyncio.Event().wait()

    done = done_of(await run(model, limits=Limits(wall_s=0.05)))
    assert done.stop == "limit" and "0.05 s" in done.error


async def test_budget_stops_the_run_before_the_call_that_could_overdraw_it() -> None:
    limits = Limits(max_cost_usd=1.50, max_turns=40)
    events = await run(ScriptedModel(Script(then="forever")), limits=limits)
    done = done_of(events)
    assert done.stop == "limit" and "may cost up to" in done.error
    assert len([e for e in events if isinstance(e, Spent)]) >= 2
    assert 0 < done.cost_usd <= limits.max_cost_usd


async def test_unknown_price_makes_no_call_and_says_how_to_go_on() -> None:
    model = ScriptedModel(Script(("Never.",)))
    made = PydanticAIProcessor(FunctionModel(stream_function=model), price=lambda _: None)
    done = done_of(await collect(made, FakeSyscalls()))
    assert done.stop != "end" and "price" in done.error and "Price(" in done.error
    assert model.made == 0


async def test_model_in_this_process_costs_nothing() -> None:
    made = PydanticAIProcessor(FunctionModel(stream_function=ScriptedModel(Script(("Five.",)))))
    done = done_of(await collect(made, FakeSyscalls()))
    assert (done.stop, done.cost_usd) == ("end", 0.0)
    assert done.usage.total_tokens > 0


async def test_cached_tokens_are_counted_once() -> None:
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.usage import RequestUsage

    from llmos.cortex.processors.pydantic_ai_run import PydanticAIRun

    model = FunctionModel(stream_function=ScriptedModel(Script()))
    run_ = PydanticAIRun(model, PRICE, GOAL, context(), FakeSyscalls(), Limits())
    used = RequestUsage(
        input_tokens=100, output_tokens=10, cache_read_tokens=60, cache_write_tokens=30
    )
    spent = run_._pay(ModelResponse(parts=[], usage=used))
    assert spent.usage.input_tokens == 10
    assert spent.usage.total_tokens == 110


@pytest.mark.parametrize(
    ("wanted", "used"),
    [("nope:y", "nope:y"), ("haiku", "nope:x"), ("", "nope:x")],
)
async def test_a_run_has_the_model_that_it_wants_if_that_names_its_provider(
    wanted: str, used: str
) -> None:
    told = replace(context(), model=wanted)
    events = PydanticAIProcessor("nope:x").run(GOAL, told, FakeSyscalls(), Limits())
    done = done_of([event async for event in events])
    assert done.model == used and used in done.error


async def test_unusable_model_is_an_error_of_the_run() -> None:
    done = done_of(await collect(PydanticAIProcessor("nope:x"), FakeSyscalls()))
    assert done.stop == "error" and "nope:x" in done.error


@pytest.mark.parametrize(
    ("model", "says"),
    [("", "LLMOS_MODEL"), ("gpt-5", "provider:name"), ("nope:x", "nope:x")],
)
def test_unusable_setting_says_what_is_missing(model: str, says: str) -> None:
    reason = module.usable(LLMOSConfig(model=model))
    assert reason is not None and says in reason and "\n" not in reason


# --- a real provider's SDK against a server on loopback ---------------------------------------


class Server(BaseHTTPRequestHandler):
    """Answers like an OpenAI-compatible server: a call first, then what the tool said."""

    requests: list[dict[str, Any]]
    status: int

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.requests.append(body)
        if self.status != 200:
            return self._send(json.dumps({"error": {"message": "bad key"}}), "application/json")
        told = [m for m in body["messages"] if m["role"] == "tool"]
        if told:
            delta: dict[str, Any] = {"content": f"It said {told[0]['content']}."}
        else:
            call = {"name": "notes_append", "arguments": '{"text": "five"}'}
            delta = {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": call}]}
        choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": None}
        ending = {"index": 0, "delta": {}, "finish_reason": "stop" if told else "tool_calls"}
        usage = {"prompt_tokens": 50, "completion_tokens": 7, "total_tokens": 57}
        chunks: list[dict[str, Any]] = [{"choices": [choice]}, {"choices": [ending]}]
        chunks.append({"choices": [], "usage": usage})
        head = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "tiny"}
        lines = [f"data: {json.dumps({**head, **chunk})}\n\n" for chunk in chunks]
        self._send("".join([*lines, "data: [DONE]\n\n"]), "text/event-stream")

    def _send(self, text: str, kind: str) -> None:
        self.send_response(self.status)
        self.send_header("content-type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def served(status: int = 200) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    requests: list[dict[str, Any]] = []
    handler = type("Handler", (Server,), {"requests": requests, "status": status})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def openai_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    pytest.importorskip("openai", reason="needs the extra llmos[models]")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    return monkeypatch


async def test_openai_compatible_server_gets_names_it_takes_and_costs_nothing_on_loopback(
    openai_environment: pytest.MonkeyPatch,
) -> None:
    syscalls = FakeSyscalls()
    with served() as (url, requests):
        openai_environment.setenv("OPENAI_BASE_URL", url)
        made = PydanticAIProcessor("openai-chat:tiny")
        done = done_of(await collect(made, syscalls, limits=Limits(max_output_tokens=99)))
    assert (done.stop, done.output) == ("end", 'It said {"lines": 1}.'), done.error
    assert syscalls.calls == [("notes.append", {"text": "five"})]
    assert (done.usage.input_tokens, done.usage.output_tokens, done.cost_usd) == (100, 14, 0.0)
    names = {t["function"]["name"] for t in requests[0]["tools"]}
    assert names == {"add", "notes_append", "refuse", "wait"}
    assert 99 in (requests[0].get("max_completion_tokens"), requests[0].get("max_tokens"))


async def test_refused_key_is_an_error_in_one_line(
    openai_environment: pytest.MonkeyPatch,
) -> None:
    with served(status=401) as (url, _):
        openai_environment.setenv("OPENAI_BASE_URL", url)
        done = done_of(await collect(PydanticAIProcessor("openai-chat:tiny"), FakeSyscalls()))
    assert isinstance(done, Done) and done.stop == "error"
    assert "401" in done.error


def test_missing_key_makes_it_unusable(openai_environment: pytest.MonkeyPatch) -> None:
    openai_environment.delenv("OPENAI_API_KEY")
    reason = module.usable(LLMOSConfig(model="openai:gpt-5"))
    assert reason is not None and "OPENAI_API_KEY" in reason and "\n" not in reason
