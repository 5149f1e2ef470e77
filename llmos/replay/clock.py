"""Does a recorded run depend on when it was made?

A goal with a relative time ("tomorrow"), or an argument that can only have come from the clock, may
be followed only while that value still comes out the same. Seen from the safe side: what might
have come from the clock counts as if it did.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from datetime import datetime

from llmos.replay.moments import Meaning, Moment, Unit, moments
from llmos.values import Json, Trace

_WORDS = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|"
    r"forty-five|sixty|ninety|half\s+an?|half|several|some|many|an?\s+few|an?\s+couple(?:\s+of)?|"
    r"few|couple(?:\s+of)?|an?\s+dozen|an?|another"
)
_N = rf"(?:\d+(?:[.,]\d+)?\s*|(?:{_WORDS})\s+)"
_WHICH = "this|next|last|past|coming|previous|prior|current|upcoming|following|preceding"
_AWAY = "ago|from now|from today|later|earlier|hence"
_FINE = "(?:second|sec|minute|min|hour|hr)s?"
_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_SPAN = rf"day|week|fortnight|month|quarter|year|decade|{_WEEKDAY}|weekday|weekend"
_COARSE = rf"(?:{_SPAN}|morning|afternoon|evening|night)s?"

_MOMENT = re.compile(
    rf"\b(?:(?<!from )now|currently|tonight|at the moment|{_N}{_FINE}\s+(?:{_AWAY})|"
    # "in minutes" names a unit: only "in" needs a number.
    rf"(?:in|within)\s+(?:the\s+)?{_N}{_FINE}|(?:{_WHICH})\s+(?:{_N})?{_FINE}|"
    rf"(?:in|within|{_WHICH})\s+\d+\s?[smh]|\d+\s?[smh]\s+(?:{_AWAY}))\b",
    re.I,
)
_DAY = re.compile(
    rf"\b(?:today|tomorrow|yesterday|overmorrow|so far|to date|ytd|mtd|eod|eow|eom|since|recently|"
    # What is due or over is so only as seen from a day.
    rf"overdue|due|late|expir(?:ed|ing|es?)|upcoming|future|outstanding|stale|recent|"
    # One word may stand between: "next business day".
    rf"(?:{_WHICH})\s+(?:{_N})?(?:[\w-]+\s+)?{_COARSE}|{_N}(?:[\w-]+\s+)?{_COARSE}\s+(?:{_AWAY})|"
    rf"(?:in|within)\s+(?:the\s+)?{_N}(?:[\w-]+\s+)?{_COARSE}|"
    rf"(?:in|within|{_WHICH})\s+\d+\s?[dwy]|\d+\s?[dwy]\s+(?:{_AWAY})|"
    rf"(?:end|start|beginning|middle|rest|close)\s+of\s+(?:the\s+)?(?:{_SPAN})|"
    rf"(?:{_WEEKDAY}|weekday|weekend)s?|"
    rf"(?:on|by|until|till|before|after|{_WHICH})\s+(?:mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun))"
    r"\b",
    re.I,
)


def clock_change(trace: Trace, now: datetime) -> str | None:
    """Why ``trace`` does not hold at ``now``; None when it holds.

    Args:
        trace: A recorded run; its ``now`` is what its clock said.
        now: What the clock says.
    """
    if Unit.SECOND.same(trace.now, now):
        return None
    for unit, words in ((Unit.MINUTE, _MOMENT), (Unit.DAY, _DAY)):
        found = None if unit.same(trace.now, now) else words.search(trace.goal)
        if found:
            return f"{found.group()!r} in the goal meant another time on {trace.now:%Y-%m-%d %H:%M}"
    for where, moment in clock_values(trace):
        if not moment.unit.same(trace.now, now):
            then = f"{trace.now:%Y-%m-%d %H:%M}"
            return f"{where} holds {moment.text!r}, which may come from the clock of {then}"
    return None


def clock_values(trace: Trace) -> Iterator[tuple[str, Moment]]:
    """Values in arguments and answer that only the clock explains: (where, value)."""
    known = _Known(trace.goal)
    for i, step in enumerate(trace.steps):
        arguments = list(_texts(step.arguments))
        for text in arguments:
            yield from ((f"step {i}", m) for m in moments(text, trace.now) if m not in known)
        known.add(arguments)
        known.add([step.observation])
    yield from (("the answer", m) for m in moments(trace.output, trace.now) if m not in known)


class _Known:
    """What goal, observations and earlier arguments explain. Looked through as far as needed."""

    def __init__(self, goal: str) -> None:
        self._unread: deque[Json] = deque([goal])
        self._meanings: set[Meaning] = set()

    def add(self, values: list[Json]) -> None:
        self._unread += values

    def __contains__(self, moment: Moment) -> bool:
        while moment.meaning not in self._meanings and self._unread:
            for text in _texts(self._unread.popleft()):
                for known in moments(text):
                    self._meanings.update(known.explains)
        return moment.meaning in self._meanings


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)
