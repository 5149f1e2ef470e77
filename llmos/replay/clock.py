"""Does a recorded run depend on when it was made?

A goal with a relative time ("tomorrow"), or an argument that can only have come from the clock, may
be followed only while that value still comes out the same. Seen from the safe side: what might
have come from the clock counts as if it did.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime

from llmos.values import Json, Trace

_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day|weekday|weekend"
_UNIT = rf"day|week|fortnight|month|quarter|year|morning|afternoon|evening|night|{_WEEKDAY}"
_NUMBER = r"\d+|an?|one|two|three|four|five|six|seven|eight|nine|ten|few|couple(?: of)?"

_MOMENT = re.compile(
    rf"\b(?:now|currently|tonight|at the moment|(?:{_NUMBER})\s+(?:second|minute|hour)s?"
    rf"(?:\s+(?:ago|from now|later))|(?:in|within|last|past|next)\s+(?:the\s+)?(?:{_NUMBER}\s+)?"
    r"(?:second|minute|hour)s?)\b",
    re.I,
)
_DAY = re.compile(
    rf"\b(?:today|tomorrow|yesterday|overmorrow|(?:this|next|last|past|coming|previous|current|"
    rf"upcoming|following)\s+(?:(?:{_NUMBER})\s+)?(?:{_UNIT})s?|(?:{_NUMBER})\s+(?:{_UNIT})s?\s+"
    rf"(?:ago|from now|later)|(?:in|within)\s+(?:the\s+next\s+)?(?:{_NUMBER})\s+(?:{_UNIT})s?|"
    rf"{_WEEKDAY}s?|so far|to date|since)\b",
    re.I,
)

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATES = (
    re.compile(r"(?<!\d)(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?!\d)"),
    re.compile(r"(?<!\d)(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?!\d)"),
    re.compile(rf"\b(?P<b>{_MONTH})\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y>\d{{4}})\b", re.I),
    re.compile(rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\s+(?P<b>{_MONTH}),?\s+(?P<y>\d{{4}})\b", re.I),
    re.compile(r"(?<!\d)(?P<d>\d{1,2})[./](?P<m>\d{1,2})[./](?P<y>\d{4})(?!\d)"),
    re.compile(r"(?<!\d)(?P<m>\d{1,2})[./](?P<d>\d{1,2})[./](?P<y>\d{4})(?!\d)"),
)
_TIME = re.compile(r"(?<![\d:])(\d{1,2}):(\d{2})(?::\d{2})?(?![\d:])")
_EPOCH = re.compile(r"(?<![\d.])1\d{9}(?:\d{3})?(?![\d])")

_HORIZON_DAYS = 400
"""A date this near to the run's clock may have been computed from it: a bit more than a year."""


def clock_change(trace: Trace, now: datetime) -> str | None:
    """Why ``trace`` does not hold at ``now``; None when it holds.

    Args:
        trace: A recorded run; its ``now`` is what its clock said.
        now: What the clock says.
    """
    if abs((now - trace.now).total_seconds()) < 60:
        return None
    moment = _MOMENT.search(trace.goal)
    if moment:
        return f"{moment.group()!r} in the goal is another time now"
    same_day = trace.now.date() == now.date() and trace.now.utcoffset() == now.utcoffset()
    for where, value in clock_values(trace):
        if ":" in value or value.isdigit() or not same_day:
            return f"{where} holds {value!r}, which may come from the clock of {trace.now:%Y-%m-%d}"
    if same_day:
        return None
    day = _DAY.search(trace.goal)
    if day:
        return f"{day.group()!r} in the goal meant another day on {trace.now:%Y-%m-%d}"
    return None


def clock_values(trace: Trace) -> Iterator[tuple[str, str]]:
    """Values in arguments and answer that only the clock explains: (where, value)."""
    known = trace.goal
    for i, step in enumerate(trace.steps):
        for text in _texts(step.arguments):
            yield from ((f"step {i}", v) for v in _unexplained(text, known, trace.now))
        known += "\n" + "\n".join(_texts(step.observation))
        known += "\n" + "\n".join(_texts(step.arguments))
    yield from (("the answer", v) for v in _unexplained(trace.output, known, trace.now))


def _unexplained(text: str, known: str, now: datetime) -> Iterator[str]:
    known_days = None
    for token, day in _dates(text):
        if token in known or abs((day - now.date()).days) > _HORIZON_DAYS:
            continue
        if known_days is None:
            known_days = {d for _, d in _dates(known)}
        if day not in known_days:
            yield token
    for found in _TIME.finditer(text):
        hour, minute = int(found.group(1)), int(found.group(2))
        # Round times are chosen, odd ones are read off a clock: the minute of now tells.
        if hour < 24 and minute == now.minute and found.group() not in known:
            yield found.group()
    for found in _EPOCH.finditer(text):
        seconds = int(found.group()[:10])
        if found.group() not in known and abs(seconds - now.timestamp()) < _HORIZON_DAYS * 86400:
            yield found.group()


def _dates(text: str) -> Iterator[tuple[str, date]]:
    for pattern in _DATES:
        for found in pattern.finditer(text):
            part = found.groupdict()
            month = _MONTHS.index(part["b"][:3].lower()) + 1 if part.get("b") else int(part["m"])
            try:
                yield found.group(), date(int(part["y"]), month, int(part["d"]))
            except ValueError:
                continue


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield str(value)
