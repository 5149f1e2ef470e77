"""Words of a goal that are names in calls: ``total weight`` is ``getTotalWeight``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from llmos.values import Json

TELLING = 4
"""Letters of a word that is not in two names, or of a text that is not in another, by chance."""


def words_of(name: Json) -> list[str]:
    """The words that a text or an identifier is made of."""
    return re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+|\d+", str(name))


def named_alike(table: Mapping[str, Json]) -> bool:
    """Whether every text of a table has most words in common with its own value, more than one.

    ``total weight`` is ``weight_total`` by its name: once is enough to believe that.
    """
    values = {str(value): _words(value) for value in table.values()}
    for text, value in table.items():
        said = _words(text)
        shared = {other: len(said & named) for other, named in values.items()}
        own = shared.pop(str(value))
        if own < 2 or any(n >= own for n in shared.values()):
            return False
    return len(table) > 1


def akin_words(text: Json, name: Json) -> bool:
    """Whether a text and a name, an identifier, have a word in common that says something."""
    if re.search(r"\s|@", str(name)):
        return False
    return any(len(word) >= TELLING for word in _words(text) & _words(name))


def _words(value: Json) -> frozenset[str]:
    """The words that a text or a name is made of, without the ending of a plural."""
    return frozenset(w.lower().removesuffix("s") for w in words_of(value))
