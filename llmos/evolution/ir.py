"""The intermediate form of a learned tool: expressions, reads, writes and guards.

An expression is a call of a function of `llmos.evolution.runtime` over constants, goal slots, the
clock, observations and the row of a loop. Where the traces leave several expressions open, a
program keeps all of them, the simplest first: it is a version space, and a run is served only
where all that are left agree.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain
from typing import Any

from llmos.values import Json


@dataclass(frozen=True, slots=True)
class Const:
    """A value that no trace varied, kept as JSON text so that it can be a key."""

    text: str

    @property
    def value(self) -> Json:
        """The value itself."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Slot:
    """The text that a goal has at a slot of its template."""

    name: str


@dataclass(frozen=True, slots=True)
class Now:
    """What the run's clock says."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The observation of a step of the program."""

    node: str


@dataclass(frozen=True, slots=True)
class Row:
    """The row that a loop is at."""


class Call:
    """A runtime function applied to expressions. Immutable; hash and parts are found out once.

    Attributes:
        of_row: It looks at the row of a loop.
    """

    __match_args__ = ("function", "arguments")
    __slots__ = ("_hash", "_parts", "arguments", "function", "of_row")

    def __init__(self, function: str, arguments: tuple[Expr, ...]) -> None:
        self.function = function
        self.arguments = arguments
        self.of_row = False
        for argument in arguments:
            if type(argument) is Row or (type(argument) is Call and argument.of_row):
                self.of_row = True
        self._hash = hash((function, arguments))
        self._parts: tuple[Expr, ...] = ()

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            type(other) is Call
            and self._hash == other._hash
            and self.function == other.function
            and self.arguments == other.arguments
        )

    @property
    def parts(self) -> tuple[Expr, ...]:
        """Itself and everything that it is made of."""
        if not self._parts:
            inner = chain.from_iterable(map(parts, self.arguments))
            self._parts = (self, *inner)
        return self._parts

    def __repr__(self) -> str:
        return f"{self.function}({', '.join(map(repr, self.arguments))})"


Expr = Const | Slot | Now | Seen | Row | Call

_KINDS = frozenset((Const, Slot, Now, Seen, Row, Call))


def const(value: Json) -> Const:
    """A constant."""
    if type(value) in (str, int, bool):
        return _plain(value)
    return Const(json.dumps(value, sort_keys=True, ensure_ascii=False))


@lru_cache(maxsize=20_000, typed=True)
def _plain(value: str | int | bool) -> Const:
    return Const(json.dumps(value, ensure_ascii=False))


def call(function: str, *arguments: Expr | Json) -> Call:
    """A call; plain values become constants."""
    return Call(function, tuple(a if type(a) in _KINDS else const(a) for a in arguments))


def size(expr: Expr) -> float:
    """Description length: how much must be believed for the expression to be meant.

    Constants that could have been anything weigh most; a parameter of a function (an hour, a
    field name) weighs little.
    """
    match expr:
        case Call(function, arguments):
            return 1 + _WEIGHTS.get(function, 0) + sum(_argument_size(a) for a in arguments)
        case Const():
            return 2.5
        case Seen():
            return 1.2
    return 1.0


_WEIGHTS = {
    "mapped": 12.0,
    "only": -0.4,
    "nth": -0.3,
    "extreme": 1.0,
    "where": 0.5,
    "free_slot": -2.0,
}
"""A table of what was seen explains anything: it is meant only where nothing else fits."""


def _argument_size(expr: Expr) -> float:
    return 0.4 if isinstance(expr, Const) else size(expr)


def parts(expr: Expr) -> tuple[Expr, ...]:
    """The expression and everything it is made of."""
    return expr.parts if type(expr) is Call else (expr,)


def is_call(expr: Expr, function: str) -> bool:
    """Whether an expression is a call of a function."""
    return isinstance(expr, Call) and expr.function == function


def slots_of(*exprs: Expr) -> frozenset[str]:
    """The slots that expressions look at."""
    return frozenset(p.name for e in exprs for p in parts(e) if isinstance(p, Slot))


