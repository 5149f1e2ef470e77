"""What every processor must do, whatever model is behind it.

A test module subclasses `ProcessorContract` and overrides the fixture ``harness``:

    class TestMine(ProcessorContract):
        @pytest.fixture
        def harness(self) -> Harness:
            return MyHarness()
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from llmos.errors import LowBatteryError, RunStopped
from llmos.values import (
    Context,
    Done,
    Effect,
    Event,
    Limits,
    Processor,
    Spent,
    Step,
    Text,
    ToolCall,
    ToolResult,
    Usage,
)
from tests.support.fake_syscalls import FakeSyscalls

GOAL = "Add the numbers"
PATIENCE_S = 30.0
"""Bounds a test that would hang; no test measures time."""


@dataclass(frozen=True, slots=True)
class Call:
    """The model asks for a tool. ``observation`` is what the toolbox answers (for recordings)."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)
    observation: Any = None
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """What the model behind a processor does, one item of ``turns`` per model call."""

    turns: tuple[str | tuple[Call, ...], ...] = ()
    """A text is the final answer; a tuple are calls that the model asks for at once."""
    then: Literal["end", "fail", "forever"] = "end"
    """After the turns: nothing more; the provider fails; the model calls ``add(a=n, b=1)`` for
    n = 0, 1, 2, … without end, at a price of about a tenth of a dollar per model call."""
    done: tuple[Step, ...] = ()
    """Steps that were done before: ``context.prefix`` of the run that follows."""


class Harness(ABC):
    """Knows how to make one kind of processor whose model follows a script."""

    priced = True
    """Whether the processor's model calls cost money."""
    runs_unknown_tools = True
    """Whether the model behind it can be made to ask for a tool that does not exist."""

    @abstractmethod
    def open(self, script: Script, goal: str = GOAL) -> AbstractAsyncContextManager[Processor]:
        """A processor that follows ``script`` when asked for ``goal``; closed on exit."""

    @abstractmethod
    def seen(self) -> str | None:
        """All text the model was sent in its last model call; None if there is no model."""


ADD = Call("add", {"a": 2, "b": 3}, 5)
NOTE = Call("notes.append", {"text": "five"}, {"lines": 1})
REFUSED = Call("refuse", {"what": "all"}, "denied by rule refuse(*)", is_error=True)
WAIT = Call("wait")


def context(prefix: Sequence[Step] = (), note: str = "") -> Context:
    now = datetime(2023, 11, 30, 9, 0, tzinfo=UTC)
    return Context(now=now, cwd=Path("/srv/work"), prefix=tuple(prefix), note=note)


async def collect(
    processor: Processor,
    syscalls: FakeSyscalls,
    *,
    goal: str = GOAL,
    limits: Limits | None = None,
    given: Context | None = None,
    into: list[Event] | None = None,
) -> list[Event]:
    """All events of one run, also in ``into``; fails the test when the run does not end."""
    events: list[Event] = [] if into is None else into
    async with asyncio.timeout(PATIENCE_S):
        run = processor.run(goal, given or context(), syscalls, limits or Limits())
        async for event in run:
            events.append(event)
    return events


def done_of(events: Sequence[Event]) -> Done:
    """The one `Done`, after checking what must hold of every complete list of events."""
    assert [e for e in events if isinstance(e, Done)] == [events[-1]]
    done = events[-1]
    assert isinstance(done, Done)
    asked: dict[str, str] = {}
    for event in events:
        if isinstance(event, ToolCall):
            assert event.id not in asked, "an id names one call"
            asked[event.id] = event.tool
        elif isinstance(event, ToolResult):
            assert asked.pop(event.id, None) == event.tool, "a result follows its call, once"
    assert all(isinstance(e, Text | ToolCall | ToolResult | Spent | Done) for e in events)
    paid = [e for e in events if isinstance(e, Spent)]
    costs = [e.cost_usd for e in paid]
    usages = [e.usage for e in paid]
    assert min([*costs, done.cost_usd]) >= 0
    assert all(min(astuple(usage)) >= 0 for usage in [*usages, done.usage])
    assert sum(usages, Usage()).total_tokens <= done.usage.total_tokens
    assert sum(costs) <= done.cost_usd + 1e-9, "what was told before is part of it"
    assert (done.stop == "end") == (done.error == "")
    assert "\n" not in done.error
    return done


