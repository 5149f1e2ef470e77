"""Explains one value of a call: every expression that gives it in all traces."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from llmos.evolution import cues
from llmos.evolution.evaluate import FUNCTIONS
from llmos.evolution.ir import Call, Const, Expr, Now, Slot, call, const, parts, size
from llmos.evolution.naming import TELLING, akin_words, named_alike
from llmos.evolution.pool import Pool, is_moment, same, uses
from llmos.evolution.rows import Rows
from llmos.evolution.runtime import midnight, moment
from llmos.values import Json

_FORMATS = ("second_text", "date_text", "minute_text", "iso_text")
_AFTERNOON = (0, 7, 8, 9, 12)
"""Hours below which a time of day may be meant as afternoon."""
_MOST = 150
_ANY_DAY = range(-62, 63)
_NEAR = (0, 1, -1, 7, -7)
_NEXT = (0, 1, -1)
"""Days between a value and today, a day that is named or read, or a length of time from such a day:
what is not said has to be small, or whole weeks."""
_MOST_ENTRIES = 12
"""Entries of a table of what words stood for."""
_FIGURE = re.compile(r"(?<![\w.-])\d+\.\d+(?![\w.-])")
"""A decimal figure: such as are worked out, and not such as are names of something."""
_OPENS, _CLOSES = (8, 9, 10), (17, 18)


class Explainer:
    """Explains values at one place of the program.

    Args:
        pool: What can be said there.
        rows: Collections of rows, shared by all values of the place.
    """

    def __init__(self, pool: Pool, rows: Sequence[Rows]) -> None:
        self.pool = pool
        self.rows = rows
        self._picks: dict[int, list[Expr]] = {}
        self._day_cache: dict[tuple[datetime, ...], list[Expr]] = {}
        self.hints: list[Expr] = []
        """Rows that another value of the same call was taken from."""

    def explain(self, targets: Sequence[Json]) -> tuple[Expr, ...]:
        """All expressions that give ``targets``, the simplest first.

        Args:
            targets: The value in each trace of the pool.
        """
        found: dict[Expr, None] = {}
        if all(same(t, targets[0]) for t in targets):
            found[self._constant(targets[0])] = None
        if all(isinstance(t, str) for t in targets):
            for expr in self._texts([str(t) for t in targets]):
                found[expr] = None
        elif all(isinstance(t, (int, float)) and not isinstance(t, bool) for t in targets):
            for expr in (*self.pool.slot_numbers, *self.pool.seen_numbers):
                if self.pool.fits(expr, targets):
                    found[expr] = None
        elif all(isinstance(t, list) and len(t) == 1 for t in targets):
            for expr in self.explain([t[0] for t in targets]):
                found[call("listed", expr)] = None
        for expr in self._fields(targets):
            found[expr] = None
        for expr in self._tables(targets):
            found[expr] = None
        meant = [e for e in found if not self._worked_out(e)]
        likely = sorted(self._plausible(meant), key=size)
        if any(_picks(e) for e in likely):
            # A value that stands in a result is read there: the constant is a coincidence.
            likely.sort(key=lambda e: isinstance(e, Const))
        return tuple(likely[:_MOST])

    def _worked_out(self, expr: Expr) -> bool:
        """Whether a text has a figure that no goal names, where rows with figures were read."""
        if not self.pool.lists:
            return False
        said = " ".join(self.pool.said)
        for part in parts(expr):
            text = part.value if isinstance(part, Const) else None
            if isinstance(text, str) and any(f not in said for f in _FIGURE.findall(text)):
                return True
        return False

    def _constant(self, target: Json) -> Expr:
        """A constant, or what a word of the goal stands for if it is named like it.

        In a branch that few runs went a word may never have varied: "total weight" and
        ``weight_total`` are no coincidence, and another word would mean another name.
        """
        if isinstance(target, str):
            for slot in self.pool.slots:
                text = self.pool.at(slot, 0)
                if self.pool.kinds.get(slot.name) not in ("word", "text") or text == target:
                    continue
                fixed = all(self.pool.at(slot, i) == text for i in range(len(self.pool.envs)))
                if fixed and akin_words(text, target):
                    return call("mapped", slot, {str(text): target})
        return const(target)

    def _plausible(self, found: Iterable[Expr]) -> list[Expr]:
        """Without rows that are greatest by name or number where place or date tells them."""
        odd = {e for e in found if any(self._odd_pick(p) for p in parts(e))}
        sure = [e for e in found if e not in odd]
        return sure if any(_picks(e) for e in sure) else [*sure, *odd]

    def _odd_pick(self, expr: Expr) -> bool:
        if not (isinstance(expr, Call) and expr.function == "extreme"):
            return False
        rows, name = expr.arguments[0], expr.arguments[1]
        assert isinstance(name, Const)
        if self.pool.superlative and not any(
            isinstance(v, str) and not v.isdecimal() for v in self.pool.column(rows, name.value)
        ):
            return False
        return not all(is_moment(v) for v in self.pool.column(rows, name.value))

    # --- texts ---------------------------------------------------------------------------------

    def _texts(self, targets: list[str]) -> Iterator[Expr]:
        exact = [e for e in self.pool.texts_like(targets[0]) if self.pool.fits(e, targets)]
        yield from exact
        for number in (*self.pool.slot_numbers, *self.pool.seen_numbers):
            if self.pool.fits(text := call("text_of", number), targets):
                yield text
        moments = self._as_moments(targets)
        if moments is not None:
            form, at = moments
            yield from (call(form, e) for e in self._moments(at))
        elif not exact:
            yield from self._joined(targets)
            yield from self._best(targets)
        if moments is None:
            yield from self._common(targets)

    def _common(self, targets: list[str]) -> Iterator[Expr]:
        for rows in self.rows:
            for name in rows.fields:
                for function in ("most_common", "least_common"):
                    expr = call(function, rows.expr, name)
                    if self.pool.fits(expr, targets):
                        yield expr

    def _joined(self, targets: list[str]) -> Iterator[Expr]:
        """Texts put together from constants and up to three others."""
        atoms = [e for e in self.pool.texts if len(str(self.pool.at(e, 0) or "")) > 1]
        for expr in self._cover(targets, [], atoms, 3):
            yield expr
            yield from self._as_name(expr)

    def _as_name(self, expr: Expr) -> Iterator[Expr]:
        """A name made of one word that may have been joined of several."""
        if not isinstance(expr, Call) or not any(_joint(a) for a in expr.arguments):
            return
        joined = tuple(call("snake", a) if isinstance(a, Slot) else a for a in expr.arguments)
        if joined != expr.arguments:
            yield Call("concat", joined)

    def _cover(
        self, rest: list[str], before: list[Expr], atoms: list[Expr], depth: int
    ) -> Iterator[Expr]:
        if all(r == rest[0] for r in rest) and before:
            tail = [const(rest[0])] if rest[0] else []
            yield Call("concat", (*before, *tail))
            return
        if depth == 0:
            return
        for atom in atoms:
            first = self.pool.at(atom, 0)
            if not isinstance(first, str) or first not in rest[0]:
                continue
            at = rest[0].index(first)
            head = rest[0][:at]
            after = []
            for i, text in enumerate(rest):
                value = self.pool.at(atom, i)
                if not isinstance(value, str) or not text.startswith(head + value):
                    break
                after.append(text[len(head) + len(value) :])
            else:
                piece = [const(head)] if head else []
                yield from self._cover(after, [*before, *piece, atom], atoms, depth - 1)

    def _best(self, targets: list[str]) -> Iterator[Expr]:
        """The label of the read with the greatest or least sum, among reads that differ in one."""
        for choices, scores in ranked_reads(self.pool):
            for greatest in (const(True), const(False), *_orders(self.pool)):
                ranked = Call("ranked", (choices, scores, greatest))
                labels = self.pool.values(ranked)
                if labels is None:
                    continue
                for shape in ("", "snake", "kebab", "title", "sentence"):
                    label = call(shape, ranked) if shape else ranked
                    if self.pool.fits(label, targets):
                        yield label
                    yield from self._cover(targets, [], [label], 1)

    # --- moments -------------------------------------------------------------------------------

    def _as_moments(self, targets: list[str]) -> tuple[str, list[datetime]] | None:
        try:
            at = [moment(t) for t in targets]
        except ValueError:
            return None
        for form in _FORMATS:
            if all(_written(form, a) == t for a, t in zip(at, targets, strict=True)):
                return form, at
        return None

    def _moments(self, targets: list[datetime]) -> Iterator[Expr]:
        found = 0
        for expr in self._moment_atoms():
            if self.pool.fits(expr, targets):
                found += 1
                yield expr
                if found > _MOST:
                    return
        yield from self._days_at(targets)
        yield from self._free(targets)

    def _moment_atoms(self) -> Iterator[Expr]:
        pool = self.pool
        seen = [*pool.seen_moments, *self._hinted()]
        yield Now()
        yield from seen
        lengths = [e for e in pool.slot_numbers if e.function in ("minutes", "days")]
        for at in [Now(), *seen]:
            for length in lengths:
                unit = 1 if length.function == "minutes" else 1440
                yield call("shift", at, length, unit)
                yield call("shift", at, call("negative", length), unit)

    def _hinted(self) -> Iterator[Expr]:
        for pick in sorted(self.hints, key=size)[:3]:
            for name in self._hint_fields(pick):
                at = call("moment", call("get", pick, name))
                if self.pool.values(at) is not None:
                    yield at

    def _hint_fields(self, pick: Expr) -> list[str]:
        row = self.pool.at(pick, 0)
        return list(row) if isinstance(row, dict) else []

    def _free(self, targets: list[datetime]) -> Iterator[Expr]:
        for rows in self.rows:
            starts = [f for f in rows.fields if _clocked(self.pool.column(rows.expr, f))]
            lasts = [f for f in rows.fields if _minutes(self.pool.column(rows.expr, f))]
            for start in starts[:2]:
                for length in lasts[:2]:
                    yield from self._free_in(rows.expr, start, length, targets)

    def _free_in(
        self, rows: Expr, start: str, length: str, targets: list[datetime]
    ) -> Iterator[Expr]:
        # All days that fit are the same ones: it takes one of them to tell which hours fit.
        days = self._days([midnight(t) for t in targets])
        for needed in self._needed() if days else ():
            for opens in _OPENS:
                for closes in _CLOSES:
                    more = (needed, opens, closes)
                    one = call("free_slot", rows, start, length, days[0], *more)
                    if self.pool.fits(one, targets):
                        for day in days:
                            yield call("free_slot", rows, start, length, day, *more)

    def _needed(self) -> list[Expr]:
        lengths = [e for e in self.pool.slot_numbers if e.function == "minutes"]
        return [*lengths, const(30), const(60)]

    def _days_at(self, targets: list[datetime]) -> Iterator[Expr]:
        """Days that the goal or the clock names, at a fixed or a named time of day."""
        times = {(t.hour, t.minute, t.second) for t in targets}
        for day in self._days([midnight(t) for t in targets]):
            if len(times) == 1:
                hour, minute, second = next(iter(times))
                at = call("clock", day, hour, minute, second)
                yield at if (hour, minute, second) != (0, 0, 0) else day
            for slot in self.pool.hours:
                for before in _AFTERNOON:
                    at = call("time_on", day, slot, before)
                    if self.pool.fits(at, targets):
                        yield at

    def _days(self, targets: list[datetime]) -> list[Expr]:
        known = self._day_cache.get(tuple(targets))
        if known is None:
            known = self._day_cache[tuple(targets)] = list(self._find_days(targets))
        return known

    def _find_days(self, targets: list[datetime]) -> Iterator[Expr]:
        pool = self.pool
        spans = [e for e in pool.slot_numbers if e.function == "days"]
        today = call("midnight", Now())
        bases: list[tuple[Expr, Collection[int]]] = [
            (day, _ANY_DAY if day == today else _NEAR) for day in pool.days
        ]
        for day in pool.days:
            for span in spans:
                # What the goal names needs no correction but for the day it counts itself.
                bases.append((call("shift", day, span, 1440), _NEXT))
                bases.append((call("shift", day, call("negative", span), 1440), _NEXT))
        named = cues.figures(pool.said)
        seen = [e for e in pool.seen_moments if "highest" in named or not uses(e, "peak")]
        seen += self._hinted()
        bases += [(call("midnight", at), _NEAR) for at in seen]
        for base, offsets in bases:
            apart = {
                (t - v).days if isinstance(v := pool.at(base, i), datetime) else None
                for i, t in enumerate(targets)
            }
            if len(apart) == 1 and (days := next(iter(apart))) is not None and days in offsets:
                yield base if days == 0 else call("shift", base, days, 1440)
        yield from self._named_days(targets)

    def _named_days(self, targets: list[datetime]) -> Iterator[Expr]:
        """Days of the week or of a week, told from the clock alone."""
        numbers = {t.weekday() for t in targets}
        if len(numbers) != 1:
            return
        number = next(iter(numbers))
        for rule in ("after", "before"):
            for extra in (0, 7, -7):
                expr: Expr = call("weekday", number, Now(), rule)
                expr = call("shift", expr, extra, 1440) if extra else expr
                if self.pool.fits(expr, targets):
                    yield expr
        for weeks in (-1, 0, 1):
            if self.pool.fits(expr := call("week", Now(), weeks, number), targets):
                yield expr

    # --- rows and tables -----------------------------------------------------------------------

    def _fields(self, targets: Sequence[Json]) -> Iterator[Expr]:
        for k, rows in enumerate(self.rows):
            names = [f for f in rows.fields if self._holds(rows, f, targets)]
            if not names:
                continue
            if k not in self._picks:
                self._picks[k] = list(rows.picks())
            for pick in self._picks[k]:
                for name in names:
                    if self.pool.fits(expr := call("get", pick, name), targets):
                        if pick not in self.hints:
                            self.hints.append(pick)
                        yield expr

    def _holds(self, rows: Rows, name: str, targets: Sequence[Json]) -> bool:
        return all(
            any(same(item.get(name), t) for item in items)
            for items, t in zip(rows.items, targets, strict=True)
        )

    def _tables(self, targets: Sequence[Json]) -> Iterator[Expr]:
        """What a slot's text stood for, where a text was seen more than once."""
        if all(same(t, targets[0]) for t in targets):
            return
        found = [(slot, t) for slot in self.pool.slots for t in self._tables_of(slot, targets)]
        # Where names tell what is meant, what else fits is a coincidence.
        alike = [(slot, t) for slot, t in found if named_alike(t)]
        yield from (call("mapped", slot, t) for slot, t in alike or found)

    def _tables_of(self, slot: Slot, targets: Sequence[Json]) -> Iterator[dict[str, Json]]:
        if self.pool.kinds.get(slot.name) not in ("word", "text"):
            return
        table: dict[str, Json] = {}
        for i, target in enumerate(targets):
            text = str(self.pool.at(slot, i))
            if not same(table.setdefault(text, target), target):
                return
        known = [dict(k) for k in self.pool.meanings if table.items() <= k.items()]
        if not known and self._told(slot, table, targets):
            known = [table]
        yield from known

    def _told(self, slot: Slot, table: Mapping[str, Json], targets: Sequence[Json]) -> bool:
        """Whether a table is more than a list of what happened."""
        if named_alike(table):
            return True
        if len(table) > _MOST_ENTRIES or 2 * len(table) > len(targets):
            return False
        meant = not any(map(_is_worked_out, table.values())) and not self._was_read(slot, targets)
        return meant and self.pool.varies(slot)

    def _was_read(self, slot: Slot, targets: Sequence[Json]) -> bool:
        """Whether every value stands in what was read before: it is what was found there."""
        for i, target in enumerate(targets):
            said = _letters(self.pool.at(slot, i))
            if not any(_holds(target, v) and _letters(v) != said for v in self.pool.scalars[i]):
                return False
        return True


