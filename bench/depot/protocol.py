"""The protocol of `bench.workbench.protocol`, in the warehouse: one seed, one world, one home."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random

from bench.depot.goals import (
    Goal,
    Outcome,
    drawn,
    is_right,
    near_misses,
    outcome,
    recorded,
    retold,
    truth,
)
from bench.depot.plugins import WorldRef, make_plugins
from bench.depot.world import NOW, World, make_world, same_state
from bench.workbench.metrics import (
    Night,
    Run,
    SeedResult,
    cause_of,
    is_dirty,
    is_zero_token,
    timed,
    why_paid,
)
from bench.workbench.protocol import (
    BUDGET_USD,
    CALL_TOKENS,
    CALL_USD,
    CONFIG,
    EVERY,
    Learner,
)
from llmos import LLMOS
from llmos.values import RunResult, Trace, Usage

SAMPLE = 200
"""Goals asked in each drifted world: half of them of the stream, half drawn there."""
NEAR_EACH = 3
OTHER = 1000
"""Seeds of drifted worlds begin here, far from those of streams."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured."""

    goals: int = 30
    """Of each family."""
    drift: int = 0
    near_misses: bool = False
    families: tuple[str, ...] = ()
    """Only these; all when empty."""


@dataclass(frozen=True, slots=True)
class Case:
    """One goal in one world, with what is right."""

    goal: Goal
    world: World
    right: Outcome
    original: Outcome | None = None
    """Of a near miss: what the goal that it was made from asks for."""


class Depot:
    """An LLM OS at work in the warehouse."""

    def __init__(self, os: LLMOS, ref: WorldRef, learner: Learner, result: SeedResult) -> None:
        self.os = os
        self.now = NOW
        self._ref = ref
        self._learner = learner
        self._result = result

    async def do(self, case: Case, phase: str, place: int = 0) -> tuple[Run, str]:
        """Reset the world, execute the goal, judge the outcome; returns the id of the trace too."""
        self._ref.world = case.world.fresh()
        self.now = case.world.now
        asked, began = self._learner.asked, time.perf_counter()
        with timed(self._result, f"execute, {phase}"):
            done = await self.os.execute(case.goal.text)
        run = replace(
            _judged(case, done, self._ref.world),
            phase=phase,
            seed=self._result.seed,
            place=place,
            asked=self._learner.asked > asked,
            ms=round((time.perf_counter() - began) * 1e3, 3),
        )
        self._result.runs.append(run)
        return run, done.trace_id

    async def night(self, families: int) -> None:
        """Let the background learn."""
        began = time.perf_counter()
        await self.os.kernel.run_cron_now(cron_level="user", owner_id=self.os.user_id)
        self._result.nights.append(Night(time.perf_counter() - began, families))


def _judged(case: Case, done: RunResult, world: World) -> Run:
    after, text = world.state(), case.goal.text
    right = is_right(case.right, after, done.output, text)
    original = case.original is not None and is_right(case.original, after, done.output, text)
    zero = is_zero_token(done)
    why = "" if zero else why_paid(done)
    return Run(
        case.goal.family,
        case.goal.wording,
        text,
        done.mode.value,
        zero=zero,
        right=right,
        changed=not same_state(after, case.world.state()),
        exited=done.side_exit is not None,
        dirty=is_dirty(done),
        original=not right and original,
        cause=cause_of(why),
        detail=_difference(case, done) if zero and not right else why,
    )


def _difference(case: Case, done: RunResult) -> str:
    wrote = [f"{s.tool} {dict(s.arguments)}" for s in done.steps if s.effect.writes]
    expected = truth(case.goal, case.world) if case.original is None else None
    asked = [f"{tool} {arguments}" for tool, arguments in expected.calls] if expected else "?"
    return f"wrote {wrote}, right {asked}; said {done.output!r}, right {case.right.answer!r}"


