"""Ends runs that go nowhere: too long, too many calls, or the same call again and again."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from llmos.errors import RunStopped
from llmos.values import Json


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one run may use up."""

    wall_s: float = 600.0
    calls: int = 200
    repeats: int = 4


class Watchdog:
    """Watches one run. The system calls ask it before and tell it after every call."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._began = time.monotonic()
        self._calls = 0
        self._last = ""
        self._repeats = 0
        self.stopped: RunStopped | None = None
        """Why the run is over; stays set, whatever a library does with the exception."""

    @property
    def left_s(self) -> float:
        """Seconds of wall clock that the run still has."""
        return max(0.0, self._bounds.wall_s - (time.monotonic() - self._began))

    @property
    def calls_left(self) -> int:
        """System calls that the run may still make."""
        return max(0, self._bounds.calls - self._calls)

    def start(self) -> None:
        """The run begins now: what it waited for before does not count."""
        self._began = time.monotonic()

    def before_call(self) -> None:
        """Count a call.

        Raises:
            RunStopped: A bound was reached, now or earlier.
        """
        if self.stopped is not None:
            raise self.stopped
        if self.left_s <= 0:
            raise self.stop(
                f"the run took longer than {self._bounds.wall_s:g} s",
                "raise it: llmos config set run_wall_s SECONDS",
            )
        if self._calls >= self._bounds.calls:
            raise self.stop(
                f"the run made {self._calls} calls, the most it may",
                "raise it: llmos config set max_calls N",
            )
        self._calls += 1

    def after_call(self, tool: str, arguments: Mapping[str, Json], observation: Json) -> None:
        """Notice a loop: equal calls with equal results in a row.

        Raises:
            RunStopped: The same call came back the same for the last time.
        """
        told = json.dumps([tool, arguments, observation], sort_keys=True, default=repr)
        key = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
        self._repeats = self._repeats + 1 if key == self._last else 1
        self._last = key
        if self._repeats >= self._bounds.repeats:
            raise self.stop(
                f"{tool} was called {self._repeats} times in a row with the same result",
                "the model is going in circles: say the goal more exactly",
            )

    def stop(self, message: str, hint: str = "") -> RunStopped:
        """End the run; every later call is refused. Returns the error to raise."""
        if self.stopped is None:
            self.stopped = RunStopped(message, hint)
        return self.stopped
