"""ORCHESTRATOR: the goal is taken apart, and every part is dispatched like any other goal.

A part that is known costs nothing. Parts that do not need each other go at once; where one fails,
those that need it are left, the others are done all the same, and what is done stays. The plan
itself is known too, once it has gone well: by the very goal, or by a tool that was learnt of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from llmos.cortex.modes.base import Outcome, Task
from llmos.cortex.plans.briefing import Briefing
from llmos.cortex.plans.orders import Orders
from llmos.cortex.plans.plan import Part, Plan, step_of
from llmos.cortex.plans.planner import briefing_of, planned
from llmos.errors import BugError, LLMOSError, UserError
from llmos.evolution.asking import Model
from llmos.evolution.tool import TOOL
from llmos.store.schema import REPLAY
from llmos.values import Mode, PartBegan, PartEnded, RunResult, Verdict

_SHOWN = 2_000
"""Characters of a part's answer that are put into the goal of another."""


async def orchestrate(task: Task) -> Outcome:
    """Have a plan, and carry it out."""
    orders = task.orders
    if orders is None:
        raise BugError("a decision for a plan came without the means to carry it out")
    model, source = None, "run"
    plan = orders.plan
    if task.readings:
        source = f"{TOOL}{task.readings[0].tool.label}"
    elif task.source is not None:
        source = f"{REPLAY}{task.source.id}"
    if plan is None:
        briefing = await asyncio.to_thread(briefed, task, orders)
        model = _model(task, briefing)
        try:
            plan = await _asked(task, orders, model, briefing)
        except UserError as e:
            return _paid(Outcome(Mode.ORCHESTRATOR, Verdict.FAILED, error=e.message), task, model)
    orders.plan = plan
    work = _Work(task, orders, plan)
    async with orders.aside():
        await work.run()
    return _paid(replace(work.outcome(), source=source), task, model)


def briefed(task: Task, orders: Orders) -> Briefing:
    """What a model is told that takes the goal apart."""
    offer = task.toolboxes.offer(task.goal, task.context)
    briefing = briefing_of(task.goal, orders.tools(), offer, orders.agents())
    return replace(briefing, seen=task.fit(task.context, briefing.pieces()))


def _model(task: Task, briefing: Briefing) -> Model:
    now, cwd = task.context.now, task.context.cwd
    return Model(task.processor(), task.envelope, now, cwd, context=briefing.context())


async def _asked(task: Task, orders: Orders, model: Model, briefing: Briefing) -> Plan:
    allowed, there = task.limits.max_cost_usd, await asyncio.to_thread(orders.agents)
    plan, brought = await planned(model, briefing, allowed, there)
    for agent in brought:
        await asyncio.to_thread(orders.make_agent, agent)
        task.calls.warnings.append(
            f"the agent {agent.name} was made for this: llmos agents show {agent.name}"
        )
    return plan


def _paid(outcome: Outcome, task: Task, model: Model | None) -> Outcome:
    """With what planning has cost; what the parts cost stands in their own runs."""
    if model is None:
        return outcome
    return replace(outcome, usage=model.usage, cost_usd=task.envelope.spent_usd, model=model.by)


