"""What every mode is given and gives back, and the one place where a model works."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from llmos.cortex.assembly import Assembled
from llmos.cortex.plans.orders import Orders
from llmos.cortex.tool_search.toolboxes import Toolboxes
from llmos.errors import LLMOSError
from llmos.evolution.tool import Reading
from llmos.kernel.envelope import Envelope
from llmos.kernel.observe import Observer, acted
from llmos.kernel.syscalls import RunCalls
from llmos.kernel.watchdog import Watchdog
from llmos.memory.pieces import Piece
from llmos.plugins.program import ProgramRunner
from llmos.store import BlobStore
from llmos.values import (
    Context,
    Decision,
    Done,
    Event,
    Limits,
    Mode,
    Processor,
    SideExit,
    Spent,
    Step,
    Trace,
    Usage,
    Verdict,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Task:
    """One goal on its way through a mode."""

    goal: str
    decision: Decision
    context: Context
    limits: Limits
    calls: RunCalls
    watchdog: Watchdog
    envelope: Envelope
    observer: Observer
    blobs: BlobStore
    toolboxes: Toolboxes
    """What a model gets as system calls: few of many tools, and more ways to call them."""
    processor: Callable[[], Processor]
    """Makes or returns the model; raises `NeedsProcessor` when there is none."""
    source: Trace | None = None
    """The trace that the decision names, with this run's paths."""
    moved: frozenset[int] = frozenset()
    """Its steps that name a folder which is another one in this run."""
    readings: tuple[Reading, ...] = ()
    """What the goal may mean, where the decision is for a learned tool; the chosen one first."""
    error_budget: float = 0.0
    """Risk up to which a learned tool runs without a model."""
    programs: Callable[[], ProgramRunner] = ProgramRunner
    """Makes or returns the sandbox for learned code."""
    emit: Callable[[Event], None] = lambda event: None
    """Tells a surface what is going on."""
    orders: Orders | None = None
    """How parts are done, where the goal is taken apart."""
    fit: Callable[[Context, Sequence[Piece]], Assembled] = lambda context, planning: Assembled(
        context, tuple(planning), 0
    )
    """Puts together what the model sees, under its budget; also one that takes the goal apart."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a mode ended."""

    mode: Mode
    verdict: Verdict
    output: str = ""
    usage: Usage = field(default_factory=Usage)
    cost_usd: float = 0.0
    model: str = ""
    error: str = ""
    source: str = "run"
    side_exit: SideExit | None = None
    already_done: bool = False
    replay_clean: bool | None = None
    """For the standing of the followed trace: True, False, or None for "says nothing"."""


async def think(task: Task, mode: Mode, context: Context) -> Outcome:
    """Let the model work towards the goal, within the run's limits.

    Whatever goes wrong is a ``failed`` outcome with what it cost; a refused budget and a missing
    processor are raised, since nothing has begun then.
    """
    processor = task.processor()
    before = task.envelope.spent_usd
    wanted = max(0.0, task.limits.max_cost_usd - before)
    async with task.envelope.open(wanted, processor) as allowed:
        work = _Work(task, processor, replace(task.limits, max_cost_usd=allowed))
        await within_wall_clock(task.watchdog, work.run(task.fit(context, ()).context))
        if work.done is not None:
            await task.envelope.settle(before + work.done.cost_usd)
    return work.outcome(mode)


class _Work:
    """One processor run: consumes its events."""

    def __init__(self, task: Task, processor: Processor, limits: Limits) -> None:
        self._task = task
        self._processor = processor
        self._limits = limits
        self._paid = Usage()
        self.done: Done | None = None

    async def run(self, context: Context) -> None:
        task = self._task
        try:
            calls = task.toolboxes.open(task.goal, context, self._processor)
            events = self._processor.run(task.goal, context, calls, self._limits)
            async for event in events:
                task.emit(event)
                if isinstance(event, Spent):
                    self._paid += event.usage
                    await task.envelope.spend(event.cost_usd)
                elif isinstance(event, Done):
                    self.done = event
        except LLMOSError as e:
            task.watchdog.stop(e.message, e.hint)
        except Exception as e:
            # A processor is foreign code: whatever it raises ends this run and nothing else.
            task.watchdog.stop(f"{self._processor.name} broke: {type(e).__name__}: {e}")

    def outcome(self, mode: Mode) -> Outcome:
        done, stopped = self.done, self._task.watchdog.stopped
        cost = self._task.envelope.spent_usd
        if stopped is not None or done is None:
            error = stopped.message if stopped else f"{self._processor.name} gave no result"
            usage = done.usage if done else self._paid
            model = done.model if done else self._processor.name
            return Outcome(mode, Verdict.FAILED, "", usage, cost, model, error)
        error = done.error or _nothing_done(done, self._task.calls.steps)
        good = done.stop == "end" and not error
        if not good:
            error = error or f"the model stopped early: {done.stop}"
        verdict = Verdict.COMPLETED if good else Verdict.FAILED
        return Outcome(mode, verdict, done.output, done.usage, cost, done.model, error)


def _nothing_done(done: Done, steps: Sequence[Step]) -> str:
    """Why a run whose model says "done" has failed all the same, or nothing."""
    if done.stop == "end" and not done.output.strip() and not steps:
        return "the model did nothing and said nothing"
    writes = [s for s in steps if s.effect.writes and acted(s)]
    if writes and all(s.is_error for s in writes):
        return f"none of its {len(writes)} writes succeeded: {writes[-1].observation}"
    return ""


async def within_wall_clock(watchdog: Watchdog, work: Awaitable[T]) -> T | None:
    """What ``work`` returns, or None when the watchdog had to end it."""
    try:
        async with asyncio.timeout(watchdog.left_s):
            return await work
    except TimeoutError:
        watchdog.stop(
            "the run took longer than its wall clock allows",
            "raise it: llmos config set run_wall_s SECONDS",
        )
        return None
