"""Narrows a version space by one more trace, without starting over.

Every place of the program keeps the expressions that fit the new trace too. Where none is left, or
the trace goes another way than the program can, the family has to be explained anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from llmos.evolution.columns import Block, ToolHabits, blocks
from llmos.evolution.evaluate import Abstain, Env, evaluate
from llmos.evolution.example import Example
from llmos.evolution.guards import simple
from llmos.evolution.ir import (
    Arguments,
    Call,
    Candidates,
    Const,
    Expr,
    Guard,
    Loop,
    Node,
    Program,
    Read,
    Shape,
    Single,
    Write,
    call,
    is_call,
)
from llmos.evolution.pool import FAIL, same
from llmos.values import Json, Step

_MOST_ENTRIES = 12


class Anew(Exception):
    """The program cannot be narrowed to fit the trace."""


def narrow(program: Program, example: Example, known: ToolHabits) -> Program:
    """The program with what contradicts ``example`` taken out.

    Raises:
        Anew: Nothing is left at some place.
    """
    return _Narrowing(program, example, known).run()


class _Narrowing:
    def __init__(self, program: Program, example: Example, known: ToolHabits) -> None:
        self._program = program
        self._known = known
        self._env = Env(dict(example.slots), example.now)
        self._left: list[Block] = blocks(example.steps, known)
        self._guards = dict(program.guards)
        self._open: dict[str, bool] = {"": True}
        self._checked: set[str] = set()
        self._output = example.output

    def run(self) -> Program:
        nodes: list[Node] = []
        for node in self._program.nodes:
            if not self._reached(node):
                nodes.append(node)
            else:
                nodes.append(self._read(node) if isinstance(node, Read) else self._write(node))
        if self._left:
            raise Anew("it goes on")
        answer = self._program.answer
        if answer:
            answer = self._fitting(answer, self._output)
        return Program(tuple(nodes), self._guards, answer)

    def _reached(self, node: Node) -> bool:
        name = node.guard
        if name not in self._open:
            guard = self._guards[name]
            if not self._open.get(guard.after, True):
                self._open[name] = False
                return False
            taken = self._fits(node)
            if guard.conditions:
                kept = self._fitting(guard.conditions, taken)
                if any(map(simple, guard.conditions)) and not any(map(simple, kept)):
                    # What is left may be a coincidence: more runs tell.
                    raise Anew("when a branch is taken")
                self._guards[name] = replace(guard, conditions=kept)
            self._open[name] = taken
        return self._open[name]

    def _hidden(self, name: str) -> None:
        guard = self._guards.get(name, Guard())
        kept = tuple(h for h in guard.hidden if self._value(h) is True)
        if any(is_call(h, "among") for h in guard.hidden if h not in kept):
            raise Anew("the states of a field")
        if guard.hidden:
            self._guards[name] = replace(guard, hidden=kept)

    def _fits(self, node: Node) -> bool:
        if not self._left:
            return False
        block = self._left[0]
        names = self._names(node)
        return block.writes == isinstance(node, Write) and names == set(block.first.arguments)

    def _names(self, node: Node) -> set[str]:
        return set(node.arguments if isinstance(node, Read) else node.shapes[0].arguments)

    def _read(self, node: Read) -> Read:
        if not self._fits(node):
            raise Anew(f"{node.id} is not made")
        block = self._left.pop(0)
        tool = self._fitting(node.tool, block.first.tool)
        arguments = self._arguments(node.arguments, block.first)
        self._env.saw(node.id, block.observation)
        return replace(self._cut(node, block), tool=tool, arguments=arguments)

    def _cut(self, node: Read, block: Block) -> Read:
        """The read with what is known now of how its results are cut off."""
        tool, rows = block.first.tool, block.first.observation
        cap = self._known.caps.get(tool, 0)
        full = bool(cap) and isinstance(rows, list) and len(rows) == cap
        if full and node.content == (len(block.steps) > 1):
            raise Anew("how much it reads")
        if node.content:
            return node
        cap = cap or max(self._known.longest.get(tool, 0), 2) + 1
        return replace(node, cap=cap, paging=self._known.paging.get(tool))

    def _write(self, node: Write) -> Write:
        if node.guard not in self._checked:
            self._checked.add(node.guard)
            self._hidden(node.guard)
        single = all(isinstance(s, Single) for s in node.shapes)
        steps = self._take(node, single)
        if steps:
            tool = self._fitting(node.tool, steps[0].tool)
            node = replace(node, tool=tool)
        shapes: list[Shape] = []
        for shape in node.shapes:
            try:
                kept = self._single(shape, steps) if isinstance(shape, Single) else None
                shapes.append(kept or self._loop(shape, steps))  # type: ignore[arg-type]
            except Anew:
                continue
        if not shapes:
            raise Anew(f"{node.id} is made otherwise")
        self._env.saw(node.id, steps[-1].observation if steps else None)
        return replace(node, shapes=tuple(shapes))

    def _take(self, node: Write, single: bool) -> list[Step]:
        if not self._fits(node):
            return []
        block = self._left[0]
        if single and len(block.steps) > 1:
            rest = block.steps[1:]
            self._left[0] = Block(rest, rest[-1].observation)
            return [block.first]
        self._left.pop(0)
        return list(block.steps)

    def _single(self, shape: Single, steps: Sequence[Step]) -> Single:
        if len(steps) != 1:
            raise Anew("once")
        return Single(self._arguments(shape.arguments, steps[0]))

    def _loop(self, shape: Loop, steps: Sequence[Step]) -> Loop:
        rows, found = [], None
        for candidate in shape.rows:
            items = self._value(candidate)
            if not isinstance(items, list) or len(items) != len(steps):
                continue
            try:
                arguments = self._over(shape.arguments, items, steps)
            except Anew:
                continue
            rows.append(candidate)
            found = found or arguments
        if not rows or found is None:
            raise Anew("the rows")
        return Loop(tuple(rows), found)

    def _over(self, arguments: Arguments, items: Sequence[Any], steps: Sequence[Step]) -> Arguments:
        for row, step in zip(items, steps, strict=True):
            self._env.row = row
            arguments = self._arguments(arguments, step)
        self._env.row = None
        return arguments

    def _arguments(self, arguments: Arguments, step: Step) -> Arguments:
        if set(arguments) != set(step.arguments):
            raise Anew("other arguments")
        return {n: self._fitting(c, step.arguments[n]) for n, c in arguments.items()}

    def _fitting(self, candidates: Candidates, target: Json) -> Candidates:
        kept = []
        for candidate in candidates:
            value = self._value(candidate)
            if value is FAIL and (grown := self._with_entry(candidate, target)) is not None:
                kept.append(grown)
            elif value is not FAIL and same(value, target):
                kept.append(candidate)
        if not kept:
            raise Anew("a value")
        return tuple(kept)

    def _with_entry(self, candidate: Expr, target: Json) -> Expr | None:
        """A table of what was seen, with what is seen now; None for anything else."""
        if not (isinstance(candidate, Call) and candidate.function == "mapped"):
            return None
        slot, table = candidate.arguments
        text = self._value(slot)
        if not isinstance(table, Const) or text is FAIL or len(table.value) >= _MOST_ENTRIES:
            return None
        return call("mapped", slot, {**table.value, str(text): target})

    def _value(self, candidate: Any) -> Any:
        try:
            return evaluate(candidate, self._env)
        except Abstain:
            return FAIL
