"""Other names for the slots of a learned tool: for people, while learning goes on with its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from llmos.evolution.ir import (
    Arguments,
    Call,
    Candidates,
    Expr,
    Loop,
    Node,
    Program,
    Read,
    Shape,
    Single,
    Slot,
)
from llmos.evolution.prove import Proof

Names = Mapping[str, str]
"""Slot to its new name; a slot that is not named keeps its own."""


def relabelled(program: Program, names: Names) -> Program:
    """The program with its slots named otherwise."""
    if not names:
        return program
    guards = {
        key: replace(g, conditions=_all(g.conditions, names), hidden=_all(g.hidden, names))
        for key, g in program.guards.items()
    }
    nodes = tuple(_node(node, names) for node in program.nodes)
    return Program(nodes, guards, _all(program.answer, names))


def relabelled_proof(proof: Proof, names: Names) -> Proof:
    """The proof with the slots named otherwise."""
    if not names:
        return proof
    return replace(
        proof,
        used=frozenset(names.get(n, n) for n in proof.used),
        seen={names.get(n, n): counts for n, counts in proof.seen.items()},
        together=tuple(
            (way, {names.get(n, n): v for n, v in idle.items()}) for way, idle in proof.together
        ),
        repeats=tuple((names.get(a, a), names.get(b, b)) for a, b in proof.repeats),
        chosen={
            way: {names.get(n, n): v for n, v in slots.items()}
            for way, slots in proof.chosen.items()
        },
    )


def _node(node: Node, names: Names) -> Node:
    tool = _all(node.tool, names)
    if isinstance(node, Read):
        return replace(node, tool=tool, arguments=_arguments(node.arguments, names))
    return replace(node, tool=tool, shapes=tuple(_shape(s, names) for s in node.shapes))


def _shape(shape: Shape, names: Names) -> Shape:
    arguments = _arguments(shape.arguments, names)
    return (
        Loop(_all(shape.rows, names), arguments) if isinstance(shape, Loop) else Single(arguments)
    )


def _arguments(arguments: Arguments, names: Names) -> Arguments:
    return {name: _all(candidates, names) for name, candidates in arguments.items()}


def _all(candidates: Candidates, names: Names) -> Candidates:
    return tuple(_expr(e, names) for e in candidates)


def _expr(expr: Expr, names: Names) -> Expr:
    if isinstance(expr, Slot):
        return Slot(names.get(expr.name, expr.name))
    if isinstance(expr, Call):
        return Call(expr.function, _all(expr.arguments, names))
    return expr
