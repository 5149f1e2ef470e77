"""Which way a goal goes. Pure: the same inputs give the same decision, and it says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from llmos.cortex.plans.foreseen import is_planner
from llmos.cortex.plans.plan import Plan, is_plan
from llmos.evolution.tool import Reading
from llmos.memory.traces import Candidate
from llmos.replay.eligible import EXAMPLE, Situation, refusals
from llmos.values import Decision, Mode, Trace

UNKNOWN = "nothing is known of this goal"
"""Why a model works where there is neither a trace nor a tool."""


class Dispatcher:
    """Chooses the mode for a goal."""

    def decide(
        self,
        goal: str,
        candidates: Sequence[Candidate],
        situation: Situation,
        *,
        readings: Sequence[Reading] = (),
        error_budget: float = 0.0,
        damaged: Mapping[str, str] = MappingProxyType({}),
        budget_usd: float | None = None,
        forced: Mode | None = None,
        given: Plan | None = None,
    ) -> Decision:
        """Decide without running anything.

        Args:
            goal: The user's sentence.
            candidates: Traces of the same goal, the best first.
            situation: What holds now.
            readings: Learned tools that the goal may mean, each with what stands at its slots.
            error_budget: Risk up to which a learned tool runs without a model.
            damaged: Learned tools that cannot be trusted, and why; none of them is a reading.
            budget_usd: What a model may still cost; None for no limit.
            forced: The mode that the user asked for.
            given: The goal taken apart by whoever asks: then there is nothing else to decide.

        Returns:
            The decision. A forced FOLLOWER or CRYSTALLIZED that is not possible has confidence 0.
        """
        if given is not None:
            reason = f"its {len(given.parts)} parts are given; every one is dispatched"
            return Decision(Mode.ORCHESTRATOR, 1.0, None, {}, reason)
        tools = [(r, r.refusal(situation.tools, error_budget)) for r in readings]
        looked_at = [(c, _refusals(c, situation)) for c in candidates]
        refused = tuple(
            f"trace {c.trace.id[-6:]}: {'; '.join(reasons)}" for c, reasons in looked_at if reasons
        )
        refused += tuple(f"tool {r.tool.name}: {why}" for r, why in tools if why)
        refused += tuple(f"tool {name}: {why}" for name, why in damaged.items())
        if situation.context_digest:
            tools = []
        planner = next((r for r, why in tools if why is None and is_planner(r.tool)), None)
        tools = [(r, why) for r, why in tools if not is_planner(r.tool)]
        plan = next((c for c, why in looked_at if not why and is_plan(c.trace.steps)), None)
        looked_at = [(c, why) for c, why in looked_at if not is_plan(c.trace.steps)]
        servable = next((r for r, why in tools if why is None and not r.tool.holes), None)
        asking = next((r for r, why in tools if why is None and r.tool.holes), None)
        followable = next((c for c, reasons in looked_at if not reasons), None)
        # A tool has more evidence than one trace, and knows what to do where the world is another.
        if servable is not None and forced in (None, Mode.CRYSTALLIZED):
            return _serve(servable, refused, None if forced else followable)
        if followable is not None and forced in (None, Mode.FOLLOWER):
            return _follow(followable, refused)
        if planner is not None and forced in (None, Mode.ORCHESTRATOR):
            return _part(planner, refused)
        if plan is not None and forced in (None, Mode.ORCHESTRATOR):
            return _repeat(plan, refused)
        if forced is Mode.ORCHESTRATOR:
            reason = f"the model takes it apart, and every part is dispatched; {_paid(budget_usd)}"
            return Decision(forced, 1.0, None, {}, reason, refused)
        if asking is not None and forced in (None, Mode.MIXED):
            return _ask(asking, refused)
        if asking is not None:
            left = f"it leaves {', '.join(asking.tool.holes)} to a model"
            refused += (f"tool {asking.tool.name}: {left}",)
        if forced in (Mode.FOLLOWER, Mode.CRYSTALLIZED):
            return Decision(forced, 0.0, None, {}, _why_not(refused), refused)
        example = next((c for c, _ in looked_at if _shows(c.trace, situation)), None)
        if example is not None and forced in (None, Mode.MIXED):
            why = f"a trace of this goal cannot be followed ({_why_not(refused)})"
            reason = f"{why}; {_paid(budget_usd)}"
            return Decision(Mode.MIXED, 0.5, example.trace.id, {}, reason, refused)
        reason = f"{_why_not(refused)}; {_paid(budget_usd)}"
        return Decision(Mode.LEARNER, 1.0, None, {}, reason, refused)


def _refusals(candidate: Candidate, situation: Situation) -> list[str]:
    trace = candidate.trace
    found = refusals(trace, candidate.standing, situation)
    named = is_plan(trace.steps) and any(step.arguments.get("agent") for step in trace.steps)
    if named and trace.project != situation.project:
        # They may be that project's own, or of the same name and others.
        found.append("its parts name agents, and it was taken apart in another project")
    return found


def _follow(candidate: Candidate, refused: tuple[str, ...]) -> Decision:
    trace = candidate.trace
    reason = (
        f"the same goal has a trace of {trace.now:%Y-%m-%d %H:%M} that is {trace.verdict.value}; "
        "every step is guarded"
    )
    return Decision(Mode.FOLLOWER, 1.0, trace.id, {}, reason, refused)


def _ask(reading: Reading, refused: tuple[str, ...]) -> Decision:
    decision = _serve(reading, refused, None)
    asked = f"a model is asked for {', '.join(reading.tool.holes)} and nothing else"
    return replace(decision, mode=Mode.MIXED, reason=f"{decision.reason}; {asked}")


def _part(reading: Reading, refused: tuple[str, ...]) -> Decision:
    decision = _serve(reading, refused, None)
    return replace(
        decision, mode=Mode.ORCHESTRATOR, reason=f"{decision.reason}; every part is dispatched"
    )


def _repeat(candidate: Candidate, refused: tuple[str, ...]) -> Decision:
    trace = candidate.trace
    reason = (
        f"the same goal was taken apart on {trace.now:%Y-%m-%d %H:%M}, and that was "
        f"{trace.verdict.value}; its {len(trace.steps)} parts are dispatched again"
    )
    return Decision(Mode.ORCHESTRATOR, 1.0, trace.id, {}, reason, refused)


def _serve(reading: Reading, refused: tuple[str, ...], followable: Candidate | None) -> Decision:
    tool = reading.tool
    proof = tool.proof
    reason = (
        f"the goal is of the tool {tool.name} ({tool.templates[reading.template]}); it explains "
        f"{proof.runs} runs, said {proof.agreed} more before seeing them, and its risk is "
        f"{proof.risk:.4f}"
    )
    otherwise = followable.trace.id if followable is not None else None
    slots = dict(reading.slots)
    return Decision(
        Mode.CRYSTALLIZED, 1 - proof.risk, tool.label, slots, reason, refused, otherwise
    )


def _shows(trace: Trace, situation: Situation) -> bool:
    """Whether a model may be shown the trace. One made after an example may repeat its mistakes.

    What was done in another project was done as is told there: it is shown only where no more was
    told than is told now.
    """
    elsewhere = trace.project != situation.project
    if elsewhere and trace.context_digest not in ("", situation.context_digest):
        return False
    return trace.verdict.good and bool(trace.steps) and not trace.source.startswith(EXAMPLE)


def _why_not(refused: tuple[str, ...]) -> str:
    return " | ".join(refused) if refused else UNKNOWN


def _paid(budget_usd: float | None) -> str:
    if budget_usd is None:
        return "the model works"
    if budget_usd <= 0:
        return "the model would have to work, but the budget is used up"
    return f"the model works, ${budget_usd:.2f} is left"
