"""Runs and cycles as OpenTelemetry sees them: what is sent, what is not, and that nobody waits."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from os import environ
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from llmos import LLMOS, LLMOSConfig
from llmos.errors import ConfigError
from llmos.kernel.admission import Hooks
from llmos.memory.redact import redact
from llmos.observability.otlp import Sender
from llmos.observability.spans import LONGEST, Terms
from llmos.observability.telemetry import Telemetry, telemetry_of
from llmos.plugins import ToolError
from llmos.plugins.tool import tool
from llmos.store import Store
from llmos.values import EventType, Usage
from tests.conftest import MakeOS, TestClock, recording
from tests.support.collector import Collector

SECRET = "ghp_" + "a1B2" * 9


@tool(effects="read", name="rates.get")
def get_rates(city: str) -> dict[str, str]:
    """The rates of a city."""
    time.sleep(0.02)
    return {"city": city, "token": SECRET}


@tool(effects="write", name="notes.add", writes=["notes:all"], undo=lambda arguments, result: None)
def add_note(text: str) -> str:
    """Write a note."""
    return "ok"


@tool(effects="read", name="rates.broken")
def broken(city: str) -> str:
    """Never works."""
    raise ToolError(f"no rates of {city}")


PLUGINS = [get_rates, add_note, broken]
NOTE = replace(
    recording(
        "Note the rates of Paris",
        ("rates.get", {"city": "Paris"}),
        ("notes.add", {"text": "rates of Paris"}),
        output="Noted.",
    ),
    usage=Usage(800, 90, 200, 10),
    model="gpt-5",
)


class Watched:
    """An LLM OS whose telemetry ends in memory."""

    def __init__(self, make_os: MakeOS, content: bool = False) -> None:
        self.exporter = InMemorySpanExporter()
        told = Terms(content, redact, "openai:recorded:gpt-5")
        self.telemetry = Telemetry(lambda: Sender(self.exporter), told)
        self._make = make_os

    async def boot(self, *recordings: Any, **more: Any) -> LLMOS:
        hooks = self.telemetry.around(Hooks())
        os = await self._make([*recordings], PLUGINS, hooks=hooks, **more)
        self.telemetry.listen(store_of(os))
        return os

    def spans(self) -> list[ReadableSpan]:
        """All that was sent, in the order in which it began."""
        self.telemetry.close()
        return sorted(self.exporter.get_finished_spans(), key=lambda s: s.start_time or 0)


def store_of(os: LLMOS) -> Store:
    return os.kernel._kernel.store


def named(spans: list[ReadableSpan], name: str) -> ReadableSpan:
    (found,) = (span for span in spans if span.name == name)
    return found


@pytest.fixture
def watched(make_os: MakeOS) -> Iterator[Watched]:
    made = Watched(make_os)
    yield made
    made.telemetry.close()


# --- what a run is -------------------------------------------------------------------------------


async def test_a_run_of_a_model_is_one_trace_with_its_calls_and_the_model(
    watched: Watched, clock: TestClock
) -> None:
    os = await watched.boot(NOTE)
    result = await os.execute(NOTE.goal)
    spans = watched.spans()
    root = named(spans, "invoke_agent llmos")
    assert {s.name for s in spans} == {
        "invoke_agent llmos",
        "chat recorded:gpt-5",
        "execute_tool rates.get",
        "execute_tool notes.add",
    }
    assert len({s.context.trace_id for s in spans if s.context}) == 1
    assert all(s.parent and s.parent == root.context for s in spans if s is not root)
    assert root.parent is None
    told = dict(root.attributes or {})
    assert told["gen_ai.operation.name"] == "invoke_agent"
    assert told["gen_ai.provider.name"] == told["gen_ai.system"] == "openai"
    assert told["gen_ai.request.model"] == "recorded:gpt-5"
    assert told["gen_ai.usage.input_tokens"] == 1010
    assert told["gen_ai.usage.output_tokens"] == 90
    assert told["llmos.run.id"] == result.trace_id
    assert told["llmos.mode"] == "LEARNER"
    assert told["user.id"] == "alice"
    chat = named(spans, "chat recorded:gpt-5")
    assert chat.kind is SpanKind.CLIENT
    assert (chat.attributes or {})["gen_ai.usage.cache_read.input_tokens"] == 200
    call = named(spans, "execute_tool rates.get")
    assert (call.attributes or {})["gen_ai.tool.name"] == "rates.get"
    assert call.status.status_code is StatusCode.UNSET


async def test_calls_lie_within_the_run_in_their_order_and_are_as_long_as_they_took(
    watched: Watched,
) -> None:
    os = await watched.boot(NOTE)
    await os.execute(NOTE.goal)
    spans = watched.spans()
    root = named(spans, "invoke_agent llmos")
    read, write = named(spans, "execute_tool rates.get"), named(spans, "execute_tool notes.add")
    times = [root.start_time, read.start_time, read.end_time, write.start_time, write.end_time]
    times += [root.end_time]
    assert times == sorted(times, key=lambda at: at or 0)
    assert (read.end_time or 0) - (read.start_time or 0) >= 20_000_000


async def test_a_free_run_names_no_model_and_costs_nothing(watched: Watched) -> None:
    os = await watched.boot(NOTE)
    await os.execute(NOTE.goal)
    result = await os.execute(NOTE.goal)
    assert result.mode == "FOLLOWER"
    spans = watched.spans()
    (free,) = (s for s in spans if (s.attributes or {}).get("llmos.mode") == "FOLLOWER")
    told = dict(free.attributes or {})
    assert told["gen_ai.provider.name"] == "llmos"
    assert "gen_ai.request.model" not in told
    assert told["gen_ai.usage.input_tokens"] == told["llmos.cost_usd"] == 0
    assert told["llmos.why"] == "the same goal has a trace"
    assert str(told["llmos.source"]).startswith("replay:")
    below = [s.name for s in spans if s.parent == free.context]
    assert below == ["execute_tool rates.get", "execute_tool notes.add"]


async def test_the_trace_has_the_id_of_the_run(watched: Watched) -> None:
    from ulid import ULID

    os = await watched.boot(NOTE)
    result = await os.execute(NOTE.goal)
    root = named(watched.spans(), "invoke_agent llmos")
    assert root.context is not None
    assert str(ULID.from_int(root.context.trace_id)) == result.trace_id


async def test_what_failed_is_marked_without_saying_what_it_said(watched: Watched) -> None:
    goal = recording("Note what is not there", ("rates.broken", {"city": "Atlantis"}), output="")
    os = await watched.boot(replace(goal, error="I give up on Atlantis"))
    result = await os.execute(goal.goal)
    assert not result.success
    spans = watched.spans()
    root, call = named(spans, "invoke_agent llmos"), named(spans, "execute_tool rates.broken")
    for span, kind in ((root, "failed"), (call, "tool_error")):
        assert span.status.status_code is StatusCode.ERROR
        assert not span.status.description
        assert (span.attributes or {})["error.type"] == kind
    assert "Atlantis" not in "".join(s.to_json() for s in spans)


# --- content -------------------------------------------------------------------------------------


async def test_no_word_of_goals_arguments_results_and_answers_is_sent(watched: Watched) -> None:
    os = await watched.boot(NOTE)
    for _ in range(2):
        await os.execute(NOTE.goal)
    sent = "".join(span.to_json() for span in watched.spans())
    for word in ("Paris", "Note the", "Noted", SECRET):
        assert word not in sent


async def test_content_is_sent_where_it_was_asked_for_and_without_secrets(make_os: MakeOS) -> None:
    watched = Watched(make_os, content=True)
    os = await watched.boot(NOTE)
    await os.execute(NOTE.goal)
    spans = watched.spans()
    told = dict(named(spans, "invoke_agent llmos").attributes or {})
    (message,) = json.loads(str(told["gen_ai.input.messages"]))
    assert message == {"role": "user", "parts": [{"type": "text", "content": NOTE.goal}]}
    (answer,) = json.loads(str(told["gen_ai.output.messages"]))
    assert answer["parts"][0]["content"] == "Noted."
    call = dict(named(spans, "execute_tool rates.get").attributes or {})
    assert json.loads(str(call["gen_ai.tool.call.arguments"])) == {"city": "Paris"}
    assert json.loads(str(call["gen_ai.tool.call.result"]))["city"] == "Paris"
    assert SECRET not in "".join(span.to_json() for span in spans)


def test_content_is_cut_before_it_is_too_long() -> None:
    assert len(Terms(True, redact).text("word " * LONGEST)) == LONGEST


# --- cycles --------------------------------------------------------------------------------------


async def test_a_cycle_that_did_something_is_a_span(watched: Watched) -> None:
    os = await watched.boot()
    payload = {"level": "user", "began_at": "2026-03-02T09:00:00.000000Z", "duration_s": 1.5}
    payload |= {"tasks": 2, "tokens": 70, "why": "Paris", "looked_at": 9, "error": ""}

    def write(tx: Any) -> str:
        cycle = "01HGFXX0000000000000000000"
        return str(tx.event(EventType.CYCLE_END, owner="alice", subject=cycle, payload=payload))

    store_of(os).write(write)
    (span,) = watched.spans()
    assert span.name == "cycle user"
    assert (span.end_time or 0) - (span.start_time or 0) == 1_500_000_000
    told = dict(span.attributes or {})
    assert (told["llmos.cycle.tasks"], told["llmos.tokens"]) == (2, 70)
    assert "Paris" not in span.to_json()


# --- over the wire -------------------------------------------------------------------------------


async def test_a_collector_gets_it_as_the_protocol_has_it(make_os: MakeOS) -> None:
    with Collector() as collector:
        config = LLMOSConfig(telemetry=True, telemetry_endpoint=collector.url)
        os = await make_os([NOTE], PLUGINS, config=config)
        await os.execute(NOTE.goal)
        await os.shutdown()
    assert set(collector.paths) == {"/v1/traces"}
    assert collector.services == {"llmos"}
    names = sorted(span.name for span in collector.spans)
    assert names == [
        "chat recorded:gpt-5",
        "execute_tool notes.add",
        "execute_tool rates.get",
        "invoke_agent llmos",
    ]
    (root,) = (span for span in collector.spans if not span.parent_span_id)
    told = {a.key: a.value for a in root.attributes}
    assert told["gen_ai.usage.output_tokens"].int_value == 90
    assert told["llmos.mode"].string_value == "LEARNER"


async def test_the_standard_variable_switches_it_on(
    make_os: MakeOS, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "nightly")
        os = await make_os([NOTE], PLUGINS)
        await os.execute(NOTE.goal)
        await os.shutdown()
    assert collector.services == {"nightly"}
    assert len(collector.spans) == 4
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert telemetry_of(LLMOSConfig(telemetry=True), dict(environ), redact) is None


@pytest.mark.parametrize("status", [None, 503, 400])
async def test_a_collector_that_does_not_answer_fails_no_run_and_is_told_once(
    make_os: MakeOS, caplog: pytest.LogCaptureFixture, status: int | None
) -> None:
    with Collector(status or 200) as collector:
        url = collector.url if status else "http://127.0.0.1:9"
        config = LLMOSConfig(telemetry=True, telemetry_endpoint=url)
        os = await make_os([NOTE], PLUGINS, config=config)
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                assert (await os.execute(NOTE.goal)).success
            began = time.perf_counter()
            await os.shutdown()
    assert time.perf_counter() - began < 10
    assert [r.getMessage() for r in caplog.records] == [
        "telemetry cannot be sent: the collector does not take it; runs go on"
    ]


async def test_more_than_can_be_sent_is_dropped_and_counted(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmos.observability.telemetry.MOST", 1)
    slow = Watched(watched._make)

    def never() -> Sender:
        time.sleep(0.3)
        return Sender(slow.exporter)

    slow.telemetry = Telemetry(never, Terms(False, redact))
    os = await slow.boot(NOTE)
    for _ in range(6):
        assert (await os.execute(NOTE.goal)).success
    slow.telemetry.close()
    assert slow.telemetry.dropped > 0


# --- off -----------------------------------------------------------------------------------------


def test_it_is_off_unless_asked_for() -> None:
    assert telemetry_of(LLMOSConfig(), {}, redact) is None


def test_nothing_of_it_is_imported_while_it_is_off() -> None:
    program = (
        "import sys, asyncio, tempfile\nfrom llmos import LLMOS\n"
        "async def main():\n    async with LLMOS(tempfile.mkdtemp()): pass\n"
        "asyncio.run(main())\n"
        "assert not [m for m in sys.modules if m.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_what_to_install_is_said_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in [m for m in sys.modules if m.startswith("opentelemetry")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError) as raised:
        telemetry_of(LLMOSConfig(telemetry=True), {}, redact)
    assert raised.value.hint == "pip install 'llmos[otel]'"
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    assert telemetry_of(LLMOSConfig(), variables, redact) is None
    assert "pip install 'llmos[otel]'" in caplog.text


def test_the_endpoint_of_a_home_is_a_setting(home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text('telemetry = true\ntelemetry_endpoint = "http://h:1"\n')
    config = LLMOSConfig.load(home, {"LLMOS_TELEMETRY_CONTENT": "1"})
    assert (config.telemetry, config.telemetry_endpoint) == (True, "http://h:1")
    assert config.telemetry_content
