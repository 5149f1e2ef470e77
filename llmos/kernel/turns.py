"""Turns between some who share: whoever has had least is next (start-time fair queueing).

Goyal, Vin, Cheng: Start-time Fair Queuing, SIGCOMM 1996.
"""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Mapping


class Turns:
    """Whose turn it is.

    Whoever comes, comes back or could take none for a while has saved up nothing: it begins where
    the others are. With equal weights, whoever waits is passed over at most once by each other.

    Args:
        weights: Turns of those that get more or fewer than one; above 0.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = weights
        self._had: dict[str, tuple[float, int]] = {}
        """How much each has had, 1 / weight for every turn; and when it came or had its last."""
        self._now = 0.0
        """What the one whose turn it was last had had by then."""
        self._clock = itertools.count()

    def __contains__(self, name: str) -> bool:
        return name in self._had

    def come(self, name: str) -> None:
        """Take part from now on."""
        self._had.setdefault(name, (self._now, next(self._clock)))

    def next(self, names: Iterable[str]) -> str:
        """Whose turn it is, of some that take part.

        Of several that have had as much it is the one whose last turn is longest ago.
        """
        return min(names, key=self._start)

    def take(self, name: str) -> None:
        """Give a turn to one."""
        self._now, _ = self._start(name)
        self._had[name] = (self._now + self._turn(name), next(self._clock))

    def give_back(self, name: str) -> None:
        """Take a turn for not had; of those that have had as much it is the next again."""
        had, _ = self._had[name]
        self._had[name] = (had - self._turn(name), -1)

    def forget(self, used: Container[str]) -> None:
        """Keep nothing of those out of use that have had no more than the others by now."""
        self._had = {n: had for n, had in self._had.items() if n in used or had[0] > self._now}

    def _turn(self, name: str) -> float:
        return 1 / self._weights.get(name, 1.0)

    def _start(self, name: str) -> tuple[float, int]:
        had, last = self._had[name]
        return max(had, self._now), last
