"""What words stand for: tables that one family's runs have shown, and others may use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from llmos.evolution.family import Family
from llmos.evolution.ir import tables_of
from llmos.evolution.naming import named_alike
from llmos.evolution.prove import simplest
from llmos.values import Json

Meanings = tuple[Mapping[str, Json], ...]
"""Words to what they stand for: one table for each kind of value."""

_PROVEN = 4
"""Good runs of a family whose words are taken to mean the same elsewhere."""


def meanings_of(families: Iterable[Family]) -> Meanings:
    """What words stand for, by the families' own runs.

    Tables are of one kind where they say the same of some word. One that contradicts what is
    known of its kind adds nothing.
    """
    found: list[dict[str, Json]] = []
    for table in (t for family in families for t in _tables(family)):
        fitting = next((f for f in found if f.items() & table.items()), None)
        if fitting is None:
            found.append(table)
        elif all(fitting.get(word, meant) == meant for word, meant in table.items()):
            fitting.update(table)
    return tuple(found)


def _tables(family: Family) -> Iterator[dict[str, Json]]:
    """Tables that choose a tool or a value in a family's simplest program, by its own runs.

    Only a name that says what it means is believed after few runs.
    """
    young = len(family.examples) < _PROVEN
    for expr in simplest(family.program):
        for slot, whole in tables_of(expr):
            table = family.own(slot, whole)
            words = all(isinstance(v, str) and v not in ("", "<", ">") for v in table.values())
            if table and words and (not young or named_alike(table)):
                yield table
