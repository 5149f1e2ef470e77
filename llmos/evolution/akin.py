"""Whether two wordings may ask for the same thing."""

from __future__ import annotations

import re
from functools import lru_cache

from llmos.evolution.group import Group
from llmos.evolution.templates import Template
from llmos.evolution.words import COMMON

_APART = 4
"""Words that one of two wordings may have and the other not.

Of longer ones more must be in common than not.
"""


def akin(a: Group, b: Group) -> bool:
    """Whether two wordings may ask for the same: kinds of calls and words in common."""
    one, two = a.calls, b.calls
    # A condition that held for one and not for the other makes them go apart on the way.
    part = one <= two or two <= one or a.conditional
    if not one & two or not (part or len(one & two) * 2 >= len(one | two)):
        return False
    if a.conditional != b.conditional or a.only_asks != b.only_asks:
        return False
    shared, apart = _words(a, b)
    return shared > 0 and (apart <= _APART or shared > apart)


def likeness(a: Group, b: Group) -> float:
    """Share of their telling words that two wordings have in common."""
    shared, apart = _words(a, b)
    return shared / max(1, shared + apart)


def _words(a: Group, b: Group) -> tuple[int, int]:
    """Telling words that both have, and those that one of them has."""
    mine, theirs = _telling(a.template), _telling(b.template)
    # A word that one of them has at a slot, always the same one, is no less a word of it.
    shared = (mine & (theirs | _fixed(b.template))) | (theirs & _fixed(a.template))
    return len(shared), len(mine - shared) + len(theirs - shared)


def _telling(template: Template) -> frozenset[str]:
    return _stems(" ".join(template.words))


def _fixed(template: Template) -> frozenset[str]:
    """Words of the slots that never varied."""
    texts = (min(s.seen) for s in template.slots if len(s.seen) == 1)
    return _stems(" ".join(texts))


@lru_cache(maxsize=20_000)
def _stems(text: str) -> frozenset[str]:
    words = re.findall(r"\w+", text.lower())
    return frozenset(w.removesuffix("s") for w in words if w not in COMMON)