def _letters(value: Any) -> str:
    return re.sub(r"[\W_]", "", str(value)).lower()


def _holds(target: Json, value: Any) -> bool:
    """Whether a value is one that was read, or a sentence that has it."""
    if same(target, value):
        return len(str(value)) > 1
    if not isinstance(target, str) or not isinstance(value, str) or len(value) < TELLING:
        return False
    return value in target and " " in target


def _joint(expr: Expr) -> bool:
    return isinstance(expr, Const) and "_" in str(expr.value)


def _is_worked_out(value: Json) -> bool:
    """Whether a value is a date or has a figure in it: no word stands for 918.55, or for a day."""
    text = isinstance(value, str) and (bool(_FIGURE.search(value)) or is_moment(value))
    return isinstance(value, float) or text


def _picks(expr: Expr) -> bool:
    return any(
        isinstance(p, Call) and p.function in ("only", "nth", "extreme") for p in parts(expr)
    )


def ranked_reads(pool: Pool) -> Iterator[tuple[Expr, Expr]]:
    """Reads of series made of one tool, as (labels, sums): for the best of several."""
    if len(pool.series) < 2:
        return
    labels = [pool.labels.get(e) for e in pool.series]
    if any(label is None for label in labels):
        return
    for name in ("total", "mean", "highest", "closing", "growth"):
        scores = Call("listed", tuple(call(name, e) for e in pool.series))
        yield Call("listed", tuple(const(x) for x in labels)), scores


def _orders(pool: Pool) -> list[Expr]:
    return [call("test", op, "==", ">") for op in pool.polar]


def _written(form: str, at: datetime) -> str:
    return str(FUNCTIONS[form](at))


def _clocked(column: Iterator[Any]) -> bool:
    values = list(column)
    return bool(values) and all(isinstance(v, str) and len(v) >= 16 and _reads(v) for v in values)


def _reads(text: str) -> bool:
    try:
        moment(text)
    except ValueError:
        return False
    return True


def _minutes(column: Iterator[Any]) -> bool:
    values = list(column)
    return bool(values) and all(str(v).isdecimal() and 0 < int(v) <= 1440 for v in values)
