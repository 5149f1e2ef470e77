"""The people, their goals, the crons, and the clock that they all go by."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from bench.soak.desk import MIXTURE, Desk, Job, talk_on
from bench.soak.hand import Hand, plugins
from bench.soak.samples import Sample, bytes_by_table, sample
from llmos import LLMOS, LLMOSConfig
from llmos.crons.carriers import Carrier
from llmos.crons.cycle import CycleReport
from llmos.crons.engine import CronEngine
from llmos.values import RunResult

BEGINS = datetime(2026, 6, 1, 8, tzinfo=UTC)
"""A Monday morning."""
TEAMS = {"alice": "engineering", "bob": "engineering", "user-3": "design", "user-4": "design"}
AGENT = "---\nname: {name}\ndescription: {fits}\n---\nYou are {name}.\n"
AGENTS = {"sketcher": "Sketches whatever is asked for", "clerk": "Keeps files in order"}

_LOOK_EVERY = timedelta(minutes=10)
"""How often the simulated daemon looks what is due."""
_TOGETHER = 25
"""After so many goals that are done one after the other, everybody has one done at once."""
_UNDONE, _JUDGED = 0.06, 0.1
"""Share of the runs that are taken back, where they can be, and that a person says were right."""


@dataclass(frozen=True)
class Options:
    """How long, how much, and where."""

    hours: int = 24
    per_hour: int = 100
    seed: int = 1
    database_url: str = ""
    carrier: Carrier | None = None
    """Carries the cycles of the crons; what the daemon uses, when left out."""
    progress: Callable[[Hour, int], None] = lambda hour, hours: None


@dataclass
class Hour:
    """What happened in one hour, and how things stood at its end."""

    number: int
    seconds: float = 0.0
    """Of the wall clock, with the crons."""
    crons_s: float = 0.0
    took: dict[str, list[float]] = field(default_factory=dict)
    """Milliseconds of processor time of each free run, by kind of goal and mode."""
    wall: dict[str, list[float]] = field(default_factory=dict)
    """The same by the wall clock."""
    modes: Counter[str] = field(default_factory=Counter)
    end: Sample | None = None


@dataclass
class Told:
    """All that is known at the end."""

    hours: list[Hour] = field(default_factory=list)
    begin: Sample | None = None
    """Before the first goal, with everybody booted."""
    counts: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    by_kind: dict[str, Counter[str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """Goals that should have been done and were not."""
    cycles: Counter[str] = field(default_factory=Counter)
    tables: dict[str, int] = field(default_factory=dict)
    report: str = ""
    """What alice is told in the morning."""
    waiting: int = 0
    """Things that her inbox holds."""


class Day:
    """One soak.

    Args:
        folder: Where the home and the desks go.
        options: How much of it.
    """

    def __init__(self, folder: Path, options: Options) -> None:
        self._options = options
        self._folder = folder
        self._now = BEGINS
        self._looked = BEGINS
        self._rng = Random(options.seed)
        self._people: list[tuple[LLMOS, Desk]] = []
        self.hand = Hand()
        self.at_end: Callable[[], None] = lambda: None
        """Called when all is over and still open."""
        self.told = Told()

    async def live(self) -> Told:
        """Let all hours pass."""
        async with AsyncExitStack() as stack:
            for user, team in TEAMS.items():
                await self._welcome(user, team, stack)
            alice, _ = self._people[0]
            self._store = alice.traces._store
            engine = self._engine(alice)
            stack.push_async_callback(engine.stop)
            await engine.start()
            self.told.begin = sample(self._store, 0)
            for number in range(1, self._options.hours + 1):
                hour = Hour(number)
                self.told.hours.append(hour)
                await self._hour(hour, engine)
                self._options.progress(hour, self._options.hours)
            self._morning(alice)
            self.at_end()
        return self.told

    async def _welcome(self, user: str, team: str, stack: AsyncExitStack) -> None:
        options = self._options
        desk = Desk(self._folder / user, Random(f"{options.seed}/{user}/desk"))
        config = LLMOSConfig(
            budget_usd=1e6, trust_users=True, database_url=options.database_url, sandbox=False
        )
        os = LLMOS(
            *(self._folder / "home", user, team, self.hand, plugins()),
            clock=lambda: self._now,
            config=config,
            cwd=desk.folder,
            rng=Random(f"{options.seed}/{user}"),
        )
        await stack.enter_async_context(os)
        for name, fits in AGENTS.items():
            os.kernel.agents.create(AGENT.format(name=name, fits=fits))
        self._people.append((os, desk))

    def _engine(self, alice: LLMOS) -> CronEngine:
        """The crons of the home, which go by the simulated clock and by nothing else."""
        carrier, work = self._options.carrier, alice.kernel.run_cycle
        engine = CronEngine(
            self._store,
            work,
            clock=lambda: self._now,
            carrier=carrier,
            poll_s=None,
            on_cycle=self._cycle_ended,
        )
        for user, team in TEAMS.items():
            engine.register(user, team)
        return engine

    # --- an hour -----------------------------------------------------------------------------

    async def _hour(self, hour: Hour, engine: CronEngine) -> None:
        began, done, goals = time.perf_counter(), 0, self._options.per_hour
        while done < goals:
            if done % _TOGETHER == _TOGETHER - 1:
                at_once = self._people[: goals - done]
                await asyncio.gather(*(self._turn(hour, os, desk, False) for os, desk in at_once))
            else:
                at_once = [self._rng.choice(self._people)]
                await self._turn(hour, *at_once[0], True)
            done += len(at_once)
            self._now += timedelta(hours=1) / goals * len(at_once)
            if self._now - self._looked >= _LOOK_EVERY:
                await self._look(hour, engine)
        await self._look(hour, engine)
        for _, desk in self._people:
            self._note_wrong("files", desk, desk.amiss())
        hour.seconds = time.perf_counter() - began
        hour.end = sample(self._store, self.told.counts["goals"])

    async def _look(self, hour: Hour, engine: CronEngine) -> None:
        """Have done what is due, as the daemon would have."""
        began = time.perf_counter()
        self._looked = self._now
        await asyncio.to_thread(engine.run_due)
        hour.crons_s += time.perf_counter() - began

    def _cycle_ended(self, report: CycleReport) -> None:
        told = self.told.cycles
        told[f"{report.level.value} cycles"] += 1
        told["cycles that failed"] += bool(report.error)
        told.update(f"{task.kind} told" for task in report)
        if report.error:
            self.told.failed.append(f"{report.level.value}-cron: {report.error}")

    # --- a goal ------------------------------------------------------------------------------

    async def _turn(self, hour: Hour, os: LLMOS, desk: Desk, alone: bool) -> None:
        (make,) = desk.rng.choices(list(MIXTURE), list(MIXTURE.values()))
        job = make(desk, desk.rng)
        if job.in_session:
            session = os.sessions.begin(desk.folder, None)
            await self._do(hour, os, desk, job, alone, session)
            await self._do(hour, os, desk, talk_on(desk, job), alone, session)
        else:
            await self._do(hour, os, desk, job, alone)

    async def _do(
        self, hour: Hour, os: LLMOS, desk: Desk, job: Job, alone: bool, session: str = ""
    ) -> None:
        before = {name: desk.files.get(name) for name in job.after}
        began, cpu = time.perf_counter(), time.process_time()
        result = await os.execute(
            job.goal, job.mode, agent=job.agent, turns=job.turns, session_id=session
        )
        wall_ms = (time.perf_counter() - began) * 1e3
        cpu_ms = (time.process_time() - cpu) * 1e3
        self._count(hour, job, result)
        free = result.success and not result.usage.total_tokens
        if free and alone:
            # While others run too, the time is theirs as well.
            hour.took.setdefault(f"{job.kind} {result.mode.value}", []).append(cpu_ms)
            hour.wall.setdefault(f"{job.kind} {result.mode.value}", []).append(wall_ms)
        self._judge(job, result, desk)
        if result.success and not job.fails:
            await self._afterwards(os, desk, job, result, before)

    def _count(self, hour: Hour, job: Job, result: RunResult) -> None:
        told, tokens = self.told.counts, result.usage.total_tokens
        told["goals"] += 1
        told["tokens"] += tokens
        told["free"] += result.success and not tokens
        told["side exits"] += result.side_exit is not None
        told["already done"] += result.already_done
        told["chosen agents"] += job.agent is not None
        told["explored"] += result.decision.explored
        if result.audit is not None:
            told["audits"] += 1
            told[f"audits: {result.audit.outcome.value}"] += 1
        mode = result.mode.value if result.success else "failed"
        hour.modes[mode] += 1
        self.told.modes[mode] += 1
        self.told.by_kind.setdefault(job.kind, Counter())[mode] += 1

    def _judge(self, job: Job, result: RunResult, desk: Desk) -> None:
        """Hold what a run says of itself against the files and the right answer."""
        if result.success:
            self.told.counts["successes checked"] += 1
            desk.expect(job.after)
            if job.fails or not job.right(result, desk):
                self._note_wrong(f"{result.mode.value} {job.goal}", desk, [result.output])
        elif job.fails:
            self.told.counts["failed as they must"] += 1
        elif desk.holds(job.after) and not job.answer:
            desk.expect(job.after)
            self.told.counts["said failed, and was done"] += 1
        else:
            self.told.failed.append(f"{result.mode.value} {job.goal}: {result.error}")
            desk.adopt()

    def _note_wrong(self, what: str, desk: Desk, found: Sequence[str]) -> None:
        if found:
            self.told.wrong.append(f"{desk.folder.name}: {what}: {', '.join(found)[:200]}")
            desk.adopt()

    async def _afterwards(
        self,
        os: LLMOS,
        desk: Desk,
        job: Job,
        result: RunResult,
        before: Mapping[str, str | None],
    ) -> None:
        """What a person does with a run that is over: nothing, mostly."""
        drawn = desk.rng.random()
        if job.undoable and drawn < _UNDONE:
            await os.undo(result.trace_id)
            desk.expect(before)
            self.told.counts["undone"] += 1
            if not desk.holds(before):
                self._note_wrong(f"undo of {job.goal}", desk, [*before])
        elif drawn > 1 - _JUDGED:
            await os.feedback(result.trace_id, True)
            self.told.counts["judged right"] += 1

    def _morning(self, alice: LLMOS) -> None:
        """The end: what the night has to tell, and where the room went."""
        told, hours = self.told, self._options.hours
        told.report = alice.kernel.format_activity_report(since_hours=hours)
        told.waiting = len(alice.kernel.get_waiting())
        told.tables = bytes_by_table(self._store)
