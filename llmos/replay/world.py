"""The two worlds that a replay accepts: the one before the recorded writes, the one after them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from llmos.kernel.observe import FILE, Observer, fully_observed
from llmos.values import Trace

Digests = Mapping[str, str | None]
"""Resource to digest; None is absent."""


class World(StrEnum):
    """How the files that a trace writes are now."""

    BEFORE = "before"
    """As they were before the recorded run: it can be run again."""
    AFTER = "after"
    """As the recorded run left them: there is nothing to do."""
    OTHER = "other"
    """Neither: a replay stops before it writes."""


def targets(trace: Trace) -> tuple[Digests, Digests]:
    """Digest of every file the trace writes, before its first write and after its last."""
    first: dict[str, str | None] = {}
    last: dict[str, str | None] = {}
    for step in trace.steps:
        for change in step.footprint.writes:
            first.setdefault(change.resource, change.before)
            last[change.resource] = change.after
    return first, last


def world_of(trace: Trace, observer: Observer) -> World:
    """How the world of ``trace`` is now."""
    first, last = targets(trace)
    now = {resource: observer.file_now(resource) for resource in first}
    if now == first:
        return World.BEFORE
    return World.AFTER if now == last and all(map(fully_observed, trace.steps)) else World.OTHER


def fits(trace: Trace, observer: Observer) -> bool:
    """Whether the single files that ``trace`` read and wrote are now as it can be replayed with.

    No guard: what no file tells (folders, other tools) is not looked at, and a file that has
    changed may still read the same. It tells which of several traces is the one to try.

    Args:
        trace: With absolute paths of this run's folders.
        observer: Looks at files.
    """
    if world_of(trace, observer) is World.OTHER:
        return False
    written = targets(trace)[0]
    return all(
        observer.file_now(resource) == then
        for step in trace.steps
        for resource, then in step.footprint.reads.items()
        if resource.startswith(FILE) and resource not in written
    )
