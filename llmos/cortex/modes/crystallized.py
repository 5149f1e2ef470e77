"""CRYSTALLIZED: a learned tool does the goal for zero tokens, or the model goes on.

A tool that leaves a value open asks the model for it, once, and nothing else: then it is MIXED.

First the program is gone through with real reads and without a write: whatever can stop it stops
it here. Then the tool's code runs in the sandbox, and every call that it asks for must be the one
that the program, with all its rivals, asks for too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from llmos.cortex.modes.base import Outcome, Task, within_wall_clock
from llmos.cortex.modes.follower import follow
from llmos.cortex.modes.mixed import mix
from llmos.errors import (
    BugError,
    LLMOSError,
    LowBatteryError,
    NeedsProcessor,
    PermissionDenied,
    SandboxError,
    UserError,
)
from llmos.evolution.asking import Model, NoAnswer
from llmos.evolution.hints import Refused
from llmos.evolution.holes import ASK, SYSTEM, Hole, answered, heard, question
from llmos.evolution.plan import Request, Runner, Stop
from llmos.evolution.prove import writes_of
from llmos.evolution.tool import TOOL, LearntTool, Reading
from llmos.kernel.admission import Admitted
from llmos.kernel.observe import FILE
from llmos.kernel.places import Places
from llmos.replay.answer import rendered
from llmos.values import Effect, Json, Mode, SideExit, Step, Usage, Verdict

EXTERNAL_SHARE = 0.2
"""Share of the error budget that a tool with external writes may use up."""

Memo = dict[tuple[str, str], Json]
"""Observations of reads that were made before the first write."""


async def crystallize(task: Task) -> Outcome:
    """Run the tool that the decision names; on a side exit hand over to the model."""
    if not task.readings:
        raise BugError("a decision for a tool names none")
    tool = task.readings[0].tool
    source = f"{TOOL}{tool.label}"
    run = ToolRun(task)
    stopped = await within_wall_clock(task.watchdog, run.run())
    if stopped is None:
        error = task.watchdog.stopped.message if task.watchdog.stopped else ""
        return replace(run.outcome(Verdict.FAILED), error=error, source=source)
    if stopped == "":
        return replace(run.outcome(Verdict.COMPLETED), source=source)
    if task.source is not None and not any(s.effect.writes for s in task.calls.steps):
        # Nothing is done yet, and a trace of this very goal may still hold.
        return await follow(task)
    task.calls.seal()
    exit_ = SideExit(len(task.calls.steps), stopped, tuple(task.calls.steps))
    try:
        outcome = await mix(task, exit_)
        outcome = replace(outcome, usage=outcome.usage + run.usage)
    except LLMOSError as e:
        error = f"{stopped}; and the model cannot take over: {e.message}"
        outcome = replace(run.outcome(Verdict.FAILED), error=error, source=source)
    return replace(outcome, side_exit=exit_)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one reading of the goal calls, known before anything is written."""

    reading: Reading
    requests: tuple[Request, ...]
    writes: tuple[Admitted, ...]
    """Those of the calls that change something: admitted, not made."""
    answer: str
    """What the program would say; empty where it is told from what was done."""
    whole: bool = True
    """Whether these are all calls; others may depend on what a write returns."""


