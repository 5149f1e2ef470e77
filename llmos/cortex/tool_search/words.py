"""Text as the words that tools and goals are compared by."""

from __future__ import annotations

import re
from functools import lru_cache

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
"""A word, also inside of ``camelCase`` and ``snake_case``."""

_SAYING_NOTHING = """
    a an and any are as at be but by can could did do does for from had has have how i if in into is
    it its let me my no not of on one or our please s so t than that the their them then there these
    they this those to up us was we were what when where which who will with would you your
"""
_IDLE = frozenset(_SAYING_NOTHING.split())
"""Words that say nothing of what a tool is for."""

_DOUBLED = re.compile(r"([b-df-hj-km-np-rtvx])\1$")
_SHORTEST = 4
"""Letters that a word must keep when an ending is taken off it."""


def words(text: str) -> list[str]:
    """The telling words of ``text`` in order, without their endings."""
    return [stem(w) for w in map(str.lower, _PART.findall(text)) if w not in _IDLE]


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """``word`` without the endings of English plurals and verbs: meetings and meet are one.

    Args:
        word: In small letters.
    """
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("s", "")):
        if word.endswith(ending) and len(word) >= _SHORTEST and not word.endswith(("ss", "us")):
            word = word[: -len(ending)] + instead
            break
    for ending in ("ing", "ed", "er"):
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST - 1:
            word = _DOUBLED.sub(r"\1", word[: -len(ending)])
            break
    return word[:-1] if word.endswith("e") and len(word) > _SHORTEST - 1 else word
