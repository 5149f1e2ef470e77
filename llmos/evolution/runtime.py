"""What learned tools are made of: small total functions over JSON values and naive datetimes.

The interpreter of the intermediate form calls them, and an emitted tool carries the source of those
it uses, so that both are one implementation. They are written in the subset of Python that the
sandbox runs. A function that cannot say what is right raises `ValueError`: the expression
abstains, and the tool stops before it writes.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

# --- text ------------------------------------------------------------------------------------


def lower(text: str) -> str:
    """``text`` in small letters."""
    return text.lower()


def upper(text: str) -> str:
    """``text`` in capitals."""
    return text.upper()


def title(text: str) -> str:
    """Every word with a capital."""
    return " ".join([w[:1].upper() + w[1:].lower() for w in text.split(" ")])


def sentence(text: str) -> str:
    """The first letter a capital, the rest small."""
    return text[:1].upper() + text[1:].lower()


def initial(text: str) -> str:
    """The first letter a capital, the rest as it is."""
    return text[:1].upper() + text[1:]


def snake(text: str) -> str:
    """Words joined by underscores, in small letters."""
    return "_".join(re.findall("[a-z0-9]+", text.lower()))


def kebab(text: str) -> str:
    """Words joined by hyphens, in small letters."""
    return "-".join(re.findall("[a-z0-9]+", text.lower()))


def spaced(text: str) -> str:
    """Hyphens and underscores as spaces, in small letters."""
    return " ".join(re.findall("[a-z0-9]+", text.lower()))


def spaced_sentence(text: str) -> str:
    """Hyphens and underscores as spaces, the first letter a capital."""
    return sentence(spaced(text))


def lines(text: str) -> str:
    r"""The two characters ``\n`` as line breaks."""
    return text.replace("\\n", "\n")


def first_word(text: str) -> str:
    """What stands before the first space."""
    if " " not in text.strip():
        raise ValueError("one word")
    return text.strip().split(" ")[0]


def last_word(text: str) -> str:
    """What stands after the last space."""
    if " " not in text.strip():
        raise ValueError("one word")
    return text.strip().split(" ")[-1]


def before_at(text: str) -> str:
    """The part of an address before the ``@``."""
    if text.count("@") != 1:
        raise ValueError("no address")
    return text.split("@")[0]


def singular(text: str) -> str:
    """A word without the plural's s."""
    if not text.endswith("s") or len(text) < 4:
        raise ValueError("no plural")
    return text[:-1]


def concat(*parts: Any) -> str:
    """All parts as one text."""
    for part in parts:
        if not isinstance(part, str):
            raise ValueError("not text")
    return "".join(parts)


def mapped(key: Any, table: dict[str, Any]) -> Any:
    """What ``key`` stood for in the traces; abstains on one that was never seen."""
    if not isinstance(key, str) or key not in table:
        raise ValueError("never seen")
    return table[key]


