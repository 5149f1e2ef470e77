"""A model that takes goals apart as it was told to, and does small parts with real tools."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from llmos.values import Context, Done, Event, Json, Limits, Spent, Syscalls, ToolCall, Usage

PLANNED = Usage(400, 80)
DONE = Usage(300, 30)

Parts = list[dict[str, Json]]


def part(id: str, goal: str, *after: str, **more: Json) -> dict[str, Json]:
    """A part as a model writes it."""
    return {"id": id, "goal": goal, **({"after": list(after)} if after else {}), **more}


@dataclass
class Planner:
    """Plans by a function of the goal; a part "Write 'text' to file" writes, others fail.

    Args:
        plan: The parts of a whole goal, or what else it says.
        cost_usd: What each answer costs.
    """

    plan: Callable[[str], Parts | str] = lambda goal: []
    cost_usd: float = 0.0
    asked: list[str] = field(default_factory=list)
    """Whole questions about plans."""
    told: list[Context] = field(default_factory=list)
    """What it was told beside each of them."""
    worked: list[str] = field(default_factory=list)
    """Parts, in the order in which they came."""
    limits: dict[str, float] = field(default_factory=dict)
    """What each part was allowed to cost."""
    at_once: int = 0
    """Parts that were under way together, at most."""
    slow: Mapping[str, asyncio.Event] = field(default_factory=dict)
    """Parts that wait for an event."""
    broken: set[str] = field(default_factory=set)
    """Parts that fail."""
    name: str = "planner"
    _now: int = 0

    async def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        if goal.startswith("Take a goal apart."):
            self.asked.append(goal)
            self.told.append(context)
            whole = json.loads('"' + re.findall(r'"goal": "((?:[^"\\]|\\.)*)"', goal)[-1] + '"')
            said = self.plan(whole)
            yield Spent(PLANNED, self.cost_usd)
            told = said if isinstance(said, str) else json.dumps({"parts": said})
            yield Done(told, PLANNED, self.cost_usd, model="one")
            return
        self.worked.append(goal)
        self.limits[goal] = limits.max_cost_usd
        self._now += 1
        self.at_once = max(self.at_once, self._now)
        try:
            await asyncio.sleep(0)
            if goal in self.slow:
                await self.slow[goal].wait()
            found = re.fullmatch(r"Write (?:the \w+ )?'([^']*)' to (\S+)", goal)
            yield Spent(DONE, self.cost_usd)
            if found is None or goal in self.broken:
                yield Done("", DONE, self.cost_usd, "error", "one", "I cannot do that")
                return
            arguments = {"file_path": found[2], "content": f"{found[1]}\n"}
            yield ToolCall("1", "Write", arguments)
            await syscalls.call("Write", arguments)
            yield Done(f"Wrote {found[1]}.", DONE, self.cost_usd, model="one")
        finally:
            self._now -= 1

    async def aclose(self) -> None:
        """Nothing to release."""
