"""One goal on its way: decided, begun, worked on, checked, remembered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import TypeVar

from llmos.config import LLMOSConfig
from llmos.cortex import aftermath
from llmos.cortex.assembly import Assembled, assemble
from llmos.cortex.audit import Expected, affordable, expect, instead, judged, rate_of, without
from llmos.cortex.dispatcher import UNKNOWN, Dispatcher
from llmos.cortex.foresight import LOOKED_AHEAD, Foresight, foresee, outcome_of
from llmos.cortex.knowing import Known
from llmos.cortex.modes import Outcome, Task, crystallize, follow, learn, mix, orchestrate
from llmos.cortex.modes.orchestrator import briefed, total
from llmos.cortex.plans.foreseen import foreseen
from llmos.cortex.plans.orders import Orders
from llmos.cortex.plans.plan import GOAL, GOAL_DIGEST, PLAN, Plan
from llmos.cortex.request import Chosen, Request
from llmos.cortex.tool_search.offer import Offer
from llmos.cortex.tool_search.past import Past
from llmos.cortex.tool_search.toolboxes import Toolboxes
from llmos.errors import LLMOSError, LowBatteryError, UserError
from llmos.evolution.near_miss import near_miss
from llmos.evolution.tool import Reading, Shelf
from llmos.kernel.checks import run_check
from llmos.kernel.envelope import Envelope, is_free
from llmos.kernel.kernel import Kernel
from llmos.kernel.places import Places
from llmos.kernel.runs import Ending
from llmos.memory.facts import Facts
from llmos.memory.fold import goal_key
from llmos.memory.pieces import Piece
from llmos.memory.traces import Traces
from llmos.plugins.program import ProgramRunner
from llmos.replay.eligible import Situation
from llmos.sentience.block import internal_state_block
from llmos.sentience.policy import Policy
from llmos.sentience.state import InternalState, internal_state, take_in_some
from llmos.store import Transaction, new_id
from llmos.values import (
    Context,
    Decision,
    Event,
    Limits,
    Mode,
    Processor,
    RunResult,
    Trace,
    Verdict,
)
from llmos.volumes import Place
from llmos.volumes.privacy import inherit

T = TypeVar("T")

_MODES = {
    Mode.CRYSTALLIZED: crystallize,
    Mode.FOLLOWER: follow,
    Mode.MIXED: mix,
    Mode.LEARNER: learn,
    Mode.ORCHESTRATOR: orchestrate,
}

_DEEPEST = 3
"""Plans within plans."""


class GoalRun:
    """One execution of a goal.

    Args:
        kernel: The opened kernel.
        traces: What is remembered.
        processor: Returns the model, or raises `NeedsProcessor`.
        now: The clock when the goal came.
        request: What was asked.
        shelf: The learned tools.
        programs: Makes or returns the sandbox for learned code.
        rng: Draws the free runs that a model makes instead.
        looking: It only looks ahead: nobody is asked about its writes.
        orders: How parts are done, should the goal be taken apart.
    """

    def __init__(
        self,
        kernel: Kernel,
        traces: Traces,
        processor: Callable[[], Processor],
        now: datetime,
        request: Request,
        shelf: Shelf,
        programs: Callable[[], ProgramRunner],
        rng: Random,
        *,
        looking: bool = False,
        orders: Orders | None = None,
    ) -> None:
        self.id = new_id()
        self._orders = orders
        if orders is not None:
            orders.run_id = self.id
        self._kernel = kernel
        self._traces = traces
        self._processor = processor
        self._now = now
        self._request = request
        self._shelf = shelf
        self._programs = programs
        self._rng = rng
        self._expected: Expected | None = None
        """What the free run would have written, where a model does it instead."""
        self._extra = False
        """Whether the audit would not have been drawn at the configured rate."""
        self._readings: tuple[Reading, ...] = ()
        self._places = Places.of(request.cwd)
        self._state = _state(kernel, request.user_id)
        self._policy = self._state.policy
        self._config = self._policy.governed(kernel.config)
        """The settings, made safer where something went wrong of late."""
        self._left_usd: float | None = None
        self._looked = False
        self._watchdog = kernel.watchdog()
        self._calls = kernel.calls(
            self.id,
            request.cwd,
            now,
            self._watchdog,
            request.max_cost_usd,
            looking=looking,
            ask_external=self._policy.ask_before_external,
            only=_granted(kernel, request),
        )
        self._toolboxes = Toolboxes(
            self._calls,
            self._watchdog,
            kernel.config,
            Past(kernel.store, request.user_id, request.team_id, self._places, request.project),
            programs,
        )
        self._envelope = Envelope(kernel.economy, request.scopes, self.id, request.goal[:80])
        self._decision = Decision(Mode.LEARNER, 0.0)
        self._source: Trace | None = None
        self._moved: frozenset[int] = frozenset()
        self._began = time.perf_counter()
        self._seen: Assembled | None = None
        """What the model was shown, once one has worked."""
        self.noted: tuple[str, ...] = ()
        """What of the goal was noted as a fact."""

    # --- chapter one: which way ----------------------------------------------------------------

    def decide(self) -> tuple[Decision, Trace | None]:
        """Choose the mode and the trace; runs nothing and stores nothing."""
        request = self._request
        self._calls.renew_tools()
        registry = self._calls.registry
        known = Known.of(self._kernel, self._traces, self._shelf, request, self._now, registry)
        situation = Situation(
            self._now,
            {**self._calls.tool_digests(), GOAL: GOAL_DIGEST},
            request.context_digest,
            str(request.cwd),
            self._kernel.config.answer_cache,
            request.project or "",
        )
        self._left_usd = self._kernel.economy.status("system").left_usd
        self._decision = Dispatcher().decide(
            request.goal,
            known.candidates,
            situation,
            readings=known.readings,
            error_budget=self._config.error_budget,
            damaged=self._shelf.damaged,
            budget_usd=self._left_usd,
            forced=request.mode,
            given=request.plan,
        )
        self._decision = _explained(self._decision, self._policy, request.chosen)
        self._source, self._moved = known.trace(self._decision)
        budget = self._config.error_budget
        self._readings = known.served(self._decision, situation.tools, budget)
        self._decision = replace(self._decision, audit_rate=self._audit_rate(self._config))
        if self._orders is not None:
            self._orders.plan = self.plan()
        return self._decision, self._source

    @property
    def source(self) -> Trace | None:
        """The trace that the decision names, with this run's paths."""
        return self._source

    async def meet(self) -> None:
        """Ask what tools there are where a model is to be shown them and nobody has asked yet."""
        if self._decision.mode in (Mode.LEARNER, Mode.MIXED) or self._to_plan is not None:
            await self._kernel.mcp.read_missing()
            self._calls.renew_tools()

    def plan(self) -> Plan | None:
        """The parts of the goal, where the decision is to take it apart and they are known."""
        if self._request.plan is not None or self._decision.mode is not Mode.ORCHESTRATOR:
            return self._request.plan
        if self._readings:
            return foreseen(self._request.goal, self._readings, self._now)
        return Plan.from_steps(self._source.steps) if self._source is not None else None

    def context(self) -> Assembled:
        """What a model would see that did the goal as decided, or that took it over at once."""
        if self._to_plan is not None:
            seen = briefed(self._task(None), self._to_plan).seen
            assert seen is not None
            return seen
        shown = self._decision.mode is Mode.MIXED and not self._readings
        example = (self._source,) if shown and self._source is not None else ()
        note = self._decision.reason if shown else ""
        return self._assemble(replace(self._task(None).context, examples=example, note=note))

    def nearly(self) -> Decision:
        """The decision; where nothing is known of the goal, with the tool that it just misses.

        For whoever asks: it goes through all tools, which a run need not wait for.
        """
        if UNKNOWN not in self._decision.reason:
            return self._decision
        miss = near_miss(self._places.relative(self._request.goal), self._shelf.tools())
        if miss is None:
            return self._decision
        told = str(miss)
        reason = self._decision.reason.replace(UNKNOWN, told, 1)
        return replace(self._decision, reason=reason, refused=(told,))

    def offer(self) -> Offer:
        """Which tools a model would be given for it, and why."""
        task = self._task(None)
        worked = (task.source,) if task.source is not None else ()
        return self._toolboxes.offer(task.goal, replace(task.context, examples=worked))

    def require_means(self) -> None:
        """Check that the decision can be carried out, before anything begins.

        Raises:
            NeedsProcessor: A model is needed and there is none.
            LowBatteryError: A model is needed and the budget is used up.
            UserError: FOLLOWER was insisted on and there is nothing to follow.
        """
        if self._decision.mode is Mode.ORCHESTRATOR:
            self._require_depth()
            if self._decision.source is not None or self._request.plan is not None:
                return
        if self._decision.mode in (Mode.FOLLOWER, Mode.CRYSTALLIZED):
            if self._decision.source is None:
                what = "trace" if self._decision.mode is Mode.FOLLOWER else "learned tool"
                raise UserError(
                    f"no {what} can be used: {self._decision.reason}", "leave --mode out"
                )
            return
        if not is_free(self._processor()):
            self._kernel.quotas.require_money(self._request.scopes)
        left = self._kernel.economy.status("system").left_usd
        if not is_free(self._processor()) and left is not None and left <= 0:
            raise LowBatteryError(
                "the budget is used up", "raise it: llmos budget set USD; see `llmos budget`"
            )

    async def foresee(self) -> Foresight:
        """What the learned tool of the decision would write, known by its reads alone.

        The reads are system calls like all others and recorded as a run, whose goal says that it
        only looked. A tool that reads nothing leaves none.

        Raises:
            UserError: No learned tool would do the goal.
        """
        if not self._readings:
            raise UserError(
                f"no learned tool would do this: {self._decision.reason}",
                "`llmos explain` tells what would be done",
            )
        foresight = await self._look(foresee, outcome_of)
        return replace(foresight, run_id=self.id) if self._reads else foresight

    async def audit(self) -> None:
        """Draw whether a model does what would be free; then look ahead what that would write.

        It is drawn only where a model is at hand and may cost something (`cortex.audit`).
        """
        drawn = self._rng.random()
        if drawn >= self._decision.audit_rate or not affordable(self._task(None)):
            return
        self._extra = drawn >= self._audit_rate(self._kernel.config)
        twin = GoalRun(
            self._kernel,
            self._traces,
            self._processor,
            self._now,
            self._request,
            self._shelf,
            self._programs,
            self._rng,
            looking=True,
        )
        twin._decision, twin._readings = self._decision, self._readings
        twin._source, twin._moved = self._source, self._moved
        try:
            self._expected = await twin._look(expect, lambda expected: expected.looked)
        except LLMOSError as e:
            # Nobody asked for the audit: the goal must not fail of it.
            self._expected = without(self._task(None), f"looking ahead failed: {e.message}")

    # --- chapter two: the work -----------------------------------------------------------------

    async def begin(self) -> None:
        """Store that the run has begun."""
        self._began = time.perf_counter()
        self._watchdog.start()
        try:
            await self._kernel.runs.begin(self._request.beginning(self.id, self._now))
        except asyncio.CancelledError:
            # The row is written all the same, and nobody would ever end it.
            await asyncio.shield(self._end(self._broken("the run was cancelled")))
            raise

    async def work(self, emit: Callable[[Event], None] | None) -> Outcome:
        """Carry out the decision. What goes wrong is told in the outcome."""
        async with self._ending():
            try:
                mode = _MODES[self._decision.mode]
                if self._readings and mode is not orchestrate:
                    # A tool that leaves a value open is mixed, and a tool all the same.
                    mode = crystallize
                task = self._task(emit)
                if self._expected is not None and not self._expected.unknown:
                    return await instead(task, mode)
                return await mode(task)
            except LowBatteryError:
                raise
            except LLMOSError as e:
                return Outcome(self._decision.mode, Verdict.FAILED, error=e.message)

    # --- chapter three: was it right, and what of it stays -------------------------------------

    async def check(self, outcome: Outcome) -> RunResult:
        """Test the outcome; a replay has to pass what its original passed."""
        async with self._ending():
            result = await self._checked(outcome)
            if self._orders is not None and self._orders.results:
                result = total(result, self._orders.results)
            if self._expected is None:
                return result
            refused, registry = self._calls.refused, self._calls.registry
            audit = judged(self._expected, result, refused, registry)
            return replace(result, audit=replace(audit, extra=self._extra))

    async def remember(self, outcome: Outcome, result: RunResult) -> None:
        """Store the run, and what it says of the trace that it followed."""
        remembering = asyncio.ensure_future(self._remembered(outcome, result))
        try:
            await asyncio.shield(remembering)
        except asyncio.CancelledError:
            await remembering
            raise

    # --- small things --------------------------------------------------------------------------

    def _require_depth(self) -> None:
        within = self._request.within
        if goal_key(self._request.goal) in within or len(within) >= _DEEPEST:
            raise UserError(
                "the plan for this has itself as a part", "say its parts: llmos run --plan FILE"
            )

    @asynccontextmanager
    async def _ending(self) -> AsyncIterator[None]:
        """What has begun ends, also when it is cancelled or breaks."""
        try:
            yield
        except asyncio.CancelledError:
            await asyncio.shield(self._end(self._broken("the run was cancelled")))
            raise
        except Exception as e:
            told = e.message if isinstance(e, LLMOSError) else f"{type(e).__name__}: {e}"
            await self._end(self._broken(told))
            raise

    async def _checked(self, outcome: Outcome) -> RunResult:
        result = await self._result(outcome)
        check = self._request.check
        if check is None and self._source is not None and result.mode is Mode.FOLLOWER:
            check = self._source.check
        if check is None or not result.success:
            return result
        timeout = self._kernel.config.tool_timeout_s
        checked = await run_check(check, result, self._request.cwd, timeout)
        if checked.passed:
            return replace(result, verdict=Verdict.VERIFIED)
        error = f"the check did not pass: {checked.said}".rstrip(": ")
        return replace(result, verdict=Verdict.REFUTED, success=False, error=error)

    async def _remembered(self, outcome: Outcome, result: RunResult) -> None:
        await self._end(replace(outcome, verdict=result.verdict, error=result.error), hears=True)
        store, user = self._kernel.store, self._request.user_id
        said = (self._decision, self._readings, outcome, result)
        await aftermath.tell(store, self._traces, user, *said)
        if self._kernel.config.enable_sentience:
            await store.awrite(lambda tx: take_in_some(tx, user))

    def _hear(self, tx: Transaction) -> None:
        """Note what the user's goal says that holds beyond it, however the run ended."""
        request = self._request
        if self._kernel.config.note_facts and not request.part_of:
            facts = Facts(self._kernel.store, request.user_id, request.project)
            heard = facts.heard_in(tx, request.goal, self.id)
            self.noted = tuple(noted.told for noted in heard if noted.what != "again")

    @property
    def _reads(self) -> bool:
        """Whether looking ahead makes calls that are to be recorded."""
        if self._readings:
            return any(True for r in self._readings for _ in r.tool.program.reads())
        return self._source is not None and any(not s.effect.writes for s in self._source.steps)

    async def _look(
        self, look: Callable[[Task], Awaitable[T]], recorded: Callable[[T], Outcome]
    ) -> T:
        """Look ahead in a run of its own; one that reads nothing leaves no record."""
        task = self._task(None)
        if not self._reads:
            self._watchdog.start()
            return await look(task)
        self._request = replace(
            self._request, goal=f"{LOOKED_AHEAD}{self._request.goal}", session_id=""
        )
        self._looked = True
        await self.begin()
        async with self._ending():
            seen = await look(task)
            await self._calls.finish()
            await self._end(recorded(seen))
        return seen

    @property
    def _novel(self) -> bool:
        """Whether nothing was known of the goal. Who insists on a model may know it well."""
        decision = self._decision
        unknown = decision.mode is Mode.LEARNER and not decision.refused
        return unknown and self._request.mode is None

    def _audit_rate(self, config: LLMOSConfig) -> float:
        decision, request = self._decision, self._request
        free = decision.mode in (Mode.FOLLOWER, Mode.CRYSTALLIZED) and decision.source is not None
        # Whoever insists on a mode, or lets it cost nothing, wants no model.
        if not free or request.mode is not None or request.max_cost_usd <= 0:
            return 0.0
        return rate_of(config, self._calls.registry, self._readings, self._source)

    @property
    def _to_plan(self) -> Orders | None:
        """The orders of a goal that a model is to take apart first."""
        orders = self._orders
        unknown = orders is not None and orders.plan is None
        return orders if unknown and self._decision.mode is Mode.ORCHESTRATOR else None

    def _fit(self, context: Context, planning: Sequence[Piece]) -> Assembled:
        self._seen = self._assemble(context, planning)
        return self._seen

    def _assemble(self, context: Context, planning: Sequence[Piece] = ()) -> Assembled:
        request = self._request
        return assemble(
            request.goal,
            context,
            self._kernel.config.context_tokens,
            agent=request.agent,
            memory=request.memory,
            state=self._told_state(),
            planning=planning,
        )

    def _told_state(self) -> str:
        config = self._kernel.config
        shown = config.enable_sentience and config.show_state_to_model
        return internal_state_block(self._state.valence) if shown else ""

    def _broken(self, error: str) -> Outcome:
        cost = self._envelope.spent_usd
        return Outcome(self._decision.mode, Verdict.FAILED, cost_usd=cost, error=error)

    def _task(self, emit: Callable[[Event], None] | None) -> Task:
        request = self._request
        return Task(
            goal=request.goal,
            decision=self._decision,
            context=Context(
                self._now,
                request.cwd,
                turns=request.turns,
                model=request.agent.agent.model if request.agent else "",
            ),
            limits=Limits(
                max_cost_usd=request.max_cost_usd,
                max_turns=self._kernel.config.max_turns,
                wall_s=self._kernel.config.run_wall_s,
            ),
            calls=self._calls,
            watchdog=self._watchdog,
            envelope=self._envelope,
            observer=self._kernel.observer,
            blobs=self._kernel.store.blobs,
            toolboxes=self._toolboxes,
            processor=self._processor,
            source=self._source,
            moved=self._moved,
            readings=self._readings,
            error_budget=self._config.error_budget,
            programs=self._programs,
            orders=self._orders,
            fit=self._fit,
            emit=emit or (lambda event: None),
        )

    async def _result(self, outcome: Outcome) -> RunResult:
        return RunResult(
            trace_id=self.id,
            goal=self._request.goal,
            mode=outcome.mode,
            success=outcome.verdict.good,
            verdict=outcome.verdict,
            output=outcome.output,
            steps=await self._calls.finish(),
            usage=outcome.usage,
            cost_usd=outcome.cost_usd,
            duration_s=time.perf_counter() - self._began,
            decision=self._decision,
            side_exit=outcome.side_exit,
            already_done=outcome.already_done,
            error=outcome.error,
            warnings=(*self._request.warnings, *self._calls.warnings),
        )

    async def _end(self, outcome: Outcome, *, hears: bool = False) -> None:
        plan = self._orders.plan if self._orders is not None else None
        if plan is not None and outcome.mode is Mode.ORCHESTRATOR:
            # Parts that were not begun leave no step: by this they can be done later.
            bindings = {**self._decision.bindings, PLAN: plan.as_json()}
            self._decision = replace(self._decision, bindings=bindings)
        ending = Ending(
            mode=outcome.mode,
            verdict=outcome.verdict,
            output=outcome.output,
            usage=outcome.usage,
            cost_usd=outcome.cost_usd,
            duration_s=time.perf_counter() - self._began,
            decision=self._decision,
            source=outcome.source,
            model=outcome.model,
            error=outcome.error,
            tools=self._calls.used if plan is None else {GOAL: GOAL_DIGEST},
            side_exit=outcome.side_exit,
            already_done=outcome.already_done,
            novel=self._novel,
            looked=self._looked,
            refused=len(self._calls.refused),
            left_usd=self._left_usd,
            offer=self._toolboxes.record(),
            context=self._seen.record() if self._seen is not None else None,
        )

        def also(tx: Transaction) -> None:
            inherit(tx, Place("user", self._request.user_id), self.id)
            if hears:
                self._hear(tx)

        beginning = self._request.beginning(self.id, self._now)
        await self._kernel.runs.end(beginning, ending, self._places, also)


def _granted(kernel: Kernel, request: Request) -> frozenset[str] | None:
    """The tools that an agent may use of those that there are; None: all of them."""
    agent = request.agent
    return agent.agent.granted(kernel.registry.names) if agent else None


def _state(kernel: Kernel, user_id: str) -> InternalState:
    """How the user's system stands; at the set-points where nobody wants it to matter."""
    if not kernel.config.enable_sentience:
        return InternalState()
    return kernel.store.read(lambda c: internal_state(c, user_id))


def _explained(decision: Decision, policy: Policy, chosen: Chosen | None) -> Decision:
    """The decision, with what the internal state had to do with it, and why it is this agent."""
    told = [decision.reason, policy.told, chosen.why if chosen else ""]
    reason = "; ".join(part for part in told if part)
    return replace(decision, reason=reason, explored=bool(chosen and chosen.explored))
