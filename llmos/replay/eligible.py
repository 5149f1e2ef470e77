"""What can be said about following a trace before looking at the world.

All of it is pure, so that the dispatcher can explain its decision without running anything. An
empty list of reasons means: the trace may be followed if its guards hold.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from llmos.kernel.observe import acted
from llmos.replay.clock import clock_change
from llmos.values import Effect, Trace

EXAMPLE = "example:"
"""Prefix of the source of a run that took something from a worked example on trust."""

LOWEST_STANDING = -3
"""A trace whose replays failed this often on balance is not followed any more."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a decision depends on beside the goal and the candidates."""

    now: datetime
    tools: Mapping[str, str] = field(default_factory=dict)
    """Digest of every tool that there is."""
    context_digest: str = ""
    """Of what the model would see beside the goal."""
    cwd: str = ""
    """Where the run works."""
    answer_cache: bool = False
    """The user turned recorded answers on."""
    project: str = ""
    """That the run belongs to, or ``""``."""


def refusals(trace: Trace, standing: int, situation: Situation) -> list[str]:
    """Why ``trace`` is not followed; empty when it may be.

    Args:
        trace: A trace of the very goal.
        standing: Its clean replays less its failed ones.
        situation: What holds now.
    """
    return list(_refusals(trace, standing, situation))


def _refusals(trace: Trace, standing: int, situation: Situation) -> Iterator[str]:
    if trace.quarantined:
        yield "it is quarantined since somebody said it was wrong"
    if not trace.verdict.good:
        yield f"its verdict is {trace.verdict.value}"
    if standing <= LOWEST_STANDING:
        yield "its replays keep failing, or an audit of it differed"
    if trace.context_digest != situation.context_digest:
        yield "the model saw other earlier turns or facts, or worked as another agent, then"
    if trace.source.startswith(EXAMPLE):
        yield "the model was shown an example and did not look again at all that it told"
    if trace.cwd and trace.cwd != situation.cwd and _names(trace.goal, trace.cwd):
        # Paths are stored relative to the folder, but here that very folder is meant.
        yield "the goal names the folder that it was done in"
    yield from _tools_changed(trace, situation)
    yield from _unsafe_writes(trace)
    if trace.project != situation.project and any(s.effect is Effect.EXTERNAL for s in trace.steps):
        # The same words may mean another recipient here, and no guard would tell.
        done_in = f"project {trace.project}" if trace.project else "no project"
        yield f"it writes to the outside, and was done in {done_in}, not in this one"
    yield from _unguarded_answer(trace, situation)
    change = clock_change(trace, situation.now)
    if change:
        yield change


def _tools_changed(trace: Trace, situation: Situation) -> Iterator[str]:
    for name in sorted({step.tool for step in trace.steps}):
        if name not in situation.tools:
            yield f"there is no tool {name!r} here"
        elif trace.tools.get(name, situation.tools[name]) != situation.tools[name]:
            yield f"the tool {name!r} has changed since"


def _unsafe_writes(trace: Trace) -> Iterator[str]:
    if any(s.effect is Effect.EXTERNAL and s.is_error for s in trace.steps):
        yield "an external write of it failed"
    writes = [s for s in trace.steps if s.effect.writes and acted(s)]
    if writes and all(s.is_error for s in writes):
        yield "none of its writes succeeded"
    if trace.verdict.evidence:
        return
    if writes and writes[-1].is_error:
        yield "its last write failed, and nobody has confirmed that it was right all the same"
    if any(s.effect is Effect.EXTERNAL for s in trace.steps):
        yield "it writes to the outside, and nobody has confirmed that it was right"
    elif any(s.effect is Effect.WRITE and not s.footprint.undoable for s in trace.steps):
        yield "its writes cannot be undone, and nobody has confirmed that they were right"


def _unguarded_answer(trace: Trace, situation: Situation) -> Iterator[str]:
    if situation.answer_cache or any(s.effect.writes for s in trace.steps):
        return
    if not trace.steps:
        yield "its answer came from the model alone"
    elif any(s.effect is Effect.OPEN_READ for s in trace.steps):
        yield "its answer came from a source that may differ every time"


def _names(goal: str, folder: str) -> bool:
    home = os.path.expanduser("~")
    short = f"~{folder.removeprefix(home)}" if folder.startswith(f"{home}/") else folder
    return folder in goal or short in goal
