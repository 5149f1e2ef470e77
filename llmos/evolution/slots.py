"""What may stand at a slot of a goal template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from llmos.evolution.lexer import DIRECTIONS, FIGURES, ORDINALS, Piece, is_kind, kinds_in, pieces

_OPERATORS = """
    not no never nor cannot don't doesn't didn't isn't aren't won't can't wouldn't shouldn't
    except excluding unless only but and or if then else otherwise without also instead
    all any every each both neither none nothing nobody whether when until while
    than that which who whose where half double twice
    one two three four five six seven eight nine ten eleven twelve dozen hundred thousand
"""
OPERATORS = frozenset(_OPERATORS.split()) | ORDINALS | frozenset(DIRECTIONS)
"""Words that change what a goal means: no free text swallows one that it never held."""

_SORTS = (frozenset('\n"'), frozenset(",;:?!()"))
"""Characters that a free text may hold if it held one of the same sort."""

_FOREIGN = frozenset[str]().union(*_SORTS)
"""What a free text may not hold of which nothing was seen."""

QUOTES = frozenset("'\"")
"""Marks that begin and end a quote."""

_WORD = re.compile(r"\w+(?:['’]\w+)*")
FREE = frozenset({"text", "word", "any"})
"""Kinds of slots that a goal does not show by itself."""


@dataclass(frozen=True, slots=True)
class SlotSpec:
    """What may stand at a slot."""

    name: str
    kind: str
    """A typed kind, ``figure``, ``quote``, ``text`` (open), ``word`` (only what was seen) or
    ``any``."""
    seen: frozenset[str] = frozenset()
    """What stood there in the traces."""

    def accepts(self, text: str) -> bool:
        """Whether ``text`` may be what the slot means."""
        if self.kind == "quote":
            return bool(text.strip())
        if not text or text != text.strip():
            return False
        if self.kind == "word" or (self.kind == "polar" and self.seen):
            return text in self.seen
        if self.kind == "text":
            return text in self.seen or _habits(self.seen).allow(text)
        return is_kind(self.kind, text)

    @property
    def reading(self) -> tuple[object, ...]:
        """What it depends on how a goal is read: slots of equal readings accept the same."""
        held = self.seen if self.kind == "word" or self.kind == "polar" else None
        return self.name, self.kind, held, _habits(self.seen) if self.kind == "text" else None

    def ends(self, goal: str, at: int, literal: str) -> Iterator[int]:
        """Where it may end if it begins at ``at`` and ``literal`` follows, the nearest first."""
        if self.kind == "word":
            for value in sorted(self.seen, key=lambda v: (len(v), v)):
                if goal.startswith(value, at) and goal.startswith(literal, at + len(value)):
                    yield at + len(value)
        elif self.kind in FREE:
            stop = len(goal)
            if self.kind == "text":
                stop = min(stop, at + _habits(self.seen).characters + len(literal))
            end = goal.find(literal, at + 1, stop)
            while end >= 0:
                yield end
                end = goal.find(literal, end + 1, stop)
        elif self.kind == "quote" and goal[at - 1 : at] == literal[:1] in QUOTES:
            yield from _closed(goal, at, literal)
        else:
            piece = _lexed(goal).get(at)
            if piece and self._fits(piece) and goal.startswith(literal, piece.end):
                yield piece.end

    def _fits(self, piece: Piece) -> bool:
        return piece.kind == self.kind or (
            piece.kind in FIGURES and self.kind in FIGURES | {"figure"}
        )


@dataclass(frozen=True, slots=True)
class _Habits:
    """What the texts that stood at an open slot have in common."""

    words: int
    """Words that a text may have."""
    characters: int
    """Characters that it may have."""
    foreign: frozenset[str]
    """Characters that it may not hold."""
    known: frozenset[str]
    """Operators that it may hold."""
    kinds: frozenset[str]
    """Kinds of pieces that it may hold."""

    def allow(self, text: str) -> bool:
        """Whether a text is like them: hardly longer, and nothing in it is of another sort."""
        return (
            len(text) <= self.characters
            and len(text.split(None, self.words)) <= self.words
            and self.foreign.isdisjoint(text)
            and _operators(text) <= self.known
            and kinds_in(text) <= self.kinds
        )


@lru_cache(maxsize=4096)
def _habits(seen: frozenset[str]) -> _Habits:
    each = [_habits_of(s) for s in seen]
    longest = max((h.words for h in each), default=1)
    return _Habits(
        1 if longest == 1 else 2 * longest + 2,
        max((h.characters for h in each), default=200),
        _FOREIGN.intersection(*(h.foreign for h in each)),
        frozenset[str]().union(*(h.known for h in each)),
        frozenset[str]().union(*(h.kinds for h in each)),
    )


@lru_cache(maxsize=4096)
def _habits_of(text: str) -> _Habits:
    """Of one text alone, but for the words: as many as it has."""
    foreign = frozenset(c for sort in _SORTS if sort.isdisjoint(text) for c in sort)
    return _Habits(
        len(text.split()), max(200, 4 * len(text)), foreign, _operators(text), kinds_in(text)
    )


def _operators(text: str) -> frozenset[str]:
    return OPERATORS.intersection(w.replace("’", "'") for w in _WORD.findall(text.lower()))


def _closed(goal: str, at: int, literal: str) -> Iterator[int]:
    """Where a quote may end: quotes in it are closed by then, and it does not begin again."""
    mark = literal[0]
    begins = re.compile(rf"(?<!\w){mark}(?=\w)")
    inner, left = 0, False
    for found in re.compile(mark).finditer(goal, at + 1):
        if begins.match(goal, found.start()):
            if left:
                return
            inner += 1
            continue
        ends = re.match(r"\w", goal[found.end() : found.end() + 1]) is None
        if inner:
            inner -= ends
            continue
        if goal.startswith(literal, found.start()):
            yield found.start()
        left = left or ends


@lru_cache(maxsize=256)
def _lexed(goal: str) -> Mapping[int, Piece]:
    """The pieces of a goal by where they begin."""
    return {p.start: p for p in pieces(goal)}
