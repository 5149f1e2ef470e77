"""Cycles that are under way in this process: one thread each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from llmos.crons.cycle import CronLevel, CycleReport
from llmos.crons.states import Cycle

Key = tuple[CronLevel, str]


class UnderWay:
    """Threads that carry cycles through.

    They are daemons: a cycle that hangs must not keep its process from ending.

    Args:
        changed: Called in the thread of a cycle when that has ended.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._condition = threading.Condition()
        self._cycles: dict[str, Cycle] = {}

    def begin(self, cycle: Cycle, carry: Callable[[], CycleReport]) -> Future[CycleReport]:
        """Carry a cycle through in a thread of its own."""
        outcome: Future[CycleReport] = Future()
        with self._condition:
            self._cycles[cycle.id] = cycle

        def work() -> None:
            result: CycleReport | BaseException
            try:
                result = carry()
            except BaseException as e:
                result = e
            with self._condition:
                del self._cycles[cycle.id]
                self._condition.notify_all()
            self._changed()
            if isinstance(result, BaseException):
                outcome.set_exception(result)
            else:
                outcome.set_result(result)

        threading.Thread(target=work, name=f"llmos-{cycle.level.value}-cron", daemon=True).start()
        return outcome

    @property
    def cycles(self) -> list[Cycle]:
        """Those under way."""
        with self._condition:
            # By id: a cron may begin again before the thread of its last cycle is gone.
            return list(self._cycles.values())

    @property
    def keys(self) -> set[Key]:
        """The crons that they are of."""
        with self._condition:
            return {(c.level, c.owner) for c in self._cycles.values()}

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until none is; whether that came true in time."""
        with self._condition:
            return self._condition.wait_for(lambda: not self._cycles, seconds)