def text_of(value: Any) -> str:
    """A number as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("no number")
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return str(value)


# --- numbers and durations -------------------------------------------------------------------

NUMBER_WORDS = {
    "a": 1,
    "an": 1,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "half": 0.5,
    "half a": 0.5,
    "half an": 0.5,
}
UNIT_MINUTES = {
    "minute": 1,
    "min": 1,
    "hour": 60,
    "hr": 60,
    "day": 1440,
    "week": 10080,
    "fortnight": 20160,
}


def number(text: Any) -> float | int:
    """The number that a piece of text is: digits with a unit sign, or a word."""
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return text
    if not isinstance(text, str):
        raise ValueError("no number")
    plain = text.strip().lower().replace(",", "").strip("%$€£#")
    if plain in NUMBER_WORDS:
        return NUMBER_WORDS[plain]
    if not re.fullmatch("-?[0-9]+([.][0-9]+)?", plain):
        raise ValueError("no number")
    return float(plain) if "." in plain else int(plain)


def minutes(text: str) -> float | int:
    """How many minutes a duration is: ``1.5 hours``, ``30-minute``, ``half an hour``."""
    found = re.fullmatch("(.*?)[ -]?([a-z]+?)s?", text.strip().lower())
    if not found or found.group(2) not in UNIT_MINUTES:
        raise ValueError("no duration")
    amount = number(found.group(1)) if found.group(1).strip() else 1
    total = amount * UNIT_MINUTES[found.group(2)]
    return int(total) if total == int(total) else total


def days(text: str) -> int:
    """How many whole days a duration is."""
    # Here as in all divisions: `float` first, as interpreters round large integers differently.
    total = float(minutes(text)) / 1440
    if total != int(total):
        raise ValueError("no whole days")
    return int(total)


# --- time ------------------------------------------------------------------------------------

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def moment(text: Any) -> datetime:
    """A date or time written in digits, year first."""
    if isinstance(text, datetime):
        return text
    shape = "([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?)?"
    found = re.fullmatch(shape, text.strip()) if isinstance(text, str) else None
    if not found:
        raise ValueError("no date")
    parts = [int(p or 0) for p in found.groups()]
    return datetime(parts[0], parts[1], parts[2], parts[3], parts[4], parts[5])


def midnight(at: datetime) -> datetime:
    """The beginning of a day."""
    return datetime(at.year, at.month, at.day)


def day(text: str, now: datetime, rule: str) -> datetime:
    """The day that a text names, seen from ``now``.

    ``rule`` says which one where several fit: ``year`` (in this year), ``next`` (today or the
    first after it), ``after`` (after today, if a weekday), ``last`` (today or the latest before it)
    and ``before`` (before today, if a weekday).
    """
    plain = text.strip().lower().replace(",", "")
    today = midnight(now)
    named = {"today": 0, "tonight": 0, "tomorrow": 1, "yesterday": -1}
    if plain in named:
        return today + timedelta(days=named[plain])
    if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", plain):
        return moment(plain)
    which = re.fullmatch("(?:(next|last|this) )?([a-z]+)", plain)
    if which and which.group(2)[:3] in WEEKDAYS and which.group(2).endswith("day"):
        return weekday(WEEKDAYS.index(which.group(2)[:3]), now, rule)
    found = re.fullmatch("([a-z]+)[.]? ([0-9]{1,2})(?:st|nd|rd|th)?(?: ([0-9]{4}))?", plain)
    name, number_, year = found.groups() if found else ("", "", None)
    if not found:
        shape = "([0-9]{1,2})(?:st|nd|rd|th)?(?: of)? ([a-z]+)[.]?(?: ([0-9]{4}))?"
        turned = re.fullmatch(shape, plain)
        if not turned:
            raise ValueError("no day")
        number_, name, year = turned.groups()
    if name[:3] not in MONTHS:
        raise ValueError("no month")
    month = MONTHS.index(name[:3]) + 1
    at = datetime(int(year) if year else now.year, month, int(number_))
    if year or rule == "year":
        return at
    # Nobody who names today's date means the one a year from it, whatever the rule.
    if rule in ("next", "after") and at < today:
        return datetime(now.year + 1, month, int(number_))
    if rule in ("last", "before") and at > today:
        return datetime(now.year - 1, month, int(number_))
    return at


def weekday(number_: int, now: datetime, rule: str) -> datetime:
    """The day of the week nearest to ``now`` by ``rule`` (see `day`); 0 is Monday."""
    today = midnight(now)
    ahead = (number_ - today.weekday()) % 7
    if rule == "year":
        raise ValueError("a weekday has no year")
    if rule in ("next", "after"):
        return today + span(1440 * (7 if ahead == 0 and rule == "after" else ahead))
    back = (today.weekday() - number_) % 7
    return today - span(1440 * (7 if back == 0 and rule == "before" else back))


def week(now: datetime, weeks: int, number_: int) -> datetime:
    """A day of the calendar week that lies ``weeks`` after the present one; 0 is Monday."""
    return midnight(now) + span(1440 * (number_ - now.weekday() + 7 * weeks))


def shift(at: datetime, amount: float, unit_minutes: int) -> datetime:
    """A moment some units later, or earlier where the amount is negative."""
    return at + span(amount * unit_minutes)


def span(length: float) -> timedelta:
    """A length of time in minutes, to the microsecond; abstains on more than there are years."""
    if not isinstance(length, (int, float)) or not abs(length) < 5_300_000_000:
        raise ValueError("no length of time")
    # The sandbox takes whole numbers alone.
    return timedelta(microseconds=round(length * 60_000_000))


def negative(amount: float) -> float:
    """The amount with the other sign."""
    return -amount


def clock(at: datetime, hour: int, minute: int, second: int) -> datetime:
    """That day at a time of day."""
    return datetime(at.year, at.month, at.day, hour, minute, second)


def time_on(at: datetime, text: str, afternoon_before: int) -> datetime:
    """That day at the time a text names; hours below ``afternoon_before`` are afternoon."""
    shape = "(?:at )?([0-9]{1,2})(?:[:.]([0-9]{2}))? ?(am|pm|a[.]m[.]|p[.]m[.]|o'clock)?"
    plain = text.strip().lower()
    if plain in ("noon", "midday"):
        return clock(at, 12, 0, 0)
    found = re.fullmatch(shape, plain)
    if not found:
        raise ValueError("no time")
    hour = int(found.group(1))
    half = (found.group(3) or "")[:1]
    if half in ("a", "p"):
        hour = hour % 12 + (12 if half == "p" else 0)
    elif hour < afternoon_before:
        hour = hour + 12
    if hour > 23:
        raise ValueError("no time")
    return clock(at, hour, int(found.group(2) or 0), 0)


def date_text(at: datetime) -> str:
    """``2023-12-01``."""
    return f"{at.year:04d}-{at.month:02d}-{at.day:02d}"


def minute_text(at: datetime) -> str:
    """``2023-12-01 13:30``."""
    return f"{date_text(at)} {at.hour:02d}:{at.minute:02d}"


def second_text(at: datetime) -> str:
    """``2023-12-01 13:30:00``."""
    return f"{minute_text(at)}:{at.second:02d}"


def iso_text(at: datetime) -> str:
    """``2023-12-01T13:30:00``."""
    return second_text(at).replace(" ", "T")


# --- rows ------------------------------------------------------------------------------------


def rows(observation: Any) -> list[Any]:
    """A list as it is; a sentence or nothing, said in place of a list, as an empty one."""
    if observation is None or isinstance(observation, str):
        return []
    if not isinstance(observation, list):
        raise ValueError("no list")
    return observation


def get(row: Any, name: str) -> Any:
    """One field of an object."""
    if not isinstance(row, dict) or name not in row:
        raise ValueError("no such field")
    return row[name]


def nth(items: list[Any], index: int) -> Any:
    """One of a list, counted from 0, or from the end by -1."""
    if not -len(items) <= index < len(items):
        raise ValueError("too few")
    return items[index]


def only(items: list[Any]) -> Any:
    """The one of a list that has no other."""
    if len(items) != 1:
        raise ValueError("not one")
    return items[0]


def extreme(items: list[Any], name: str, highest: bool) -> Any:
    """The row with the least or greatest value in a field; abstains on a draw."""
    values = [key(get(item, name)) for item in items]
    if not values:
        raise ValueError("none")
    kinds = [isinstance(value, str) for value in values]
    if any(kinds) and not all(kinds):
        raise ValueError("not comparable")
    best = max(values) if highest else min(values)
    if values.count(best) != 1:
        raise ValueError("a draw")
    return items[values.index(best)]


def key(value: Any) -> Any:
    """A value in a form that can be compared: numbers as such, everything else as small text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        if re.fullmatch("-?[1-9][0-9]*([.][0-9]+)?|0", value):
            return float(value)
        return value.lower()
    raise ValueError("not comparable")


