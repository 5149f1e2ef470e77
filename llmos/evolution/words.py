"""Words that most goals have."""

from __future__ import annotations

_WORDS = (
    "a an the to of in on at by for with from into over since during until my me i we us our you "
    "your it its is are was were be been being do does did has have had haven hasn isn don didn t "
    "s d m re ve ll and or but not no if so then than that this these those there here them they "
    "their his her he she as can could will would should might may must please need needs want "
    "make makes made get got any all some each every both more less most least much many one "
    "first last next when while what which who whose how case time "
)
COMMON = frozenset(_WORDS.split())
"""Words that most goals have: they do not tell goals apart."""
