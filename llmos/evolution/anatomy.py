"""A program for people: the places where expressions stand, and the expressions as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llmos.evolution.ir import (
    Call,
    Candidates,
    Const,
    Expr,
    Loop,
    Node,
    Now,
    Program,
    Read,
    Row,
    Seen,
    Slot,
    Write,
)


@dataclass(frozen=True, slots=True)
class Place:
    """One place of a program, and what fits every trace there."""

    name: str
    """For people: ``w0 Write.content``, ``guard g0``, ``the answer``."""
    candidates: tuple[str, ...]
    """As text, the simplest first. All that say something must say the same."""

    @property
    def must_agree(self) -> int:
        """How many expressions must agree."""
        return len(self.candidates)


def places(program: Program) -> list[Place]:
    """The places of a program at which something is looked up or computed.

    Constants that have no rival are not among them: there is nothing to agree on.
    """
    found = []
    for name, candidates in _places(program):
        if len(candidates) > 1 or not isinstance(candidates[0], Const):
            found.append(Place(name, tuple(map(told, candidates))))
    return found


def hidden_guards(program: Program) -> list[Place]:
    """What was true whenever a guard's writes were made, though nothing used it; all must hold."""
    return [
        Place(_guard(name), tuple(map(told, guard.hidden)))
        for name, guard in program.guards.items()
        if guard.hidden
    ]


def told(expr: Expr) -> str:
    """An expression as text: ``{slot}``, ``now``, ``row``, a step by its id, calls as calls."""
    match expr:
        case Const(text):
            return text
        case Slot(name):
            return f"{{{name}}}"
        case Now():
            return "now"
        case Seen(node):
            return node
        case Row():
            return "row"
        case Call(function, arguments):
            return f"{function}({', '.join(map(told, arguments))})"


def tool_name(node: Node) -> str:
    """What a step calls, by its simplest expression."""
    first = node.tool[0]
    return str(first.value) if isinstance(first, Const) else told(first)


def _places(program: Program) -> Iterator[tuple[str, Candidates]]:
    for node in program.nodes:
        yield f"{node.id} tool", node.tool
        yield from _of_node(node)
    for name, guard in program.guards.items():
        if guard.conditions:
            yield _guard(name), guard.conditions
    if program.answer:
        yield "the answer", program.answer


def _of_node(node: Read | Write) -> Iterator[tuple[str, Candidates]]:
    what = f"{node.id} {tool_name(node)}"
    if isinstance(node, Read):
        for name, candidates in node.arguments.items():
            yield f"{what}.{name}", candidates
        return
    for shape in node.shapes:
        way = ""
        if len(node.shapes) > 1:
            way = " (for every row)" if isinstance(shape, Loop) else " (once)"
        if isinstance(shape, Loop):
            yield f"{what} for every row of{way}", shape.rows
        for name, candidates in shape.arguments.items():
            yield f"{what}.{name}{way}", candidates


def _guard(name: str) -> str:
    return f"guard {name}" if name else "before any write"
