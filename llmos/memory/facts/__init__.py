"""L4 memory: what a user has said that holds beyond one run, with where it was said."""

from llmos.memory.facts.book import Facts, Noted
from llmos.memory.facts.fact import (
    LONGEST_FACT,
    PERSON,
    Evidence,
    Fact,
    FactKind,
    FactStatus,
    Statement,
)
from llmos.memory.facts.meaning import meaning_of
from llmos.memory.facts.recall import FACT, Nearness, recall
from llmos.memory.facts.statements import correction, statements

__all__ = [
    "FACT",
    "LONGEST_FACT",
    "PERSON",
    "Evidence",
    "Fact",
    "FactKind",
    "FactStatus",
    "Facts",
    "Nearness",
    "Noted",
    "Statement",
    "correction",
    "meaning_of",
    "recall",
    "statements",
]
