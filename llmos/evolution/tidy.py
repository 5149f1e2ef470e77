"""Takes out rivals that nobody would mean, though they fit every trace.

All candidates of a place must agree before a tool is served, so one that is there by coincidence
only costs runs. A rule here never leaves a place without a candidate, and each says why what it
takes out is not what the goal asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from llmos.evolution import cues
from llmos.evolution.ir import (
    Call,
    Candidates,
    Const,
    Expr,
    Now,
    Program,
    Slot,
    every_candidate,
    is_call,
    mapped_program,
    nodes_of,
    parts,
    slots_of,
    tables_of,
)
from llmos.evolution.naming import named_alike

_TEXTS = frozenset({"quote", "text", "word", "path", "address"})
"""Kinds of slots whose text does not turn up in a call by coincidence."""

_FIGURES = frozenset({"number", "duration", "figure", "polar"})
"""Kinds of slots that a goal does not name for nothing."""

_PIECES = frozenset({"first_word", "last_word", "singular", "before_at"})

_AS_IT_IS = frozenset({"lines", "only", "lower", "upper", "title", "sentence", "initial"})
"""What leaves a text as it is, but for its case and its breaks."""

_NAME = 4
"""Characters of such a text."""

_PLAIN = frozenset({"total", "mean", "count"})
"""Figures that need not be named."""

_ENDS = {"growth", "ends"}
"""What a comparison of the two ends of a series asks for."""

_STRICT = {">=": ">", "<=": "<"}
_OPPOSITE = {">": "<", "<": ">"}

Rule = Callable[[Candidates, frozenset[str]], Iterator[Expr]]
"""Which of the candidates of a place nobody would mean, given the slots that others look at."""


def tidy(program: Program, said: Collection[str], kinds: Mapping[str, str]) -> Program:
    """The program without such rivals.

    Args:
        program: Its candidates fit every trace.
        said: The words of each wording of its goals.
        kinds: What kind of text stands at each slot.
    """
    return _Tidying(program, said, kinds).run()


@dataclass
class _Tidying:
    program: Program
    said: Collection[str]
    kinds: Mapping[str, str]
    _at: int = 0
    """Number of the place that comes next."""

    def run(self) -> Program:
        values = (
            self._sides,
            self._echoes,
            self._coincidences,
            self._days,
            self._detours,
            self._needless,
        )
        conditions = (
            self._unlike,
            self._wide,
            self._figures,
            self._moves,
            self._needless,
            self._sides,
        )
        return mapped_program(
            self.program,
            lambda found: self._place(found, values),
            conditions=lambda found: self._place(found, conditions),
            hidden=self._hidden,
        )

    def _place(self, candidates: Candidates, rules: Sequence[Rule]) -> Candidates:
        looked = self._looked
        elsewhere = frozenset().union(*looked[: self._at], *looked[self._at + 1 :])
        self._at += 1
        for rule in rules:
            odd = set(rule(candidates, elsewhere))
            candidates = tuple(c for c in candidates if c not in odd) or candidates
        return candidates

    def _hidden(self, hidden: Candidates) -> Candidates:
        """What must be so again, without what the words do not ask for.

        What only a read that nothing uses can tell stays.
        """
        elsewhere = frozenset().union(*self._looked)
        odd = set(self._unlike(hidden, elsewhere))
        odd |= {c for c in self._figures(hidden, elsewhere) if nodes_of(c) <= self._read}
        return tuple(c for c in hidden if c not in odd) or hidden

    @cached_property
    def _simplest(self) -> list[Candidates]:
        """For each place but the hidden ones its simplest candidate, if it has any."""
        return [found[:1] for found in every_candidate(self.program, hidden=False)]

    @cached_property
    def _looked(self) -> list[frozenset[str]]:
        """For each of them the slots that it looks at."""
        return [slots_of(*found) for found in self._simplest]

    @cached_property
    def _read(self) -> frozenset[str]:
        """The steps whose observations they look at."""
        return nodes_of(*(e for found in self._simplest for e in found))

    # --- rules ---------------------------------------------------------------------------------

    def _needless(self, candidates: Candidates, elsewhere: frozenset[str]) -> Iterator[Expr]:
        """Conditions on rows that make no difference, and that the goal does not speak of."""
        present = set(candidates)
        for candidate in candidates:
            for where in parts(candidate):
                if not isinstance(where, Call) or where.function != "where":
                    continue
                simpler = _without(candidate, where)
                if simpler in present and not self._spoken_of(where, elsewhere | slots_of(simpler)):
                    yield candidate
                    break

    def _spoken_of(self, where: Call, elsewhere: frozenset[str]) -> bool:
        inside = [p for a in where.arguments[2:] for p in parts(a)]
        slots = {p.name for p in inside if isinstance(p, Slot)}
        if slots:
            # A read that was asked for a text may find what only resembles it.
            exact = self._is_text(where.arguments[3])
            return exact or not slots <= elsewhere
        if any(isinstance(p, Now) for p in inside):
            return cues.of_time(self.said) and not nodes_of(where) & self._dated
        # A kind of rows that all runs happened to see, and no other, may well be meant.
        return isinstance(where.arguments[3], Const) and where.arguments[2] != _op("!=")

    @cached_property
    def _dated(self) -> set[str]:
        """Reads that were asked for a time already."""
        return {
            read.id
            for read in self.program.reads()
            for found in read.arguments.values()
            if any(isinstance(p, Now) for p in parts(found[0]))
        }

    def _sides(self, candidates: Candidates, elsewhere: frozenset[str]) -> Iterator[Expr]:
        """Times ahead where the goal speaks of the past, and the other way round."""
        for candidate in candidates:
            for p in parts(candidate):
                if isinstance(p, Call) and p.function == "shift":
                    length, sign = p.arguments[1], 1
                    if isinstance(length, Call) and length.function == "negative":
                        length, sign = length.arguments[0], -1
                    if any(cues.side(self.said, name) == -sign for name in slots_of(length)):
                        yield candidate
                        break

    def _echoes(self, candidates: Candidates, elsewhere: frozenset[str]) -> Iterator[Expr]:
        """Fields of a result that only repeat what it was asked for."""
        present = set(candidates)
        asked = {
            node.id
            for node in self.program.reads()
            if any(c in present for found in node.arguments.values() for c in found)
        }
        for candidate in candidates:
            if is_call(candidate, "get") and asked & nodes_of(candidate):
                yield candidate

    def _coincidences(self, candidates: Candidates, elsewhere: frozenset[str]) -> Iterator[Expr]:
        """Constants, tables and pieces of words, where the goal itself holds the text."""
        whole = [c for c in candidates if self._holds_text(c) or self._looked_up(c)]
        verbatim = any(_verbatim(c) for c in whole)
        constant = any(isinstance(c, Const) for c in candidates)
        told = any(not isinstance(c, Const) and not is_call(c, "mapped") for c in candidates)
        for candidate in candidates:
            if candidate in whole:
                continue
            if isinstance(candidate, Const):
                if verbatim and len(str(candidate.value).strip()) >= _NAME:
                    yield candidate
            elif isinstance(candidate, Call) and candidate.function == "mapped":
                table = candidate.arguments[1]
                if told and not (isinstance(table, Const) and named_alike(table.value)):
                    yield candidate
            elif (whole or constant) and any(
                is_call(p, f) for p in parts(candidate) for f in _PIECES
            ):
                yield candidate

    def _looked_up(self, expr: Expr) -> bool:
        """Whether it is the one result of a read that asks for what the goal says."""
        if not is_call(expr, "only"):
            return False
        asked = {
            r.id
            for r in self.program.reads()
            if any(slots_of(*c[:1]) for c in r.arguments.values())
        }
        return nodes_of(expr) <= asked

    def _holds_text(self, expr: Expr) -> bool:
        """Whether it holds all of what stands at a slot, in whatever case."""
        if is_call(expr, "concat"):
            assert isinstance(expr, Call)
            return any(self._is_text(a) for a in expr.arguments)
        return self._is_text(expr)

    def _is_text(self, expr: Expr) -> bool:
        while isinstance(expr, Call) and len(expr.arguments) == 1:
            if expr.function in _PIECES:
                return False
            expr = expr.arguments[0]
        return isinstance(expr, Slot) and self.kinds.get(expr.name) in _TEXTS

    def _days(self, candidates: Candidates, elsewhere: frozenset[str]) -> Iterator[Expr]:
        """Days told otherwise than by a date of the goal that is there for nothing else."""
        dates = {n for n, kind in self.kinds.items() if kind == "date"} - elsewhere
        if any(dates & slots_of(c) and not nodes_of(c) for c in candidates):
            yield from (c for c in candidates if not dates & slots_of(c) and not nodes_of(c))
        elif any(_named_day(c) for c in candidates):
            # The very day that the goal names is no coincidence.
            yield from (c for c in candidates if not slots_of(c) and not nodes_of(c))

    def _detours(self, candidates: Candidates, elsewhere: frozenset[str]) -> Iterator[Expr]:
        """Rows looked for by a condition to find what the goal says without."""
        direct = any(
            _verbatim(c) or self._looked_up(c) or (slots_of(c) and not nodes_of(c))
            for c in candidates
            if not is_call(c, "mapped")
        )
        for candidate in candidates if direct else ():
            if any(is_call(p, "where") for p in parts(candidate)):
                yield candidate

    # --- rules for conditions ------------------------------------------------------------------

    def _unlike(self, candidates: Candidates, elsewhere: frozenset[str]) -> Iterator[Expr]:
        """Figures of another sort than the words name: a peak is not what "in all" asks for."""
        meant = cues.figures(self.said)
        told = {c: _figures_of(c) for c in candidates}
        plainly = meant & cues.PLAIN_WORDS
        named = any(figures & plainly for figures in told.values())
        grown = any(
            is_call(p, f) for c in candidates for p in parts(c) for f in ("growth", "moved")
        )
        for candidate, figures in told.items():
            # Of one series against a limit a peak may well be meant; of two it has to be said.
            unsaid = len(nodes_of(candidate)) > 1 and bool(figures & cues.FIGURES - meant)
            other = named and bool(figures) and not figures & plainly
            if unsaid or other or (grown and figures == _ENDS):
                yield candidate

    def _wide(self, candidates: Candidates, elsewhere: frozenset[str]) -> Iterator[Expr]:
        """Comparisons that count the limit in, where the words do not."""
        if not cues.of_equality(self.said):
            present = set(candidates)
            yield from (c for c in candidates if _strictly(c) in present)

    def _figures(self, candidates: Candidates, elsewhere: frozenset[str]) -> Iterator[Expr]:
        """Conditions that leave out a figure of the goal that nothing else looks at."""
        said = {n for n, kind in self.kinds.items() if kind in _FIGURES} - elsewhere
        counts = [len(said & slots_of(c) - _superlatives(c)) for c in candidates]
        most = max(counts, default=0)
        yield from (c for c, n in zip(candidates, counts, strict=True) if n < most)

    def _moves(self, candidates: Candidates, elsewhere: frozenset[str]) -> Iterator[Expr]:
        """Growth told as a figure where words say up or down, and the other way round."""
        sides = [_direction(c, "moved") for c in candidates]
        if any(side and cues.of_change(side.value) for side in sides):
            yield from (c for c in candidates if _direction(c, "growth"))
            told = zip(candidates, sides, strict=True)
            yield from (c for c, side in told if side and not cues.of_change(side.value))
        elif any(_direction(c, "growth") for c in candidates):
            yield from (c for c, side in zip(candidates, sides, strict=True) if side)


def _verbatim(expr: Expr) -> bool:
    """Whether a text of the goal, or of a result, stands in it as it is: no name made of one."""
    inside = expr.arguments if isinstance(expr, Call) and expr.function == "concat" else (expr,)
    return any(isinstance(p, Slot) or any(is_call(p, f) for f in _AS_IT_IS) for p in inside)


def _named_day(expr: Expr) -> bool:
    """Whether it is a day that the goal names, as it is, in whatever form."""
    while isinstance(expr, Call) and len(expr.arguments) == 1:
        expr = expr.arguments[0]
    return is_call(expr, "day")


def _direction(condition: Expr, figure: str) -> Const | None:
    """The words of direction by which a condition asks for a figure that moves."""
    match condition:
        case Call("negated", (inner,)):
            return _direction(inner, figure)
        case Call("moved", (_, Call("mapped", (_, Const() as words)), _)) if figure == "moved":
            return words
        case Call("test", (Call("growth", _), Call("mapped", (_, Const() as words)), _)):
            return words if figure == "growth" else None
    return None


def _strictly(condition: Expr) -> Expr | None:
    """What a comparison that counts equality in is without that; None for others."""
    match condition:
        case Call("negated", (Call("test", (a, Const() as op, b)),)) if op.value in _OPPOSITE:
            return Call("test", (a, _op(_OPPOSITE[op.value]), b))
        case Call("test", (a, Const() as op, b)) if op.value in _STRICT:
            return Call("test", (a, _op(_STRICT[op.value]), b))
    return None


def _figures_of(condition: Expr) -> set[str]:
    """Figures of series that a condition asks for; its two ends are a growth."""
    found = {p.function for p in parts(condition) if isinstance(p, Call)}
    figures = found & (cues.FIGURES | _PLAIN)
    return _ENDS if figures == {"opening", "closing"} else figures


def _superlatives(expr: Expr) -> set[str]:
    """Slots that name the first or the most of something: they compare nothing."""
    return {name for name, table in tables_of(expr) if any(word.endswith("st") for word in table)}


def _op(op: str) -> Const:
    return Const(f'"{op}"')


def _without(expr: Expr, where: Call) -> Expr:
    """An expression with one condition on rows taken out."""
    if expr is where:
        return where.arguments[0]
    if not isinstance(expr, Call):
        return expr
    return Call(expr.function, tuple(_without(a, where) for a in expr.arguments))
