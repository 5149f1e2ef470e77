"""What carries a cycle through: its work, then its end, each once if nothing dies."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from llmos.crons.cycle import CycleReport
from llmos.crons.states import Cycle

Work = Callable[[Cycle], CycleReport]
"""Does what a cycle does. What went wrong is told in the report, not raised."""

End = Callable[[Cycle, CycleReport], None]
"""Stores that a cycle has ended. Done again, it does nothing."""


class Carrier(Protocol):
    """Carries cycles through. Every call but `run` and `go_on` is made by one thread."""

    def open(self, work: Work, end: End) -> list[Cycle]:
        """Begin; the cycles that dead processes left and that can go on."""

    def forget(self, cycles: Collection[Cycle]) -> None:
        """Of those that `open` told: never go on with these."""

    def run(self, cycle: Cycle) -> CycleReport:
        """Carry a new cycle through, in the calling thread."""

    def go_on(self, cycle: Cycle) -> CycleReport:
        """Carry one that `open` told of through."""

    def close(self) -> None:
        """Let everything go. Cycles that are under way can go on at the next `open`."""


class PlainCarrier:
    """Carries cycles through and keeps nothing: what dies is begun anew, as a new cycle.

    No work is lost by that, since a cycle moves its watermark with what it stores. Only what the
    dead cycle would have told of itself is.
    """

    def __init__(self) -> None:
        self._work: Work | None = None
        self._end: End | None = None

    def open(self, work: Work, end: End) -> list[Cycle]:
        """Begin; there never is anything left."""
        self._work, self._end = work, end
        return []

    def forget(self, cycles: Collection[Cycle]) -> None:
        """Nothing is kept."""

    def run(self, cycle: Cycle) -> CycleReport:
        """Carry a cycle through."""
        assert self._work is not None and self._end is not None
        report = self._work(cycle)
        self._end(cycle, report)
        return report

    def go_on(self, cycle: Cycle) -> CycleReport:
        """As `run`."""
        return self.run(cycle)

    def close(self) -> None:
        """Let go."""
