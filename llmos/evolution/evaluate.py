"""The interpreter of the intermediate form's expressions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from types import FunctionType
from typing import Any

from llmos.evolution import runtime
from llmos.evolution.ir import Call, Const, Expr, Now, Row, Seen, Slot
from llmos.values import Json

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    name: f for name, f in vars(runtime).items() if isinstance(f, FunctionType)
}
"""What an expression may call."""


class Abstain(Exception):
    """An expression has no value here."""


@dataclass(slots=True)
class Env:
    """What expressions are evaluated over."""

    slots: Mapping[str, str]
    now: datetime
    """Naive: the wall clock of the run."""
    seen: dict[str, Json] = field(default_factory=dict)
    row: Any = None


FAILURES = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)
"""What runtime functions raise on values of another shape than the traces had."""


def evaluate(expr: Expr, env: Env) -> Any:
    """The value of an expression.

    Raises:
        Abstain: It has none here.
    """
    try:
        return _evaluate(expr, env)
    except FAILURES as e:
        raise Abstain(str(e)) from e


def _evaluate(expr: Expr, env: Env) -> Any:
    if type(expr) is Call:
        arguments = [_evaluate(a, env) for a in expr.arguments]
        return FUNCTIONS[expr.function](*arguments)
    if type(expr) is Const:
        return _parsed(expr.text)
    if type(expr) is Slot:
        return env.slots[expr.name]
    if type(expr) is Seen:
        return env.seen[expr.node]
    if type(expr) is Row:
        return env.row
    assert type(expr) is Now
    return env.now


@lru_cache(maxsize=20_000)
def _parsed(text: str) -> Any:
    return json.loads(text)
