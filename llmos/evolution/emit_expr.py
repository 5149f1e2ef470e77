"""Writes expressions of the intermediate form as Python, with variables for what is long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from llmos.evolution.emit_names import Names
from llmos.evolution.emit_text import INDENT, WIDTH, Doc, Group, flat, group, laid, literal
from llmos.evolution.evaluate import FUNCTIONS
from llmos.evolution.ir import Call, Const, Expr, Now, Row, Seen, Slot, parts

_LONG = 40
"""Columns from which an expression is given a variable where its statement does not fit."""

_REPEATED = 30
"""Columns from which an expression that the program needs again is given a variable."""

_NOUNS = {
    "where": "matching",
    "one_of": "matching",
    "union": "together",
    "flipped": "backwards",
    "rows": "found",
    "extreme": "picked",
    "nth": "picked",
    "only": "picked",
    "concat": "words",
    "count": "how_many",
    **dict.fromkeys(["text_of", "date_text", "minute_text", "second_text"], "as_text"),
    **dict.fromkeys(["day", "weekday", "week", "midnight"], "that_day"),
    **dict.fromkeys(["clock", "time_on", "shift", "moment", "free_slot"], "that_time"),
}


@dataclass(slots=True)
class Scope:
    """What the lines of one block may rely on."""

    indent: int
    variables: dict[Expr, str] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)
    """Slots that the goal is known to have."""
    row: bool = False
    """Whether the block is the body of a loop over rows."""

    def inner(self, *, row: bool = False) -> Scope:
        """A block in this one."""
        return Scope(self.indent + INDENT, dict(self.variables), set(self.said), row or self.row)

    def line(self, text: str, deeper: int = 0) -> str:
        """One line of the block."""
        return " " * (self.indent + deeper * INDENT) + text


class Writer:
    """Writes the expressions of one program.

    Args:
        used: Every expression that is written, as often as it is.
        parameters: Slot to parameter.
        results: Step to the variable of its observation.
        names: Names for variables.
        unsure: Steps whose observation is assigned at more than one place.
    """

    def __init__(
        self,
        used: Iterable[Expr],
        parameters: Mapping[str, str],
        results: Mapping[str, str],
        names: Names,
        unsure: frozenset[str],
    ) -> None:
        self._times = Counter(p for e in used for p in parts(e) if isinstance(p, Call))
        self._parameters = parameters
        self._results = results
        self._names = names
        self._unsure = unsure

    def doc(self, expr: Expr, scope: Scope) -> Doc:
        """An expression where it stands.

        Raises:
            ValueError: It calls what is no function of the runtime, names a slot or a step that
                there is not, or holds a constant that has no literal.
        """
        if expr in scope.variables:
            return scope.variables[expr]
        match expr:
            case Const():
                return literal(expr.value)
            case Slot(name) if name in self._parameters:
                return self._parameters[name]
            case Now():
                return "now"
            case Seen(node) if node in self._results:
                return self._results[node]
            case Row():
                return "row" if scope.row else "None"
            case Call("negated", (condition,)):
                return _not(self.doc(condition, scope))
            case Call(function, arguments) if function in FUNCTIONS:
                return group(function, *(self.doc(a, scope) for a in arguments))
        raise ValueError(f"what is {str(expr)[:60]!r}?")

    def check_said(self, exprs: Iterable[Expr], scope: Scope) -> Iterator[str]:
        """The line that stops where the goal does not have the slots that expressions need."""
        needed = {p.name: 0 for e in exprs for p in parts(e) if isinstance(p, Slot)}
        asked = [slot for slot in needed if slot not in scope.said]
        if not asked:
            return
        scope.said.update(asked)
        yield from laid("", group("needs", *map(self._name, asked)), "", scope.indent)

    def share(self, exprs: Iterable[Expr], scope: Scope) -> Iterator[str]:
        """Lines that give variables to what is needed again later.

        Args:
            exprs: What is evaluated next, whatever happens.
            scope: Where; it knows the variables from then on.
        """
        for expr in exprs:
            yield from self._share(expr, scope, 1)

    def _share(self, expr: Expr, scope: Scope, above: int) -> Iterator[str]:
        if not isinstance(expr, Call) or expr in scope.variables:
            return
        times = self._times[expr]
        # What is only ever needed as a part of something shared needs no variable of its own.
        again = times > above and self._lasting(expr)
        for argument in expr.arguments:
            yield from self._share(argument, scope, times if again else above)
        if again and len(flat(self.doc(expr, scope))) >= _REPEATED:
            yield from self.assign(_noun(expr), expr, scope)

    def assign(self, wish: str, expr: Expr, scope: Scope) -> Generator[str, None, str]:
        """Lines that give a variable to an expression, and to parts of it if it is too long.

        Returns:
            Name of the variable.
        """
        yield from self.shorten(len(wish) + 3, [expr], scope)
        doc = self.doc(expr, scope)
        name = self._names.fresh(wish)
        yield from laid(f"{name} = ", doc, "", scope.indent)
        if self._lasting(expr):
            scope.variables[expr] = name
        return name

    def shorten(self, around: int, exprs: Iterable[Expr], scope: Scope) -> Iterator[str]:
        """Lines that give variables to long parts of what would not fit on one line.

        Args:
            around: Columns that the rest of the line takes.
            exprs: What is evaluated next, whatever happens.
            scope: Where; it knows the variables from then on.
        """
        for expr in exprs:
            if not isinstance(expr, Call) or expr in scope.variables:
                continue
            if scope.indent + around + len(flat(self.doc(expr, scope))) <= WIDTH:
                continue
            for part in expr.arguments:
                long = len(flat(self.doc(part, scope))) >= _LONG
                if long and isinstance(part, Call) and self._lasting(part):
                    yield from self.assign(_noun(part), part, scope)

    def _lasting(self, expr: Expr) -> bool:
        """Whether the expression has one value for as long as its variable can be seen."""
        return not any(
            isinstance(p, Row) or (isinstance(p, Seen) and p.node in self._unsure)
            for p in parts(expr)
        )

    def _name(self, slot: str) -> str:
        if slot not in self._parameters:
            raise ValueError(f"the program needs {slot[:60]!r}, which is no parameter")
        return self._parameters[slot]


def _not(doc: Doc) -> Doc:
    if isinstance(doc, str):
        return f"not {doc}"
    return Group(f"not {doc.opens}", doc.items, doc.closes)


def _noun(expr: Call) -> str:
    """What a variable that holds the expression is called."""
    match expr:
        case Call("get", (_, Const() as name)) if isinstance(name.value, str):
            return name.value
    return _NOUNS.get(expr.function, f"the_{expr.function}")
