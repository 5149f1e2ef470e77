"""From what is written down of runs to what moves the internal state. Pure.

Only facts count: how a run ended, what it cost, what a guard, an audit or a person said. What a
model says of itself is no fact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llmos.sentience.valence import Trigger
from llmos.values import AuditOutcome, EventType, Json, Mode, Verdict

HIGH_COST_SHARE = 0.05
"""Share of what is left of the budget that makes a run a costly one: twenty of them empty it."""

_ENDINGS = (EventType.TASK_COMPLETED, EventType.TASK_FAILED)
_FREE = (Mode.FOLLOWER.value, Mode.CRYSTALLIZED.value)


def ends_run(kind: EventType, told: Mapping[str, Json]) -> bool:
    """Whether an event is the end of a run that somebody wanted: what decay is counted in.

    Args:
        kind: Type of the event.
        told: Its payload.
    """
    return kind in _ENDINGS and not told.get("looked")


def triggers_of(kind: EventType, told: Mapping[str, Json]) -> tuple[Trigger, ...]:
    """What an event is to the internal state; nothing for most.

    Args:
        kind: Type of the event.
        told: Its payload.
    """
    if ends_run(kind, told):
        return tuple(_ended(kind, told))
    if kind is EventType.SYSTEM_ALERT and (
        told.get("audit") == AuditOutcome.DISAGREED.value or told.get("in_doubt")
    ):
        return (Trigger.SAFETY_VIOLATION,)
    if kind is EventType.HEALTH_CHECK and told.get("audit") == AuditOutcome.AGREED.value:
        return (Trigger.AUDIT_AGREED,)
    if kind is EventType.ARTIFACT_CREATED and told.get("artifact") == "tool":
        return (Trigger.TOOL_DISCOVERY,)
    if kind is EventType.ARTIFACT_EVOLVED and told.get("artifact") == "trace":
        return tuple(_judged(told))
    return ()


def _ended(kind: EventType, told: Mapping[str, Json]) -> Iterator[Trigger]:
    free = told.get("mode") in _FREE and not told.get("side_exit")
    # Where a call was refused, the fence held and the run could not: neither is a fault.
    refused = bool(told.get("refused"))
    if kind is EventType.TASK_COMPLETED:
        yield Trigger.TASK_SUCCESS
        if free:
            yield Trigger.TASK_REPETITION
    elif not refused or told.get("verdict") == Verdict.REFUTED.value:
        yield Trigger.TASK_FAILURE
        if free and told.get("verdict") == Verdict.REFUTED.value:
            yield Trigger.SAFETY_VIOLATION
    if told.get("side_exit") and not refused:
        yield Trigger.SIDE_EXIT
    if told.get("novel"):
        yield Trigger.NOVEL_TASK
    left = told.get("left_usd")
    cost = float(told.get("cost_usd") or 0.0)
    if left is not None and cost > 0 and cost >= HIGH_COST_SHARE * float(left):
        yield Trigger.HIGH_COST


def _judged(told: Mapping[str, Json]) -> Iterator[Trigger]:
    """What a person said of a run. A check's word is in the end of the run already."""
    if told.get("by") != "person" or told.get("through"):
        return
    if told.get("verdict") != Verdict.REFUTED.value:
        yield Trigger.FEEDBACK_GOOD
        return
    yield Trigger.FEEDBACK_BAD
    if told.get("mode") in _FREE:
        yield Trigger.SAFETY_VIOLATION
