"""The two steps of a cycle: what it does, and what is told of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from llmos.crons import states
from llmos.crons.cycle import CronLevel, CycleReport
from llmos.crons.memory import recall
from llmos.crons.schedule import Schedule
from llmos.crons.states import Cycle
from llmos.crons.status import CronStatus, list_crons
from llmos.errors import LLMOSError
from llmos.store import Store
from llmos.values import Clock

RunCycle = Callable[[CronLevel, str], CycleReport]
"""Does one cycle of the cron of an owner, in a thread. It moves a watermark of its own in the
transaction that stores what it made: done again, it finds nothing new."""

_log = logging.getLogger(__name__)


class Steps:
    """What carriers carry through.

    Args:
        store: Of the home.
        run_cycle: What a cycle does.
        clock: Returns the present.
        schedule: The intervals.
    """

    def __init__(self, store: Store, run_cycle: RunCycle, clock: Clock, schedule: Schedule) -> None:
        self.since: datetime | None = None
        """When the engine began: nobody is late for the time before."""
        self._store = store
        self._run_cycle = run_cycle
        self._clock = clock
        self._schedule = schedule

    def work(self, cycle: Cycle) -> CycleReport:
        """What the cycle does. What went wrong is told in the report."""
        began = time.perf_counter()
        try:
            report = self._run_cycle(cycle.level, cycle.owner)
        except Exception as e:
            _log.debug("a cycle failed", exc_info=True)
            return cycle.failed(one_line(e), time.perf_counter() - began)
        seconds = report.seconds or time.perf_counter() - began
        report = replace(
            report, level=cycle.level, owner=cycle.owner, cycle_id=cycle.id, seconds=seconds
        )
        if cycle.level is not CronLevel.SYSTEM:
            return report
        place = cycle.level.place(cycle.owner)
        told = self._store.read(lambda c: recall(c, place))
        return states.with_alerts(report, self._watched(cycle), told)

    def end(self, cycle: Cycle, report: CycleReport) -> None:
        """What is told of it, once."""
        overdue = self._watched(cycle) if cycle.level is CronLevel.SYSTEM else ()
        now, schedule = self._clock(), self._schedule
        self._store.write(lambda tx: states.finish(tx, cycle, report, now, schedule, overdue))

    def overdue(self) -> list[CronStatus]:
        """The crons that have not ended for three of their intervals."""
        crons = self._store.read(list_crons)
        return self._schedule.overdue(crons, self._clock(), self.since)

    def _watched(self, cycle: Cycle) -> list[CronStatus]:
        return [c for c in self.overdue() if c.level is not cycle.level]


def one_line(error: BaseException, longest: int = 300) -> str:
    """An error for people, on one line."""
    told = error.message if isinstance(error, LLMOSError) else f"{type(error).__name__}: {error}"
    line = " ".join(told.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