def nodes_of(*exprs: Expr) -> frozenset[str]:
    """The steps whose observations expressions look at."""
    return frozenset(p.node for e in exprs for p in parts(e) if isinstance(p, Seen))


def tables_of(expr: Expr) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """Tables of what the text of a slot stands for in an expression: (slot, table)."""
    for part in parts(expr):
        match part:
            case Call("mapped", (Slot(name), Const() as table)):
                yield name, table.value


Candidates = tuple[Expr, ...]
"""Expressions that fit every trace, the simplest first."""

Arguments = Mapping[str, Candidates]


@dataclass(frozen=True, slots=True)
class Paging:
    """How a read that shows only so many results is continued."""

    cap: int
    """Results that one page holds."""
    argument: str
    """Argument that is moved on."""
    field: str
    """Field of the last row that it is moved to."""


@dataclass(frozen=True, slots=True)
class Read:
    """A call that looks."""

    id: str
    tool: Candidates
    arguments: Arguments
    guard: str = ""
    paging: Paging | None = None
    cap: int = 0
    """A result of this many rows may be cut off, or is longer than any that was seen."""
    content: bool = False
    """A result that is cut off was enough in every trace."""


@dataclass(frozen=True, slots=True)
class Single:
    """A write that is made once."""

    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Loop:
    """A write that is made for every row of a collection."""

    rows: Candidates
    arguments: Arguments


Shape = Single | Loop


@dataclass(frozen=True, slots=True)
class Write:
    """A call that changes something, in every shape that fits the traces."""

    id: str
    tool: Candidates
    shapes: tuple[Shape, ...]
    guard: str = ""


Node = Read | Write


@dataclass(frozen=True, slots=True)
class Guard:
    """When the nodes that name it are reached."""

    conditions: Candidates = ()
    """All that fit the traces, true where the nodes were reached; they must agree."""
    hidden: Candidates = ()
    """What was true whenever the nodes were reached; if one is not, the run stops."""
    after: str = ""
    """Guard that must hold before this one is asked."""


@dataclass(frozen=True, slots=True)
class Program:
    """What a family of traces does."""

    nodes: tuple[Node, ...]
    guards: Mapping[str, Guard] = field(default_factory=dict)
    answer: Candidates = ()
    """Expressions of the answer; empty where it is rendered from what was done."""

    def reads(self) -> Iterator[Read]:
        """The reads, in order."""
        return (n for n in self.nodes if isinstance(n, Read))

    def writes(self) -> Iterator[Write]:
        """The writes, in order."""
        return (n for n in self.nodes if isinstance(n, Write))


def every_candidate(program: Program, *, hidden: bool = True) -> Iterator[Candidates]:
    """All places of the program where expressions stand; with what must be so again or without."""
    for node in program.nodes:
        yield node.tool
        if isinstance(node, Read):
            yield from node.arguments.values()
            continue
        for shape in node.shapes:
            if isinstance(shape, Loop):
                yield shape.rows
            yield from shape.arguments.values()
    for guard in program.guards.values():
        yield guard.conditions
        if hidden:
            yield guard.hidden
    yield program.answer


Change = Callable[[Candidates], Candidates]


def mapped_program(
    program: Program,
    change: Change,
    *,
    conditions: Change | None = None,
    hidden: Change | None = None,
) -> Program:
    """The program with the candidates of every place changed, in the order of `every_candidate`.

    Args:
        program: What is changed.
        change: Of the candidates of one place.
        conditions: Of those of a guard, if they change otherwise.
        hidden: Of what must be so again, if it changes otherwise.
    """

    def arguments(of: Arguments) -> Arguments:
        return {name: change(found) for name, found in of.items()}

    def shape(of: Shape) -> Shape:
        if isinstance(of, Single):
            return Single(arguments(of.arguments))
        return Loop(change(of.rows), arguments(of.arguments))

    def node(of: Node) -> Node:
        tool = change(of.tool)
        if isinstance(of, Read):
            return replace(of, tool=tool, arguments=arguments(of.arguments))
        return replace(of, tool=tool, shapes=tuple(map(shape, of.shapes)))

    nodes = tuple(map(node, program.nodes))
    guards = {
        name: replace(
            g,
            conditions=(conditions or change)(g.conditions),
            hidden=(hidden or change)(g.hidden),
        )
        for name, g in program.guards.items()
    }
    return Program(nodes, guards, change(program.answer))


