"""What a model proposes, as values: names and expressions, checked before anything is done by them.

A model's answer is foreign data. It is read as JSON of bounded size; an expression is built only of
what the intermediate form has, and is tried on every run under limits before the compiler sees it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

from llmos.evolution.emit_names import reserved
from llmos.evolution.evaluate import FUNCTIONS, Env, evaluate
from llmos.evolution.ir import (
    Call,
    Const,
    Expr,
    Program,
    every_candidate,
    expr_from,
    expr_json,
    parts,
)
from llmos.evolution.pool import Pool, same
from llmos.memory.redact import redact_text
from llmos.values import Json

MOST_ANSWER = 8_000
"""Characters of an answer that is read."""

_MOST_PARTS, _MOST_DEPTH = 40, 8
_MOST_CONST = 200
_MOST_TEXT, _MOST_ITEMS = 4_000, 1_000
"""What a function may be given: some take time that grows with the square."""
_SECONDS = 1.0

_TABLES = frozenset({"mapped", "listed", "ranked", "one_of"})
"""A table of what was seen explains anything: those that are meant the compiler makes itself."""

LANGUAGE = {name: f for name, f in FUNCTIONS.items() if name not in _TABLES}
"""Functions that a proposed expression may call."""

_TOOL = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+){0,7}")
_PARAMETER = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+){0,5}")
_MOST_NAME, _MOST_PARAMETER = 48, 24


class Refused(Exception):
    """A proposal is not taken; the message says why."""


@dataclass(frozen=True, slots=True)
class Hint:
    """An expression that somebody proposed for the values of one place."""

    place: str
    """``tool.argument``, or ``answer``."""
    expr: Expr
    by: str
    """Processor and model."""

    def as_json(self) -> Json:
        """The hint as JSON."""
        return [self.place, expr_json(self.expr), self.by]

    @classmethod
    def from_json(cls, data: Json) -> Hint:
        """The hint that `as_json` wrote."""
        place, expr, by = data
        return cls(place, expr_from(expr), by)


@dataclass(frozen=True, slots=True)
class Naming:
    """Who has named a tool, and what its slots are called."""

    by: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Slot to the name that people see."""

    def usable(self, slots: Collection[str]) -> dict[str, str]:
        """The labels that name one of some slots and are no other's own name."""
        return {s: label for s, label in self.labels.items() if s in slots and label not in slots}


def resting_on(program: Program, hints: Iterable[Hint]) -> str:
    """Who proposed what some place of a program rests on alone, or ``""``."""
    by = {h.expr: h.by for h in hints}
    if not by:
        return ""
    # A condition has rivals that say more than it does, and rest on it too.
    told = [[{by[p] for p in parts(e) if p in by} for e in c] for c in every_candidate(program)]
    return ", ".join(sorted({who for some in told if all(some) for each in some for who in each}))


# --- reading an answer -------------------------------------------------------------------------


def read_answer(text: str, keys: Collection[str]) -> dict[str, Json]:
    """The JSON object that an answer is, with no other keys than these.

    Raises:
        Refused: It is something else.
    """
    if len(text) > MOST_ANSWER:
        raise Refused(f"the answer is {len(text):,} characters long, {MOST_ANSWER:,} are read")
    plain = re.fullmatch(r"\s*(?:```(?:json)?\n(.*)```|(.*))\s*", text, re.DOTALL)
    assert plain is not None  # the second way fits every text
    try:
        found = json.loads(plain[1] or plain[2], parse_constant=_no_constant)
    except (ValueError, RecursionError) as e:
        raise Refused("the answer is not JSON") from e
    if not isinstance(found, dict) or not found or not found.keys() <= set(keys):
        raise Refused(f"the answer is no object of {' and '.join(sorted(keys))}")
    return found


def _no_constant(name: str) -> Json:
    raise ValueError(name)


def check_tool_name(name: Json, taken: Collection[str]) -> str:
    """A proposed name of a tool.

    Raises:
        Refused: It is not one, or it is taken.
    """
    if not isinstance(name, str) or len(name) > _MOST_NAME or not _TOOL.fullmatch(name):
        raise Refused(f"{_told(name)} cannot be the name of a tool")
    return _free(name, taken)


