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
from llmos.evolution.ir import Call, Const, Expr, Row, Seen, Slot
from llmos.values import Json

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    name: f for name, f in vars(runtime).items() if isinstance(f, FunctionType)
}
"""What an expression may call."""


class Abstain(Exception):
    """An expression has no value here."""


@dataclass(slots=True)
class Env:
    """What expressions are evaluated over.

    What expressions have in common is worked out once; so what is seen is told by `saw`.
    """

    slots: Mapping[str, str]
    now: datetime
    """Naive: the wall clock of the run."""
    seen: dict[str, Json] = field(default_factory=dict)
    row: Any = None
    _known: dict[Call, Any] = field(default_factory=dict)
    """Values of calls that do not look at the row, as long as nothing else is seen."""

    def saw(self, node: str, observation: Json) -> None:
        """Take in what a step has seen."""
        self.seen[node] = observation
        self._known.clear()

    def value(self, expr: Expr) -> Any:
        """The value of an expression; whatever its functions raise where it has none."""
        if type(expr) is Call:
            return self._called(expr)
        if type(expr) is Const:
            return _parsed(expr.text)
        if type(expr) is Slot:
            return self.slots[expr.name]
        if type(expr) is Seen:
            return self.seen[expr.node]
        return self.row if type(expr) is Row else self.now

    def _called(self, expr: Call) -> Any:
        known = self._known.get(expr, _UNKNOWN)
        if known is _UNKNOWN:
            try:
                arguments = [self.value(a) for a in expr.arguments]
                known = FUNCTIONS[expr.function](*arguments)
            except FAILURES as e:
                known = _Failed(e)
            if not expr.of_row:
                self._known[expr] = known
        if type(known) is _Failed:
            raise known.error.with_traceback(None)
        return known


@dataclass(frozen=True, slots=True)
class _Failed:
    error: Exception


_UNKNOWN = object()

FAILURES = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)
"""What runtime functions raise on values of another shape than the traces had."""


def evaluate(expr: Expr, env: Env) -> Any:
    """The value of an expression.

    Raises:
        Abstain: It has none here.
    """
    try:
        return env.value(expr)
    except FAILURES as e:
        raise Abstain(str(e)) from e


@lru_cache(maxsize=20_000)
def _parsed(text: str) -> Any:
    return json.loads(text)
