"""LLMOS: the whole system behind one object. Read `LLMOS.execute` first: it is the story of a goal.

os = LLMOS()
await os.boot()
result = await os.execute("Create a Python calculator")
await os.shutdown()
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Self

from sqlalchemy import Connection

if __name__ == "__main__":
    # `python llmos/boot.py` puts this folder, not the project, on the path.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from llmos.cognitive_kernel import CognitiveKernel
from llmos.config import LLMOSConfig, default_home
from llmos.cortex.agents import Agents
from llmos.cortex.asking import Asking
from llmos.cortex.assembly import Assembled
from llmos.cortex.auto_agent import appoint
from llmos.cortex.foresight import Foresight
from llmos.cortex.goal_run import GoalRun
from llmos.cortex.plans import Part, Plan
from llmos.cortex.plans.orders import Orders
from llmos.cortex.plans.plan import is_plan
from llmos.cortex.plans.stored import answer_of, left_of, undo_plan
from llmos.cortex.processors import make_processor
from llmos.cortex.request import Request
from llmos.cortex.tool_search.offer import Offer
from llmos.crons.engine import CronEngine
from llmos.crons.making import engine_of
from llmos.errors import PermissionDenied, UserError
from llmos.evolution.audits import judge_audited
from llmos.evolution.compiler import Compiler
from llmos.evolution.ledger import judge_tool, near_volumes
from llmos.evolution.tool import Shelf
from llmos.kernel.admission import Hooks
from llmos.kernel.checks import Check
from llmos.kernel.kernel import Kernel
from llmos.kernel.permissions import Approver, reject_all
from llmos.kernel.places import Places
from llmos.kernel.scheduler import Scheduler
from llmos.kernel.undo import Undone
from llmos.memory.facts import Facts, Nearness, meaning_of
from llmos.memory.goals import check_goal
from llmos.memory.injection import MemoryInjection
from llmos.memory.projects import Projects
from llmos.memory.redact import redact
from llmos.memory.sessions import Sessions
from llmos.memory.traces import Traces
from llmos.observability.telemetry import Telemetry, telemetry_of
from llmos.plugins.program import ProgramRunner
from llmos.sentience import take_in
from llmos.store import Store, Transaction
from llmos.values import (
    Clock,
    Decision,
    Event,
    Mode,
    Processor,
    RunResult,
    Trace,
    Turn,
    Verdict,
    check_name,
    utc_now,
)
from llmos.volumes import Place, Volume
from llmos.volumes.roles import admins, first_user, join, role_of


class LLMOS:
    """An operating system for agents, for one user of one home.

    Args:
        home: Where everything is kept; ``$LLMOS_HOME`` or the platform's data folder by default.
        user_id: Whose traces and budget are used.
        team_id: The user's team.
        processor: The model; by default the first usable one (`llmos doctor` lists them).
        plugins: Functions decorated with `llmos.tool`.
        clock: Returns the present; for tests and simulations.
        config: Settings; by default those of the home.
        budget_usd: Sets what all runs of this home together may cost.
        cwd: Where runs work by default.
        approver: Asked when a permission rule says "ask"; by default the answer is no.
        hooks: Functions around every tool call.
        memory: Hooks that add to what the model is told about a goal.
        project: Project that runs belong to by default.
        scheduler: Hands out the slots for runs; one that is shared by several objects on one event
            loop shares them fairly between their teams and users.
        rng: Draws which free runs a model makes instead, to be compared; for tests.
    """

    def __init__(
        self,
        home: Path | str | None = None,
        user_id: str = "user",
        team_id: str | None = None,
        processor: Processor | None = None,
        plugins: Sequence[Callable[..., Any]] = (),
        clock: Clock = utc_now,
        config: LLMOSConfig | None = None,
        budget_usd: float | None = None,
        *,
        cwd: Path | str | None = None,
        approver: Approver = reject_all,
        hooks: Hooks | None = None,
        memory: Sequence[MemoryInjection] = (),
        project: str | None = None,
        scheduler: Scheduler | None = None,
        rng: Random | None = None,
    ) -> None:
        self.home = Path(home).expanduser() if home is not None else default_home()
        self.user_id = check_name(user_id, "user id")
        self.team_id = check_name(team_id, "team id") if team_id is not None else None
        self.cwd = Path(cwd).expanduser() if cwd is not None else None
        self._processor = processor
        self._plugins = tuple(plugins)
        self._clock = clock
        self._config = config
        self._budget_usd = budget_usd
        self._approver = approver
        self._hooks = hooks or Hooks()
        self._memory = tuple(memory)
        self.project = check_name(project, "project") if project is not None else None
        self._scheduler = scheduler
        self._rng = rng or Random()
        self._opened: Kernel | None = None
        self._telemetry: Telemetry | None = None
        self._near: Nearness | None = None
        self._traces: Traces | None = None
        self._shelf: Shelf | None = None
        self._compilers: dict[str, Compiler] = {}
        self._programs: ProgramRunner | None = None
        self._crons: CronEngine | None = None
        self._booting = asyncio.Lock()

    # --- life --------------------------------------------------------------------------------

    async def boot(self) -> Self:
        """Open the home; also closes what a crashed process left open. Idempotent.

        Raises:
            StoreError: The home cannot be used now.
            ConfigError: A setting is wrong, or the home was made by a newer version.
        """
        async with self._booting:
            if self._opened is None:
                self._opened = await asyncio.to_thread(self._open)
                self._traces = Traces(self._opened.store)
                self._shelf = Shelf(await asyncio.to_thread(self._welcome, self._opened.store))
                if self._opened.config.enable_sentience:
                    # What happened since the last run, or before there was an internal state.
                    await asyncio.to_thread(take_in, self._opened.store, self.user_id)
        return self

    async def shutdown(self) -> None:
        """End the crons, release the model and the home. Idempotent."""
        if self._crons is not None:
            crons, self._crons = self._crons, None
            await crons.stop()
        if self._processor is not None:
            await self._processor.aclose()
        if self._programs is not None:
            programs, self._programs = self._programs, None
            await programs.aclose()
        if self._telemetry is not None:
            telemetry, self._telemetry = self._telemetry, None
            await asyncio.to_thread(telemetry.close)
        if self._opened is not None:
            opened, self._opened = self._opened, None
            await asyncio.to_thread(opened.close)

    async def __aenter__(self) -> Self:
        return await self.boot()

    async def __aexit__(self, *exc: object) -> None:
        await self.shutdown()

    @property
    def kernel(self) -> CognitiveKernel:
        """The query and control API."""
        return CognitiveKernel(
            self._kernel,
            self.traces,
            user_id=self.user_id,
            clock=self._clock,
            compiler=self._need_compiler,
            processor=self._need_processor,
            team_id=self.team_id,
            cwd=self.cwd,
            crons=self._need_crons,
            project=self.project,
        )

    @property
    def traces(self) -> Traces:
        """The stored runs."""
        if self._traces is None:
            raise UserError("LLM OS has not been booted", "await os.boot() first")
        return self._traces

    # --- the story of a goal -----------------------------------------------------------------

    async def execute(
        self,
        goal: str,
        mode: Mode | str = "AUTO",
        check: Check | None = None,
        max_cost_usd: float | None = None,
        project: str | None = None,
        *,
        agent: str | None = None,
        cwd: Path | str | None = None,
        turns: Sequence[Turn] = (),
        priority: int = 0,
        on_event: Callable[[Event], None] | None = None,
        plan: Plan | None = None,
        session_id: str = "",
    ) -> RunResult:
        """Do what ``goal`` says: decide, work, check, remember.

        Args:
            goal: The user's sentence.
            mode: ``AUTO``, or a `Mode` to insist on.
            check: A shell command or a function that says whether the result is right.
            max_cost_usd: What this run may cost; the configured default when left out.
            project: Name of the project the run belongs to; the one of this object when left out.
            agent: Name of the agent that the model works as; the default when left out; ``auto``:
                the one that is known or expected to be best at it.
            cwd: Working directory; the one of this object when left out.
            turns: Earlier exchanges that the goal refers to and the model is shown.
            priority: Larger goes first when all slots are taken.
            on_event: Told what the model says and does, while it does.
            plan: The goal taken apart: every part is dispatched like a goal of its own.
            session_id: The stored session that it is a turn of.

        Returns:
            How it ended. What the model, a tool or the world did wrong is told in it.

        Raises:
            UserError: The goal, the agent, the project or an argument cannot be used; nothing was
                begun.
            NeedsProcessor: A model is needed and none is configured; nothing was begun.
            LowBatteryError: A model is needed and the budget is used up.
        """
        await self.boot()
        asked = (goal, mode, check, max_cost_usd, project, cwd, turns, agent)
        ask = partial(self._asking.request, *asked)
        # Hooks, and the first look at what is near in meaning, take their time, and other runs
        # wait on this thread.
        slow = self._memory or self._near is not None
        request = await asyncio.to_thread(ask) if slow else ask()
        request = replace(request, plan=plan, session_id=session_id)
        if request.project:
            request = await asyncio.to_thread(self._asking.warned, request, request.project)
        if request.auto:
            request = await asyncio.to_thread(self._appoint, request, self._rng)
        return await self._do(request, priority, on_event)

    async def _do(
        self, request: Request, priority: int, on_event: Callable[[Event], None] | None = None
    ) -> RunResult:
        run = self._run(request, self._orders(request, priority))
        async with self._kernel.scheduler.slot(run.id, priority, *self._share):
            run.decide()
            run.require_means()
            await run.meet()
            await run.audit()
            await run.begin()
            outcome = await run.work(on_event)
            result = await run.check(outcome)
            await run.remember(outcome, result)
            return replace(result, noted=run.noted)

    async def resume(
        self, run_id: str, *, on_event: Callable[[Event], None] | None = None
    ) -> RunResult:
        """Take up a plan that has failed: what was done stays, the other parts are done now.

        Raises:
            UserError: There is no such run, it had no plan, nothing of it is left to do, or its
                project is archived.
            PermissionDenied: It is another user's.
        """
        await self.boot()
        trace = self.traces.get(run_id)
        self._require_own(trace)
        plan, done = await asyncio.to_thread(left_of, self._kernel.store, trace)
        # Of the project that it was of, or of none, whatever is worked in now.
        asking = replace(self._asking, project=self.traces.project(trace.id))
        request = await asyncio.to_thread(
            asking.request,
            trace.goal,
            check=trace.check,
            cwd=trace.cwd,
            agent=trace.agent.partition("@")[0],
        )
        if request.project:
            request = await asyncio.to_thread(asking.warned, request, request.project)
        return await self._do(replace(request, plan=plan, done=done), 0, on_event)

    def explain(
        self,
        goal: str,
        mode: Mode | str = "AUTO",
        *,
        agent: str | None = None,
        cwd: Path | str | None = None,
        turns: Sequence[Turn] = (),
        project: str | None = None,
    ) -> tuple[Decision, Trace | None]:
        """What `execute` would do, and the trace it would use, without doing anything."""
        run = self._decided(
            self._asking.request(goal, mode, None, None, project, cwd, turns, agent)
        )
        return run.nearly(), run.source

    def explain_context(
        self,
        goal: str,
        mode: Mode | str = "AUTO",
        *,
        agent: str | None = None,
        cwd: Path | str | None = None,
        turns: Sequence[Turn] = (),
        project: str | None = None,
    ) -> Assembled:
        """What a model would be shown for a goal, piece by piece, and what would be left out."""
        request = self._asking.request(goal, mode, None, None, project, cwd, turns, agent)
        return self._decided(request).context()

    @property
    def facts(self) -> Facts:
        """What the user has said that holds beyond a run."""
        return Facts(self._kernel.store, self.user_id, self.project)

    @property
    def projects(self) -> Projects:
        """The user's projects."""
        return Projects(self._kernel.store, self.user_id)

    @property
    def sessions(self) -> Sessions:
        """The user's sessions of the prompt."""
        return Sessions(self._kernel.store, self.user_id)

    def explain_parts(
        self, goal: str, plan: Plan | None = None, *, cwd: Path | str | None = None
    ) -> list[tuple[Part, Decision | None]]:
        """The parts that `execute` would have done, and how each would go; none if it has no plan.

        Args:
            goal: The user's sentence.
            plan: The goal taken apart; by default what is known of it.
            cwd: Working directory; the one of this object when left out.

        Returns:
            Each part with its decision; None for a part that waits for what another one answers.
        """
        request = replace(self._asking.request(goal, cwd=cwd), plan=plan)
        known = self._decided(request).plan()
        return [
            (part, None if part.asks else self._part(request, part).decide()[0])
            for part in (known.parts if known is not None else ())
        ]

    def offer(
        self,
        goal: str,
        *,
        agent: str | None = None,
        cwd: Path | str | None = None,
        turns: Sequence[Turn] = (),
    ) -> Offer:
        """Which tools a model would be given for ``goal``, and why."""
        request = self._asking.request(goal, cwd=cwd, turns=turns, agent=agent)
        return self._decided(request).offer()

    async def foresee(self, goal: str, *, cwd: Path | str | None = None) -> Foresight:
        """What a learned tool would write for ``goal``. It only reads; nothing is written.

        Rules that ask are asked: of its writes too, although they are not made.

        Raises:
            UserError: No learned tool would do the goal.
        """
        await self.boot()
        run = self._run(self._asking.request(goal, Mode.CRYSTALLIZED, cwd=cwd))
        async with self._kernel.scheduler.slot(run.id, 0, *self._share):
            run.decide()
            return await run.foresee()

    async def feedback(self, trace_id: str, success: bool, note: str = "") -> Trace:
        """Say whether a run was right. "Wrong" takes its trace out of use at once.

        Raises:
            UserError: There is no such trace.
            PermissionDenied: It is another user's.
        """
        await self.boot()
        self._require_own(self.traces.get(trace_id))
        verdict = Verdict.CONFIRMED if success else Verdict.REFUTED
        trace = await self.traces.judge(
            trace_id, verdict, user_id=self.user_id, by="person", note=note
        )
        store = self._kernel.store
        await asyncio.to_thread(judge_tool, store, trace, self.user_id)
        await asyncio.to_thread(judge_audited, store, trace, self.user_id)
        if self._kernel.config.note_facts:
            facts = Facts(store, self.user_id, self.traces.project(trace.id))
            if success:
                await asyncio.to_thread(facts.retract, trace.goal, trace.id)
            await asyncio.to_thread(facts.corrected, trace.goal, note, trace.id, right=success)
        return trace

    async def learn(self, given: Sequence[Trace]) -> list[str]:
        """Store traces of runs that were made elsewhere; returns their ids.

        Raises:
            UserError: A goal or a project cannot be used, or the project is archived.
        """
        await self.boot()
        for trace in given:
            check_goal(trace.goal)
        typed = [self._typed(trace) for trace in given]
        for project in sorted({trace.project for trace in typed} - {""}):
            self.projects.slips(project)  # nothing new comes into an archived one
        ids = await self.traces.learn(typed, self.user_id, self.team_id)
        if self._kernel.config.enable_sentience:
            await asyncio.to_thread(take_in, self._kernel.store, self.user_id)
        return ids

    async def undo(self, run_id: str) -> Undone:
        """Take back what a run changed.

        Raises:
            UserError: Nothing is left to undo, or a file was changed since.
            PermissionDenied: It is another user's run.
        """
        await self.boot()
        trace = self.traces.get(run_id)
        self._require_own(trace)
        if is_plan(trace.steps):
            undone = await undo_plan(self._kernel.undo, self.traces, trace, self.user_id)
        else:
            undone = await self._kernel.undo.undo(trace.id, actor=self.user_id)
        await asyncio.to_thread(self.sessions.take_back, trace.id)
        return undone

    # --- small things ------------------------------------------------------------------------

    @property
    def _share(self) -> tuple[str, str]:
        """From whose share of the slots runs are: the user's, in their team's."""
        return f"user:{self.user_id}", f"team:{self.team_id}" if self.team_id else ""

    @property
    def _kernel(self) -> Kernel:
        if self._opened is None:
            raise UserError("LLM OS has not been booted", "await os.boot() first")
        return self._opened

    def _open(self) -> Kernel:
        config = self._config or LLMOSConfig.load(self.home)
        self._near = meaning_of(config)
        telemetry = telemetry_of(config, os.environ, redact)
        kernel = Kernel.open(
            self.home,
            config,
            plugins=self._plugins,
            clock=self._clock,
            approver=self._approver,
            scheduler=self._scheduler,
            hooks=telemetry.around(self._hooks) if telemetry else self._hooks,
        )
        if telemetry is not None:
            telemetry.listen(kernel.store)
            self._telemetry = telemetry
        if self._budget_usd is not None:
            kernel.economy.set_limit("system", self._budget_usd)
        elif kernel.economy.limit("system") is None:
            kernel.economy.set_limit("system", config.budget_usd)
        return kernel

    def _welcome(self, store: Store) -> list[Volume]:
        """Give the user their place: the first one looks after the home, a team gets its member.

        Returns:
            The volumes whose tools the user has, the nearest first.
        """

        def known(c: Connection) -> bool:
            team = Place("team", self.team_id) if self.team_id else None
            return bool(admins(c)) and (team is None or role_of(c, team, self.user_id) is not None)

        def write(tx: Transaction) -> None:
            first_user(tx, self.user_id)
            if self.team_id is not None:
                join(tx, self.team_id, self.user_id)

        if not store.read(known):
            store.write(write)
        return store.read(lambda c: near_volumes(c, store, self.user_id))

    @property
    def _asking(self) -> Asking:
        """Makes requests of what this user asks."""
        return Asking(
            self._kernel,
            self.user_id,
            self.team_id,
            self.cwd,
            self.project,
            self._memory,
            self._near,
        )

    def _orders(self, request: Request, priority: int) -> Orders:
        """How the parts of a goal are done, should it be taken apart."""
        assert self._shelf is not None
        scheduler = self._kernel.scheduler
        agents = Agents(self._kernel.store, self.user_id, request.project)

        async def dispatch(part: Part, goal: str, max_cost_usd: float) -> RunResult:
            mine = request.part(part, goal, max_cost_usd, orders.run_id)
            mine = await asyncio.to_thread(self._asking.informed, mine)
            if part.agent:
                named = await asyncio.to_thread(agents.get, part.agent)
                mine = replace(mine, agent=named, auto=False)
            elif mine.auto:
                mine = await asyncio.to_thread(self._appoint, mine, self._rng)
            return await self._do(mine, priority)

        orders = Orders(
            dispatch,
            self._shelf.tools,
            lambda result: answer_of(self.traces, result, Places.of(request.cwd)),
            lambda run_id: scheduler.lent(run_id, priority),
            done=request.done,
            agents=lambda: {a.name: a.description for a in agents.listed() if a.used},
            make_agent=lambda agent: agents.create(agent.text, note=f"for: {request.goal}"[:200]),
            parallel=self._kernel.config.parallel_runs,
        )
        return orders

    def _part(self, request: Request, part: Part) -> GoalRun:
        return self._run(self._asking.informed(request.part(part, part.goal, 0.0)))

    def _run(self, request: Request, orders: Orders | None = None) -> GoalRun:
        assert self._shelf is not None
        self._kernel.refresh()
        return GoalRun(
            self._kernel,
            self.traces,
            self._need_processor,
            self._clock(),
            request,
            self._shelf,
            self._need_programs,
            self._rng,
            orders=orders,
        )

    def _decided(self, request: Request) -> GoalRun:
        """The run that `execute` would begin for a request, decided and not begun."""
        if request.auto:
            # What is drawn here must not be missing there.
            request = self._appoint(request, copy(self._rng))
        run = self._run(request, self._orders(request, 0))
        run.decide()
        return run

    def _need_programs(self) -> ProgramRunner:
        if self._programs is None:
            self._programs = ProgramRunner()
        return self._programs

    def _need_compiler(self, user_id: str) -> Compiler:
        if user_id not in self._compilers:
            config = self._kernel.config
            self._compilers[user_id] = Compiler(
                self._kernel.store,
                self.traces,
                user_id,
                seconds=config.learn_seconds,
                error_budget=config.error_budget,
                leave_open=config.leave_open,
            )
        return self._compilers[user_id]

    def _need_crons(self) -> CronEngine:
        if self._crons is None:
            opened = self._kernel
            self._crons = engine_of(
                self,
                lambda os, level, owner: os.kernel.run_cycle(level, owner),
                opened.store,
                opened.config,
                self._clock,
            )
        return self._crons

    def _appoint(self, request: Request, rng: Random) -> Request:
        """The request with the agent that is chosen for it."""
        store = self._kernel.store
        return appoint(store, request, lambda other: self._run(other).decide()[0], rng)

    def _need_processor(self) -> Processor:
        if self._processor is None:
            self._processor = make_processor(self._kernel.config)
        return self._processor

    def _typed(self, trace: Trace) -> Trace:
        """A foreign trace with the effects and digests of the tools that are here now."""
        registry = self._kernel.registry
        known = {s.tool: registry.get(s.tool) for s in trace.steps if s.tool in registry}
        steps = [
            replace(s, effect=known[s.tool].effect) if s.tool in known else s for s in trace.steps
        ]
        digests = {name: tool.digest for name, tool in known.items()}
        project = trace.project or self.project or ""
        return replace(
            trace,
            steps=tuple(steps),
            tools={**digests, **trace.tools},
            project=check_name(project, "project") if project else "",
        )

    def _require_own(self, trace: Trace) -> None:
        if trace.user_id != self.user_id:
            raise PermissionDenied(f"trace {trace.id[-6:]} belongs to {trace.user_id!r}")


if __name__ == "__main__":
    from llmos.surfaces.cli import main

    main()
