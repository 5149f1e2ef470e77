"""Which rows of a result are meant: filters that choose exactly the rows that the traces chose."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from llmos.evolution.ir import Const, Expr, Now, call, const, size
from llmos.evolution.pool import FAIL, Pool
from llmos.evolution.runtime import key, moment
from llmos.values import Json

_MOST_ATOMS = 800
_MOST_RIVALS = 150
_MOST_MOST = 20
"""Conditions under which the greatest of a field is looked for, the simplest."""
_FEW = 10
"""Traces up to which two conditions may be meant where one would do."""
_MOST_VALUES = 6
"""Different values of a field up to which a constant one is taken for a kind, not for data."""
_AFTERNOON = (0, 7, 8, 9, 12)


@dataclass(frozen=True, slots=True)
class Atom:
    """One condition on a row."""

    field: str
    op: Expr
    operand: Expr
    bits: int
    """The rows of all traces that it holds for, as `Rows` numbers them."""
    weight: float

    @property
    def grounded(self) -> bool:
        """Whether it speaks of the goal, the clock or another result."""
        return not isinstance(self.operand, Const)

    def over(self, rows: Expr) -> Expr:
        """The rows of a collection that it holds for."""
        return call("where", rows, self.field, self.op, self.operand)


class Rows:
    """One collection of rows over all traces of a pool. Sets of rows are bits of one number."""

    def __init__(self, pool: Pool, rows: Expr) -> None:
        self.pool = pool
        self.expr = rows
        self.items: list[list[dict[str, Json]]] = pool.values(rows) or [[] for _ in pool.envs]
        self.fields = pool.fields(rows)
        self.offsets: list[int] = []
        at = 0
        for items in self.items:
            self.offsets.append(at)
            at += len(items)
        self.full = (1 << at) - 1

    def segment(self, i: int) -> int:
        """The rows of one trace."""
        return ((1 << len(self.items[i])) - 1) << self.offsets[i]

    @cached_property
    def atoms(self) -> list[Atom]:
        """Conditions that hold for some rows, the simplest first."""
        return sorted(self._enumerate(), key=lambda a: a.weight)[:_MOST_ATOMS]

    def filters(self, chosen: int) -> list[Expr]:
        """Collections that hold exactly the chosen rows in every trace, the simplest first.

        All with as few conditions as possible, at most two; with one more where none is needed.
        """
        found: list[Expr] = []
        if chosen == self.full:
            found.append(self.expr)
        one = [a for a in self.atoms if a.bits == chosen]
        found += [a.over(self.expr) for a in one]
        few = len(self.items) < _FEW
        if chosen != self.full and (few or not any(a.grounded for a in one)):
            # What a constant explains by itself may be two conditions that the goal does name.
            fitting = [a for a in self.atoms if a.bits & chosen == chosen]
            pairs = [(one, two) for one, two in _pairs(fitting, lambda bits: bits == chosen)]
            found += [
                b.over(a.over(self.expr)) for a, b in pairs if a.grounded or b.grounded or not one
            ]
        return found[:_MOST_RIVALS]

    def paired(self, taken: Sequence[bool]) -> Sequence[Expr]:
        """Two conditions that together hold for some row just where a branch was taken."""
        some = [self.segment(i) for i, t in enumerate(taken) if t]
        none = 0
        for i, t in enumerate(taken):
            none |= 0 if t else self.segment(i)

        def holds(bits: int) -> bool:
            return not bits & none and all(bits & segment for segment in some)

        fitting = [a for a in self.atoms if all(a.bits & segment for segment in some)]
        pairs = _pairs(fitting, holds)
        told = [(a, b) for a, b in pairs if a.grounded or b.grounded] or pairs
        return [call("exists", b.over(a.over(self.expr))) for a, b in told][:_MOST_RIVALS]

    def picks(self) -> Iterator[Expr]:
        """Single rows: the first, last, only, least and greatest, of all or under one condition."""
        yield from self._ends(self.expr)
        for name in self.fields:
            yield call("extreme", self.expr, name, False)
            yield call("extreme", self.expr, name, True)
        for op in self.pool.polar:
            for name in self.fields:
                yield call("extreme", self.expr, name, call("test", op, "==", ">"))
        segments = [self.segment(i) for i in range(len(self.items))]
        ends = [a for a in self.atoms[:120] if all(a.bits & segment for segment in segments)]
        for atom in ends:
            yield from self._ends(atom.over(self.expr))
        if self.pool.superlative:
            # "The wrong sizes' most valuable": where some runs' first row was that by chance, only
            # both candidates together tell where they part.
            for atom in ends[:_MOST_MOST]:
                for name in self.fields:
                    yield call("extreme", atom.over(self.expr), name, False)
                    yield call("extreme", atom.over(self.expr), name, True)

    def _ends(self, rows: Expr) -> Iterator[Expr]:
        yield call("nth", rows, 0)
        yield call("nth", rows, -1)
        yield call("only", rows)

    # --- conditions ----------------------------------------------------------------------------

    def _enumerate(self) -> Iterator[Atom]:
        for name in self.fields:
            column = [[item.get(name) for item in items] for items in self.items]
            flat = [v for values in column for v in values if v is not None]
            if not flat:
                continue
            if (moments := _as(column, _moment)) is not None:
                for operand in self._moments:
                    yield from self._ordered(name, moments, operand, _same)
                written = [call("date_text", day) for day in self.pool.days]
                yield from self._texts(name, _where(column), written)
                continue
            if all(isinstance(v, (str, bool)) for v in flat):
                where = _where(column)
                yield from self._constants(name, where, flat)
                yield from self._texts(name, where, self.pool.operands)
            if all(map(_is_number, flat)) and (numbers := _as(column, key)) is not None:
                for operand in [*self.pool.slot_numbers, *self.pool.single_numbers]:
                    yield from self._ordered(name, numbers, operand, _number)

    @cached_property
    def _moments(self) -> list[Expr]:
        found: list[Expr] = [Now()]
        for day in self.pool.days:
            found.append(day)
            for slot in self.pool.hours:
                times = [call("time_on", day, slot, before) for before in _AFTERNOON]
                found += [at for at in times if self.pool.values(at) is not None]
        for length in self.pool.slot_numbers:
            # Dates back or ahead by a length of time that the goal names.
            if length.function == "days":
                for sign in (length, call("negative", length)):
                    found.append(call("shift", Now(), sign, 1440))
        return found

    def _constants(self, name: str, where: _Where, flat: list[Any]) -> Iterator[Atom]:
        values = Counter(flat)
        # Few values of plain words are kinds; figures, ids and addresses are data.
        if (
            2 * len(values) <= len(flat)
            and len(values) <= _MOST_VALUES
            and not any(re.search(r"[\d@]", str(v)) for v in values)
        ):
            for value in values:
                yield from self._equal(name, where, const(value), [_lower(value)] * len(where))

    def _texts(self, name: str, where: _Where, operands: Sequence[Expr]) -> Iterator[Atom]:
        for operand in operands:
            values = self.pool.values(operand)
            if values is None or not all(isinstance(v, str) for v in values):
                continue
            lowered = [_lower(v) for v in values]
            yield from self._equal(name, where, operand, lowered)
            if not all(len(w) > 2 for w in lowered):
                continue
            bits = 0
            for texts, word in zip(where, lowered, strict=True):
                for (text, is_text), rows in texts.items():
                    if is_text and word in text:
                        bits |= rows
            if bits:
                yield Atom(name, const("in"), operand, bits, 1.2 + size(operand))

    def _equal(
        self, name: str, where: _Where, operand: Expr, lowered: Sequence[str]
    ) -> Iterator[Atom]:
        bits = 0
        for texts, word in zip(where, lowered, strict=True):
            bits |= texts.get((word, True), 0) | texts.get((word, False), 0)
        if bits:
            yield Atom(name, const("=="), operand, bits, 1.0 + size(operand))
            if other := self.full & ~bits:
                yield Atom(name, const("!="), operand, other, 2.0 + size(operand))

    def _ordered(
        self, name: str, column: list[list[Any]], operand: Expr, convert: Callable[[Any], Any]
    ) -> Iterator[Atom]:
        values = self.pool.values(operand)
        if values is None:
            return
        sides = _sides(column, [convert(v) for v in values])
        for op, bits in sides.items():
            if bits:
                yield Atom(name, const(op), operand, bits, 1.0 + size(operand))
        for polar in self.pool.polar:
            bits = 0
            for i in range(len(column)):
                bits |= sides[str(self.pool.at(polar, i))] & self.segment(i)
            if bits:
                yield Atom(name, polar, operand, bits, 1.5 + size(operand))


_Where = list[dict[tuple[str, bool], int]]
"""For each trace, the rows that hold a value, small, and whether it is a text."""


def _where(column: list[list[Any]]) -> _Where:
    found: _Where = []
    bit = 1
    for values in column:
        texts: dict[tuple[str, bool], int] = {}
        for value in values:
            if value is not None:
                key_ = (_lower(value), isinstance(value, str))
                texts[key_] = texts.get(key_, 0) | bit
            bit <<= 1
        found.append(texts)
    return found


def _sides(column: list[list[Any]], against: Sequence[Any]) -> dict[str, int]:
    """The rows whose value is less than that of their trace, greater, and so on."""
    less = greater = equal = 0
    bit = 1
    for values, limit in zip(column, against, strict=True):
        for value in values:
            if value is not None:
                if value < limit:
                    less |= bit
                elif value > limit:
                    greater |= bit
                elif value == limit:
                    equal |= bit
            bit <<= 1
    return {"<": less, "<=": less | equal, ">": greater, ">=": greater | equal}


def _pairs(atoms: Sequence[Atom], holds: Callable[[int], bool]) -> list[tuple[Atom, Atom]]:
    """Pairs of conditions whose common rows are as wanted, the simplest first.

    Conditions that choose the same rows are alike in every pair: one scan over sets of rows.
    """
    alike: dict[int, list[Atom]] = {}
    for atom in atoms:
        alike.setdefault(atom.bits, []).append(atom)
    sets = list(alike)[:250]
    found: list[tuple[Atom, Atom]] = []
    for i, a in enumerate(sets):
        for b in sets[i + 1 :]:
            if holds(a & b):
                found += [(x, y) for x in alike[a][:4] for y in alike[b][:4]]
        if len(found) > 20 * _MOST_RIVALS:
            break
    return sorted(found, key=lambda pair: pair[0].weight + pair[1].weight)


def _as(column: list[list[Any]], convert: Callable[[Any], Any]) -> list[list[Any]] | None:
    """The column with every value converted and None kept, or None if that is not possible."""
    try:
        return [[None if v is None else convert(v) for v in values] for values in column]
    except ValueError:
        return None


def _moment(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError("no date")
    return moment(value)


def _same(value: Any) -> Any:
    return value


def _number(value: Any) -> Any:
    return key(value) if value is not FAIL else value


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, (int, float)):
        return True
    return isinstance(value, str) and value.isdecimal() and not value.startswith("0")


def _lower(value: Any) -> str:
    return str(value).lower()
