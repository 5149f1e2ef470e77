"""What the words of a goal say about how its program decides and chooses."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

_TIME = re.compile(
    r"\b(?:over|past )?due\b|\b(?:late[rs]?\w*|earl\w+|old\w*|new\w*|recent\w*|future|past|upcoming"
    r"|coming|ago|since|until|till|before|after|expir\w+|outdated|stale|today|yesterday|tomorrow"
    r"|tonight|current\w*|already|yet|soon\w*|next|last|previous|first|deadline|overdue|when"
    r"|(?:week|month|day|year|hour|minute|fortnight|quarter)s?)\b"
)
_EVER = re.compile(r"\b(?:ever|at (?:any|some|one) (?:time|point)|(?:any|some) ?time)\b")
_EQUAL = re.compile(
    r"\bat (?:least|most)\b|\bor (?:more|less|fewer|higher|lower|above|below|later|earlier|equal)\b"
    r"|\bno (?:more|less|fewer|later|earlier)\b|\bnot (?:more|less|fewer)\b|\bup to\b"
    r"|\b(?:min|max)imum\b|\bsame\b|\bequal\b"
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
    "decline": _CHANGE,
    "moved": _CHANGE,
    "opening": re.compile(r"\b(?:open\w*|start\w*|beg[aiu]n\w*|initial\w*|first)\b"),
    "closing": re.compile(r"\b(?:clos\w+|end\w*|final\w*|last|latest|current\w*)\b"),
}
FIGURES = frozenset(_SPOKEN)
"""Figures of a series that are meant only where the words of a goal name them."""


def figures(said: Collection[str]) -> frozenset[str]:
    """Those of `FIGURES` that every wording may name."""
    return frozenset(f for f, words in _SPOKEN.items() if all(words.search(w) for w in said))


def side(said: Collection[str], slot: str) -> int:
    """-1 where every wording speaks of a length of time that is past, 1 of one to come, else 0."""
    name = rf"\s+{{{re.escape(slot)}}}"
    for sign, words in ((-1, r"(?:past|last|previous)"), (1, r"(?:next|coming|following|within)")):
        if said and all(re.search(rf"\b{words}{name}", wording) for wording in said):
            return sign
    return 0


def of_time(said: Collection[str]) -> bool:
    """Whether some wording speaks of time: else the clock has no part in what is meant."""
    return not said or any(_TIME.search(words) for words in said)


def of_change(words: Collection[str]) -> bool:
    """Whether words of direction say up or down, and not how much: "higher", not "more"."""
    return all(_CHANGE.fullmatch(w.lower()) for w in words)


def of_equality(said: Collection[str]) -> bool:
    """Whether some wording counts a limit itself in: "at least 5", "5 or more"."""
    return not said or any(_EQUAL.search(words) for words in said)