def check_labels(wanted: Json, slots: Collection[str]) -> dict[str, str]:
    """Proposed names of parameters, by slot; those that say what the slot's own does are left out.

    Raises:
        Refused: One is no name, is taken, or names what is not there.
    """
    if not isinstance(wanted, dict):
        raise Refused("the parameters are no object")
    labels: dict[str, str] = {}
    for slot, label in wanted.items():
        if slot not in slots:
            raise Refused(f"there is no parameter {_told(slot)}")
        if label == slot:
            continue
        if not isinstance(label, str) or len(label) > _MOST_PARAMETER:
            raise Refused(f"{_told(label)} cannot be the name of a parameter")
        if not _PARAMETER.fullmatch(label) or label in reserved():
            raise Refused(f"{_told(label)} cannot be the name of a parameter")
        labels[slot] = _free(label, {*slots, *labels.values()})
    return labels


def _free(name: str, taken: Collection[str]) -> str:
    if name in taken:
        raise Refused(f"the name {name!r} is taken")
    if redact_text(name) != name:
        raise Refused("the name looks like a secret")
    return name


# --- expressions -------------------------------------------------------------------------------


def check_expression(data: Json, pool: Pool, targets: Sequence[Json]) -> Expr:
    """A proposed expression that gives a value in every run.

    Args:
        data: As `expr_json` writes it.
        pool: What can be said at the place.
        targets: The value in each run of the pool.

    Raises:
        Refused: It is no expression, says what is not there, or is wrong of a run.
    """
    _check_form(data, {s.name for s in pool.slots}, set(pool.nodes))
    expr = expr_from(data)
    if all(isinstance(p, (Const, Call)) for p in parts(expr)):
        raise Refused("the expression looks at nothing")
    ends = time.monotonic() + _SECONDS
    for number, (env, target) in enumerate(zip(pool.envs, targets, strict=True), 1):
        try:
            value = _value(expr, env, ends)
        except Refused:
            raise
        except Exception as e:  # whatever a stranger's expression does to a function
            raise Refused(f"the expression has no value in run {number} of {len(targets)}") from e
        if not same(value, target):
            raise Refused(f"the expression gives something else in run {number} of {len(targets)}")
    return expr


def _check_form(data: Json, slots: Collection[str], nodes: Collection[str]) -> None:
    left = [(data, 1)]
    for count in range(_MOST_PARTS + 1):
        if not left:
            return
        if count == _MOST_PARTS:
            break
        part, depth = left.pop()
        if depth > _MOST_DEPTH:
            break
        match part:
            case ["slot", str(name)] if name in slots:
                pass
            case ["seen", str(node)] if node in nodes:
                pass
            case ["now"]:
                pass
            case ["const", bool() | int() | float() | str() as value]:
                if len(json.dumps(value)) > _MOST_CONST:
                    raise Refused("the expression holds too long a constant")
            case ["call", str(function), list(arguments)]:
                _check_call(function, len(arguments))
                left += [(a, depth + 1) for a in arguments]
            case _:
                raise Refused(f"{_told(part)} is no expression here")
    raise Refused(f"the expression has more than {_MOST_PARTS} parts or {_MOST_DEPTH} levels")


def _check_call(function: str, arguments: int) -> None:
    if function in _TABLES:
        raise Refused(f"{function} is a table of what was seen, which explains anything")
    if function not in LANGUAGE:
        raise Refused(f"there is no function {_told(function)}")
    try:
        signature(LANGUAGE[function]).bind(*range(arguments))
    except TypeError as e:
        raise Refused(f"{function} does not take {arguments} arguments") from e


def _value(expr: Expr, env: Env, ends: float) -> Any:
    """Like `evaluate`, under limits."""
    if not isinstance(expr, Call):
        return evaluate(expr, env)
    arguments = [_value(a, env, ends) for a in expr.arguments]
    if any(_large(a) for a in arguments):
        raise Refused("the expression works on more than may be looked at")
    if time.monotonic() > ends:
        raise Refused(f"the expression takes more than {_SECONDS:g} s")
    return FUNCTIONS[expr.function](*arguments)


def _large(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) > _MOST_TEXT
    return isinstance(value, (list, dict)) and len(value) > _MOST_ITEMS


def _told(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
