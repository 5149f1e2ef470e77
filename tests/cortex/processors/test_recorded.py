from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from llmos.cortex.processors import RecordedProcessor
from llmos.values import Context, Json, Limits, Step, ToolCall, Trace, Usage, Verdict
from tests.cortex.processors.conformance import (
    ADD,
    GOAL,
    NOTE,
    REFUSED,
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


def trace_of(*calls: Call, output: str = "It is five.") -> Trace:
    steps = tuple(Step(c.tool, c.arguments, c.observation, c.is_error) for c in calls)
    return Trace(GOAL, steps, output, usage=Usage(100, 20), cost_usd=0.01, model="model-x")


def recording(script: Script) -> Trace:
    """What a model that follows ``script`` would have left behind."""
    calls = [call for turn in script.turns if not isinstance(turn, str) for call in turn]
    answers = [turn for turn in script.turns if isinstance(turn, str)]
    if script.then == "forever":
        calls += [Call("add", {"a": n, "b": 1}, n + 1) for n in range(200)]
    trace = trace_of(*calls, output=answers[-1] if answers else "")
    trace = replace(trace, steps=script.done + trace.steps)
    if script.then == "forever":
        return replace(trace, cost_usd=4.0)
    if script.then == "fail":
        return replace(trace, verdict=Verdict.FAILED, error="Overloaded")
    return trace


class RecordedHarness(Harness):
    @asynccontextmanager
    async def open(self, script: Script, goal: str = GOAL) -> AsyncIterator[RecordedProcessor]:
        processor = RecordedProcessor({goal: recording(script)})
        yield processor
        await processor.aclose()

    def seen(self) -> None:
        return None


class TestRecorded(ProcessorContract):
    @pytest.fixture
    def harness(self) -> Harness:
        return RecordedHarness()


async def test_usage_cost_and_label_are_those_of_the_recording() -> None:
    processor = RecordedProcessor({GOAL: trace_of(ADD)})
    done = done_of(await collect(processor, FakeSyscalls()))
    assert (done.usage, done.cost_usd, done.model) == (Usage(100, 20), 0.01, "recorded:model-x")


async def test_exact_goal_wins_over_folded_one() -> None:
    exact, folded = trace_of(output="exact"), trace_of(output="folded")
    processor = RecordedProcessor({"add  them": exact, "add them": folded})
    assert done_of(await collect(processor, FakeSyscalls(), goal="add  them")).output == "exact"
    assert done_of(await collect(processor, FakeSyscalls(), goal=" add\nthem ")).output == "folded"


async def test_unknown_goal_names_what_it_has() -> None:
    processor = RecordedProcessor({GOAL: trace_of(ADD)})
    done = done_of(await collect(processor, FakeSyscalls(), goal="Sing"))
    assert done.stop == "error"
    assert "'Sing'" in done.error
    assert repr(GOAL) in done.error
    assert done.cost_usd == 0


async def test_live_error_where_the_recording_had_none_ends_the_run() -> None:
    refused = replace(REFUSED, observation="done", is_error=False)
    syscalls = FakeSyscalls()
    processor = RecordedProcessor({GOAL: trace_of(ADD, refused, NOTE)})
    done = done_of(await collect(processor, syscalls))
    assert done.stop == "error"
    assert done.error.startswith("the recording does not fit this world: step 1 (refuse)")
    assert [tool for tool, _ in syscalls.calls] == ["add", "refuse"]


async def test_prefix_is_matched_in_order_and_by_arguments() -> None:
    other = replace(ADD, arguments={"a": 9, "b": 9})
    processor = RecordedProcessor({GOAL: trace_of(ADD, other, NOTE, ADD)})
    syscalls = FakeSyscalls()
    done_before = (Step("add", {"a": 9, "b": 9}, 18), Step("notes.append", {"text": "five"}))
    await collect(processor, syscalls, given=context(done_before))
    assert syscalls.calls == [("add", ADD.arguments), ("add", ADD.arguments)]


async def test_a_step_of_the_prefix_that_failed_is_not_done() -> None:
    processor = RecordedProcessor({GOAL: trace_of(ADD, NOTE)})
    syscalls = FakeSyscalls()
    failed = Step("notes.append", {"text": "five"}, "no disk", is_error=True)
    await collect(processor, syscalls, given=context((Step("add", ADD.arguments, 5), failed)))
    assert syscalls.calls == [("notes.append", {"text": "five"})]


async def test_expand_puts_the_runs_folders_into_arguments_and_output() -> None:
    def expand(value: Json, given: Context) -> Json:
        if isinstance(value, dict):
            return {key: expand(inner, given) for key, inner in value.items()}
        return value.replace("$CWD", str(given.cwd)) if isinstance(value, str) else value

    note = Call("notes.append", {"text": "$CWD/a.txt"})
    processor = RecordedProcessor(
        {GOAL: trace_of(note, ADD, output="see $CWD/a.txt")}, expand=expand
    )
    events = await collect(processor, syscalls := FakeSyscalls())
    assert syscalls.notes == ["/srv/work/a.txt"]
    assert done_of(events).output == "see /srv/work/a.txt"
    prefix = (Step("notes.append", {"text": "/srv/work/a.txt"}),)
    events = await collect(processor, FakeSyscalls(), given=context(prefix))
    assert calls_of(events) == [("add", ADD.arguments)]


async def test_recording_that_cost_too_much_makes_no_call() -> None:
    syscalls = FakeSyscalls()
    processor = RecordedProcessor({GOAL: trace_of(ADD)})
    limits = Limits(max_cost_usd=0.009)
    events = await collect(processor, syscalls, limits=limits)
    assert (done_of(events).stop, done_of(events).cost_usd) == ("limit", 0)
    assert syscalls.calls == []
    assert not [e for e in events if isinstance(e, ToolCall)]
