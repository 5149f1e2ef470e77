"""What is known of a goal before anything is decided: runs that did it, and tools that know it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from llmos.cortex.agents import Agents
from llmos.cortex.plans.foreseen import foreseen, is_planner
from llmos.cortex.plans.plan import Plan
from llmos.cortex.request import Request
from llmos.errors import UserError
from llmos.evolution.abroad import marked
from llmos.evolution.tool import Reading, Shelf
from llmos.kernel.kernel import Kernel
from llmos.kernel.places import Places
from llmos.memory.paths import absolute, moved
from llmos.memory.traces import Candidate, Scope, Traces
from llmos.plugins import Registry
from llmos.replay.world import fits
from llmos.values import Decision, Trace


@dataclass(frozen=True, slots=True)
class Known:
    """Traces and readings, the first to be tried first."""

    candidates: Sequence[Candidate]
    readings: Sequence[Reading]
    places: Places

    @classmethod
    def of(
        cls,
        kernel: Kernel,
        traces: Traces,
        shelf: Shelf,
        request: Request,
        now: datetime,
        registry: Registry,
    ) -> Known:
        """Look up what is known of a request's goal; only reads.

        Args:
            kernel: The opened kernel.
            traces: The stored runs.
            shelf: The learned tools.
            request: What was asked.
            now: The clock when the goal came.
            registry: The tools that there are now.
        """
        places, project = Places.of(request.cwd), request.project or ""
        stored = traces.candidates(request.goal, Scope(request.user_id), project=project)
        readings = _foreseeable(kernel, request, now, shelf.readings(places.relative(request.goal)))
        return cls(
            _fitting_first(kernel, places, stored),
            marked(kernel.store, readings, request.user_id, project, registry),
            places,
        )

    def trace(self, decision: Decision) -> tuple[Trace | None, frozenset[int]]:
        """The trace that a decision names, with this run's paths, and which of its steps moved."""
        for candidate in self.candidates:
            if candidate.trace.id in (decision.source, decision.otherwise):
                trace = candidate.trace
                return absolute(trace, self.places), moved(trace, self.places)
        return None, frozenset()

    def served(
        self, decision: Decision, tools: Mapping[str, str], error_budget: float
    ) -> tuple[Reading, ...]:
        """All readings that may be served, the one of the decision first; none if it is no tool.

        Args:
            decision: For the goal.
            tools: Digests of the tools that there are, by name.
            error_budget: The risk that a served tool may have.
        """
        if decision.source not in {r.tool.label for r in self.readings}:
            return ()
        usable = [r for r in self.readings if r.refusal(tools, error_budget) is None]
        return tuple(sorted(usable, key=lambda r: r.tool.label != decision.source))


def _fitting_first(
    kernel: Kernel, places: Places, candidates: Sequence[Candidate]
) -> Sequence[Candidate]:
    """The same, but those first whose files are as they found them.

    However good a trace is, where somebody has changed its files since for good, it would be
    tried and left each time, and a model paid, although a newer one knows the present world.
    """

    def misfits(candidate: Candidate) -> bool:
        return not fits(absolute(candidate.trace, places), kernel.observer)

    if len(candidates) < 2 or not misfits(candidates[0]):
        return candidates
    fitting = [c for c in candidates[1:] if not misfits(c)]
    return [*fitting, *(c for c in candidates if c not in fitting)]


def _foreseeable(
    kernel: Kernel, request: Request, now: datetime, readings: Sequence[Reading]
) -> list[Reading]:
    """The readings, without tools that take goals apart and do not know this one's parts."""
    planners = [r for r in readings if is_planner(r.tool)]
    try:
        if planners:
            _require_agents(kernel, request, foreseen(request.goal, planners, now))
    except UserError:
        return [r for r in readings if not is_planner(r.tool)]
    return list(readings)


def _require_agents(kernel: Kernel, request: Request, plan: Plan) -> None:
    """Check that the agents of a plan are there: it may come from another project."""
    agents = Agents(kernel.store, request.user_id, request.project)
    for name in sorted({part.agent for part in plan.parts if part.agent}):
        agents.get(name)
