"""Values that no expression gives: a tool leaves them open, and a model fills them in.

To the compiler a hole is a read of the model: a step before the write that needs the value, which
saw what the runs wrote there. Everything else (guards, branches, proof, code) is as it always is.
Only what must be filled in costs tokens: one short question instead of a whole run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmos.evolution.asking import question_of, shown
from llmos.evolution.hints import Refused, read_answer
from llmos.evolution.ir import Const, Program, Read
from llmos.evolution.pool import is_moment
from llmos.values import Effect, Json, Step, Trace

ASK = "llmos.ask"
"""The name by which a program asks for a value, with the place as the argument's name."""

MOST = 2
"""Holes of one tool: where more is left open, the model may as well do it all."""

FILL = "Fill in one value."
"""First line of the question."""

SYSTEM = (
    "You fill in a value in a job that is nearly done. There are no tools here: answer in JSON."
)

_LINE = 200
"""Characters of a line; what is longer is a text."""

_EXAMPLES = 3
_SHOWN = 3_000
"""Characters kept of one example or result."""

KINDS: Mapping[str, str] = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "date": "a date as YYYY-MM-DD",
    "moment": "a date and time, written as in the examples",
    "line": "a text of one line",
    "text": "a text",
}
"""What may stand in a hole, and how that is said."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A value that is left open.

    Attributes:
        place: Which: ``tool.argument`` of a write.
        kind: What may stand there: one of `KINDS`.
        known: It must stand in the goal or in what was read, as in every run.
        examples: Some goals with the value that their runs wrote.
    """

    place: str
    kind: str
    known: bool = False
    examples: tuple[tuple[str, Json], ...] = ()

    def as_json(self) -> Json:
        """The hole as JSON."""
        examples = [list(e) for e in self.examples]
        return {
            "place": self.place,
            "kind": self.kind,
            "known": self.known,
            "examples": examples,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Hole:
        """The hole that `as_json` wrote."""
        examples = tuple((goal, value) for goal, value in data["examples"])
        return cls(data["place"], data["kind"], data["known"], examples)

    def fits(self, value: Json, known: str) -> bool:
        """Whether a value may stand there.

        Args:
            value: What the model said.
            known: The goal and all that was read, as one text.
        """
        if not _is_of(self.kind, value):
            return False
        return not self.known or _stands(value, known)


def hole(place: str, values: Sequence[Json], runs: Sequence[Trace]) -> Hole | None:
    """The hole of a place, or None where no model is asked for what stands there.

    Args:
        place: ``tool.argument`` of a write.
        values: What the runs wrote there.
        runs: The runs.
    """
    kind = next((k for k in KINDS if all(_is_of(k, v) for v in values)), None)
    if kind is None:
        return None
    known = all(_stands(v, before(run, place)) for v, run in zip(values, runs, strict=True))
    told = {run.goal: value for value, run in zip(values, runs, strict=True)}
    return Hole(place, kind, known, tuple(told.items())[-_EXAMPLES:])


def _is_of(kind: str, value: Json) -> bool:
    match kind:
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "date":
            return isinstance(value, str) and is_moment(value) and len(value) == len("2025-03-03")
        case "moment":
            return isinstance(value, str) and is_moment(value)
        case "line":
            return isinstance(value, str) and "\n" not in value and 0 < len(value) <= _LINE
    return isinstance(value, str) and bool(value)


def _stands(value: Json, known: str) -> bool:
    return isinstance(value, (str, int, float)) and str(value).lower() in known.lower()


def before(run: Trace, place: str) -> str:
    """The goal of a run and all that it had read before it wrote a place, as one text."""
    seen: list[Json] = []
    for step in run.steps:
        if place_of(step, place) is not None:
            break
        seen.append(step.observation)
    return heard(run.goal, seen)


def heard(goal: str, seen: Iterable[Json]) -> str:
    """A goal and what was read, as one text."""
    return "\n".join([goal, *(json.dumps(s, ensure_ascii=False) for s in seen)])


def place_of(step: Step, place: str) -> str | None:
    """The argument of a write that a place names; None if it names none of it."""
    tool = f"{step.tool}."
    argument = place.removeprefix(tool) if place.startswith(tool) else ""
    return argument if step.effect.writes and argument in step.arguments else None


def filled(steps: Sequence[Step], holes: Sequence[Hole]) -> tuple[Step, ...]:
    """The steps of a run as if it had asked a model for what stands in the holes."""
    found: list[Step] = []
    for step in steps:
        for it in holes:
            if (argument := place_of(step, it.place)) is not None:
                value = step.arguments[argument]
                found.append(Step(ASK, {it.place: it.kind}, value, effect=Effect.OPEN_READ))
        found.append(step)
    return tuple(found)


def asks(program: Program) -> list[Read]:
    """The reads of a program that ask a model."""
    return [read for read in program.reads() if read.tool == (Const(json.dumps(ASK)),)]


# --- the question ------------------------------------------------------------------------------


def question(it: Hole, goal: str, steps: Sequence[Step]) -> str:
    """What a model is asked.

    What strangers have said in it is data, marked as such and without secrets.

    Args:
        it: The hole.
        goal: The goal of this run.
        steps: What was read for it.
    """
    name = it.place.rpartition(".")[2]
    told = {
        "goal": goal,
        "read for it": [
            {"call": s.tool, "with": dict(s.arguments), "gave": shown("", s.observation, _SHOWN)}
            for s in steps
        ],
        "examples": [{"goal": g, "value": shown(name, v, _SHOWN)} for g, v in it.examples],
    }
    where = " It stands in the goal or in what was read." if it.known else ""
    return question_of(
        FILL,
        f"For the goal below everything is worked out but one value: {it.place}. It is "
        f"{KINDS[it.kind]}.{where} The examples are the goals of earlier runs with the value that "
        'was right there. Answer {"value": …}. If the goal asks for something of another kind than '
        'theirs, or what was read does not tell the value, answer {"value": null}.',
        told,
    )


def answered(it: Hole, answer: str, known: str) -> Json:
    """The value that a model has filled in.

    Args:
        it: The hole.
        answer: What it said.
        known: See `Hole.fits`.

    Raises:
        Refused: It is none that may stand there.
    """
    value = read_answer(answer, ("value",)).get("value")
    if value is None:
        raise Refused("the model says that it cannot tell")
    if not it.fits(value, known):
        where = " that stands in the goal or in what was read" if it.known else ""
        raise Refused(f"{str(value)[:60]!r} is not {KINDS[it.kind]}{where}")
    return value
