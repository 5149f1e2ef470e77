"""Groups goals by wording and induces a template with typed slots for each group.

Goals of one wording that still differ, though their slots are known, are aligned word by word, and
where they differ becomes a slot too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher

from llmos.evolution.masking import Masked, Span, entities, mask
from llmos.evolution.slots import SlotSpec
from llmos.evolution.templates import Template
from llmos.evolution.words import COMMON

__all__ = ["Masked", "Span", "Wording", "entities", "mask", "merge"]

_SIMILAR = 0.65
"""Share of literal words that two wordings must have in common to be one."""

_TOKENS = 300
"""Words of a goal that are aligned with those of another; it takes time in their square."""

_REGION = 4
"""Words of a difference that may become a slot."""

_REGIONS = 5
"""Such differences between two goals."""

_FREE = frozenset({"text", "word"})


@dataclass
class Wording:
    """Goals that differ in their slots only."""

    shown: Masked
    """One of them, with the slots of all."""
    goals: list[str] = field(default_factory=list)
    """As `plain` gives them."""
    told: set[str] = field(default_factory=set)
    """Texts that are known to be what stands at an open slot in some goal."""
    _readings: _Readings | None = field(default=None, repr=False, compare=False)

    def copy(self) -> Wording:
        """As it is now: goals that are added later are not in the copy."""
        return Wording(self.shown, list(self.goals), set(self.told), self._readings)

    def template(self) -> Template:
        """The template, with slots ``s0 s1 …`` and what was seen at each.

        One goal alone that could be read in two ways is its own template, without slots.
        """
        readings = self._read()
        bare = readings.bare
        # Of two slots side by side the first holds a word, if nothing more is known of them.
        doubtful = [
            max(found, key=lambda b: len(self.told.intersection(b.values())))
            for found in readings.doubtful
        ]
        slots = tuple(
            SlotSpec(s.name, span.kind, held.union(b[s.name] for b in doubtful))
            for s, span, held in zip(bare.slots, self.shown.spans, readings.held, strict=True)
        )
        template = Template(bare.literals, slots)
        if len(set(self.goals)) == 1 and len(template.match(self.goals[0])) != 1:
            return Template((_small(self.goals[0]),), ())
        return template

    def _read(self) -> _Readings:
        """How its goals can be read; kept, for a wording of many runs takes in one at a time."""
        if self._readings is None or self._readings.shown is not self.shown:
            self._readings = _Readings(self.shown, self._bare())
        self._readings = self._readings.upto(self.goals)
        return self._readings

    def _bare(self) -> Template:
        """With free slots that take anything, to find out what they hold."""
        literals: list[str] = []
        slots: list[SlotSpec] = []
        at = 0
        for i, span in enumerate(self.shown.spans):
            literals.append(self.shown.goal[at : span.start])
            slots.append(SlotSpec(f"s{i}", "any" if span.kind in _FREE else span.kind))
            at = span.end
        literals.append(self.shown.goal[at:])
        return Template((_small(literals[0]), *literals[1:]), tuple(slots))

    def add(self, masked: Masked, *, sealed: bool = False) -> bool:
        """Take in a goal, making slots of small differences; whether that was possible.

        Args:
            masked: The goal.
            sealed: Words that differ do not become a slot: they have proved to make a difference.
        """
        merged = merge(self.shown, masked)
        if merged is None or (sealed and _words(merged) > _words(self.shown)):
            return False
        trial = Wording(merged, [*self.goals, masked.goal], self.told | masked.told)
        template = trial.template()
        if any(len(template.match(g)) != 1 for g in trial.goals):
            return False
        self.shown, self.goals, self.told = merged, trial.goals, trial.told
        return True


@dataclass(frozen=True, slots=True)
class _Readings:
    """What stands at the slots of some goals, by a template whose free slots take anything."""

    shown: Masked
    """What the template was made of."""
    bare: Template
    goals: tuple[str, ...] = ()
    held: tuple[frozenset[str], ...] = ()
    """At each slot, what stands there in the goals that can be read in one way only."""
    doubtful: tuple[list[dict[str, str]], ...] = ()
    """The readings of each of the others."""

    def upto(self, goals: Sequence[str]) -> _Readings:
        """The same for some goals, of which the first are mostly those that are here."""
        known = len(self.goals)
        if tuple(goals[:known]) != self.goals:
            return _Readings(self.shown, self.bare).upto(goals)
        read = [found for g in goals[known:] if (found := self.bare.match(g))]
        sure = [found[0] for found in read if len(found) == 1]
        before = self.held or [frozenset[str]()] * len(self.bare.slots)
        held = (
            seen.union(b[slot.name] for b in sure)
            for slot, seen in zip(self.bare.slots, before, strict=True)
        )
        doubtful = (found for found in read if len(found) > 1)
        return replace(
            self, goals=tuple(goals), held=tuple(held), doubtful=(*self.doubtful, *doubtful)
        )


def _words(masked: Masked) -> int:
    return sum(span.kind == "word" for span in masked.spans)


def _small(text: str) -> str:
    initial = text[:1].lower()
    return initial + text[1:] if len(initial) == 1 else text


Change = tuple[str, int, int, int, int]


def merge(a: Masked, b: Masked) -> Masked | None:
    """``a`` with slots where ``b`` differs, or None where they are different wordings."""
    left, right = a.tokens, b.tokens
    changes = _changes([k for k, _, _ in left], [k for k, _, _ in right])
    if changes is None:
        return None
    kinds = {span.start: span.kind for span in a.spans}
    others = {span.start: span.kind for span in b.spans}
    spans: list[Span] = []
    for tag, i1, i2, j1, j2 in changes:
        if tag == "replace":
            sides = [kinds.get(t[1]) for t in left[i1:i2]] + [
                others.get(t[1]) for t in right[j1:j2]
            ]
            kind = "text" if "text" in sides else "word"
            several = max(i2 - i1, j2 - j1) > 1
            if (
                (several and _beside_free(i1, i2, left, kinds))
                or _ragged([k for k, _, _ in left[i1:i2]])
                or _ragged([k for k, _, _ in right[j1:j2]])
            ):
                return None  # No name of a thing, or nobody could tell where it ends.
            spans.append(Span(left[i1][1], left[i2 - 1][2], kind))
            continue
        for (_, start, end), (_, other, _) in zip(left[i1:i2], right[j1:j2], strict=True):
            if start in kinds:
                alike = kinds[start] == others[other]
                spans.append(Span(start, end, kinds[start] if alike else "figure"))
    return Masked(a.goal, tuple(spans))


def _beside_free(
    i1: int, i2: int, tokens: Sequence[tuple[str, int, int]], kinds: Mapping[int, str]
) -> bool:
    """Whether a free slot stands right before or after some tokens."""
    sides = (*tokens[i1 - 1 : i1], *tokens[i2 : i2 + 1]) if i1 else tokens[i2 : i2 + 1]
    return any(kinds.get(start) in _FREE for _, start, _ in sides)


def _ragged(keys: Sequence[str]) -> bool:
    """Whether words begin or end with one that names nothing: "of the total", "total as", "to"."""
    return bool({keys[0].lower(), keys[-1].lower()} & COMMON)


def _changes(left: Sequence[str], right: Sequence[str]) -> list[Change] | None:
    """How to make one of the other, or None where too little is the same."""
    if left == right:
        return [("equal", 0, len(left), 0, len(right))]
    longer = max(len(left), len(right))
    # Most wordings differ in so many words that there is no need to look in what order they stand.
    if longer > _TOKENS or (Counter(left) & Counter(right)).total() < longer - _REGION * _REGIONS:
        return None
    changes: list[Change] = list(SequenceMatcher(None, left, right, False).get_opcodes())
    regions = [c for c in changes if c[0] != "equal"]
    if len(regions) > _REGIONS or any(
        tag != "replace" or max(i2 - i1, j2 - j1) > _REGION for tag, i1, i2, j1, j2 in regions
    ):
        return None
    same = sum(_literals(left[i1:i2]) for tag, i1, i2, _, _ in changes if tag == "equal")
    return changes if same >= _SIMILAR * max(_literals(left), _literals(right)) else None


def _literals(keys: Sequence[str]) -> int:
    return sum(not key.startswith("<") for key in keys)