def test(value: Any, op: str, operand: Any) -> bool:
    """One comparison. A moment is compared as such, other things by `key`; None fits nothing."""
    if value is None or operand is None:
        return op == "!=" and value is not operand
    if isinstance(operand, datetime):
        if not isinstance(value, datetime):
            if not isinstance(value, str):
                raise ValueError("no date")
            value = moment(value)
        left: Any = value
        right: Any = operand
    elif isinstance(value, bool) or isinstance(operand, bool):
        left, right = str(value).lower(), str(operand).lower()
    else:
        left, right = key(value), key(operand)
    if op == "in":
        return isinstance(left, str) and isinstance(right, str) and right in left
    if op == "==":
        return bool(left == right)
    if op == "!=":
        return bool(left != right)
    if isinstance(left, str) != isinstance(right, str):
        raise ValueError("not comparable")
    if op == "<":
        return bool(left < right)
    if op == "<=":
        return bool(left <= right)
    if op == ">":
        return bool(left > right)
    if op == ">=":
        return bool(left >= right)
    raise ValueError("no comparison")


def where(items: list[Any], name: str, op: str, operand: Any) -> list[Any]:
    """The rows whose field compares so."""
    return [item for item in items if test(get(item, name), op, operand)]


def one_of(items: list[Any], name: str, values: list[Any]) -> list[Any]:
    """The rows whose field is one of some values that were seen to belong together."""
    return [item for item in items if get(item, name) in values]


def union(*lists: list[Any]) -> list[Any]:
    """Rows of several reads one after the other, each row once."""
    found: list[Any] = []
    for items in lists:
        for item in items:
            if item not in found:
                found.append(item)
    return found


def count(items: Any) -> int:
    """How many there are."""
    return len(items)


def flipped(items: list[Any]) -> list[Any]:
    """The other way round."""
    return [items[len(items) - 1 - i] for i in range(len(items))]


def tally(items: list[Any], name: str) -> dict[str, int]:
    """How often a field holds each text; abstains on none, and on what is no text."""
    counts: dict[str, int] = {}
    for item in items:
        value = get(item, name)
        if not isinstance(value, str):
            raise ValueError("no text")
        counts[value] = counts.get(value, 0) + 1
    if not counts:
        raise ValueError("none")
    return counts