def run_seed(plan: Plan, seed: int) -> SeedResult:
    """Run one seed to the end."""
    with tempfile.TemporaryDirectory(prefix="depot-") as folder:
        return asyncio.run(_Seed(plan, seed, Path(folder)).run())


class _Seed:
    """One seed at work in an empty folder."""

    def __init__(self, plan: Plan, seed: int, folder: Path) -> None:
        self._plan = plan
        self._folder = folder
        self._rng = Random(seed)
        self._world = make_world(seed)
        self._goals = self._drawn(self._world, seed)
        self._result = SeedResult(seed)
        (folder / "cwd").mkdir()

    async def run(self) -> SeedResult:
        """The stream, then the tests."""
        home = self._folder / "home"
        await self._stream(home)
        for i in range(self._plan.drift):
            await self._test(home, "drift", self._elsewhere(i))
        if self._plan.near_misses:
            await self._test(home, "near misses", self._near())
        return self._result

    def _drawn(self, world: World, seed: int) -> list[Goal]:
        goals = drawn(world, self._plan.goals, seed)
        return [g for g in goals if not self._plan.families or g.family in self._plan.families]

    async def _stream(self, home: Path) -> None:
        order = self._rng.sample(self._goals, len(self._goals))
        recordings = {goal.text: _priced(recorded(goal, self._world)) for goal in order}
        places: Counter[str] = Counter()
        new: set[str] = set()
        async with self._depot(home, recordings) as depot:
            for n, goal in enumerate(order, 1):
                case = _case(goal, self._world)
                run, trace_id = await depot.do(case, "stream", places[goal.family])
                await depot.os.feedback(trace_id, success=run.right)
                places[goal.family] += 1
                if run.asked:
                    new.add(goal.family)
                if n % EVERY == 0 or n == len(order):
                    await depot.night(len(new))
                    new.clear()

    def _elsewhere(self, i: int) -> list[Case]:
        """Goals of the stream, and goals drawn there, in another world at another time."""
        seed = OTHER + self._result.seed * 100 + i
        later = NOW + timedelta(days=self._rng.randint(3, 200), hours=self._rng.randint(-6, 9))
        world = make_world(seed, later)
        cases: list[Case] = []
        for goals in (retold(self._goals, world), self._drawn(world, seed)):
            some = self._rng.sample(goals, min(len(goals), SAMPLE // 2))
            cases += [_case(goal, world) for goal in some]
        return cases

    def _near(self) -> list[Case]:
        return [
            Case(miss.goal, self._world, miss.right, miss.original)
            for miss in near_misses(self._goals, self._world, NEAR_EACH)
        ]

    async def _test(self, home: Path, phase: str, cases: Sequence[Case]) -> None:
        """Ask goals of a copy of the home that has no learner."""
        copy = self._folder / "copy"
        shutil.copytree(home, copy)
        async with self._depot(copy, {}) as depot:
            for case in cases:
                await depot.do(case, phase)
        shutil.rmtree(copy)

    @asynccontextmanager
    async def _depot(self, home: Path, recordings: Mapping[str, Trace]) -> AsyncIterator[Depot]:
        ref, learner = WorldRef(self._world), Learner(recordings)
        os = LLMOS(
            home,
            processor=learner,
            plugins=make_plugins(ref),
            clock=lambda: depot.now,
            config=CONFIG,
            budget_usd=BUDGET_USD,
            cwd=self._folder / "cwd",
        )
        depot = Depot(os, ref, learner, self._result)
        await os.boot()
        try:
            yield depot
        finally:
            await os.shutdown()


def _case(goal: Goal, world: World) -> Case:
    right = truth(goal, world)
    assert right is not None, goal.text
    return Case(goal, world, outcome(right, world))


def _priced(trace: Trace) -> Trace:
    turns = len(trace.steps) + 1
    usage = sum((CALL_TOKENS for _ in range(turns)), Usage())
    return replace(trace, usage=usage, cost_usd=CALL_USD * turns)
