"""Typed pieces of a goal: dates, times, durations, numbers, directions, quotes, addresses, paths.

They become slots of a template even from one trace, since they are what changes from one goal
of a family to the next. A slot that never changed is served only for what it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_AMOUNT = (
    r"(?:\d+(?:\.\d+)?|half an?|half|an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve)"
)
_UNIT = r"(?:minute|min|hour|hr|day|week|fortnight)s?"

_MORE = """
    more higher greater over above after later latest most highest exceeds exceeded longer newest
    newer largest biggest longest heavier heaviest dearer dearest costlier costliest
"""
_LESS = """
    less lower fewer under below before earlier earliest least lowest fewest shorter oldest older
    smallest shortest smaller cheaper cheapest lighter lightest
"""
DIRECTIONS = {**dict.fromkeys(_MORE.split(), ">"), **dict.fromkeys(_LESS.split(), "<")}
"""Words that turn a comparison or an order round."""

ORDINALS = frozenset(["first", "last", "second", "third", "next", "previous"])
SENSES = {
    **{word: f"compared {side}" for word, side in DIRECTIONS.items()},
    **dict.fromkeys(["first", "next", "earliest"], "first"),
    **dict.fromkeys(["last", "latest", "previous"], "last"),
}
"""Words of direction that may stand for one another where nothing is made of them."""

_POLAR = "|".join(sorted([*DIRECTIONS, *ORDINALS], key=len, reverse=True))

KINDS = {
    "date": (
        r"\d{4}-\d{2}-\d{2}|today|tonight|tomorrow|yesterday"
        rf"|(?:(?:next|last|this) )?{_WEEKDAY}|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?"
        rf"|\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH}(?:,? \d{{4}})?"
    ),
    "time": r"\d{1,2}[:.]\d{2}(?: ?[ap]\.?m\.?)?|\d{1,2} ?[ap]\.?m\.?|noon|midday",
    "duration": rf"{_AMOUNT}[ -]{_UNIT}|fortnight",
    "number": r"[$€£]?-?\d+(?:,\d{3})*(?:\.\d+)?%?",
    # As long as the standard allows: without a bound, "a.a.a.a…" takes time in squares.
    "address": r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+",
    "path": r"(?:https?://|[~.]{0,2}/)[\w./~%+-]*[\w/]|[\w-]+(?:/[\w.-]+)+|[\w-]+\.[a-z][a-z0-9]{1,4}",
    "polar": _POLAR,
}
"""Regular expression of each typed kind, matched without regard to case."""

_ORDER = ("address", "path", "date", "time", "duration", "number", "polar")
_QUOTED = (
    r"(?<![\w'])'(?P<single>[^'\n]*(?:(?<=\w)'(?=\w)[^'\n]*)*)'(?!\w)|\"(?P<double>[^\"\n]*)\""
)
_TYPED = "|".join(rf"(?P<{kind}>(?<![\w$-])(?:{KINDS[kind]})(?![\w]))" for kind in _ORDER)
_LEXER = re.compile(rf"{_QUOTED}|{_TYPED}|(?P<word>\w+(?:['’-]\w+)*)|(?P<mark>\S)", re.I)
_FULL = {kind: re.compile(rf"(?:{pattern})\Z", re.I) for kind, pattern in KINDS.items()}

FIGURES = frozenset({"time", "duration", "number"})
"""Kinds that are written alike: ``at 11`` is a time where ``at 3:30`` is one."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a goal."""

    kind: str
    """A key of `KINDS`, ``quote``, ``word`` or ``mark``."""
    text: str
    start: int
    end: int


def pieces(goal: str) -> Iterator[Piece]:
    """The pieces of a goal, in order; white space lies between them, quotation marks too."""
    for found in _LEXER.finditer(goal):
        if found["single"] is not None or found["double"] is not None:
            kind = "single" if found["single"] is not None else "double"
            if found[kind].strip():
                yield Piece("quote", found[kind], found.start(kind), found.end(kind))
            continue
        kind = str(found.lastgroup)
        yield Piece(kind, found.group(), found.start(), found.end())


def is_kind(kind: str, text: str) -> bool:
    """Whether a text may stand in a slot of a typed kind."""
    if kind == "figure":
        return any(is_kind(k, text) for k in FIGURES)
    pattern = _FULL.get(kind)
    return pattern is None or pattern.match(text) is not None


def kinds_in(text: str) -> frozenset[str]:
    """Kinds of the dates, figures, directions, addresses, paths and quotes in a text."""
    return frozenset(
        "figure" if p.kind in FIGURES else p.kind
        for p in pieces(text)
        if p.kind not in ("word", "mark")
    )
