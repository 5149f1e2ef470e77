"""Which runs of a wording go together, where no program explains them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from llmos.evolution.columns import ToolHabits
from llmos.evolution.group import Group, kind_of_call
from llmos.evolution.synthesize import asked_alike
from llmos.evolution.templates import plain
from llmos.values import Trace

_DOUBTED, _DOUBTED_EACH = 5, 12
"""Runs of one wording of which one may be left out, and up to which each is tried."""

_VALUES = 3
"""Values of reads for which runs may be left out."""


def coherent(group: Group, known: ToolHabits, *, seconds: float) -> Iterator[Group]:
    """The group with runs left out that may be wrong, though nobody said so.

    First those that looked at other things than most, then those that looked in another way or for
    another value, then each of them by itself.

    Args:
        group: The traces of one wording.
        known: How tools cut off their results.
        seconds: Search time for one look at what they asked for.
    """
    n = len(group.traces)
    if n < _DOUBTED:
        return
    for plan_of in (_plan, _finer_plan):
        plans = [plan_of(t) for t in group.traces]
        usual = Counter(plans).most_common(1)[0][0]
        alike = [t for t, plan in zip(group.traces, plans, strict=True) if plan == usual]
        if _DOUBTED - 1 <= len(alike) < n:
            yield group.only(alike)
    yield from _asked_alike(group, known, seconds)
    if n <= _DOUBTED_EACH:
        for k in range(n):
            yield group.only([t for i, t in enumerate(group.traces) if i != k])


def _asked_alike(group: Group, known: ToolHabits, seconds: float) -> Iterator[Group]:
    """The group without the runs that asked for other values than most, read by read.

    One looks up to midnight, another up to the last second before it: each is right, and no
    expression gives both.
    """
    for _ in range(_VALUES):
        kept = group.only(group.traces)
        slots = {s.name: s.name for s in kept.template.slots}
        alike = asked_alike(kept.named(slots, 0)[1], known, seconds=seconds)
        if not max(_DOUBTED - 1, len(kept.traces) // 2 + 1) <= len(alike) < len(kept.traces):
            return
        group = kept.only([kept.traces[i] for i in alike])
        yield group


def _plan(trace: Trace) -> object:
    """What a run looked at."""
    return frozenset(kind_of_call(s) for s in trace.steps if not s.effect.writes)


def _finer_plan(trace: Trace) -> object:
    """What a run looked at in what order, and which of it the goal had said.

    One looks for a name, another for the address that it looked up first.
    """
    goal = plain(trace.goal).lower()
    calls = [
        (
            step.tool,
            tuple(sorted((name, str(v).lower() in goal) for name, v in step.arguments.items())),
        )
        for step in trace.steps
        if not step.effect.writes
    ]
    return tuple(call for k, call in enumerate(calls) if k == 0 or call != calls[k - 1])