class ToolRun:
    """One run of a learned tool.

    Args:
        task: The goal; its readings are all that the goal may mean.
        free: No model may be asked, not for a single value.
    """

    def __init__(self, task: Task, *, free: bool = False) -> None:
        self._task = task
        self._free = free or task.decision.mode is not Mode.MIXED
        self._model: Model | None = None
        self._holes: Mapping[str, Hole] = {}
        self._calls = task.calls
        self._places = Places.of(task.context.cwd)
        self._now = task.context.now.replace(tzinfo=None, microsecond=0)
        self._memo: Memo = {}
        self._admitted: dict[tuple[str, str], Admitted] = {}
        """Writes that were foreseen and allowed: nobody is asked twice."""
        self._wrote = False
        self.answer = ""

    @property
    def usage(self) -> Usage:
        """Tokens of the model that was asked for values."""
        return self._model.usage if self._model else Usage()

    def outcome(self, verdict: Verdict) -> Outcome:
        """How the run ended, with what it cost."""
        cost = self._task.envelope.spent_usd
        if self._model is None:
            return Outcome(Mode.CRYSTALLIZED, verdict, self.answer)
        return Outcome(Mode.MIXED, verdict, self.answer, self.usage, cost, self._model.by)

    async def run(self) -> str:
        """Do it; returns why it stopped, or ``""``."""
        async with self._calls.lease.held():
            try:
                plan = await self.foresee()
                if plan.reading.tool.holes and self._model is None:
                    # That it had to do nothing is not for a tool to say that knows it in part.
                    raise Stop("nothing is written for which a model would have to be asked")
                await self._act(plan.reading)
            except Stop as e:
                return str(e)
            except (
                UserError,
                PermissionDenied,
                SandboxError,
                NeedsProcessor,
                LowBatteryError,
            ) as e:
                return e.message
        return ""

    async def foresee(self) -> Plan:
        """Go through the program without writing; the plan that all readings agree with.

        Raises:
            Stop: The program does not know what is right, or two readings mean different things.
        """
        plans: list[Plan] = []
        why = "no tool"
        for reading in self._task.readings:
            try:
                plans.append(await self._plan(reading))
            except Stop as e:
                why = str(e)
        if not plans:
            raise Stop(why)
        first = _writes(plans[0].requests)
        if any(_writes(plan.requests) != first for plan in plans[1:]):
            raise Stop("the goal can be understood in two ways that write different things")
        return plans[0]

    async def _plan(self, reading: Reading) -> Plan:
        tool = reading.tool
        self._holes = tool.holes
        made: list[Request] = []
        writes: list[Admitted] = []
        answer = ""
        runner = Runner(tool.program, reading.slots, self._now, stages=tool.optimized.stages)
        run = runner.run(foresee=True)
        observation: Json = None
        try:
            request = next(run)
            while True:
                made.append(request)
                if request.writes:
                    writes.append(await self._admit(request))
                    self._check_target(tool, request, writes)
                    self._admitted[_key(request.tool, request.arguments)] = writes[-1]
                    observation = None
                else:
                    if runner.together and request is runner.together[0]:
                        await self._look(runner.together)
                    observation = await self._read(request)
                request = run.send(observation)
        except StopIteration as e:
            answer = str(e.value or "")
        if not tool.proof.knows_way(reading.slots, writes_of(made), runner.open):
            raise Stop("too few runs ever made just these writes together")
        external = {t.name for t in self._calls.tools() if t.effect is Effect.EXTERNAL}
        if external & {*(call.tool.name for call in writes), *(tool.tools if runner.later else ())}:
            budget = self._task.error_budget * EXTERNAL_SHARE
            if tool.proof.agreed < 1 or tool.proof.risk > budget:
                raise Stop("it writes to the outside, and not enough runs have agreed with it")
        told = str(self._places.absolute(answer))
        return Plan(reading, tuple(made), tuple(writes), told, whole=not runner.later)

    def _check_target(self, tool: LearntTool, request: Request, writes: Sequence[Admitted]) -> None:
        """Stop before a file is replaced where every run made a new one, and the other way."""
        was = tool.proof.targets.get(request.node)
        before = {r for call in writes[:-1] for r in call.resources.writes}
        for target in writes[-1].resources.writes if was else ():
            if not target.startswith(FILE) or target in before:
                continue
            absent = self._task.observer.file_now(target) is None
            if absent != (was == "absent"):
                there = "is not there" if absent else "is there already"
                raise Stop(f"{target.removeprefix(FILE)} {there}, which it never was")

    # --- calls ---------------------------------------------------------------------------------

    async def _admit(self, request: Request) -> Admitted:
        arguments = self._places.absolute(dict(request.arguments))
        call = await self._calls.admit(request.tool, arguments)
        if call.tool.effect.writes != request.writes:
            raise Stop(f"{request.tool} is not what it was when the tool was learnt")
        self._calls.refuse_doubtful(call)
        return call

    async def _look(self, requests: Sequence[Request]) -> None:
        """Make reads that do not wait for each other at once; `_read` finds what they saw."""
        effects = {tool.name: tool.effect for tool in self._calls.tools()}
        steady = takewhile(lambda r: effects.get(r.tool) is Effect.READ, requests)
        wanted = {_key(r.tool, r.arguments): r for r in steady}
        wanted = {key: r for key, r in wanted.items() if key not in self._memo}
        if not 1 < len(wanted) <= self._calls.calls_left:
            return
        calls = [await self._admit(request) for request in wanted.values()]
        steps = await self._calls.perform_together(calls)
        for key, step in zip(wanted, steps, strict=True):
            if not step.is_error:
                self._memo[key] = self._places.relative(step.observation)
        for step in steps:
            self._seen(step)

    async def _read(self, request: Request) -> Json:
        key = _key(request.tool, request.arguments)
        if key in self._memo and (not self._wrote or request.tool == ASK):
            return self._memo[key]
        if request.tool == ASK:
            self._memo[key] = await self._ask(next(iter(request.arguments)))
            return self._memo[key]
        observation = self._seen(await self._calls.perform(await self._admit(request)))
        if not self._wrote:
            self._memo[key] = observation
        return observation

    async def _ask(self, place: str) -> Json:
        """Have the model fill in a value, by the goal and what was read for it."""
        it = self._holes.get(place)
        if it is None or self._free:
            raise Stop(f"{place} is left to a model, which is asked only when it runs")
        task, read = self._task, [s for s in self._calls.steps if not s.effect.writes]
        if self._model is None:
            now, cwd = task.context.now, task.context.cwd
            self._model = Model(task.processor(), task.envelope, now, cwd, system=SYSTEM)
        left = max(0.0, task.limits.max_cost_usd - task.envelope.spent_usd)
        try:
            async with self._model.paid(left):
                answer = await self._model.ask(question(it, task.goal, read))
            value = answered(it, answer, heard(task.goal, [s.observation for s in read]))
        except (NoAnswer, Refused) as e:
            raise Stop(f"{place} is not known: {e}") from e
        return self._places.relative(value)

    async def _write(self, request: Request) -> Json:
        call = self._admitted.pop(_key(request.tool, request.arguments), None)
        call = call or await self._admit(request)
        self._wrote = True
        return self._seen(await self._calls.perform(call))

    def _seen(self, step: Step) -> Json:
        if step.is_error:
            raise Stop(f"{step.tool} failed: {str(step.observation)[:200]}")
        return self._places.relative(step.observation)

    # --- the run -------------------------------------------------------------------------------

    async def _act(self, reading: Reading) -> None:
        """Run the code in the sandbox, in step with the program."""
        tool = reading.tool
        self._holes = tool.holes
        run = Runner(tool.program, reading.slots, self._now).run()
        expected: list[Request | None] = []
        told = [""]

        def onwards(observation: Json) -> None:
            try:
                expected.append(run.send(observation))
            except StopIteration as e:
                told[0] = str(e.value or "")
                expected.append(None)

        async def host(name: str, arguments: dict[str, Json]) -> Json:
            request = expected[-1]
            if request is None or (name, arguments) != (request.tool, dict(request.arguments)):
                raise Stop(f"the tool's code asks for {name} where its program does not")
            do = self._write if request.writes else self._read
            observation = await do(request)
            onwards(observation)
            return observation

        onwards(None)
        slots = {p: reading.slots.get(s) for s, p in tool.parameters.items()}
        answer = await self._task.programs().run(
            tool.code,
            tool.function,
            {"now": self._now.isoformat(sep=" "), **slots},
            host,
            allowed=frozenset({*tool.tools, *([ASK] if tool.holes else [])}),
        )
        if expected[-1] is not None or answer != told[0]:
            raise Stop("the tool's code ended otherwise than its program")
        self.answer = self._told(str(answer))

    def _told(self, answer: str) -> str:
        if answer:
            return str(self._places.absolute(answer))
        if any(s.effect.writes for s in self._calls.steps):
            return rendered([s for s in self._calls.steps if s.effect.writes])
        return "Nothing had to be done: the conditions for it do not hold."


def _writes(made: Sequence[Request]) -> list[tuple[str, Mapping[str, Json]]]:
    return [(r.tool, r.arguments) for r in made if r.writes]


def _key(tool: str, arguments: Mapping[str, Json]) -> tuple[str, str]:
    return tool, repr(sorted(arguments.items()))
