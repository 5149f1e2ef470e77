"""When a cron is due, in which order, and which has been silent for too long. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from llmos.crons.cycle import CronLevel
from llmos.crons.status import CronStatus
from llmos.errors import ConfigError

INTERVALS: Mapping[CronLevel, float] = {
    CronLevel.USER: 1800.0,
    CronLevel.TEAM: 3600.0,
    CronLevel.SYSTEM: 7200.0,
}
"""Seconds between two cycles."""

LONGEST_BACKOFF = 8
"""Intervals that a cron which goes on failing waits at most."""

SILENT = 3
"""Intervals without an end after which a cron is overdue."""

_ORDER = {CronLevel.USER: 0, CronLevel.TEAM: 1, CronLevel.SYSTEM: 2}


@dataclass(frozen=True, slots=True)
class Schedule:
    """The intervals of the three levels, in seconds, and what follows from them.

    Raises:
        ConfigError: An interval is not above zero.
    """

    intervals: Mapping[CronLevel, float]

    def __post_init__(self) -> None:
        for level in CronLevel:
            if not self.intervals[level] > 0:
                raise ConfigError(
                    f"setting '{level.value}_cron_interval' must be above 0",
                    "it is the time between two cycles, in seconds",
                )

    @classmethod
    def of(cls, intervals: Mapping[CronLevel, float] | None = None) -> Schedule:
        """These intervals; those that are left out as they are by default."""
        return cls({**INTERVALS, **(intervals or {})})

    def interval(self, level: CronLevel) -> timedelta:
        """The time between two cycles."""
        return timedelta(seconds=self.intervals[level])

    def next_at(
        self, level: CronLevel, began: datetime, ended: datetime, failures: int = 0
    ) -> datetime:
        """When a cron is due again.

        Times that passed while it ran, or while the machine was off, are left out: it is due
        once, however many there were. One failure changes nothing, each further one in a row
        doubles the time.
        """
        times: int = min(2 ** max(failures - 1, 0), LONGEST_BACKOFF)
        step = self.interval(level) * times
        return began + step * max((ended - began) // step + 1, 1)

    def ready(self, crons: Sequence[CronStatus], now: datetime) -> list[CronStatus]:
        """The crons that may begin now: users first, then teams, then the system.

        A team's cron waits for those of its users, the system's for all others, as long as they
        run or are due: it works on what they have found. It waits for one of its own intervals at
        most, so that one that hangs does not hold up those above it.
        """
        due = [c for c in crons if _due(c, now)]
        due.sort(key=lambda c: (_ORDER[c.level], c.next_at or now, c.owner))
        busy = [c for c in crons if c.running or _due(c, now)]
        return [c for c in due if not self._waits(c, busy, now)]

    def _waits(self, cron: CronStatus, busy: Iterable[CronStatus], now: datetime) -> bool:
        if cron.next_at is not None and now >= cron.next_at + self.interval(cron.level):
            return False
        return any(_works_for(other, cron) for other in busy)

    def overdue(
        self, crons: Iterable[CronStatus], now: datetime, since: datetime | None = None
    ) -> list[CronStatus]:
        """The crons that have run, or have been due, for three of their intervals.

        Args:
            crons: All there are.
            now: The present.
            since: When the engine began: nobody is late for the time that it was off.
        """

        def late(cron: CronStatus) -> bool:
            waited = (
                cron.next_at if since is None or cron.next_at is None else max(cron.next_at, since)
            )
            began = cron.began_at if cron.running else waited
            return began is not None and now - began > self.interval(cron.level) * SILENT

        return [c for c in crons if not c.paused and late(c)]


def _due(cron: CronStatus, now: datetime) -> bool:
    return not cron.paused and not cron.running and cron.next_at is not None and cron.next_at <= now


def _works_for(below: CronStatus, above: CronStatus) -> bool:
    if above.level is CronLevel.SYSTEM:
        return below.level is not CronLevel.SYSTEM
    return (
        above.level is CronLevel.TEAM
        and below.level is CronLevel.USER
        and below.team == above.owner
    )
