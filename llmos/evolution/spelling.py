"""Finds out where a tool does not care about capitals, and has runs say there what their goal says.

A model looks for "Alice" where the goal says "alice", and the next time for "alice". Where the tool
has shown that this is the same question, both runs asked it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from llmos.evolution.templates import plain
from llmos.values import Json, Step, Trace

_SHOWN = 2
"""Texts, with results of their own, that must have given the same however they were spelled."""

_KEPT = 500
"""Questions that are kept of one argument of a tool; the oldest go first."""

_SPELLINGS = 4
"""Spellings of one question that are kept."""

_NOTHING = ""
"""Digest of a result that is empty, or an error."""

_LONG = 80
"""Characters of a longer text, which is no name."""


@dataclass
class Spellings:
    """What reads gave for one text in several spellings; grows with every trace.

    Attributes:
        asked: For each ``tool argument``, by question: the result for each spelling. A question is
            the text without capitals together with the other arguments; it and results are digests.
    """

    asked: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    careless: frozenset[str] = frozenset()
    """Where capitals make no difference, as ``tool argument``, as of the last `look`."""
    _recorded: dict[str, Trace] = field(default_factory=dict)
    """Traces that `as_said` has changed, as they were, by id."""

    def add(self, run: Sequence[Step]) -> None:
        """Count the reads of one trace."""
        for step in run:
            if step.effect.writes:
                continue
            found = bool(step.observation) and not step.is_error
            result = _digest(step.observation) if found else _NOTHING
            for name, text in _texts(step):
                questions = self.asked.setdefault(f"{step.tool} {name}", {})
                question = _digest([name, {**step.arguments, name: text.lower()}])
                results = questions.setdefault(question, {})
                if text in results or len(results) < _SPELLINGS:
                    results[text] = result
                if len(questions) > _KEPT:
                    del questions[next(iter(questions))]

    def look(self) -> tuple[bool, bool]:
        """Tell anew where capitals make no difference.

        They make none where several texts have given the same in all their spellings, each
        something else, and no text has not. Where the world has changed in between, nothing is
        known.

        Returns:
            Whether that has changed, and whether somewhere they make a difference after all.
        """
        before = self.careless
        self.careless = frozenset(p for p, asked in self.asked.items() if _is_careless(asked))
        return self.careless != before, not before <= self.careless

    def as_said(self, trace: Trace) -> Trace:
        """A trace whose reads spell texts as its goal does, where that makes no difference."""
        recorded = self._recorded.get(trace.id, trace)
        goal = plain(trace.goal)
        steps = tuple(_as_said(step, goal, self.careless) for step in recorded.steps)
        if steps == trace.steps:
            return trace
        self._recorded[trace.id] = recorded
        return replace(recorded, steps=steps)

    def as_json(self) -> Json:
        """The counts as JSON."""
        return {place: dict(asked) for place, asked in self.asked.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Spellings:
        """The counts that `as_json` wrote."""
        made = cls(
            {p: {q: dict(results) for q, results in asked.items()} for p, asked in data.items()}
        )
        made.look()
        return made


def _is_careless(asked: Mapping[str, Mapping[str, str]]) -> bool:
    told: set[str] = set()
    for results in asked.values():
        if len(results) > 1:
            if len(set(results.values())) > 1:
                return False
            told.update(results.values())
    return len(told - {_NOTHING}) >= _SHOWN


def _texts(step: Step) -> Iterator[tuple[str, str]]:
    for name, value in step.arguments.items():
        if isinstance(value, str) and len(value) <= _LONG and value.lower() != value.upper():
            yield name, value


def _digest(value: Json) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _as_said(step: Step, goal: str, careless: Collection[str]) -> Step:
    if step.effect.writes:
        return step
    told = {
        name: said
        for name, text in _texts(step)
        if f"{step.tool} {name}" in careless and (said := _said(text, goal)) is not None
    }
    return replace(step, arguments={**step.arguments, **told}) if told else step


def _said(text: str, goal: str) -> str | None:
    """How a goal spells a text; None where it does not, or does so in several ways."""
    found = re.findall(rf"(?<!\w){re.escape(text)}(?!\w)", goal, re.IGNORECASE)
    return found[0] if len(set(found)) == 1 else None
