"""Foresight: what a learned tool would write, known by making its reads and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmos.cortex.modes.base import Outcome, Task, within_wall_clock
from llmos.cortex.modes.crystallized import Plan, ToolRun
from llmos.errors import PermissionDenied, UserError
from llmos.evolution.plan import Stop
from llmos.evolution.tool import TOOL, Reading
from llmos.kernel.admission import Admitted
from llmos.kernel.observe import FILE, Observer
from llmos.replay.preview import preview
from llmos.values import Change, Effect, Footprint, Json, Mode, Step, Trace, Verdict

LOOKED_AHEAD = "(only looked ahead) "
"""What the goal of a run begins with that only made a tool's reads: it is another goal."""


@dataclass(frozen=True, slots=True)
class ForeseenWrite:
    """One call that a free run would make."""

    tool: str
    arguments: Mapping[str, Json]
    effect: Effect
    diff: str = ""
    """Of ``Write`` and ``Edit``: a unified diff against the file as it is now."""
    undoable: bool = False
    """Whether the kernel or the tool can take such a call back."""


@dataclass(frozen=True, slots=True)
class Foresight:
    """What a free run would do."""

    reading: Reading
    writes: tuple[ForeseenWrite, ...] = ()
    """In order; empty where it would stop."""
    answer: str = ""
    """Empty where it is told from what was done."""
    stopped: str = ""
    """Why it would stop before its first write; "" if it would not."""
    reads: int = 0
    """How many reads were made for it."""
    whole: bool = True
    """Whether these are all its writes; others may depend on what one of them returns."""
    run_id: str | None = None
    """The run that the reads are recorded as; None where there were none."""


async def foresee(task: Task) -> Foresight:
    """Go through the tool that the decision names, without writing.

    Args:
        task: With at least one reading.
    """
    plan: Plan | None = None
    stopped = ""
    try:
        plan = await within_wall_clock(task.watchdog, ToolRun(task, free=True).foresee())
    except Stop as e:
        stopped = str(e)
    except (UserError, PermissionDenied) as e:
        stopped = e.message
    if plan is None:
        late = task.watchdog.stopped
        stopped = stopped or (late.message if late else "")
    reading = plan.reading if plan else task.readings[0]
    writes = _foreseen(task.observer, plan.writes, task) if plan else ()
    return Foresight(
        reading,
        writes,
        plan.answer if plan else "",
        stopped,
        len(task.calls.steps),
        whole=plan is None or plan.whole,
    )


def outcome_of(foresight: Foresight) -> Outcome:
    """How the run that made the reads is recorded."""
    would = "make 1 write" if len(foresight.writes) == 1 else f"make {len(foresight.writes)} writes"
    if foresight.stopped:
        would = f"stop: {foresight.stopped}"
    told = f"Only looked ahead, nothing was written. It would {would}."
    source = f"{TOOL}{foresight.reading.tool.label}"
    return Outcome(Mode.CRYSTALLIZED, Verdict.COMPLETED, told, source=source)


def _foreseen(
    observer: Observer, calls: Sequence[Admitted], task: Task
) -> tuple[ForeseenWrite, ...]:
    steps = tuple(_step(call, observer) for call in calls)
    planned = preview(Trace(task.goal, steps), observer, task.context.cwd).writes
    # There are none where a file was changed just now, between the two looks at it.
    diffs = [write.diff for write in planned] or [""] * len(steps)
    return tuple(
        ForeseenWrite(step.tool, step.arguments, step.effect, diff, step.footprint.undoable)
        for step, diff in zip(steps, diffs, strict=True)
    )


def _step(call: Admitted, observer: Observer) -> Step:
    """The call as a step of a trace that is about to be followed."""
    tool = call.tool
    files = [r for r in call.resources.writes if r.startswith(FILE)]
    undoable = tool.undo is not None or (
        tool.effect is Effect.WRITE and bool(call.resources.writes)
    )
    changes = tuple(Change(r, observer.file_now(r), None) for r in files)
    return Step(
        tool.name,
        call.arguments,
        effect=tool.effect,
        footprint=Footprint(writes=changes, undoable=undoable),
    )
