"""Plans that a learned tool makes: what recurred in plans that went well, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from llmos.cortex.plans.plan import GOAL, Plan
from llmos.errors import UserError
from llmos.evolution.plan import Request, Runner, Stop
from llmos.evolution.prove import writes_of
from llmos.evolution.tool import LearntTool, Reading


def is_planner(tool: LearntTool) -> bool:
    """Whether what a tool does is to take its goal apart."""
    return set(tool.tools) == {GOAL} and not tool.holes


def foreseen(goal: str, readings: Sequence[Reading], now: datetime) -> Plan:
    """The plan of the learned tool that a goal is of: all that it can mean must agree.

    Args:
        goal: The whole goal.
        readings: What it may mean.
        now: The clock of the run.

    Raises:
        UserError: They do not agree, or the tool does not know.
    """
    plans = [_made(reading, now) for reading in readings]
    told = [[request.arguments for request in plan] for plan in plans]
    if any(other != told[0] for other in told[1:]):
        raise UserError("the goal can be understood in two ways that have other parts")
    return Plan.from_json([dict(arguments) for arguments in told[0]], goal)


def _made(reading: Reading, now: datetime) -> Sequence[Request]:
    clock = now.replace(tzinfo=None, microsecond=0)
    runner = Runner(reading.tool.program, reading.slots, clock)
    made: list[Request] = []
    try:
        run = runner.run(foresee=True)
        request = next(run)
        while True:
            if not request.writes:
                raise Stop(f"it would read {request.tool}")
            made.append(request)
            request = run.send(None)
    except StopIteration:
        pass
    except Stop as e:
        raise UserError(f"the tool {reading.tool.name} does not know the parts: {e}") from e
    if runner.later or not reading.tool.proof.knows_way(
        reading.slots, writes_of(made), runner.open
    ):
        raise UserError(f"the tool {reading.tool.name} has not seen such parts often enough")
    return made
