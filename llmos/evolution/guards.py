"""When a branch is taken: conditions that are true in the traces that took it and in no other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import combinations
from math import comb
from random import Random

from llmos.evolution.ir import Call, Expr, Now, Seen, Slot, call, const, is_call, parts, size
from llmos.evolution.pool import AGGREGATES, Pool, is_moment
from llmos.evolution.rows import Rows

_MOST = 400
_MEANINGS = ("number", "minutes", "days", "day", "time_on", "mapped")
_OPS = (">", "<", ">=", "<=")
_MOST_ALIKE = 3
"""Conditions that are true in the same traces, of which two together may be meant."""
_MOST_STATES = 8
"""Different values of a field up to which they are states that something is in."""

WAYS = 24
"""Other ways that are tried to tell whether they would be explained as well."""
_CHANCE = 0.1
"""Share of them that may be."""


Said = tuple[Expr, list[bool]]
"""A condition, and whether it is true in each trace."""


def conditions(pool: Pool, rows: Sequence[Rows]) -> list[Said]:
    """Conditions that can be said at a place, those that abstain in some trace left out."""
    found: dict[Expr, list[bool]] = {}
    for collection in rows:
        segments = [collection.segment(i) for i in range(len(pool.envs))]
        found[call("exists", collection.expr)] = [bool(s) for s in segments]
        for atom in collection.atoms:
            over = call("exists", atom.over(collection.expr))
            found[over] = [bool(atom.bits & s) for s in segments]
    told = {c.expr for c in rows}
    counted = (e for collection in rows for e in _counted(pool, collection))
    for expr in (*_emptiness(pool, told), *_all(pool), *counted):
        values = pool.values(expr)
        if values is not None:
            found[expr] = [bool(v) for v in values]
    return list(found.items())


def explain(said: Sequence[Said], taken: Sequence[bool]) -> tuple[Expr, ...]:
    """The conditions, or their opposites, that are true exactly where a branch was taken."""
    wanted = list(taken)
    opposite = [not t for t in taken]
    found: list[Expr] = []
    for expr, truth in said:
        if truth == wanted:
            found.append(expr)
        elif truth == opposite:
            found.append(call("negated", expr))
    return _simplest(found)


def less_sure(
    pool: Pool, said: Sequence[Said], collections: Sequence[Rows], taken: Sequence[bool]
) -> tuple[Expr, ...]:
    """What may tell when a branch was taken, if nothing simpler does, and easily does by chance.

    Two conditions on one row, or that no row has both; two on fields of objects; the states that
    a field of an object is in.
    """
    left = [not t for t in taken]
    absent = [e for rows in collections for e in rows.paired(left)]
    found = [e for rows in collections for e in rows.paired(taken)]
    found += (call("negated", e) for e in absent)
    fields = set(pool.records)
    of_fields = [(e, t) for e, t in said if not fields.isdisjoint(parts(e))]
    found += _both(of_fields, taken)
    found += (call("negated", e) for e in _both(of_fields, left))
    found += _states(pool, taken)
    return tuple(found)


def _both(said: Sequence[Said], taken: Sequence[bool]) -> list[Expr]:
    """Two conditions of which both are true exactly where a branch was taken."""
    wanted = _bits(taken)
    alike: dict[int, list[Expr]] = {}
    for expr, truth in said:
        bits = _bits(truth)
        opposite = ~bits & _bits([True] * len(taken))
        for several, one in ((bits, expr), (opposite, call("negated", expr))):
            if several & wanted == wanted and several != wanted:
                alike.setdefault(several, []).append(one)
    found: list[Expr] = []
    for some, others in combinations(sorted(alike), 2):
        if some & others == wanted:
            for one in sorted(alike[some], key=size)[:_MOST_ALIKE]:
                for two in sorted(alike[others], key=size)[:_MOST_ALIKE]:
                    if grounded(one) or grounded(two):
                        found.append(call("both", one, two))
    return sorted(found, key=size)[:_MOST]


def narrower(
    found: Sequence[Expr], pool: Pool, said: Sequence[Said], taken: Sequence[bool]
) -> tuple[Expr, ...]:
    """The conditions, and each together with what else was so whenever one went that way.

    That is whether a field is there and, where a condition speaks of results alone, what the goal
    or the clock says of them. Where a condition held and the rest did not no run has ever been:
    whether the branch is taken there is not known.
    """
    wanted, everyone = _bits(taken), _bits([True] * len(taken))
    fields, absent = set(pool.records), {call("missing", f) for f in pool.records}
    more: list[Expr] = []
    for expr, truth in said:
        about_goal = grounded(expr) and not fields.isdisjoint(parts(expr))
        if not (about_goal or expr in absent):
            continue
        bits = _bits(truth)
        for now, rest in ((bits, expr), (everyone & ~bits, call("negated", expr))):
            # That a field is not the text of a slot says nothing.
            if (now == everyone and not about_goal) or (rest != expr and is_of_text(expr)):
                continue
            for one in found[:_MOST_ALIKE]:
                if (about_goal and grounded(one)) or expr in parts(one):
                    continue
                if not wanted & ~now:
                    more.append(call("both", one, rest))
                if not everyone & ~wanted & ~now:
                    more.append(call("negated", call("both", call("negated", one), rest)))
    return (*found, *sorted((e for e in more if e not in found), key=size)[:_MOST])


def is_of_text(condition: Expr) -> bool:
    """Whether a condition says that a field is the text of a slot."""
    match condition:
        case Call("test", (Call("get"), _, Slot())):
            return True
    return False


def _bits(truth: Sequence[bool]) -> int:
    return sum(1 << i for i, t in enumerate(truth) if t)


def _states(pool: Pool, taken: Sequence[bool]) -> Iterator[Expr]:
    """Fields whose value tells when a branch was taken, each of several being there twice."""
    for field in pool.records:
        values = pool.values(field)
        if values is None or not all(map(is_state, values)):
            continue
        these = {v for v, t in zip(values, taken, strict=True) if t}
        others = {v for v, t in zip(values, taken, strict=True) if not t}
        number = len(these) + len(others)
        few = number <= _MOST_STATES and 2 * number <= len(values)
        if few and these and others and not these & others:
            yield call("among", field, const(sorted(these)), const(sorted(others)))


def is_state(value: object) -> bool:
    """Whether a value may be the name of a state: a text that is no date."""
    return isinstance(value, str) and not is_moment(value)


def by_chance(
    pool: Pool,
    said: Sequence[Said],
    collections: Sequence[Rows],
    taken: Sequence[bool],
    check_time: Callable[[], None],
) -> bool:
    """Whether conditions could explain as well that other traces had taken a branch.

    What a goal names is seldom there by chance; two conditions, or a constant of the results,
    are found for almost any traces if there are few of them.
    """
    others = list(_other_ways(taken))
    explained = 0
    for other in others:
        check_time()
        if explain(said, other) or less_sure(pool, said, collections, other):
            explained += 1
    return may_be_chance(explained, len(others))


def may_be_chance(explained: int, others: int) -> bool:
    """Whether a permutation test leaves it open that something was explained by chance.

    Args:
        explained: How many of the other ways could be explained as well.
        others: How many other ways were tried, at most `WAYS`.
    """
    # The way that was gone is one of them: few others prove nothing.
    return explained + 1 > _CHANCE * (others + 1)


def _other_ways(taken: Sequence[bool]) -> Iterator[list[bool]]:
    """Other choices of as many traces, all of them or some drawn the same way every time."""
    every, number = len(taken), sum(taken)
    rng = Random(0)
    chosen: Iterable[Collection[int]] = (
        combinations(range(every), number)
        if comb(every, number) <= WAYS
        else (rng.sample(range(every), number) for _ in range(WAYS))
    )
    for few in chosen:
        other = [i in few for i in range(every)]
        if other != list(taken):
            yield other


def _simplest(found: Sequence[Expr]) -> tuple[Expr, ...]:
    """As many as there is room for, the simplest first; what the goal speaks of has precedence."""
    kept = sorted(found, key=lambda e: (not grounded(e), size(e)))[:_MOST]
    return tuple(sorted(kept, key=size))


def telling(found: Sequence[Expr], idle: Collection[str]) -> tuple[Expr, ...]:
    """Those that look at the most of some slots: what a goal says is there to be looked at.

    Args:
        found: Conditions or collections.
        idle: Slots that vary and that nothing else looks at.
    """
    counts = [len(_looked_at(e) & set(idle)) for e in found]
    most = max(counts, default=0)
    return tuple(e for e, n in zip(found, counts, strict=True) if n == most)


def _emptiness(pool: Pool, told: Collection[Expr]) -> Iterator[Expr]:
    """Whether a read found anything, where it never found rows: a sentence stands for nothing."""
    for node in pool.nodes:
        found = call("rows", Seen(node))
        if found not in told and all(isinstance(e.seen[node], (list, str)) for e in pool.envs):
            yield call("exists", found)


def likely(found: Sequence[Expr]) -> tuple[Expr, ...]:
    """Without those that rest on a constant of the results, if others are left.

    Few traces let many a constant tell the branches apart; what the goal, the clock or the
    emptiness of a result says is seldom a coincidence.
    """
    sure = [e for e in found if grounded(e) or not any(is_call(p, "where") for p in parts(e))]
    return tuple(sure or found)


def grounded(expr: Expr) -> bool:
    """Whether a condition speaks of the goal or of the clock, not of results alone."""
    return any(isinstance(p, (Slot, Now)) for p in parts(expr))


def simple(expr: Expr) -> bool:
    """Whether a condition speaks of the goal or of the clock, and is one, not two."""
    if any(is_call(p, "both") for p in parts(expr)):
        return False
    filters = [p for p in parts(expr) if isinstance(p, Call) and p.function == "where"]
    return grounded(expr) and not any(is_call(f.arguments[0], "where") for f in filters)


def _looked_at(expr: Expr) -> set[str]:
    """Slots whose meaning is used: figures, dates, directions; not texts that are compared."""
    found = set()
    for part in parts(expr):
        if isinstance(part, Call) and part.function in _MEANINGS:
            found |= {a.name for a in part.arguments if isinstance(a, Slot)}
    return found


def always(said: Sequence[Said]) -> tuple[Expr, ...]:
    """What was so in every trace."""
    found: list[Expr] = []
    for expr, truth in said:
        if all(truth):
            found.append(expr)
        elif not any(truth):
            found.append(call("negated", expr))
    return _simplest(found)


def _all(pool: Pool) -> Iterator[Expr]:
    yield from _figures(pool)
    yield from _moments(pool)
    for field in pool.records:
        yield call("missing", field)
        for slot in pool.slots:
            yield call("test", field, "==", slot)


def _figures(pool: Pool) -> Iterator[Expr]:
    thresholds: list[Expr] = [e for e in pool.slot_numbers if e.function == "number"]
    counted = [e for e in pool.seen_numbers if is_call(e, "count")]
    measured: list[Expr] = [
        e for e in pool.seen_numbers if isinstance(e, Call) and e.function in AGGREGATES
    ]
    for series in pool.series:
        for threshold in thresholds:
            for op in (*map(const, _OPS[:2]), *pool.polar):
                yield call("ever", series, op, threshold)
    for figure in [*measured, *counted]:
        for threshold in thresholds:
            yield from _compared(pool, figure, threshold)
            if is_call(figure, "growth"):
                yield from _grown(pool, figure, threshold)
    for i, one in enumerate(measured):
        for two in measured[i + 1 :]:
            if _alike(one, two):
                yield from _compared(pool, one, two)
    for single in pool.seen_numbers:
        if is_call(single, "number"):
            for threshold in thresholds:
                yield from _compared(pool, single, threshold)


def _counted(pool: Pool, rows: Rows) -> Iterator[Expr]:
    """How many rows have what the goal names, against a number that it names."""
    thresholds = [e for e in pool.slot_numbers if e.function == "number"]
    for atom in rows.atoms if thresholds else ():
        if atom.grounded and atom.op == const("=="):
            for threshold in thresholds:
                yield from _compared(pool, call("count", atom.over(rows.expr)), threshold)


def _alike(one: Expr, two: Expr) -> bool:
    """The same figure of two reads, or the two ends of one."""
    assert isinstance(one, Call) and isinstance(two, Call)
    ends = {one.function, two.function} == {"opening", "closing"}
    return one.function == two.function or (ends and one.arguments == two.arguments)


def _grown(pool: Pool, growth: Expr, threshold: Expr) -> Iterator[Expr]:
    """Growth in the direction that the goal names, by more than the threshold."""
    assert isinstance(growth, Call)
    for polar in pool.polar:
        yield call("moved", growth.arguments[0], polar, threshold)


def _compared(pool: Pool, a: Expr, b: Expr) -> Iterator[Expr]:
    for op in _OPS[:2]:
        yield call("test", a, op, b)
    for polar in pool.polar:
        yield call("test", a, polar, b)


def _moments(pool: Pool) -> Iterator[Expr]:
    """A date of a result against the clock, or against a span before or after it."""
    spans = [e for e in pool.slot_numbers if e.function == "days"]
    against: list[Expr] = [Now(), call("midnight", Now()), *pool.days]
    for span in spans:
        for sign in (span, call("negative", span)):
            against.append(call("shift", call("midnight", Now()), sign, 1440))
    for at in pool.seen_moments:
        for other in against:
            for op in _OPS:
                yield call("test", at, op, other)
