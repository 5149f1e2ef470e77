"""Which reads a program can do without, and the program without them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from llmos.evolution.ir import (
    Arguments,
    Call,
    Candidates,
    Expr,
    Guard,
    Loop,
    Node,
    Program,
    Read,
    Seen,
    Shape,
    Single,
    every_candidate,
    nodes_of,
    slots_of,
)
from llmos.evolution.prove import simplest


def repeated(program: Program, steady: Callable[[str, str], bool]) -> dict[str, str]:
    """Reads that an earlier one makes needless, each with that one.

    Args:
        program: In which they are.
        steady: Whether a read and an equal one later always saw the same.
    """
    found: dict[str, str] = {}
    since: list[Read] = []
    """Reads since the last write."""
    for node in program.nodes:
        if not isinstance(node, Read):
            since = []
            continue
        read = _read_with(node, found)
        same = (r for r in since if _covers(r, read) and steady(r.id, node.id))
        earlier = next(same, None)
        if earlier is None:
            since.append(read)
        else:
            found[node.id] = earlier.id
    return found


def _covers(earlier: Read, later: Read) -> bool:
    """Whether a read makes the very call of a later one, and stops wherever that would.

    A rival of the later one that the earlier one lacks may mean another call: the two are kept.
    """
    plain = [replace(read, id="", tool=(), arguments={}) for read in (earlier, later)]
    if plain[0] != plain[1] or set(earlier.arguments) != set(later.arguments):
        return False
    pairs = [
        (earlier.tool, later.tool),
        *((earlier.arguments[name], c) for name, c in later.arguments.items()),
    ]
    return all(a[0] == b[0] and set(b) <= set(a) for a, b in pairs)


def dead_reads(program: Program) -> tuple[str, ...]:
    """Reads after the last write on which nothing that the program does can depend.

    No write of a trace can have depended on what was read after it. An answer can, and a goal's
    slot that only such a read looks at would no longer be one that the program understands.
    """
    last = max((k for k, n in enumerate(program.nodes) if not isinstance(n, Read)), default=None)
    if last is None or program.answer:
        return ()
    found: list[str] = []
    said = _slots(program)
    for node in reversed(program.nodes[last + 1 :]):
        rest = without(program, {}, [*found, node.id])
        looked = {n for several in every_candidate(rest) for n in nodes_of(*several)}
        if node.id not in looked and _slots(rest) == said:
            found.append(node.id)
    return tuple(reversed(found))


def _slots(program: Program) -> frozenset[str]:
    return slots_of(*simplest(program))


def without(program: Program, repeats: Mapping[str, str], dead: Collection[str]) -> Program:
    """The program without some reads; who looked at a repeated one looks at the earlier one."""
    if not repeats and not dead:
        return program
    gone = {*repeats, *dead}
    nodes = tuple(_node_with(n, repeats) for n in program.nodes if n.id not in gone)
    named: set[str] = set()
    for node in nodes:
        named |= path_of(program, node.guard)
    guards = {
        name: Guard(_with(g.conditions, repeats), _with(g.hidden, repeats), g.after)
        for name, g in program.guards.items()
        if name in named
    }
    return Program(nodes, guards, _with(program.answer, repeats))


def path_of(program: Program, name: str) -> set[str]:
    """A guard and all that must hold before it is asked."""
    found: set[str] = set()
    while name not in found:
        found.add(name)
        name = program.guards[name].after if name in program.guards else ""
    return found


# --- other names for observations --------------------------------------------------------------


def _with(candidates: Candidates, names: Mapping[str, str]) -> Candidates:
    """Candidates that look at the steps of other names; what becomes equal is one."""
    return tuple(dict.fromkeys(_renamed(e, names) for e in candidates))


def _renamed(expr: Expr, names: Mapping[str, str]) -> Expr:
    match expr:
        case Seen(node):
            return Seen(names.get(node, node))
        case Call(function, arguments):
            return Call(function, tuple(_renamed(a, names) for a in arguments))
    return expr


def _args_with(arguments: Arguments, names: Mapping[str, str]) -> dict[str, Candidates]:
    return {name: _with(candidates, names) for name, candidates in arguments.items()}


def _read_with(node: Read, names: Mapping[str, str]) -> Read:
    arguments = _args_with(node.arguments, names)
    return replace(node, tool=_with(node.tool, names), arguments=arguments)


def _node_with(node: Node, names: Mapping[str, str]) -> Node:
    if isinstance(node, Read):
        return _read_with(node, names)
    shapes: list[Shape] = []
    for shape in node.shapes:
        arguments = _args_with(shape.arguments, names)
        if isinstance(shape, Loop):
            shapes.append(Loop(_with(shape.rows, names), arguments))
        else:
            shapes.append(Single(arguments))
    return replace(node, tool=_with(node.tool, names), shapes=tuple(shapes))
