"""What a plan needs of the system around it to be carried out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from llmos.cortex.agents import Agent
from llmos.cortex.plans.plan import Part, Plan
from llmos.evolution.tool import LearntTool
from llmos.values import RunResult

Dispatch = Callable[[Part, str, float], Awaitable[RunResult]]
"""Does a part: the part, its goal with the answers of others in it, what it may cost."""


@dataclass(frozen=True, slots=True)
class DonePart:
    """A part that an earlier run of the plan has done."""

    run_id: str
    answer: str


@dataclass(slots=True)
class Orders:
    """One plan's dealings with the system."""

    dispatch: Dispatch
    tools: Callable[[], Iterable[LearntTool]]
    """The learned tools, for a model that plans."""
    answer: Callable[[RunResult], str]
    """What a part that went well answers to the parts that ask."""
    lend: Callable[[str], AbstractAsyncContextManager[None]]
    """Gives the slot of a run to others for a while."""
    plan: Plan | None = None
    """The plan, once there is one; at first only where it is given."""
    done: Mapping[str, DonePart] = field(default_factory=dict)
    """Parts that need not be done again."""
    agents: Callable[[], Mapping[str, str]] = dict
    """Returns the agents that a part may name, with what they are for."""
    make_agent: Callable[[Agent], object] = lambda agent: None
    """Stores an agent that a plan brings, so that its parts find it."""
    parallel: int = 4
    """Parts at once."""
    run_id: str = ""
    """The plan's own run."""
    results: dict[str, RunResult] = field(default_factory=dict)
    """Of the parts that were done now."""

    async def do(self, part: Part, goal: str, max_cost_usd: float) -> RunResult:
        """Do a part."""
        result = await self.dispatch(part, goal, max_cost_usd)
        self.results[part.id] = result
        return result

    def aside(self) -> AbstractAsyncContextManager[None]:
        """Give the plan's slot away while its parts work: they need slots of their own."""
        return self.lend(self.run_id)
