"""Aligns the steps of several traces: what one trace does at a place, the others do there too.

A column holds, for each trace that comes by it, one read (with its further pages) or one run of
equal writes. Columns that not every trace comes by are branches.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from llmos.evolution.ir import Expr, Paging
from llmos.evolution.runtime import union
from llmos.values import Json, Step


@dataclass(frozen=True, slots=True)
class ToolHabits:
    """What all traces together show of how a read's results are cut off and continued."""

    caps: Mapping[str, int]
    """Rows at which the results of a tool are cut off, where they seem to be."""
    longest: Mapping[str, int]
    """Rows of the longest result of a tool; a longer one is news."""
    paging: Mapping[str, Paging]
    """How a tool is asked for more."""
    meanings: tuple[Mapping[str, Json], ...] = ()
    """What words of goals stood for in tools that are proven: other goals mean the same by them."""
    hints: tuple[tuple[str, Expr], ...] = ()
    """Proposed expressions by place (``tool.argument``), for values that nothing else explains."""


_DIFFERENT = 3
"""Different results of one length, and none longer, that make it a cap."""


@dataclass
class Observed:
    """Counts from which the habits of tools are told; grows with every trace."""

    results: dict[str, dict[int, set[str]]] = field(default_factory=dict)
    """For each tool and number of rows, digests of some different results."""
    moves: dict[str, Counter[tuple[int, str, str]]] = field(default_factory=dict)
    """For each tool, how it was asked for more: (rows, argument, field)."""

    def add(self, run: Sequence[Step]) -> None:
        """Count the reads of one trace."""
        for i, step in enumerate(run):
            if step.effect.writes or not isinstance(step.observation, list):
                continue
            rows = len(step.observation)
            known = self.results.setdefault(step.tool, {}).setdefault(rows, set())
            if len(known) < _DIFFERENT:
                known.add(_digest(step.observation))
            move = _continues(step, run[i + 1]) if i + 1 < len(run) else None
            if move is not None:
                self.moves.setdefault(step.tool, Counter())[(rows, *move)] += 1

    def habits(self) -> ToolHabits:
        """What the counts say."""
        paging = {}
        longest = {tool: max(lengths) for tool, lengths in self.results.items()}
        for tool, counted in self.moves.items():
            whole = {m: n for m, n in counted.items() if m[0] == longest[tool]}
            if whole:
                paging[tool] = Paging(*max(whole, key=lambda m: (whole[m], m)))
        caps = {
            tool: most
            for tool, most in longest.items()
            if tool in paging or (most > 2 and len(self.results[tool][most]) >= _DIFFERENT)
        }
        return ToolHabits(caps, longest, paging)

    def as_json(self) -> Json:
        """The counts as JSON."""
        return {
            "results": {
                tool: [[rows, sorted(known)] for rows, known in sorted(lengths.items())]
                for tool, lengths in self.results.items()
            },
            "moves": {t: [[*m, k] for m, k in sorted(n.items())] for t, n in self.moves.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Observed:
        """The counts that `as_json` wrote."""
        results = {t: {rows: set(k) for rows, k in pairs} for t, pairs in data["results"].items()}
        moves = {t: Counter({(a, b, c): n for a, b, c, n in m}) for t, m in data["moves"].items()}
        return cls(results, moves)


def _digest(value: Json) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _continues(step: Step, after: Step) -> tuple[str, str] | None:
    """(argument, field) if ``after`` asks for more of what ``step`` returned."""
    if (
        after.tool != step.tool
        or not step.observation
        or not isinstance(step.observation[-1], dict)
    ):
        return None
    changed = [
        name
        for name in {**step.arguments, **after.arguments}
        if step.arguments.get(name) != after.arguments.get(name)
    ]
    if len(changed) != 1 or after.arguments.get(changed[0]) is None:
        return None
    moved = after.arguments[changed[0]]
    fields = [name for name, value in step.observation[-1].items() if value == moved]
    return (changed[0], fields[0]) if fields else None


@dataclass(frozen=True, slots=True)
class Block:
    """One read with its pages, or one run of writes, of one trace."""

    steps: tuple[Step, ...]
    observation: Json
    """Of a read: all pages together; of writes: that of the last."""

    @property
    def first(self) -> Step:
        """The step that begins it."""
        return self.steps[0]

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.first.effect.writes

    @property
    def shape(self) -> tuple[bool, frozenset[str]]:
        """What blocks of one column share, beside the tool."""
        return self.writes, frozenset(self.first.arguments)


def blocks(steps: Sequence[Step], known: ToolHabits) -> list[Block]:
    """Cut the steps of a trace into blocks."""
    found: list[list[Step]] = []
    for step in steps:
        last = found[-1][-1] if found else None
        if last is not None and _belongs(last, step, known):
            found[-1].append(step)
        else:
            found.append([step])
    return [Block(tuple(run), _observation(run)) for run in found]


def _belongs(last: Step, step: Step, known: ToolHabits) -> bool:
    if last.tool != step.tool:
        return False
    if step.effect.writes:
        return frozenset(last.arguments) == frozenset(step.arguments)
    paging = known.paging.get(step.tool)
    if paging is None or not isinstance(last.observation, list):
        return False
    move = _continues(last, step)
    return len(last.observation) == paging.cap and move is not None and move[0] == paging.argument


def _observation(run: Sequence[Step]) -> Json:
    if len(run) == 1 or run[0].effect.writes:
        return run[-1].observation
    return union(*[s.observation for s in run if isinstance(s.observation, list)])


@dataclass
class Column:
    """One place of the program."""

    cells: dict[int, Block] = field(default_factory=dict)
    """By the number of the trace."""
    _shapes: set[tuple[bool, frozenset[str]]] = field(default_factory=set)
    _called: set[str] = field(default_factory=set)
    """Shapes and tools of the cells that were put in."""

    def put(self, number: int, block: Block) -> Column:
        """Have the column hold a block of one more trace."""
        self.cells[number] = block
        self._shapes.add(block.shape)
        self._called.add(block.first.tool)
        return self

    @property
    def writes(self) -> bool:
        """Whether the place changes something."""
        return next(iter(self.cells.values())).writes

    @property
    def tools(self) -> set[str]:
        """The tools that the traces call there."""
        return {cell.first.tool for cell in self.cells.values()}

    def likeness(self, block: Block) -> int:
        """How well a block fits with those that were put in: 0 is not at all."""
        if block.shape not in self._shapes:
            return 0
        return 3 if block.first.tool in self._called else (2 if block.shape[1] else 0)


def align_columns(traces: Sequence[Sequence[Block]]) -> list[Column]:
    """Columns in an order that every trace keeps.

    Longer traces come first: what a shorter one leaves out is then a gap, not a new column.
    """
    order = sorted(range(len(traces)), key=lambda i: -len(traces[i]))
    columns: list[Column] = []
    for i in order:
        columns = _insert(columns, i, traces[i])
    return columns


def _insert(columns: list[Column], number: int, trace: Sequence[Block]) -> list[Column]:
    n, m = len(columns), len(trace)
    best = [[0] * (m + 1) for _ in range(n + 1)]
    for i in range(n - 1, -1, -1):
        for j in range(m - 1, -1, -1):
            like = columns[i].likeness(trace[j])
            match = like * 10 + best[i + 1][j + 1] if like else -1
            best[i][j] = max(best[i + 1][j], best[i][j + 1], match)
    merged: list[Column] = []
    i = j = 0
    while i < n or j < m:
        like = columns[i].likeness(trace[j]) if i < n and j < m else 0
        if like and best[i][j] == like * 10 + best[i + 1][j + 1]:
            merged.append(columns[i].put(number, trace[j]))
            i, j = i + 1, j + 1
        elif j < m and (i == n or best[i][j] == best[i][j + 1]):
            merged.append(Column().put(number, trace[j]))
            j += 1
        else:
            merged.append(columns[i])
            i += 1
    return merged


def split_by_history(columns: Sequence[Column]) -> list[Column]:
    """Cut a column in two where traces come to it by different branches before it.

    The same tool at the end of two branches is two different calls.
    """
    found: list[Column] = []
    for k, column in enumerate(columns):
        groups: dict[tuple[bool, ...], dict[int, Block]] = {}
        before = [c for c in columns[:k] if c.writes]
        for i, cell in column.cells.items():
            way = tuple(i in c.cells for c in before)
            groups.setdefault(way if column.writes else (), {})[i] = cell
        found += [Column(cells) for cells in groups.values()]
    return found