# --- as JSON -----------------------------------------------------------------------------------


def expr_json(expr: Expr) -> Json:
    """An expression as a JSON list that begins with its kind."""
    match expr:
        case Const(text):
            return ["const", json.loads(text)]
        case Slot(name):
            return ["slot", name]
        case Seen(node):
            return ["seen", node]
        case Now():
            return ["now"]
        case Row():
            return ["row"]
        case Call(function, arguments):
            return ["call", function, [expr_json(a) for a in arguments]]


def expr_from(data: Json) -> Expr:
    """The expression that `expr_json` wrote.

    Raises:
        ValueError: It is not one.
    """
    match data:
        case ["const", value]:
            return const(value)
        case ["slot", str(name)]:
            return Slot(name)
        case ["seen", str(node)]:
            return Seen(node)
        case ["now"]:
            return Now()
        case ["row"]:
            return Row()
        case ["call", str(function), list(arguments)]:
            return Call(function, tuple(expr_from(a) for a in arguments))
    raise ValueError(f"no expression: {str(data)[:80]}")


def program_json(program: Program) -> dict[str, Json]:
    """A program as JSON."""
    return {
        "nodes": [_node_json(node) for node in program.nodes],
        "guards": {
            name: {
                "conditions": _all(guard.conditions),
                "hidden": _all(guard.hidden),
                "after": guard.after,
            }
            for name, guard in program.guards.items()
        },
        "answer": _all(program.answer),
    }


def program_from(data: Mapping[str, Any]) -> Program:
    """The program that `program_json` wrote."""
    return Program(
        tuple(_node_from(node) for node in data["nodes"]),
        {
            name: Guard(_exprs(g["conditions"]), _exprs(g["hidden"]), g["after"])
            for name, g in data["guards"].items()
        },
        _exprs(data["answer"]),
    )


def _all(candidates: Candidates) -> Json:
    return [expr_json(e) for e in candidates]


def _exprs(data: Json) -> Candidates:
    return tuple(expr_from(e) for e in data)


def _args_json(arguments: Arguments) -> Json:
    return {name: _all(candidates) for name, candidates in arguments.items()}


def _args(data: Mapping[str, Json]) -> dict[str, Candidates]:
    return {name: _exprs(found) for name, found in data.items()}


def _node_json(node: Node) -> Json:
    common = {"id": node.id, "tool": _all(node.tool), "guard": node.guard}
    if isinstance(node, Read):
        paging = node.paging
        page = [paging.cap, paging.argument, paging.field] if paging else None
        arguments = _args_json(node.arguments)
        cut = {"paging": page, "cap": node.cap, "content": node.content}
        return {**common, "arguments": arguments, **cut}
    shapes = [
        {
            "rows": _all(shape.rows) if isinstance(shape, Loop) else None,
            "arguments": _args_json(shape.arguments),
        }
        for shape in node.shapes
    ]
    return {**common, "shapes": shapes}


def _node_from(data: Mapping[str, Any]) -> Node:
    if "shapes" not in data:
        page = data["paging"]
        return Read(
            data["id"],
            _exprs(data["tool"]),
            _args(data["arguments"]),
            data["guard"],
            Paging(*page) if page else None,
            data["cap"],
            data["content"],
        )
    shapes = tuple(
        Single(_args(s["arguments"]))
        if s["rows"] is None
        else Loop(_exprs(s["rows"]), _args(s["arguments"]))
        for s in data["shapes"]
    )
    return Write(data["id"], _exprs(data["tool"]), shapes, data["guard"])
