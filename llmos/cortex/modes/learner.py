"""LEARNER: nothing is known of the goal, so the model works alone."""

from __future__ import annotations

from llmos.cortex.modes.base import Outcome, Task, think
from llmos.values import Mode


async def learn(task: Task) -> Outcome:
    """Let the model work; what it does becomes a trace."""
    return await think(task, Mode.LEARNER, task.context)
