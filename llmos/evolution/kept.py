"""What is worked out for each of some runs, kept while more of them come in.

A wording takes in one run at a time, and all of it is looked at every time: without this, learning
takes the square of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Generic, Self, TypeVar

from llmos.values import Trace

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Kept(Generic[_T]):
    """What was worked out for each of some traces."""

    by: object = None
    """What it depends on besides the traces."""
    traces: tuple[Trace, ...] = ()
    of: tuple[_T, ...] = ()
    """For each trace."""

    def upto(self, by: object, traces: Sequence[Trace], work_out: Callable[[int], _T]) -> Self:
        """The same for some traces, of which the first are mostly those that are here.

        Args:
            by: What it depends on besides the traces; if that is another, nothing is kept.
            traces: The traces.
            work_out: Works it out for the trace of a number.
        """
        known = len(self.traces) if by == self.by else 0
        if not (known <= len(traces) and all(map(is_, traces[:known], self.traces))):
            known = 0
        if 0 < known == len(traces):
            return self
        more = map(work_out, range(known, len(traces)))
        return type(self)(by, tuple(traces), (*self.of[:known], *more))
