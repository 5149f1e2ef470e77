"""What an emitted function evaluates, and in which blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from llmos.evolution.ir import Expr, Loop, Program, Read


def written(program: Program) -> Iterator[Expr]:
    """The simplest expression of every place that an emitted function evaluates."""
    for node in program.nodes:
        yield node.tool[0]
        if isinstance(node, Read):
            yield from (candidates[0] for candidates in node.arguments.values())
            continue
        for shape in node.shapes:
            if isinstance(shape, Loop):
                yield shape.rows[0]
            yield from (candidates[0] for candidates in shape.arguments.values())
    for name in dict.fromkeys(g for node in program.nodes for g in path(program, node.guard)):
        yield program.guards[name].conditions[0]
    if program.answer:
        yield program.answer[0]


def path(program: Program, name: str) -> tuple[str, ...]:
    """The guards with conditions that a node stands under, the outermost first."""
    found: list[str] = []
    met: set[str] = set()
    while name:
        if name not in program.guards or name in met:
            raise ValueError(f"no guard {name[:60]!r} that can be asked")
        met.add(name)
        if program.guards[name].conditions:
            found.append(name)
        name = program.guards[name].after
    return tuple(reversed(found))


def openings(paths: Sequence[Sequence[str]]) -> Counter[str]:
    """How many blocks each guard begins."""
    found: Counter[str] = Counter()
    before: Sequence[str] = ()
    for path in paths:
        found.update(g for k, g in enumerate(path) if before[: k + 1] != path[: k + 1])
        before = path
    return found
