"""Writes the nodes of a program as the body of a Python function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import groupby

from llmos.evolution.emit_expr import Scope, Writer
from llmos.evolution.emit_flow import openings, path, written
from llmos.evolution.emit_names import Names
from llmos.evolution.emit_text import (
    Doc,
    Group,
    comprehension,
    flat,
    group,
    laid,
    mapping,
    quoted,
    spaced,
)
from llmos.evolution.ir import (
    Arguments,
    Const,
    Expr,
    Loop,
    Node,
    Now,
    Paging,
    Program,
    Read,
    Seen,
    Shape,
    Write,
    parts,
)

_MORE = "there may be more results than these"
_NO_MORE = "the results cannot be asked to go on"
_SHAPES = "it may be meant once or for several rows"


class Body:
    """The body of the function of one program.

    Args:
        program: What it does.
        parameters: Slot to parameter.

    Raises:
        ValueError: It names a guard that there is not, or one that waits for itself.
    """

    def __init__(self, program: Program, parameters: Mapping[str, str]) -> None:
        self._program = program
        self._names = Names(parameters.values())
        self._used = list(written(program))
        self._paths = [path(program, node.guard) for node in program.nodes]
        self._asked = openings(self._paths)
        self._holds: dict[str, str] = {}
        made = Counter(node.id for node in program.nodes)
        loops = {n.id for n in program.writes() if any(isinstance(s, Loop) for s in n.shapes)}
        self._needed = {p.node for e in self._used for p in parts(e) if isinstance(p, Seen)}
        kept = {n.id: n for n in program.nodes if n.id in self._needed or _may_be_cut(n)}
        self._results = {name: self._names.fresh(_result(node)) for name, node in kept.items()}
        unsure = frozenset(loops | {name for name, times in made.items() if times > 1})
        self._w = Writer(self._used, parameters, self._results, self._names, unsure)

    def lines(self, indent: int) -> list[str]:
        """All lines.

        Raises:
            ValueError: An expression cannot be written.
        """
        scope = Scope(indent)
        now = any(isinstance(p, Now) for e in self._used for p in parts(e))
        first = [scope.line("now = moment(now)")] if now else []
        nodes = list(zip(self._program.nodes, self._paths, strict=True))
        return spaced([first, *self._block(nodes, 0, scope), list(self._answer(scope))])

    # --- nodes and guards ----------------------------------------------------------------------

    def _block(
        self, nodes: Sequence[tuple[Node, Sequence[str]]], depth: int, scope: Scope
    ) -> Iterator[list[str]]:
        """Paragraphs of nodes that stand under the same guards down to ``depth``."""
        for guard, under in groupby(nodes, lambda n: n[1][depth] if len(n[1]) > depth else ""):
            if guard:
                yield list(self._branch(guard, list(under), depth, scope))
                continue
            for node, _ in under:
                yield list(self._node(node, scope))

    def _branch(
        self, guard: str, nodes: Sequence[tuple[Node, Sequence[str]]], depth: int, scope: Scope
    ) -> Iterator[str]:
        doc = yield from self._condition(guard, scope)
        yield from laid("if ", doc, ":", scope.indent)
        yield from spaced(self._block(nodes, depth + 1, scope.inner()))

    def _condition(self, guard: str, scope: Scope) -> Generator[str, None, Doc]:
        """Lines that prepare a condition; a variable, if it is asked about more than once."""
        if guard in self._holds:
            return self._holds[guard]
        condition = self._program.guards[guard].conditions[0]
        yield from self._before([condition], scope)
        yield from self._w.shorten(4, [condition], scope)
        doc = self._w.doc(condition, scope)
        if self._asked[guard] == 1:
            return doc
        self._holds[guard] = self._names.fresh("holds")
        yield from laid(f"{self._holds[guard]} = ", doc, "", scope.indent)
        return self._holds[guard]

    def _node(self, node: Node, scope: Scope) -> Iterator[str]:
        tool = node.tool[0]
        yield from self._before([tool], scope)
        named = self._w.doc(tool, scope)
        if isinstance(named, Group):
            named = yield from self._w.assign("tool", tool, scope)
        if isinstance(node, Read):
            yield from self._read(node, named, scope)
        elif len(node.shapes) == 1 and not isinstance(node.shapes[0], Loop):
            asked = yield from self._dict(node.shapes[0].arguments, scope)
            yield from self._call(node, named, asked, scope)
        else:
            yield from self._write(node, named, scope)

    def _call(self, node: Node, tool: Doc, asked: Doc, scope: Scope) -> Iterator[str]:
        result = f"{self._results[node.id]} = " if node.id in self._needed else ""
        yield from laid(result, group("call", tool, asked), "", scope.indent)

    def _before(self, exprs: Sequence[Expr], scope: Scope) -> Iterator[str]:
        yield from self._w.check_said(exprs, scope)
        yield from self._w.share(exprs, scope)

    def _dict(self, arguments: Arguments, scope: Scope) -> Generator[str, None, Group]:
        """Lines that prepare arguments; the display of them is what comes back."""
        simplest = {name: candidates[0] for name, candidates in arguments.items()}
        yield from self._before(list(simplest.values()), scope)
        for name, expr in simplest.items():
            yield from self._w.shorten(len(name) + 9, [expr], scope)
        return mapping((n, self._w.doc(e, scope)) for n, e in simplest.items())

    # --- reads ---------------------------------------------------------------------------------

    def _read(self, node: Read, tool: Doc, scope: Scope) -> Iterator[str]:
        asked: Doc = yield from self._dict(node.arguments, scope)
        if not node.cap:
            yield from self._call(node, tool, asked, scope)
            return
        result = self._results[node.id]
        over = ">" if node.content else ">="
        full = f"isinstance({result}, list) and len({result}) {over} {node.cap!r}:"
        if node.paging is not None:
            yield from self._pages(node, node.paging, tool, asked, full, scope)
            return
        yield from laid(f"{result} = ", group("call", tool, asked), "", scope.indent)
        yield scope.line(f"if {full}")
        yield scope.line(f"raise ValueError({quoted(_MORE)})", 1)

    def _pages(
        self, node: Read, paging: Paging, tool: Doc, asked: Doc, full: str, scope: Scope
    ) -> Iterator[str]:
        result = self._results[node.id]
        arguments, pages = self._names.fresh("asked"), self._names.fresh("pages")
        yield from laid(f"{arguments} = ", asked, "", scope.indent)
        yield scope.line(f"{result} = {flat(group('call', tool, arguments))}")
        yield scope.line(f"{pages} = []")
        yield scope.line(f"while {full}")
        inner = scope.inner()
        yield inner.line(f"if len({result}) > {paging.cap!r}:")
        yield inner.line(f"raise ValueError({quoted(_MORE)})", 1)
        yield inner.line(f"{pages}.append({result})")
        yield from self._next_page(paging, result, arguments, inner)
        yield inner.line(f"{result} = {flat(group('call', tool, arguments))}")
        yield scope.line(f"if {pages}:")
        rest = f"{result} if isinstance({result}, list) else []"
        yield from laid(f"{result} = ", group("union", f"*{pages}", rest), "", inner.indent)

    def _next_page(
        self, paging: Paging, result: str, arguments: str, scope: Scope
    ) -> Iterator[str]:
        field, moved = quoted(paging.field), quoted(paging.argument)
        last, to = self._names.fresh("last"), self._names.fresh("further")
        yield scope.line(f"{last} = {result}[-1]")
        yield scope.line(f"{to} = {last}.get({field}) if isinstance({last}, dict) else None")
        yield scope.line(f"if {to} is None or {arguments}.get({moved}) == {to}:")
        yield scope.line(f"raise ValueError({quoted(_NO_MORE)})", 1)
        yield scope.line(f"{arguments} = {{**{arguments}, {moved}: {to}}}")

    # --- writes --------------------------------------------------------------------------------

    def _write(self, node: Write, tool: Doc, scope: Scope) -> Iterator[str]:
        """All arguments are worked out before the first call: what stops, stops before it."""
        ways: list[str] = []
        for shape in node.shapes:
            ways.append((yield from self._way(shape, scope)))
        for way in ways[1:]:
            yield scope.line(f"if {way} != {ways[0]}:")
            yield scope.line(f"raise ValueError({quoted(_SHAPES)})", 1)
        change = self._names.fresh("change")
        yield scope.line(f"for {change} in {ways[0]}:")
        yield from self._call(node, tool, change, scope.inner())

    def _way(self, shape: Shape, scope: Scope) -> Generator[str, None, str]:
        """Lines that make the list of the arguments of all calls; its name is what comes back."""
        if not isinstance(shape, Loop):
            once = yield from self._dict(shape.arguments, scope)
            name = self._names.fresh("changes")
            yield from laid(f"{name} = ", group("", once, brackets="[]"), "", scope.indent)
            return name
        rows = shape.rows[0]
        yield from self._before([rows], scope)
        yield from self._w.shorten(20, [rows], scope)
        name = self._names.fresh("changes")
        over = self._w.doc(rows, scope)
        inner = scope.inner(row=True)
        simplest = {n: candidates[0] for n, candidates in shape.arguments.items()}
        first = list(self._w.check_said(simplest.values(), inner))
        one = mapping((n, self._w.doc(e, inner)) for n, e in simplest.items())
        if not first:
            yield from comprehension(name, one, over, scope.indent)
            return name
        yield scope.line(f"{name} = []")
        yield from laid("for row in ", over, ":", scope.indent)
        yield from first
        yield from laid(f"{name}.append(", one, ")", inner.indent)
        return name

    def _answer(self, scope: Scope) -> Iterator[str]:
        if not self._program.answer:
            yield scope.line('return ""')
            return
        answer = self._program.answer[0]
        yield from self._before([answer], scope)
        yield from self._w.shorten(12, [answer], scope)
        yield from laid("return ", group("str", self._w.doc(answer, scope)), "", scope.indent)


def _may_be_cut(node: Node) -> bool:
    return isinstance(node, Read) and node.cap != 0


def _result(node: Node) -> str:
    """What the variable of an observation is called: after the tool."""
    tool = node.tool[0]
    return str(tool.value) if isinstance(tool, Const) else "result"
