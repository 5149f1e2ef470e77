"""Traces between their stored form and the folders of a run."""

from __future__ import annotations

from dataclasses import replace

from llmos.kernel.places import Places
from llmos.values import Change, Footprint, Step, Trace


def absolute(trace: Trace, places: Places) -> Trace:
    """A stored trace with the folders of a run in place of ``$CWD`` and the like."""
    return replace(
        trace,
        output=places.absolute(trace.output),
        check=_check(trace, places),
        steps=tuple(_step(step, places) for step in trace.steps),
    )


def moved(trace: Trace, places: Places) -> frozenset[int]:
    """Indices of the steps whose arguments name another folder in this run than in their own.

    What such a step writes may rightly differ from what it wrote then.
    """
    then = Places(trace.cwd, places.home, places.tmp)
    if then == places or not trace.cwd:
        return frozenset()
    return frozenset(
        i
        for i, step in enumerate(trace.steps)
        if then.absolute(dict(step.arguments)) != places.absolute(dict(step.arguments))
    )


def _check(trace: Trace, places: Places) -> str | None:
    # A check is kept as it was typed; in another folder it has to test that one.
    if trace.check is None or not trace.cwd:
        return trace.check
    then = Places(trace.cwd, places.home, places.tmp)
    return str(places.absolute(then.relative(trace.check)))


def _step(step: Step, places: Places) -> Step:
    footprint = step.footprint
    return replace(
        step,
        arguments=places.absolute(dict(step.arguments)),
        observation=places.absolute(step.observation),
        footprint=Footprint(
            reads=places.absolute(dict(footprint.reads)),
            writes=tuple(
                Change(places.absolute(c.resource), c.before, c.after) for c in footprint.writes
            ),
            undoable=footprint.undoable,
        ),
    )
