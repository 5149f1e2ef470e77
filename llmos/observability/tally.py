"""What happened in a period, counted by kind in one pass over its events."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Label, Select, and_, case, cast, func, or_, select

from llmos.observability.rows import Reader
from llmos.observability.window import Window, happened, number, told
from llmos.store.schema import events
from llmos.values import EventType

ENDED = (EventType.TASK_COMPLETED, EventType.TASK_FAILED)
"""Events that end a run."""


class Kind(NamedTuple):
    """Events that differ in nothing that is counted, and how many of them there are."""

    volume: str
    owner: str
    type: str
    mode: str | None
    """Of runs: their mode."""
    left: bool | None
    """Of runs: whether a replay stopped and a model took over."""
    cron: str | None
    """Of cycles: whose."""
    failed: bool | None
    """Of cycles."""
    idle: bool | None
    """Of cycles: whether they had nothing to do, and did not fail."""
    why: str | None
    """Of cycles: the error of one that failed, the reason of one that had nothing to do."""
    times: int
    tokens: int
    cycles: int
    """How many cycles they stand for: quiet ones share an event."""


@dataclass(frozen=True, slots=True)
class Tally:
    """All kinds of events of a period, in the volumes that concern its reader."""

    kinds: tuple[Kind, ...]

    def of(self, places: Collection[tuple[str, str]], *types: EventType) -> list[Kind]:
        """The kinds of these types in these volumes."""
        return [k for k in self.kinds if k.type in types and (k.volume, k.owner) in places]

    def times(self, places: Collection[tuple[str, str]], *types: EventType) -> int:
        """How many events of these types there were in these volumes."""
        return sum(kind.times for kind in self.of(places, *types))


def tally_of(window: Window) -> Tally:
    """Count the events of a period."""
    return Tally(tuple(Kind(*row) for row in window.rows(_query(window.reader))))


@lru_cache
def _query(reader: Reader) -> Select[*tuple[Any, ...]]:
    kind = _kind()
    sums = (func.count(), _sum(_used()), _sum(_cycles()))
    # By name: an expression that is written twice has two sets of parameters.
    query = select(*kind, *sums).group_by(*(str(label.name) for label in kind))
    return query.where(happened(reader.places, *EventType))


def _kind() -> Sequence[Label[object]]:
    """What makes a kind; in the order of `Kind`."""
    e = events.c
    cycle, run = e.type == EventType.CYCLE_END.value, e.type.in_([t.value for t in ENDED])
    wrong = or_(func.coalesce(told("error"), "") != "", number("ok") == 0)
    failed = func.coalesce(wrong, False)
    idle = and_(func.coalesce(number("tasks"), 0) == 0, ~failed)
    why = case((and_(cycle, failed), told("error")), (and_(cycle, idle), told("why")))
    return (
        e.volume.label("place"),
        e.owner.label("whose"),
        e.type.label("kind"),
        case((run, told("mode"))).label("way"),
        case((run, told("side_exit").is_not(None))).label("stopped"),
        case((cycle, e.actor)).label("cron"),
        case((cycle, failed)).label("failed"),
        case((cycle, idle)).label("idle"),
        why.label("reason"),
    )


def _used() -> ColumnElement[float]:
    counts = events.c.type.in_([t.value for t in (*ENDED, EventType.CYCLE_END)])
    return case((counts, number("tokens")))


def _cycles() -> ColumnElement[float]:
    return case((events.c.type == EventType.CYCLE_END.value, func.coalesce(number("quiet"), 1)))


def _sum(column: ColumnElement[float]) -> ColumnElement[int]:
    return cast(func.coalesce(func.sum(column), 0), BigInteger)
