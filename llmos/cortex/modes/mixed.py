"""MIXED: the model works, but not from nothing.

It is shown a trace as a worked example, or, after a side exit, what is already done in this run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from llmos.cortex.modes.base import Outcome, Task, think
from llmos.kernel.intents import call_key
from llmos.kernel.observe import fully_observed
from llmos.replay.eligible import EXAMPLE
from llmos.values import Mode, SideExit, Step, Trace


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
    outcome = await think(task, Mode.MIXED, context)
    if task.source is not None and _trusted(task.source, task.calls.steps):
        return replace(outcome, source=f"{EXAMPLE}{task.source.id}")
    return outcome


def _trusted(example: Trace, steps: Sequence[Step]) -> bool:
    """Whether the example told something that was not looked at again.

    What the model made of that is guarded by nothing: such a run cannot be followed later.
    """
    made = {call_key(s.tool, s.arguments) for s in steps}
    return any(_tells(s) and call_key(s.tool, s.arguments) not in made for s in example.steps)


def _tells(step: Step) -> bool:
    """Whether a result tells more than the arguments do: that of ``Write`` or ``Edit`` does not."""
    own = {c.resource for c in step.footprint.writes}
    return not (
        step.effect.writes and fully_observed(step) and own.issuperset(step.footprint.reads)
    )
