"""The protocol: a stream of goals through the whole product, judged by the state of the world.

One seed is one process, one home and one order of the goals. `run_seed` reads as the protocol does:
the stream with feedback and nights of learning, then what was learned is put to the test on copies
of the home, where there is no learner and so nothing more to learn.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from bench.workbench.data import (
    Call,
    ModelRun,
    Task,
    load_expert_traces,
    load_model_runs,
    load_tasks,
)
from bench.workbench.drift import DAYS, drifted, with_clock
from bench.workbench.metrics import (
    Night,
    Run,
    SeedResult,
    cause_of,
    is_dirty,
    is_zero_token,
    peak_rss_mb,
    timed,
    why_paid,
)
from bench.workbench.near_miss import near_misses
from bench.workbench.oracles import retold, template_of, truth
from bench.workbench.plugins import WorldRef, make_plugins
from bench.workbench.world import NOW, State, World, same_state
from llmos import LLMOS, LLMOSConfig
from llmos.cortex.processors import RecordedProcessor
from llmos.errors import UserError
from llmos.evolution.holes import FILL, place_of
from llmos.values import Context, Done, Event, Limits, RunResult, Syscalls, Trace, Usage

EVERY = 25
"""Goals after which the background learns."""

BUDGET_USD = 1e6
CALL_USD = 0.01
CALL_TOKENS = Usage(input_tokens=2000, output_tokens=80)
"""Nominal: the recordings do not tell what they cost, and a learner must not look free."""

CONFIG = LLMOSConfig(
    max_calls=1000,
    max_turns=1000,
    max_repeats=16,
    parallel_runs=1,
    audit_rate=0.0,
    audit_rate_external=0.0,
)
"""Recorded runs call what they call: the limits are not what is measured here.

