"""Finds dates and times in text: what may have been read off a clock, or computed from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

_HORIZON_DAYS = 400
"""A date this near to the run's clock may have been computed from it: a bit more than a year."""
_NEAR_DAYS = 7
"""Likewise for a date without its year, which many texts hold by chance."""
_NEAR_MINUTES = 60
"""Likewise for a time of day that is not round."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_B = r"(?P<b>(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?)"
_NAME = (
    "(?P<b>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_D = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?"
_GAP = r"[\s/-]+(?:of\s+)?"
_CLOCK = r"(?:\d\d:\d\d(?::\d\d)?\s+(?:[A-Z]{2,5}\s+)?)?"

_DATES = (
    re.compile(
        r"(?<!\d)(?<!\d\.)(?P<y>\d{4})(?P<sep>[-/._])(?P<m>\d{1,2})(?P=sep)(?P<d>\d{1,2})(?!\.?\d)"
    ),
    # "20260302", also as the head of "20260302090700".
    re.compile(r"(?<!\d)(?P<y>20\d{2})(?P<m>\d{2})(?P<d>\d{2})(?:(?!\d)|(?=\d{4}(?:\d\d)?(?!\d)))"),
    re.compile(rf"\b{_B}{_GAP}{_D},?[\s/-]+{_CLOCK}(?P<y>\d{{4}})\b", re.I),
    re.compile(rf"\b{_D}{_GAP}{_B},?[\s/-]+(?P<y>\d{{4}})\b", re.I),
    re.compile(r"(?<!\d)(?P<d>\d{1,2})[./-](?P<m>\d{1,2})[./-](?P<y>\d{4})(?!\d)"),
    re.compile(r"(?<!\d)(?P<m>\d{1,2})[./-](?P<d>\d{1,2})[./-](?P<y>\d{4})(?!\d)"),
)
_YEARLESS = (
    re.compile(rf"\b{_NAME}{_GAP}{_D}\b(?!,?[\s/-]+{_CLOCK}\d{{4}}|:)", re.I),
    re.compile(rf"\b{_D}{_GAP}{_NAME}(?!,?[\s/-]+\d{{4}})", re.I),
)
_YEAR_MONTHS = (
    re.compile(r"(?<!\d)(?P<y>20\d{2})[-/_]?(?P<m>0[1-9]|1[0-2])(?![-/_.]?\d)"),
    re.compile(rf"\b{_NAME},?[\s/-]+(?P<y>20\d{{2}})\b", re.I),
)
_YEAR = re.compile(r"(?<![\d.])(?P<y>20\d{2})(?!\.?\d)")
_WEEK = re.compile(r"(?<!\d)(?P<y>20\d{2})-?W(?P<w>\d{2})(?!\d)")
_WEEKDAY = re.compile(rf"\b(?:{'|'.join(_WEEKDAYS)})\b", re.I)
_TIMES = (
    re.compile(r"(?<![\d:])(?P<h>\d{1,2}):(?P<n>\d{2})(?::(?P<s>\d{2}))?(?![\d:])"),
    # "20260302T0907", "2026-03-02_09-07": only the date tells that it is a time.
    re.compile(
        r"(?<!\d)20\d{2}-?\d{2}-?\d{2}[T_ -]?(?P<h>\d{2})[._-]?(?P<n>\d{2})"
        r"(?:[._-]?(?P<s>\d{2}))?(?!\d)"
    ),
)
_EPOCH = re.compile(r"(?<![\d.])1\d{9}(?:\d{3}){0,3}(?!\d)")
# Most texts hold none: these are quick to look for.
_HINT = re.compile(r"[0-9](?:(?<=2)0[0-9]{2}|:[0-9]{2}|(?<=1)[0-9]{9}|[./-][0-9]{1,2}[./-][0-9])")
_NAMES = ("day", *_MONTHS)


class Unit(Enum):
    """How long a value of the clock stays the same."""

    SECOND = "%Y-%m-%d %H:%M:%S %z"
    MINUTE = "%Y-%m-%d %H:%M %z"
    DAY = "%Y-%m-%d %z"
    WEEK = "%G-%V"
    MONTH = "%Y-%m"
    YEAR = "%Y"

    def same(self, then: datetime, now: datetime) -> bool:
        """Whether a value of this unit is the same at both times, each in its own offset."""
        return then.strftime(self.value) == now.strftime(self.value)


Meaning = tuple[str | int, ...]
"""Kind and numbers: equal for all ways to write one moment."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A date or a time in a text."""

    text: str
    unit: Unit
    meaning: Meaning

    @property
    def explains(self) -> Iterator[Meaning]:
        """Its own meaning, and what follows from it: a day has a month and a year."""
        yield self.meaning
        match self.meaning:
            case ("day", int(y), int(m), int(d)):
                year, week, weekday = date(y, m, d).isocalendar()
                yield from (("month", y, m), ("year", y), ("yearless", m, d))
                yield from (("week", year, week), ("weekday", weekday - 1))
            case ("month" | "week", int(y), _):
                yield ("year", y)
            case ("time", h, n, _):
                yield ("time", h, n, -1)