class _Work:
    """The parts of one plan, under way."""

    def __init__(self, task: Task, orders: Orders, plan: Plan) -> None:
        self._task = task
        self._orders = orders
        self._plan = plan
        self._answers: dict[str, str] = {}
        """Of the parts that have ended well."""
        self._failed: dict[str, str] = {}
        """Why the others have not."""
        self._begun: set[str] = set()
        self._spent_usd = task.envelope.spent_usd
        self._reserved_usd = 0.0
        self._unpaid = len(plan.parts)
        """Parts that have not got their share yet."""
        self._free = asyncio.Event()

    async def run(self) -> None:
        """Do all that can be done."""
        turns = asyncio.Semaphore(self._orders.parallel)
        async with asyncio.TaskGroup() as group:
            while len(self._begun) < len(self._plan.parts):
                self._free.clear()
                for part in list(self._plan.ready(self._answers.keys(), self._begun)):
                    self._begun.add(part.id)
                    group.create_task(self._one(part, turns))
                if len(self._begun) - len(self._answers) - len(self._failed) <= 0:
                    return  # the rest waits for what has failed
                await self._free.wait()

    async def _one(self, part: Part, turns: asyncio.Semaphore) -> None:
        try:
            async with turns:
                await self._do(part)
        finally:
            self._free.set()

    async def _do(self, part: Part) -> None:
        before = self._orders.done.get(part.id)
        if before is not None:
            # Done in the run that this one takes up again.
            self._unpaid -= 1
            await self._ended(part, before.run_id, before.answer, "", 0.0)
            return
        goal = part.told(self._answers)
        self._task.emit(PartBegan(part.id, goal))
        share = self._share()
        self._reserved_usd += share
        self._unpaid -= 1
        try:
            result = await self._orders.do(part, goal, share)
        except LLMOSError as e:
            await self._ended(part, "", "", e.message, 0.0)
            self._task.emit(PartEnded(part.id, goal, None, e.message))
            return
        finally:
            self._reserved_usd -= share
        self._spent_usd += result.cost_usd
        error = "" if result.success else result.error or result.verdict.value
        answer = (result.output if error else self._orders.answer(result)).strip()[:_SHOWN]
        await self._ended(part, result.trace_id, answer, error, result.duration_s)
        self._task.emit(PartEnded(part.id, goal, result, error))

    def _share(self) -> float:
        """What a part may cost: what is left, in equal shares for those that have none yet."""
        left = self._task.limits.max_cost_usd - self._spent_usd - self._reserved_usd
        return max(0.0, left / self._unpaid)

    async def _ended(
        self, part: Part, run_id: str, answer: str, error: str, seconds: float
    ) -> None:
        if error:
            self._failed[part.id] = error
        else:
            self._answers[part.id] = answer
        number = [p.id for p in self._plan.parts].index(part.id)
        step = step_of(part, run_id, answer or error, failed=bool(error), seconds=seconds)
        await self._task.calls.note(number, step)

    def outcome(self) -> Outcome:
        """How it ended, by what its parts say; the answer is that of the parts nobody waits for."""
        parts = self._plan.parts
        needed = {other for part in parts for other in part.after}
        last = [p.id for p in parts if p.id not in needed]
        output = _told({p: self._answers[p] for p in last if p in self._answers})
        if not self._failed:
            return Outcome(Mode.ORCHESTRATOR, Verdict.COMPLETED, output)
        first = next(p.id for p in parts if p.id in self._failed)
        left = [p.id for p in parts if p.id not in self._answers and p.id not in self._failed]
        error = f"part {first} failed: {self._failed[first]}"
        if len(self._failed) > 1:
            error += f"; also {', '.join(p for p in self._failed if p != first)}"
        if left:
            error += f"; not begun for want of it: {', '.join(left)}"
        if self._answers:
            error += f"; done: {', '.join(p.id for p in parts if p.id in self._answers)}"
        return Outcome(Mode.ORCHESTRATOR, Verdict.FAILED, output, error=error)


def _told(answers: Mapping[str, str]) -> str:
    if len(answers) == 1:
        return next(iter(answers.values()))
    return "\n".join(f"{name}: {answer}" for name, answer in answers.items() if answer)


def total(result: RunResult, parts: Mapping[str, RunResult]) -> RunResult:
    """A plan's result with the tokens and the cost of its parts.

    Its trace has only its own: what the parts cost stands in theirs, and counts once.
    """
    usage = sum((part.usage for part in parts.values()), result.usage)
    cost = result.cost_usd + sum(part.cost_usd for part in parts.values())
    return replace(result, usage=usage, cost_usd=cost)
