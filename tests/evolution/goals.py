"""Goals with known slots, for properties of templates and wordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from llmos.evolution.align import Masked, Wording, mask
from llmos.evolution.templates import Template
from llmos.values import Effect, Step

_WORDS = "send book cancel report table meeting note please called about with it to for"
WORDS = _WORDS.split()
NAMES = ["alice", "bob", "Alice", "Bob", "blue-team", "red_team"]
VALUES = {
    "date": ["2024-05-06", "friday", "May 3", "tomorrow"],
    "time": ["3:30", "11 am", "noon"],
    "number": ["5", "12%", "$30", "3.5"],
    "duration": ["two hours", "30 minutes"],
    "polar": ["first", "last", "more", "less", "before", "after"],
    "quote": [r"'Weekly'", r"'it's late'", r"'a\nb'", r"'two words'", r"'5'", r"'not now'"],
    "text": NAMES,
}


@dataclass(frozen=True)
class Told:
    """A goal and what was done for it."""

    goal: str
    steps: tuple[Step, ...]

    def masked(self) -> Masked:
        return mask(self.goal, self.steps)


def write(**arguments: str) -> Step:
    """A call that says what the goal said."""
    return Step("notes.write", arguments, effect=Effect.WRITE)


@st.composite
def told(draw: st.DrawFn, words: Sequence[str] = WORDS) -> Told:
    """A goal of words and values, and a step for the names in it."""
    parts: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        parts += draw(st.lists(st.sampled_from(words), min_size=1, max_size=3))
        kind = draw(st.sampled_from(sorted(VALUES)))
        parts.append(draw(st.sampled_from(VALUES[kind])))
    parts += draw(st.lists(st.sampled_from(words), max_size=2))
    names = [p for p in parts if p in NAMES]
    goal = " ".join(parts)
    return Told(goal[:1].upper() + goal[1:], tuple(write(name=n) for n in names))


@st.composite
def variants(draw: st.DrawFn) -> list[Told]:
    """Goals of one wording, with other values."""
    frame: list[str | None] = []
    kinds: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        frame += draw(st.lists(st.sampled_from(WORDS), min_size=2, max_size=4))
        frame.append(None)
        kinds.append(draw(st.sampled_from(sorted(VALUES))))
    found = []
    for _ in range(draw(st.integers(2, 4))):
        values = [draw(st.sampled_from(VALUES[k])) for k in kinds]
        left = iter(values)
        goal = " ".join(next(left) if word is None else word for word in frame)
        names = (v for v, k in zip(values, kinds, strict=True) if k == "text")
        found.append(Told(goal, tuple(write(name=n) for n in names)))
    return found


def wording(*goals: Told) -> Wording:
    """The wording of goals that must be alike."""
    first, *others = [g.masked() for g in goals]
    made = Wording(first, [first.goal])
    for masked in others:
        assert made.add(masked), masked.goal
    return made


def template(*goals: str, **arguments: str) -> Template:
    """The template of goals whose arguments are among some values."""
    return wording(*(Told(g, (write(**arguments),)) for g in goals)).template()


def together(known: Template, bound: dict[str, str]) -> str:
    """A goal put together from a template and bindings; its initial is small."""
    parts = [known.literals[0]]
    for slot, literal in zip(known.slots, known.literals[1:], strict=True):
        parts += [bound[slot.name], literal]
    return "".join(parts)