No audit is drawn: every free run is compared with what is right anyway, and none by chance."""

Arrangement = Literal["mixed", "left-out", "alone"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured."""

    data: Path
    """The benchmark's folder."""
    stream: Literal["long", "short"] = "long"
    learner: Literal["expert", "gpt4"] = "expert"
    both_runs: bool = False
    """Whether the other recorded GPT-4 run of each goal is handed in too, after the goal's own."""
    templates: tuple[str, ...] = ()
    """Only these, such as ``calendar-02``; all when empty."""
    arrangement: Arrangement = "mixed"
    """``mixed``: all families in one stream. ``left-out``: for each family a stream of all others
    first, then its own, which alone is counted. ``alone``: each family in a home of its own. After
    each goal of a family that is counted by itself there is a night: in the mixed stream about as
    many goals of others lie between two of one family."""
    learning: bool = True
    home: Path | None = None
    """Folder in which the homes are made; the system's temporary one when left out."""
    sample: int = 200
    """Goals of the stream that are asked again, and goals per drifted world."""
    drift: int = 0
    """Drifted worlds, other ones for each seed; the first two also have their clock changed."""
    near_misses: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One goal in one world."""

    task: Task
    goal: str
    world: World
    """As it is before the run; left as it is."""
    right: State | None
    """None where only a learner can know: then no zero-token run is held to be right."""
    original: State | None = None
    """Of a near miss: the state that the goal it was made from asks for."""


class Learner(RecordedProcessor):
    """Plays recordings, and counts how often it was asked.

    What it is asked for by a tool that leaves a value open is what the recording has there.
    """

    def __init__(self, recordings: Mapping[str, Trace]) -> None:
        super().__init__(recordings)
        self.asked = 0
        self._of = recordings

    def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        if goal.startswith(FILL):
            return self._filled(goal)
        self.asked += 1
        return super().run(goal, context, syscalls, limits)

    async def _filled(self, question: str) -> AsyncIterator[Event]:
        told = json.loads(question.partition("<data-")[2].partition(">\n")[2].rpartition("\n<")[0])
        place = question.partition("but one value: ")[2].partition(". It is")[0]
        steps = self._of[told["goal"]].steps if told["goal"] in self._of else ()
        values = [s.arguments[n] for s in steps if (n := place_of(s, place)) is not None]
        answer = json.dumps({"value": values[0] if values else None})
        yield Done(answer, CALL_TOKENS, CALL_USD, "end", "recorded")


class Office:
    """An LLM OS at work in the benchmark's world.

    Args:
        os: Booted, with the tools of ``ref``.
        ref: Where the tools find the world.
        learner: The processor of ``os``.
        result: Where runs and times are written down.
    """

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
        asked = self._learner.asked
        with timed(self._result, f"execute, {phase}"):
            began = time.perf_counter()
            done = await self.os.execute(case.goal)
            ms = (time.perf_counter() - began) * 1e3
        with timed(self._result, "judge"):
            run = _judged(case, done, self._ref.world.state())
            run = replace(
                run,
                phase=phase,
                seed=self._result.seed,
                place=place,
                asked=self._learner.asked > asked,
                ms=round(ms, 3),
            )
        self._result.runs.append(run)
        return run, done.trace_id

    async def feedback(self, trace_id: str, right: bool) -> None:
        """Say whether a run was right."""
        with timed(self._result, "feedback"):
            await self.os.feedback(trace_id, success=right)

    async def hand_in(self, run: ModelRun) -> None:
        """Learn from a run that was made elsewhere, of which it is known whether it was right."""
        with timed(self._result, "feedback"):
            for trace_id in await self.os.learn([run.trace]):
                await self.os.feedback(trace_id, success=run.correct)

    async def night(self, families: int) -> None:
        """Let the background learn."""
        with timed(self._result, "learn"):
            began = time.perf_counter()
            # Not there in an LLM OS that only replays; `require_learning` has said so by now.
            await getattr(self.os.kernel, "run_cron_now")(  # noqa: B009
                cron_level="user", owner_id=self.os.user_id
            )
            self._result.nights.append(Night(time.perf_counter() - began, families))

    def require_learning(self) -> None:
        """Check that there is a background.

        Raises:
            UserError: There is none.
        """
        if not hasattr(self.os.kernel, "run_cron_now"):
            raise UserError(
                "this LLM OS has no background that learns: os.kernel.run_cron_now is missing",
                "measure replay alone: --no-learning",
            )


def _judged(case: Case, done: RunResult, after: State) -> Run:
    right = case.right is not None and same_state(after, case.right)
    zero = is_zero_token(done)
    why = "" if zero else why_paid(done)
    return Run(
        template_of(case.task),
        case.task.id,
        case.goal,
        done.mode.value,
        zero=zero,
        right=right,
        changed=not same_state(after, case.world.fresh()),
        exited=done.side_exit is not None,
        dirty=is_dirty(done),
        original=not right and case.original is not None and same_state(after, case.original),
        cause=cause_of(why),
        detail=why,
    )


# --- one seed ----------------------------------------------------------------------------------


def run_seed(plan: Plan, seed: int) -> SeedResult:
    """Run one seed to the end; a process of its own makes its memory figure meaningful.

    Raises:
        UserError: The data, or a part that was asked for, is not there.
    """
    if plan.home is not None:
        plan.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="workbench-", dir=plan.home) as folder:
        return asyncio.run(_Seed(plan, seed, Path(folder)).run())


class _Seed:
    """One seed at work.

    Args:
        plan: What is to be measured.
        seed: Decides on the order, and on everything that is drawn.
        folder: Empty; everything that is made lies there.
    """

    def __init__(self, plan: Plan, seed: int, folder: Path) -> None:
        self._plan = plan
        self._folder = folder
        self._rng = random.Random(seed)
        self._base = World.load(plan.data)
        self._result = SeedResult(seed)
        self._tasks, self._recordings = chosen(plan, seed)
        self._others = other_runs(plan, seed) if plan.both_runs else {}
        (folder / "cwd").mkdir()

    async def run(self) -> SeedResult:
        """The stream, then the tests."""
        if self._plan.arrangement != "mixed":
            await self._family_by_family()
            return self._result
        home = self._folder / "home"
        order = self._shuffled(self._tasks)
        await self._stream(home, order)
        self._result.stream_rss_mb = peak_rss_mb()
        self._result.home_mb = sum(f.stat().st_size for f in home.rglob("*") if f.is_file()) / 2**20
        await self._tests(home)
        return self._result

    async def _family_by_family(self) -> None:
        for family in sorted({template_of(task) for task in self._tasks}):
            own = [task for task in self._tasks if template_of(task) == family]
            others = [task for task in self._tasks if template_of(task) != family]
            first = self._shuffled(others) if self._plan.arrangement == "left-out" else []
            home = self._folder / family
            await self._stream(home, [*first, *self._shuffled(own)], counted=family)
            shutil.rmtree(home)
        self._result.stream_rss_mb = peak_rss_mb()

    async def _stream(self, home: Path, order: Sequence[Task], counted: str = "") -> None:
        """Each goal once, with feedback, and a night after every 25 and after the last.

        Args:
            home: Where is learnt.
            order: The goals.
            counted: The family that is counted by itself, with a night after each of its goals.
        """
        places: Counter[str] = Counter()
        new: set[str] = set()
        async with self._office(home, self._recordings) as office:
            if self._plan.learning:
                office.require_learning()
            for n, task in enumerate(order, 1):
                family = template_of(task)
                phase = "stream" if counted in ("", family) else "others"
                case = self._case(task, self._base)
                run, trace_id = await office.do(case, phase, places[family])
                await office.feedback(trace_id, run.right)
                if other := self._others.get(task.id):
                    await office.hand_in(other)
                places[family] += 1
                if run.asked:
                    new.add(family)
                due = n % EVERY == 0 or n == len(order) or family == counted
                if self._plan.learning and due:
                    await office.night(len(new))
                    new.clear()

    async def _tests(self, home: Path) -> None:
        """What was learned, asked for without a learner."""
        for phase, world, tasks in self._asked_again():
            await self._test(home, phase, [self._case(task, world) for task in tasks])
        if self._plan.near_misses:
            with timed(self._result, "judge"):
                cases = list(self._near())
            await self._test(home, "near misses", cases)

    def _asked_again(self) -> Iterator[tuple[str, World, Sequence[Task]]]:
        """Goals of the stream, goals like them, and goals of the stream in other worlds."""
        plan, base = self._plan, self._base
        yield "seen", base, self._sample(self._tasks)
        if plan.stream == "short":
            streamed = {task.id for task in load_tasks(plan.data)}
            more = wanted(plan, load_tasks(plan.data, more=True))
            yield "fresh", base, [task for task in more if task.id not in streamed]
        for i in range(plan.drift):
            other = drifted(base, self._result.seed * plan.drift + i)
            yield "drift", other, self._sample(list(retold(self._tasks, other)))
            if i < len(DAYS):
                later = with_clock(other if i else base, DAYS[i])
                yield "other clock", later, self._sample(list(retold(self._tasks, later)))

    def _near(self) -> Iterator[Case]:
        tasks = {task.id: task for task in self._tasks}
        for miss in near_misses(self._tasks, self._base):
            task = tasks[miss.task_id]
            original = self._after(task, truth(task, self._base))
            right = None if miss.right is None else self._after(task, miss.right)
            yield Case(task, miss.goal, self._base, right, original)

    def _after(self, task: Task, calls: tuple[Call, ...]) -> State:
        return replace(task, truth=calls).right_world(self._base).state()

    async def _test(self, home: Path, phase: str, cases: Sequence[Case]) -> None:
        """Ask goals of a copy of the home that has no learner."""
        copy = self._folder / "copy"
        shutil.copytree(home, copy)
        async with self._office(copy, {}) as office:
            for case in cases:
                await office.do(case, phase)
        shutil.rmtree(copy)

    @asynccontextmanager
    async def _office(self, home: Path, recordings: Mapping[str, Trace]) -> AsyncIterator[Office]:
        ref, learner = WorldRef(self._base), Learner(recordings)
        with timed(self._result, "open and close"):
            os = LLMOS(
                home,
                processor=learner,
                plugins=make_plugins(ref),
                clock=lambda: office.now,
                config=CONFIG,
                budget_usd=BUDGET_USD,
                cwd=self._folder / "cwd",
            )
            office = Office(os, ref, learner, self._result)
            await os.boot()
        try:
            yield office
        finally:
            with timed(self._result, "open and close"):
                await os.shutdown()

    def _case(self, task: Task, world: World) -> Case:
        with timed(self._result, "judge"):
            return Case(task, task.goal, world, task.right_world(world).state())

    def _shuffled(self, tasks: Sequence[Task]) -> list[Task]:
        return self._rng.sample(tasks, len(tasks))

    def _sample(self, tasks: Sequence[Task]) -> list[Task]:
        return self._rng.sample(tasks, min(len(tasks), self._plan.sample))


# --- what is streamed --------------------------------------------------------------------------


def chosen(plan: Plan, seed: int) -> tuple[list[Task], dict[str, Trace]]:
    """The goals of the stream in file order, and what the learner does for each, by goal.

    Raises:
        UserError: A template that was asked for has no such goal.
    """
    all_tasks = load_tasks(plan.data, more=plan.stream == "long")
    by_id = _model_traces(plan, seed) if plan.learner == "gpt4" else _expert_traces(plan)
    tasks = [task for task in wanted(plan, all_tasks) if task.id in by_id]
    if missing := set(plan.templates) - {template_of(task) for task in tasks}:
        raise UserError(
            f"there is nothing to stream of {', '.join(sorted(missing))}",
            f"templates: {', '.join(sorted({template_of(task) for task in all_tasks}))}",
        )
    return tasks, {task.goal: _priced(by_id[task.id]) for task in tasks}


def wanted(plan: Plan, tasks: Sequence[Task]) -> list[Task]:
    """The tasks of the plan's families, without those whose answer contradicts their text."""
    return [
        task
        for task in tasks
        if not task.label_conflict and (not plan.templates or template_of(task) in plan.templates)
    ]


