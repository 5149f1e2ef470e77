"""Of a report: cycles that failed, and why those that did nothing did nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Integer, and_, cast, func, not_, or_, select

from llmos.observability.window import Line, Section, Window, counted, number, told
from llmos.store.schema import events
from llmos.values import EventType


@dataclass(frozen=True, slots=True)
class Cycles:
    """What background work did with its time."""

    quiet: int
    """Cycles that had nothing to do."""
    reasons: tuple[tuple[str, str, int], ...]
    """Why: cron, reason and how many cycles, the most frequent first."""
    failed: tuple[tuple[str, str, int], ...]
    """The same of those that failed, with the error."""
    tokens: int


def cycles_of(window: Window) -> Cycles:
    """The cycles in the volumes whose crons concern the reader."""
    ended = window.happened(window.reader.audiences, EventType.CYCLE_END)
    failed = or_(func.coalesce(told("error"), "") != "", number("ok") == 0)
    idle = and_(func.coalesce(number("tasks"), 0) == 0, not_(func.coalesce(failed, False)))
    often = cast(func.sum(func.coalesce(number("quiet"), 1)), Integer)
    quiet = _grouped(window, and_(ended, idle), told("why"), often)
    errors = _grouped(window, and_(ended, failed), told("error"), func.count())
    own = window.happened(window.mine, EventType.CYCLE_END)
    tokens = window.conn.scalar(select(func.sum(number("tokens"))).where(own))
    return Cycles(sum(n for *_, n in quiet), quiet, errors, int(tokens or 0))


def quiet_section(cycles: Cycles, limit: int) -> Section | None:
    """Why nothing happened, or None where something always did."""
    lines = [
        Line.of(f"{counted(n, 'cycle')} of {cron}: {why or 'no reason was given'}")
        for cron, why, n in cycles.reasons
    ]
    return section("quiet", "Why nothing happened", lines, limit, "llmos feed")


def failed_cycles(cycles: Cycles) -> list[Line]:
    """A line for each way in which cycles failed."""
    return [
        Line.of(f"{counted(n, 'cycle')} of {cron} failed", "llmos feed", error)
        for cron, error, n in cycles.failed
    ]


def section(
    key: str, title: str, lines: Sequence[Line], limit: int, command: str, total: int | None = None
) -> Section | None:
    """A section of at most ``limit`` lines, or None without any."""
    if not lines:
        return None
    return Section(key, title, tuple(lines[:limit]), total or len(lines), command)


def _grouped(
    window: Window, which: ColumnElement[bool], why: ColumnElement[str], n: ColumnElement[int]
) -> tuple[tuple[str, str, int], ...]:
    query = select(events.c.actor, why, n).where(which).group_by(events.c.actor, why)
    rows = window.conn.execute(query.order_by(n.desc(), events.c.actor)).all()
    return tuple((cron or "a cron", why or "", int(times)) for cron, why, times in rows)
