"""Facts: what a user has said that holds beyond one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

PERSON = "person"
"""As evidence: somebody wrote the fact down, in no run."""
LONGEST_FACT = 500
"""Characters of one fact. A longer text is a document."""


class FactKind(StrEnum):
    """What sort of thing is known, which decides for which goals it is recalled."""

    RULE = "rule"
    """How things are to be done always; recalled for every goal."""
    ATTRIBUTE = "attribute"
    """What something is: "my editor is vim"; recalled by words."""
    NOTE = "note"
    """Anything else; recalled by words."""
    CORRECTION = "correction"
    """What was wrong with a run; recalled for that very goal."""


class FactStatus(StrEnum):
    """Whether a fact still holds."""

    CURRENT = "current"
    SUPERSEDED = "superseded"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Statement:
    """What a sentence says, before it is stored."""

    kind: FactKind
    sentence: str
    subject: str = ""
    """What it is about: of two facts about one subject the later one holds. ``""``: unknown."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a fact was said."""

    source: str
    """Id of a run, or `PERSON`."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Fact:
    """One stored fact: one sentence that somebody said."""

    id: str
    line: str
    """Id of the first of the facts that replaced each other."""
    user_id: str
    project: str
    """``""``: it holds in all of them."""
    kind: FactKind
    subject: str
    sentence: str
    status: FactStatus
    successor: str
    """Id of the fact that superseded it, or ``""``."""
    by: str
    """``person``, ``goal`` or ``feedback``: how it came here."""
    at: datetime
    ended_at: datetime | None
    evidence: Sequence[Evidence] = ()
