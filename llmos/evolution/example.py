"""One trace of a family as the search sees it, and what the search says when it finds nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from llmos.values import Step


@dataclass(frozen=True)
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

    @cached_property
    def fingerprint(self) -> bytes:
        """What a repeat has in common with it: the goal, the moment, what was done and seen."""
        steps = [(s.tool, s.arguments, s.observation) for s in self.steps]
        # What a model says when all is done is worded otherwise every time.
        answer = "" if any(s.effect.writes for s in self.steps) else self.output
        told = [self.wording, dict(self.slots), self.now.isoformat(), steps, answer]
        text = json.dumps(told, sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=16).digest()


def distinct(examples: Iterable[Example]) -> list[Example]:
    """The traces without repeats of one that came before: they are no evidence of their own."""
    found: dict[bytes, Example] = {}
    for example in examples:
        found.setdefault(example.fingerprint, example)
    return list(found.values())


class NoProgram(Exception):
    """No program of the language does what the traces did; the message says what is unexplained."""


class OutOfTime(NoProgram):
    """The search took as long as it may."""