def _expert_traces(plan: Plan) -> dict[str, Trace]:
    return load_expert_traces(plan.data, more=plan.stream == "long")


def _model_traces(plan: Plan, seed: int) -> dict[str, Trace]:
    """One of the recorded runs per goal, right or wrong, drawn by seed."""
    return {task_id: run.trace for task_id, (run, _) in _drawn(plan, seed).items()}


def other_runs(plan: Plan, seed: int) -> dict[str, ModelRun]:
    """The recorded run per goal that the learner does not make, by task."""
    return {task_id: other for task_id, (_, other) in _drawn(plan, seed).items()}


def _drawn(plan: Plan, seed: int) -> dict[str, tuple[ModelRun, ModelRun]]:
    runs: dict[str, list[ModelRun]] = defaultdict(list)
    for run in load_model_runs(plan.data):
        runs[run.task_id].append(run)
    rng = random.Random(f"runs {seed}")
    drawn = {}
    for task_id in sorted(runs):
        one, two = runs[task_id]
        drawn[task_id] = (one, two) if rng.choice((0, 1)) == 0 else (two, one)
    return drawn


def _priced(trace: Trace) -> Trace:
    usage = Usage()
    for _ in range(len(trace.steps) + 1):
        usage += CALL_TOKENS
    return replace(trace, usage=usage, cost_usd=CALL_USD * (len(trace.steps) + 1))
