"""MIXED: the model works, but not from nothing.

It is shown a trace as a worked example, or, after a side exit, what is already done in this run.
"""

from __future__ import annotations

from dataclasses import replace

from llmos.cortex.modes.base import Outcome, Task, think
from llmos.values import Mode, SideExit, Step


async def mix(task: Task, side_exit: SideExit | None = None) -> Outcome:
    """Let the model work with what is known.

    Args:
        task: The goal; ``task.source`` is the worked example.
        side_exit: Why a replay stopped and what it had done by then.
    """
    example = (task.source,) if task.source is not None else ()
    note = task.decision.reason
    prefix: tuple[Step, ...] = ()
    if side_exit is not None:
        note = f"A recorded way to do this stopped before step {side_exit.step}: {side_exit.reason}"
        prefix = side_exit.committed
    context = replace(task.context, examples=example, prefix=prefix, note=note)
    return await think(task, Mode.MIXED, context)
