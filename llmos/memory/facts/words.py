"""Words of a goal or a fact that tell what it is about."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+(?:[.@/:+#'-]\w+)*")
_FUNCTION = """
a about above after again all also always am an and any are as at be because been before being
below between both but by can cannot could did do does doing don't down during each every few
for from further get give had has have having he her here hers him his how i if in into is it
its just let me more most must my never new no nor not now of off on once one only or other our
ours out over own please same she should so some such than that the their them then there these
they this those through to too under until up us use used using very was we were what when where
which while who whom why will with would yes you your
"""
_ASKING = """
add change check create delete find list make open put read remove run save set show tell update
write file files
"""
"""What goals ask for, rather than what they are about."""
_TELL_NOTHING = frozenset(f"{_FUNCTION} {_ASKING}".split())


def words_of(text: str) -> frozenset[str]:
    """The telling words of ``text``, in one form for singular and plural.

    Args:
        text: Any text. A script without spaces between words gives long "words", which match only
            as a whole.
    """
    words = telling(text)
    # "docs/plan.md" is that name, and tells of a plan too.
    return frozenset(_singular(w) for word in words for w in (word, *parts_of(word)))


def telling(text: str) -> list[str]:
    """The telling words of ``text`` as they stand in it, in small letters.

    Args:
        text: Any text.
    """
    found = (w.casefold().removesuffix("'s") for w in _WORD.findall(text.replace("’", "'")))
    return [w for w in found if w not in _TELL_NOTHING]


def parts_of(word: str) -> list[str]:
    """The telling words that a word, such as the name of a file, is put together of.

    Args:
        word: One of `telling`.
    """
    parts = re.split(r"[./:@+#-]", word)
    return [part for part in parts if len(part) > 1 and part not in _TELL_NOTHING]


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