def calls_of(events: Sequence[Event]) -> list[tuple[str, dict[str, Any]]]:
    return [(e.tool, dict(e.arguments)) for e in events if isinstance(e, ToolCall)]


class ProcessorContract:
    """The suite. Methods are named after what they hold."""

    @pytest.fixture
    def harness(self) -> Harness:
        raise NotImplementedError("override the fixture 'harness'")

    async def test_direct_answer_ends_with_done_and_touches_nothing(self, harness: Harness) -> None:
        syscalls = FakeSyscalls()
        async with harness.open(Script(("It is five.",))) as processor:
            done = done_of(await collect(processor, syscalls))
        assert (done.stop, done.output.strip()) == ("end", "It is five.")
        assert done.model
        assert syscalls.calls == []

    async def test_call_goes_through_syscalls_and_its_result_is_told(
        self, harness: Harness
    ) -> None:
        syscalls = FakeSyscalls()
        async with harness.open(Script(((ADD,), "It is five."))) as processor:
            events = await collect(processor, syscalls)
        done = done_of(events)
        assert (done.stop, done.output.strip()) == ("end", "It is five.")
        assert syscalls.calls == calls_of(events) == [("add", {"a": 2, "b": 3})]
        results = [e for e in events if isinstance(e, ToolResult)]
        assert [(r.observation, r.is_error) for r in results] == [(5, False)]

    async def test_two_model_turns_call_in_order(self, harness: Harness) -> None:
        syscalls = FakeSyscalls()
        async with harness.open(Script(((ADD,), (NOTE,), "Noted."))) as processor:
            events = await collect(processor, syscalls)
        assert done_of(events).output.strip() == "Noted."
        assert syscalls.calls == calls_of(events)
        assert [tool for tool, _ in syscalls.calls] == ["add", "notes.append"]
        assert syscalls.notes == ["five"]

    async def test_parallel_calls_all_go_through_syscalls(self, harness: Harness) -> None:
        syscalls = FakeSyscalls()
        async with harness.open(Script(((ADD, NOTE), "Both."))) as processor:
            events = await collect(processor, syscalls)
        assert done_of(events).stop == "end"
        assert sorted(tool for tool, _ in syscalls.calls) == ["add", "notes.append"]
        assert len([e for e in events if isinstance(e, ToolResult)]) == 2

    async def test_refused_call_is_told_to_the_model_and_the_run_goes_on(
        self, harness: Harness
    ) -> None:
        syscalls = FakeSyscalls()
        async with harness.open(Script(((REFUSED,), (ADD,), "Went around."))) as processor:
            events = await collect(processor, syscalls)
        assert done_of(events).stop == "end"
        results = [e for e in events if isinstance(e, ToolResult)]
        assert [r.is_error for r in results] == [True, False]
        assert results[0].observation == "denied by rule refuse(*)"

    async def test_unknown_tool_does_not_end_the_run_with_an_exception(
        self, harness: Harness
    ) -> None:
        if not harness.runs_unknown_tools:
            pytest.skip("the model cannot ask for a tool it was not given")
        syscalls = FakeSyscalls()
        missing = Call("no.such.tool", {}, "there is no tool 'no.such.tool'", is_error=True)
        async with harness.open(Script(((missing,), (ADD,), "Found another."))) as processor:
            events = await collect(processor, syscalls)
        assert done_of(events).stop == "end"
        assert syscalls.calls[-1] == ("add", {"a": 2, "b": 3})

    async def test_provider_error_is_done_with_error(self, harness: Harness) -> None:
        syscalls = FakeSyscalls()
        async with harness.open(Script(then="fail")) as processor:
            done = done_of(await collect(processor, syscalls))
        assert done.stop == "error"
        assert done.error
        assert syscalls.calls == []

    async def test_max_turns_is_obeyed(self, harness: Harness) -> None:
        syscalls = FakeSyscalls()
        async with harness.open(Script(then="forever")) as processor:
            events = await collect(processor, syscalls, limits=Limits(max_turns=3))
        assert done_of(events).stop == "limit"
        assert 1 <= len(syscalls.calls) <= 3

    async def test_max_cost_is_obeyed(self, harness: Harness) -> None:
        if not harness.priced:
            pytest.skip("model calls of this processor cost nothing")
        syscalls = FakeSyscalls()
        limits = Limits(max_cost_usd=0.05, max_turns=40)
        async with harness.open(Script(then="forever")) as processor:
            done = done_of(await collect(processor, syscalls, limits=limits))
        assert done.stop == "limit"
        assert len(syscalls.calls) < 10

    @pytest.mark.parametrize("kind", [RunStopped, LowBatteryError])
    async def test_stop_of_the_kernel_passes_through_unchanged(
        self, harness: Harness, kind: type[RunStopped | LowBatteryError]
    ) -> None:
        error = kind("enough")
        syscalls = FakeSyscalls(raises={1: error})
        events: list[Event] = []
        async with harness.open(Script(((ADD,), (NOTE,), (ADD,), "Noted."))) as processor:
            with pytest.raises(kind) as caught:
                await collect(processor, syscalls, into=events)
        assert caught.value is error
        assert not [e for e in events if isinstance(e, Done)]
        if harness.priced:
            paid = [e.cost_usd for e in events if isinstance(e, Spent)]
            assert sum(paid) > 0, "what a stopped run has cost was told before"
        assert [tool for tool, _ in syscalls.calls] == ["add", "notes.append"]

    async def test_cancellation_stops_the_run_and_its_call(self, harness: Harness) -> None:
        syscalls = FakeSyscalls()
        async with harness.open(Script(((WAIT,), (ADD,), "Never."))) as processor:
            task = asyncio.create_task(collect(processor, syscalls))
            await asyncio.wait_for(syscalls.waiting.wait(), PATIENCE_S)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(task, PATIENCE_S)
        assert syscalls.wait_was_cancelled
        assert [tool for tool, _ in syscalls.calls] == ["wait"]

    async def test_closing_the_iterator_stops_the_run(self, harness: Harness) -> None:
        syscalls = FakeSyscalls()
        async with harness.open(Script(((ADD,), (WAIT,), "Never."))) as processor:
            run: Any = processor.run(GOAL, context(), syscalls, Limits())
            async for event in run:
                if isinstance(event, ToolResult):
                    break
            await asyncio.wait_for(run.aclose(), PATIENCE_S)
            made = len(syscalls.calls)
            await asyncio.sleep(0.05)
            assert len(syscalls.calls) == made
        assert not syscalls.waiting.is_set() or syscalls.wait_was_cancelled

    async def test_committed_prefix_is_handed_over_and_not_repeated(self, harness: Harness) -> None:
        step = Step("add", {"a": 2, "b": 3}, 5_000_017, effect=Effect.READ)
        syscalls = FakeSyscalls()
        script = Script(((NOTE,), "Noted."), done=(step,))
        async with harness.open(script) as processor:
            given = context((step,), note="the second step no longer fits")
            events = await collect(processor, syscalls, given=given)
        assert done_of(events).stop == "end"
        assert syscalls.calls == [("notes.append", {"text": "five"})]
        seen = harness.seen()
        if seen is not None:
            assert "do not repeat them" in seen
            assert "5000017" in seen, "the model sees what the step returned now"
            assert "the second step no longer fits" in seen

    async def test_second_run_knows_nothing_of_the_first(self, harness: Harness) -> None:
        syscalls = FakeSyscalls()
        async with harness.open(Script(("First.", "Second."))) as processor:
            first = context(note="a note that belongs to the first run")
            assert done_of(await collect(processor, syscalls, given=first)).stop == "end"
            assert done_of(await collect(processor, syscalls)).stop == "end"
        assert "belongs to the first run" not in (harness.seen() or "")

    async def test_aclose_twice_is_fine_also_before_any_run(self, harness: Harness) -> None:
        async with harness.open(Script(("It is five.",))) as processor:
            await processor.aclose()
            await processor.aclose()
        async with harness.open(Script(("It is five.",))) as processor:
            await collect(processor, FakeSyscalls())
            await processor.aclose()
            await processor.aclose()
