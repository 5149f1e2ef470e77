"""Finds what is a slot in one goal: typed pieces, and what came back as an argument of a call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from llmos.evolution.lexer import FIGURES, KINDS, pieces
from llmos.evolution.naming import words_of
from llmos.evolution.slots import FREE, QUOTES
from llmos.evolution.templates import plain
from llmos.values import Json, Step

_LONG = 40
"""Characters of a longer text: no name of a thing."""

_SLOTS = 100
"""Slots of a goal; one with more is not a sentence but a document."""

_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Span:
    """A slot of one goal."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True)
class Masked:
    """A goal with its slots."""

    goal: str
    """As `plain` gives it."""
    spans: tuple[Span, ...]

    @cached_property
    def tokens(self) -> list[tuple[str, int, int]]:
        """Literal words and slots in order: (key, start, end)."""
        found: list[tuple[str, int, int]] = []
        at = 0
        for span in (*self.spans, Span(len(self.goal), len(self.goal), "")):
            for piece in _LITERAL.finditer(self.goal, at, span.start):
                found.append((_literal_key(piece), piece.start(), piece.end()))
            if span.kind:
                found.append((f"<{_family(span.kind)}>", span.start, span.end))
            at = span.end
        return found

    @property
    def told(self) -> set[str]:
        """What stands at its open slots."""
        return {self.goal[s.start : s.end] for s in self.spans if s.kind in FREE}

    def key(self) -> tuple[str, ...]:
        """What goals of the very same wording share."""
        return tuple(key for key, _, _ in self.tokens)


# The possessive of a name is no part of the name.
_LITERAL = re.compile(r"\w+(?:['’-](?!s\b)\w+)*|['’]s\b|\S")


def _literal_key(piece: re.Match[str]) -> str:
    return piece.group().lower() if piece.start() == 0 else piece.group()


def _family(kind: str) -> str:
    return "figure" if kind in FIGURES else kind


def mask(goal: str, steps: Sequence[Step], phrases: Mapping[str, str] = _NOTHING) -> Masked:
    """Find the slots of a goal. One of very many pieces has none: it is a document.

    Args:
        goal: The user's sentence.
        steps: What was done for it.
        phrases: Words that made a difference in other goals, with the kind of slot they are.
    """
    text = plain(goal)
    chosen: list[Span] = []
    taken = bytearray(len(text))
    for _, span in sorted(
        _candidates(text, steps, phrases), key=lambda c: (c[1].start - c[1].end, -c[0], c[1].start)
    ):
        if taken.find(1, span.start, span.end) < 0:
            taken[span.start : span.end] = b"\1" * (span.end - span.start)
            chosen.append(span)
    if len(chosen) > _SLOTS:
        return Masked(text, ())
    return Masked(text, tuple(sorted(chosen, key=lambda s: s.start)))


def _candidates(
    text: str, steps: Sequence[Step], phrases: Mapping[str, str]
) -> Iterator[tuple[int, Span]]:
    """What may be slots, overlapping: (rank among those of one length, slot)."""
    exact: set[tuple[int, int]] = set()
    for piece in pieces(text):
        if piece.kind in KINDS or piece.kind == "quote":
            exact.add((piece.start, piece.end))
            yield 1 + (piece.kind == "quote"), Span(piece.start, piece.end, piece.kind)
    for start, end in _provenance(text, steps):
        if (start, end) not in exact:
            quoted = text[start - 1 : start] == text[end : end + 1] in QUOTES
            yield 4, Span(start, end, "quote" if quoted else "text")
    for start, end in _named(text, steps):
        yield 3, Span(start, end, "word")
    for phrase, kind in phrases.items():
        # Most are not in the goal, and a look is cheaper than an expression.
        if phrase in text:
            for found in re.finditer(rf"(?<!\w){re.escape(phrase)}(?!\w)", text):
                if found.span() not in exact:
                    yield 3 if kind == "word" else 0, Span(*found.span(), kind)


def _provenance(text: str, steps: Sequence[Step]) -> Iterator[tuple[int, int]]:
    """Where the goal holds the value of an argument, by whatever case and joints."""
    done: set[str] = set()
    for step in steps:
        for value in leaves(dict(step.arguments)):
            if not isinstance(value, str) or value in done:
                continue
            if not 2 <= len(value.strip()) <= len(text):
                continue
            done.add(value)
            for found in re.finditer(_loosely(value), text, re.IGNORECASE):
                yield found.start(), found.end()


def _named(text: str, steps: Sequence[Step]) -> Iterator[tuple[int, int]]:
    """Where the goal holds words that are part of the name of a tool that looks something up.

    A goal that says "average weight" and calls ``get_average_weight`` may say other things, and
    then calls another.
    """
    for tool in dict.fromkeys(s.tool for s in steps if not s.effect.writes):
        words = words_of(tool.rpartition(".")[2])
        for n in range(len(words), 1, -1):
            found = [
                match.span()
                for k in range(len(words) - n + 1)
                for match in re.finditer(_loosely(" ".join(words[k : k + n])), text, re.IGNORECASE)
            ]
            if found:
                yield from found
                break


def entities(goal: str, steps: Sequence[Step]) -> Iterator[tuple[str, str]]:
    """What a goal says of an argument: (tool and argument, words of the goal)."""
    text = plain(goal)
    for step in steps:
        for name, value in step.arguments.items():
            if isinstance(value, str) and 2 < len(value.strip()) < _LONG:
                for found in re.finditer(_loosely(value), text, re.IGNORECASE):
                    yield f"{step.tool} {name}", found.group()


def _loosely(value: str) -> str:
    """An expression for a value however its words are joined; it never begins with a joint."""
    value = value.strip()
    begun = value[: len(value) - len(value.lstrip("_"))]
    core = value.strip("_")
    ended = value[len(begun) + len(core) :]
    words = [re.escape(w).replace("\\\n", r"(?:\\n|\n)") for w in re.split(r"[ _]", core)]
    return rf"(?<!\w){begun}{'[ _-]'.join(words)}{ended}(?!\w)"


def leaves(value: Json) -> Iterator[Json]:
    """The values that are neither objects nor lists."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value
