"""Everything that can be said from goal, clock and observations, over several traces at once.

A pool belongs to one place of the program: it knows, for every trace that comes by there, what had
been seen by then. Expressions are enumerated once and evaluated lazily.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from llmos.evolution import cues
from llmos.evolution.evaluate import FAILURES, FUNCTIONS, Abstain, Env, evaluate
from llmos.evolution.ir import Call, Expr, Now, Row, Seen, Slot, call, is_call, nodes_of
from llmos.evolution.lexer import DIRECTIONS
from llmos.evolution.runtime import moment
from llmos.values import Json

FAIL = object()
"""In place of a value where an expression abstains."""

CASES = (
    "lower",
    "title",
    "sentence",
    "initial",
    "upper",
    "snake",
    "spaced_sentence",
    "spaced",
    "kebab",
)
SHAPES = ("lines", "first_word", "last_word", "singular", "before_at")
RULES = ("next", "after", "last", "before", "year")
AGGREGATES = (
    "highest",
    "lowest",
    "total",
    "mean",
    "opening",
    "closing",
    "growth",
    "decline",
    "count",
)

_FIGURES = frozenset({"number", "duration", "date"})
"""Kinds of slots that stand for a figure or a day, however they are spelled."""

_PLACES = frozenset({"first", "last", "latest", "earliest", "newest", "oldest"})

_MOST_ROWS = 400
"""Rows of one observation that are looked at."""


class Pool:
    """What can be said at one place.

    Args:
        envs: One for each trace, with the observations up to there.
        nodes: Ids of the steps that all of them have seen, in order.
        labels: What tells reads of one tool apart: the constant argument that differs.
        row_fields: Fields of the row that a loop is at.
        kinds: What kind of text stands at each slot.
        wordings: Number of the wording of each trace.
        meanings: What words stood for elsewhere.
        said: The words of each wording.
    """

    def __init__(
        self,
        envs: Sequence[Env],
        nodes: Sequence[str],
        labels: Mapping[Expr, str] | None = None,
        row_fields: Sequence[str] = (),
        kinds: Mapping[str, str] | None = None,
        wordings: Sequence[int] = (),
        meanings: Sequence[Mapping[str, Json]] = (),
        said: Collection[str] = (),
    ) -> None:
        self.envs = list(envs)
        self.nodes = list(nodes)
        self.labels = dict(labels or {})
        self.row_fields = list(row_fields)
        self.kinds = dict(kinds or {})
        self.meanings = list(meanings)
        self.said = said
        self.wordings = list(wordings) or [0] * len(self.envs)
        self._values: dict[Expr, list[Any]] = {}

    def at(self, expr: Expr, i: int) -> Any:
        """The value of an expression in trace ``i``, or `FAIL`."""
        values = self._values.get(expr)
        if values is None:
            values = self._values[expr] = [_UNKNOWN] * len(self.envs)
        value = values[i]
        if value is _UNKNOWN:
            value = values[i] = self._evaluate(expr, i)
        return value

    def _evaluate(self, expr: Expr, i: int) -> Any:
        # Like `evaluate`, but parts that many expressions share are evaluated once.
        if type(expr) is not Call:
            try:
                return evaluate(expr, self.envs[i])
            except Abstain:
                return FAIL
        arguments = [
            self.at(a, i) if type(a) is Call else self._plain(a, i) for a in expr.arguments
        ]
        if any(a is FAIL for a in arguments):
            return FAIL
        try:
            return FUNCTIONS[expr.function](*arguments)
        except FAILURES:
            return FAIL

    def _plain(self, expr: Expr, i: int) -> Any:
        try:
            return evaluate(expr, self.envs[i])
        except Abstain:
            return FAIL

    def values(self, expr: Expr) -> list[Any] | None:
        """The values in all traces, or None if the expression abstains in one."""
        found = []
        for i in range(len(self.envs)):
            value = self.at(expr, i)
            if value is FAIL:
                return None
            found.append(value)
        return found

    def fits(self, expr: Expr, targets: Sequence[Any]) -> bool:
        """Whether an expression gives the targets, in value and type."""
        return all(same(self.at(expr, i), target) for i, target in enumerate(targets))

    def varies(self, slot: Slot) -> bool:
        """Whether goals of one wording differ in a slot: else it only tells wordings apart."""
        said: dict[int, set[Any]] = {}
        for i, wording in enumerate(self.wordings):
            said.setdefault(wording, set()).add(self.at(slot, i))
        return any(len(values) > 1 for values in said.values())

    # --- what there is -----------------------------------------------------------------------

    @cached_property
    def slots(self) -> list[Slot]:
        """Slots that all goals have."""
        names = set(self.envs[0].slots)
        for env in self.envs[1:]:
            names &= set(env.slots)
        return [Slot(name) for name in sorted(names)]

    @cached_property
    def lists(self) -> list[Expr]:
        """Observations that are lists of objects, or empty, in every trace."""
        found: list[Expr] = []
        for node in self.nodes:
            seen = [env.seen[node] for env in self.envs]
            if _are_rows(seen):
                found.append(call("rows", Seen(node)))
            for name in _fields_of_all(seen):
                if _are_rows([s[name] for s in seen]):
                    found.append(call("rows", call("get", Seen(node), name)))
        return found

    @cached_property
    def unions(self) -> list[Expr]:
        """Several lists with the same fields as one."""
        groups: dict[tuple[str, ...], list[Expr]] = {}
        for rows in self.lists:
            groups.setdefault(tuple(self.fields(rows)), []).append(rows)
        return [call("union", *group) for key, group in groups.items() if key and len(group) > 1]

    def fields(self, rows: Expr) -> list[str]:
        """Fields that every row has."""
        names: dict[str, None] | None = None
        for items in self.values(rows) or []:
            for item in items[:_MOST_ROWS]:
                if isinstance(item, dict):
                    own = dict.fromkeys(item)
                    names = own if names is None else {n: None for n in names if n in own}
        return list(names or {})

    def column(self, rows: Expr, name: str) -> Iterator[Any]:
        """Values of a field over all rows and traces."""
        for items in self.values(rows) or []:
            for item in items[:_MOST_ROWS]:
                yield item.get(name)

    @cached_property
    def series(self) -> list[Expr]:
        """Observations that are objects of numbers in every trace."""
        return [
            Seen(node)
            for node in self.nodes
            if all(_is_series(env.seen[node]) for env in self.envs)
            and any(env.seen[node] for env in self.envs)
        ]

    @cached_property
    def slot_texts(self) -> list[Expr]:
        """Slots in every case and shape."""
        found: list[Expr] = list(self.slots)
        for slot in self.slots:
            shaped: list[Expr] = [slot]
            if any("\\n" in str(self.at(slot, i)) for i in range(len(self.envs))):
                shaped.append(call("lines", slot))
            # Of a date or a figure it is the meaning that counts.
            spelled = () if self.kinds.get(slot.name) in _FIGURES else (*CASES, *SHAPES)
            for name in spelled:
                expr = call(name, slot)
                if any(self.at(expr, i) not in (FAIL, self.at(slot, i)) for i in self._all):
                    shaped.append(expr)
            for word in ("first_word", "last_word") if spelled else ():
                if self._any(call(word, slot)):
                    shaped.append(call("lower", call(word, slot)))
            found += shaped[1:]
        return found

    @cached_property
    def seen_texts(self) -> list[Expr]:
        """Texts in observations, without a choice among rows but the first, last and only one."""
        found: list[Expr] = [call("get", Row(), name) for name in self.row_fields]
        for node in self.nodes:
            seen = [env.seen[node] for env in self.envs]
            if all(isinstance(s, str) for s in seen):
                found.append(Seen(node))
            elif all(isinstance(s, dict) for s in seen):
                keys = [k for k in seen[0] if all(k in s for s in seen)]
                # In a series a date is a place like any other.
                dated = all(map(_is_series, seen)) and len(keys) > 1
                found += [call("get", Seen(node), k) for k in keys if not (dated and is_moment(k))]
                for key in keys:
                    inner = _fields_of_all([s[key] for s in seen])
                    found += [call("get", call("get", Seen(node), key), k) for k in inner]
            elif all(isinstance(s, list) for s in seen):
                found += self._picked(call("rows", Seen(node)))
        for series in self.series:
            found += [call("label", series, 0), call("label", series, -1)]
            found += [call("peak", series, True), call("peak", series, False)]
        return found

    def _picked(self, rows: Expr) -> list[Expr]:
        picks = [call("only", rows), call("nth", rows, 0), call("nth", rows, -1)]
        fields = self.fields(rows)
        if fields:
            return [call("get", pick, name) for pick in picks for name in fields]
        return list(picks)

    @cached_property
    def operands(self) -> list[Expr]:
        """Texts that rows are compared with: not those of other rows."""
        return [*self.slot_texts, *(e for e in self.seen_texts if not _of_row(e))]

    @cached_property
    def single_numbers(self) -> list[Expr]:
        """Numbers that rows are compared with: not those of other rows, nor how many there are."""
        figures = (e for e in self.seen_numbers if isinstance(e, Call))
        return [e for e in figures if e.function in AGGREGATES and e.function != "count"]

    @cached_property
    def texts(self) -> list[Expr]:
        """All of them."""
        return [*self.slot_texts, *self.seen_texts]

    def texts_like(self, text: str) -> list[Expr]:
        """Those of them that are this text in the first trace."""
        return self._texts_at_first.get(text, [])

    @cached_property
    def _texts_at_first(self) -> dict[str, list[Expr]]:
        found: dict[str, list[Expr]] = {}
        for expr in self.texts:
            value = self.at(expr, 0)
            if isinstance(value, str):
                found.setdefault(value, []).append(expr)
        return found

    @cached_property
    def slot_numbers(self) -> list[Call]:
        """Numbers and lengths of time that the goal names."""
        found: list[Call] = []
        for slot in self.slots:
            for name in ("number", "minutes", "days"):
                if self.values(call(name, slot)) is not None:
                    found.append(call(name, slot))
        return found

    @cached_property
    def seen_numbers(self) -> list[Expr]:
        """Numbers of observations: sizes, sums, extremes, fields of single rows."""
        found: list[Expr] = [call("count", rows) for rows in self.lists]
        for series in self.series:
            found += [call(name, series) for name in AGGREGATES]
        for text in self.seen_texts:
            if self._any(number := call("number", text)):
                found.append(number)
        return found

    @cached_property
    def records(self) -> list[Expr]:
        """Fields of observations that are one object in every trace."""
        return [e for e in self.seen_texts if is_call(e, "get") and nodes_of(e) and not _of_row(e)]

    @cached_property
    def scalars(self) -> list[list[Json]]:
        """Values in what each trace has read, however deep."""
        return [list(_scalars([env.seen[n] for n in self.nodes])) for env in self.envs]

    @cached_property
    def days(self) -> list[Expr]:
        """Days that the goal names, by every rule, and today."""
        found: list[Expr] = []
        for slot in self.slots:
            if not self._any(call("day", slot, Now(), "next")):
                continue
            found += [call("day", slot, Now(), rule) for rule in RULES]
        return [*found, call("midnight", Now())]

    @cached_property
    def seen_moments(self) -> list[Expr]:
        """Moments in observations."""
        found: list[Expr] = []
        for text in self.seen_texts:
            if self._any(at := call("moment", text)):
                found.append(at)
        return found

    @cached_property
    def hours(self) -> list[Slot]:
        """Slots that may be a time of day."""
        return [s for s in self.slots if self._may_be_hour(s)]

    def _may_be_hour(self, slot: Slot) -> bool:
        kind = self.kinds.get(slot.name, "time")
        if kind in ("number", "duration"):
            return kind == "number" and cues.of_hours(self.said, slot.name)
        return True

    @cached_property
    def polar(self) -> list[Expr]:
        """Slots that hold a word of direction, as a comparison."""
        found: list[Expr] = []
        for slot in self.slots:
            words = {str(self.at(slot, i)).lower() for i in self._all}
            if words <= set(DIRECTIONS):
                table = {
                    w: DIRECTIONS[w] for w in sorted({str(self.at(slot, i)) for i in self._all})
                }
                found.append(call("mapped", slot, table))
        return found

    @cached_property
    def superlative(self) -> bool:
        """Whether the goals name a most or least of something, other than by place or time."""
        polar = [Slot(n) for n, kind in self.kinds.items() if kind == "polar"]
        said = {str(env.slots.get(s.name, "")).lower() for s in polar for env in self.envs}
        named = any(w.endswith("st") and w not in _PLACES for w in said)
        return named or cues.superlative(self.said)

    @property
    def _all(self) -> range:
        return range(len(self.envs))

    def _any(self, expr: Expr) -> bool:
        return any(self.at(expr, i) is not FAIL for i in self._all)


_UNKNOWN = object()


def _of_row(expr: Expr) -> bool:
    """Whether a text is a field of a row of a list."""
    if not is_call(expr, "get"):
        return False
    while is_call(expr, "get"):
        assert isinstance(expr, Call)
        expr = expr.arguments[0]
    return isinstance(expr, Call)


def _are_rows(seen: Sequence[Json]) -> bool:
    """Whether values are lists of objects, or nothing."""
    some = any(isinstance(s, list) and s and isinstance(s[0], dict) for s in seen)
    return some and all(isinstance(s, (list, str)) for s in seen)


def _fields_of_all(seen: Sequence[Json]) -> list[str]:
    """Fields that values have, if all of them are objects."""
    if not all(isinstance(s, dict) for s in seen):
        return []
    return [k for k in seen[0] if all(k in s for s in seen)]


def _scalars(value: Json) -> Iterator[Json]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value[:_MOST_ROWS]:
            yield from _scalars(item)
    elif value is not None and not isinstance(value, bool):
        yield value


def _is_series(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) for v in value.values()
    )


def same(a: Any, b: Any) -> bool:
    """Equality that tells True, 1 and 1.0 apart."""
    return type(a) is type(b) and bool(a == b)


def is_moment(value: Any) -> bool:
    """Whether a value is a moment or reads like one."""
    if isinstance(value, datetime):
        return True
    try:
        moment(value)
    except ValueError:
        return False
    return True


def uses(expr: Expr, function: str) -> bool:
    """Whether an expression calls a function."""
    if not isinstance(expr, Call):
        return False
    return expr.function == function or any(uses(a, function) for a in expr.arguments)
