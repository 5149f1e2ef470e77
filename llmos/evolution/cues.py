"""What the words of a goal say about how its program decides and chooses."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

_TIME = re.compile(
    r"\b(?:over|past )?due\b|\b(?:future|past|upcoming|coming|ago|since|until|till|before|after"
    r"|expir\w+|outdated|stale|today|yesterday|tomorrow|tonight|current\w*|already|yet|soon\w*"
    r"|next|previous|deadline|overdue|when|(?:week|month|day|year|hour|minute|fortnight|quarter)s?)\b"
)
_EVER = re.compile(
    r"\b(?:ever|(?:any|some) ?time"
    r"|(?:at|on|in) (?:any|some|one) (?:time|point|moment|day|week|month))\b"
)
_EQUAL = re.compile(
    r"\bat (?:least|most)\b|\bor (?:more|less|fewer|higher|lower|above|below|later|earlier|equal)\b"
    r"|\bno (?:more|less|fewer|later|earlier)\b|\bnot (?:more|less|fewer)\b|\bup to\b"
    r"|\b(?:min|max)imum\b|\bsame\b|\bequal\b|\bnot\b|n['’]t\b|\breach\w*|\bhit\b"
)


_SPOKEN: Mapping[str, re.Pattern[str]] = {
    "ever": _EVER,
    "highest": re.compile(r"\b(?:highest|peak\w*|max\w*|most|top|best|record|largest|biggest)\b"),
    "lowest": re.compile(r"\b(?:lowest|min\w*|least|worst|smallest|fewest)\b"),
    "growth": (
        _CHANGE := re.compile(
            r"\b(?:gr[eo]w\w*|increas\w+|decreas\w+|r[io]se\w*|f[ae]ll\w*|drop\w*|declin\w+|shr[aiu]nk"
            r"|higher|lower|up|down|chang\w+|percent\w*|gain\w*|los[est]\w*|improv\w+)\b"
        )
    ),
    "decline": re.compile(
        r"\b(?:decreas\w+|f[ae]ll\w*|drop\w*|declin\w+|shr[aiu]nk|lower|down|los\w+)\b"
    ),
    "moved": _CHANGE,
    "opening": re.compile(r"\b(?:open\w*|start\w*|beg[aiu]n\w*|initial\w*)\b"),
    "closing": re.compile(r"\b(?:clos(?:e[ds]?|ing)|end(?:s|ed)?|final\w*)\b"),
}
_PAST, _AHEAD = "past|last|previous", "next|coming|following|within"
_LIMITS = (
    "than|over|above|under|below|exceeds?|exceed(?:ed|ing)|at (?:least|most)|up to|reach(?:es|ed)?"
    "|since|before|after|until|till|within"
)
_HOURS = "at|by|before|after|from|until|till"
_SUPERLATIVE = re.compile(
    r"\b(?:best|worst|\w{3,}(?<!u)est|(?<!at )(?:most|least)(?= (?!of\b|recent)\w{3}))\b"
)
_NO_SUPERLATIVES = """
    interest forest honest modest digest invest contest protest harvest earnest arrest manifest
    suggest rest chest first latest earliest newest oldest nearest closest
"""
FIGURES = frozenset(_SPOKEN)
"""Figures of a series that are meant only where the words of a goal name them."""


PLAIN_WORDS = frozenset({"ever", "growth", "decline", "moved"})
"""Those of them that nothing else is meant by, where they are named."""


def figures(said: Collection[str]) -> frozenset[str]:
    """Those of `FIGURES` that every wording may name."""
    return frozenset(f for f, words in _SPOKEN.items() if all(words.search(w) for w in said))


def side(said: Collection[str], slot: str) -> int:
    """-1 where wordings speak of a length of time that is past, 1 of one to come, 0 of neither."""
    past, ahead = (_before(said, words, slot) for words in (_PAST, _AHEAD))
    return int(ahead) - int(past)


def of_hours(said: Collection[str], slot: str) -> bool:
    """Whether some wording speaks of a figure as of a time of day."""
    return not said or _before(said, _HOURS, slot)


def is_limit(said: Collection[str], slot: str) -> bool:
    """Whether some wording plainly compares something with what stands at a slot."""
    return _before(said, _LIMITS, slot)


def _before(said: Collection[str], words: str, slot: str) -> bool:
    """Whether one of some words stands right before a slot."""
    place = re.compile(rf"\b(?:{words})\s+{{{re.escape(slot)}}}")
    return any(place.search(wording) for wording in said)


def of_time(said: Collection[str]) -> bool:
    """Whether some wording speaks of time: else the clock has no part in what is meant.

    The first and the latest of some things come in an order, whatever the time is now.
    """
    return not said or any(_TIME.search(words) for words in said)


def superlative(said: Collection[str]) -> bool:
    """Whether some wording names a most of something, other than by place or time."""
    others = frozenset(_NO_SUPERLATIVES.split())
    return any(w not in others for words in said for w in _SUPERLATIVE.findall(words))


def of_change(words: Collection[str]) -> bool:
    """Whether words of direction say up or down, and not how much: "higher", not "more"."""
    return all(_CHANGE.fullmatch(w.lower()) for w in words)


def of_equality(said: Collection[str]) -> bool:
    """Whether some wording counts a limit itself in: "at least 5", "5 or more"."""
    return not said or any(_EQUAL.search(words) for words in said)