def leader(counts: dict[str, int], best: int) -> str:
    """The one text that stands there so often; abstains on a draw."""
    leaders = [value for value in counts if counts[value] == best]
    if len(leaders) != 1:
        raise ValueError("a draw")
    return leaders[0]


def most_common(items: list[Any], name: str) -> Any:
    """The value that a field holds most often; abstains on a draw."""
    counts = tally(items, name)
    return leader(counts, max(counts.values()))


def least_common(items: list[Any], name: str) -> Any:
    """The value that a field holds least often; abstains on a draw."""
    counts = tally(items, name)
    return leader(counts, min(counts.values()))


def exists(items: list[Any]) -> bool:
    """Whether there is any."""
    return len(items) > 0


def negated(condition: bool) -> bool:
    """The opposite."""
    return not condition


def both(one: bool, two: bool) -> bool:
    """Whether both of two conditions hold."""
    return one and two


def missing(value: Any) -> bool:
    """Whether a field is empty."""
    return value is None or value == ""


def among(value: Any, these: list[Any], others: list[Any]) -> bool:
    """Whether a value is one of some, and not one of the others; abstains on any further one."""
    if value not in these and value not in others:
        raise ValueError("never seen")
    return value in these


# --- series: objects from label to number -----------------------------------------------------


def numbers(series: Any) -> list[float]:
    """The numbers of a series, in its order."""
    if not isinstance(series, dict) or not series:
        raise ValueError("no series")
    values = [series[label] for label in series]
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError("no numbers")
    return values


def total(series: Any) -> float:
    """Sum of a series."""
    found: float = 0
    # Some interpreters add floats in their own way with `sum`.
    for value in numbers(series):
        found = found + value
    return found


def highest(series: Any) -> float:
    """Greatest number of a series."""
    return max(numbers(series))


def lowest(series: Any) -> float:
    """Least number of a series."""
    return min(numbers(series))


def mean(series: Any) -> float:
    """Mean of a series."""
    return float(total(series)) / len(series)


def opening(series: Any) -> float:
    """First number of a series."""
    return numbers(series)[0]


def closing(series: Any) -> float:
    """Last number of a series."""
    return numbers(series)[-1]


def growth(series: Any) -> float:
    """From the first number of a series to its last, in percent."""
    first = opening(series)
    if first == 0:
        raise ValueError("from nothing")
    return float(closing(series) - first) / float(first) * 100


def decline(series: Any) -> float:
    """From the first number of a series down to its last, in percent."""
    return -growth(series)


def moved(series: Any, op: str, percent: float) -> bool:
    """Whether a series rose (``>``) or fell (``<``) by more than so many percent, also from 0."""
    change = closing(series) - opening(series)
    bound = float(opening(series)) * percent / 100
    return change > bound if op == ">" else -change > bound


def ever(series: Any, op: str, threshold: Any) -> bool:
    """Whether any number of a series compares so."""
    return any([test(value, op, threshold) for value in numbers(series)])


def label(series: Any, index: int) -> str:
    """A label of a series, counted from 0, or from the end by -1."""
    labels = [name for name in series] if isinstance(series, dict) else []
    return str(nth(labels, index))


def peak(series: Any, greatest: bool) -> str:
    """The label of the greatest or least number; abstains on a draw."""
    values = numbers(series)
    best = max(values) if greatest else min(values)
    if values.count(best) != 1:
        raise ValueError("a draw")
    return label(series, values.index(best))


def listed(*items: Any) -> list[Any]:
    """Values as a list."""
    return [item for item in items]


def ranked(choices: list[Any], scores: list[Any], greatest: bool) -> Any:
    """The choice with the greatest or least score; abstains on a draw."""
    best = max(scores) if greatest else min(scores)
    if scores.count(best) != 1:
        raise ValueError("a draw")
    return choices[scores.index(best)]


# --- time tables -----------------------------------------------------------------------------


def free_slot(
    events: list[Any], starts: str, lasts: str, on: datetime, needed: Any, opens: int, closes: int
) -> datetime:
    """The first time of a day, between two hours, that no event overlaps.

    Args:
        events: Rows with a start and a length in minutes.
        starts: Field of the start.
        lasts: Field of the length.
        on: The day.
        needed: Minutes.
        opens: Hour at which the day begins.
        closes: Hour at which it ends.
    """
    need = number(needed)
    busy = []
    for event in events:
        begins = moment(get(event, starts))
        busy.append((begins, begins + span(number(get(event, lasts)))))
    busy = sorted(busy)
    at = clock(on, opens, 0, 0)
    end = midnight(on) + span(60 * closes)
    for begins, ends in busy:
        if begins < at + span(need) and ends > at:
            at = ends
    if at + span(need) > end:
        raise ValueError("no free time")
    return at
