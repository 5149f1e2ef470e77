"""FOLLOWER: the same goal has a trace; it is replayed for zero tokens, or the model goes on."""

from __future__ import annotations

from dataclasses import replace

from llmos.cortex.modes.base import Outcome, Task, within_wall_clock
from llmos.cortex.modes.mixed import mix
from llmos.errors import BugError, LLMOSError
from llmos.replay.answer import dated
from llmos.replay.engine import Replay
from llmos.store.schema import REPLAY
from llmos.values import Effect, Mode, Trace, Verdict


async def follow(task: Task) -> Outcome:
    """Replay ``task.source``; on a side exit hand over to the model with what is done."""
    trace = task.source
    if trace is None:
        raise BugError("a decision to follow names no trace")
    source = f"{REPLAY}{trace.id}"
    if _unguarded(trace):
        return Outcome(Mode.FOLLOWER, Verdict.COMPLETED, dated(trace), source=source)
    replay = Replay(trace, task.moved, task.calls, task.observer, task.blobs)
    replayed = await within_wall_clock(task.watchdog, replay.run())
    if replayed is None:
        error = task.watchdog.stopped.message if task.watchdog.stopped else ""
        return Outcome(Mode.FOLLOWER, Verdict.FAILED, error=error, source=source)
    if replayed.side_exit is None:
        return Outcome(
            Mode.FOLLOWER,
            Verdict.COMPLETED,
            replayed.output,
            source=source,
            already_done=replayed.already_done,
            replay_clean=True,
        )
    standing = False if replayed.harmed else None
    try:
        outcome = await mix(task, replayed.side_exit)
    except LLMOSError as e:
        # No model, or no money for one: the run stops here, and what was done is told.
        error = f"{replayed.side_exit.reason}; and the model cannot take over: {e.message}"
        outcome = Outcome(Mode.FOLLOWER, Verdict.FAILED, error=error, source=source)
    return replace(outcome, side_exit=replayed.side_exit, replay_clean=standing)


def _unguarded(trace: Trace) -> bool:
    """Only with the answer cache turned on does such a trace come here."""
    if any(s.effect.writes for s in trace.steps):
        return False
    return not trace.steps or any(s.effect is Effect.OPEN_READ for s in trace.steps)