def moments(text: str, near: datetime | None = None) -> Iterator[Moment]:
    """Dates and times in ``text``.

    Args:
        text: Any text.
        near: Only those that may have come from a clock that said this.
    """
    folded = text.casefold()
    if _HINT.search(text) or any(name in folded for name in _NAMES):
        for moment in (*_dates(text), *_parts_of_dates(text), *_times(text)):
            if near is None or _may_come_from(moment.meaning, near):
                yield moment


def _dates(text: str) -> Iterator[Moment]:
    for pattern in _DATES:
        for found in pattern.finditer(text):
            y, m, d = int(found["y"]), _month(found), int(found["d"])
            if _exists(y, m, d):
                yield Moment(found[0], Unit.DAY, ("day", y, m, d))


def _parts_of_dates(text: str) -> Iterator[Moment]:
    for pattern in _YEARLESS:
        for found in pattern.finditer(text):
            m, d = _month(found), int(found["d"])
            if _exists(2024, m, d):
                yield Moment(found[0], Unit.DAY, ("yearless", m, d))
    for pattern in _YEAR_MONTHS:
        for found in pattern.finditer(text):
            yield Moment(found[0], Unit.MONTH, ("month", int(found["y"]), _month(found)))
    for found in _YEAR.finditer(text):
        yield Moment(found[0], Unit.YEAR, ("year", int(found[0])))
    for found in _WEEK.finditer(text):
        if 1 <= int(found["w"]) <= 52:
            yield Moment(found[0], Unit.WEEK, ("week", int(found["y"]), int(found["w"])))
    weekdays = {_WEEKDAYS.index(found[0].lower()): found[0] for found in _WEEKDAY.finditer(text)}
    if len(weekdays) < 4:  # a list of them is no date
        for number, name in weekdays.items():
            yield Moment(name, Unit.DAY, ("weekday", number))


def _times(text: str) -> Iterator[Moment]:
    for pattern in _TIMES:
        for found in pattern.finditer(text):
            h, n, s = int(found["h"]), int(found["n"]), int(found["s"] or -1)
            if h < 24 and n < 60:
                unit = Unit.MINUTE if s < 0 else Unit.SECOND
                yield Moment(found[0], unit, ("time", h, n, s))
    for found in _EPOCH.finditer(text):
        yield Moment(found[0], Unit.SECOND, ("epoch", int(found[0][:10])))


def _may_come_from(meaning: Meaning, now: datetime) -> bool:
    today = now.date()
    match meaning:
        case ("day", int(y), int(m), int(d)):
            return abs((date(y, m, d) - today).days) <= _HORIZON_DAYS
        case ("yearless", int(m), int(d)):
            years = [y for y in (now.year - 1, now.year, now.year + 1) if _exists(y, m, d)]
            return any(abs((date(y, m, d) - today).days) <= _NEAR_DAYS for y in years)
        case ("week", int(y), int(w)):
            return abs((date.fromisocalendar(y, w, 1) - today).days) <= 2 * _NEAR_DAYS
        case ("weekday", int(number)):
            return (number - today.weekday()) % 7 in (0, 1, 6)
        case ("month", int(y), int(m)):
            return abs(12 * (y - now.year) + m - now.month) <= 1
        case ("year", int(y)):
            return y == now.year
        case ("time", int(h), int(n), _):
            # Round times are chosen, odd ones are read off a clock.
            apart = abs(60 * (h - now.hour) + n - now.minute)
            return n == now.minute or (n % 5 != 0 and apart <= _NEAR_MINUTES)
        case ("epoch", int(seconds)):
            return abs(seconds - now.timestamp()) <= _HORIZON_DAYS * 86400
    return False


def _month(found: re.Match[str]) -> int:
    part = found.groupdict()
    name = (part.get("b") or "")[:3].casefold()
    return _MONTHS.index(name) + 1 if name in _MONTHS else int(part.get("m") or 0)


def _exists(y: int, m: int, d: int) -> bool:
    try:
        date(y, m, d)
    except ValueError:
        return False
    return True
