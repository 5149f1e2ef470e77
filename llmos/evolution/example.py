"""One trace of a family as the search sees it, and what the search says when it finds nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from llmos.values import Step


@dataclass(frozen=True, slots=True)
class Example:
    """One trace of a family: what its goal says at the slots, and what was done."""

    slots: Mapping[str, str]
    now: datetime
    """Naive: the wall clock of the run."""
    steps: tuple[Step, ...]
    output: str = ""
    conditional: bool = False
    """The goal asks for something under a condition."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """What kind of text stands at each slot."""
    wording: int = 0
    """Number of the wording that its goal is of."""
    many: bool | None = None
    """The goal speaks of all of a kind (True), of one in a row (False), or of neither."""
    said: str = ""
    """Its wording, small: slots as ``{name}``, but words of direction as they are."""


class NoProgram(Exception):
    """No program of the language does what the traces did; the message says what is unexplained."""


class OutOfTime(NoProgram):
    """The search took as long as it may."""
