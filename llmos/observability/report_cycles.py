"""Of a report: cycles that failed, and why those that did nothing did nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llmos.observability.tally import Tally
from llmos.observability.window import Line, Section, Window, counted
from llmos.values import EventType

Reason = tuple[str, str, int]
"""A cron, why, and how many cycles."""


@dataclass(frozen=True, slots=True)
class Cycles:
    """What background work did with its time."""

    quiet: int
    """Cycles that had nothing to do."""
    reasons: tuple[Reason, ...]
    """Why: cron, reason and how many cycles, the most frequent first."""
    failed: tuple[Reason, ...]
    """The same of those that failed, with the error."""
    tokens: int


def cycles_of(window: Window, tally: Tally) -> Cycles:
    """The cycles in the volumes whose crons concern the reader."""
    ended = tally.of(window.reader.audiences, EventType.CYCLE_END)
    quiet = _grouped((k.cron, k.why, k.cycles) for k in ended if k.idle)
    errors = _grouped((k.cron, k.why, k.times) for k in ended if k.failed)
    own = tally.of(window.mine, EventType.CYCLE_END)
    return Cycles(sum(n for *_, n in quiet), quiet, errors, sum(kind.tokens for kind in own))


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


def _grouped(kinds: Iterable[tuple[str | None, str | None, int]]) -> tuple[Reason, ...]:
    """How many there are for each cron and reason, the most first."""
    counts: Counter[tuple[str, str]] = Counter()
    for cron, why, n in kinds:
        counts[cron or "a cron", why or ""] += n
    in_order = sorted(counts.items(), key=lambda counted: (-counted[1], counted[0]))
    return tuple((cron, why, n) for (cron, why), n in in_order)
