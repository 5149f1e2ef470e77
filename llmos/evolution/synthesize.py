"""From the traces of a family to the version space of the programs that do what they did."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

from llmos.evolution import guards, hidden
from llmos.evolution.choosing import Chosen, chosen_rows
from llmos.evolution.columns import Column, ToolHabits, align_columns, blocks, split_by_history
from llmos.evolution.evaluate import Env
from llmos.evolution.example import Example, NoProgram, OutOfTime
from llmos.evolution.guards import Said
from llmos.evolution.holes import ASK
from llmos.evolution.ir import (
    Arguments,
    Candidates,
    Const,
    Expr,
    Guard,
    Loop,
    Node,
    Now,
    Paging,
    Program,
    Read,
    Seen,
    Shape,
    Single,
    Slot,
    Write,
    call,
    const,
    every_candidate,
    is_call,
    nodes_of,
    parts,
    size,
)
from llmos.evolution.leaves import Explainer
from llmos.evolution.pool import Pool, same
from llmos.evolution.rows import Rows
from llmos.evolution.tidy import tidy
from llmos.values import Json, Step

_FEW = 10
"""Traces up to which a branch may still be told by two conditions where one would do."""

_SEVERAL = 4
"""Writes of one kind that may be meant one by one; more are a loop."""


ANSWER = "the answer"

_ASKED = (const(ASK),)


class Unexplained(NoProgram):
    """No expression gives a value.

    Attributes:
        place: Which value: ``tool.argument``, or ``answer``.
        pool: What can be said there.
        targets: The value in each trace of the pool.
        asked: Of a value that is asked for in a read: the numbers of these traces.
    """

    def __init__(self, what: str, pool: Pool, targets: Sequence[Json]) -> None:
        told = f", for example {str(targets[0])[:60]!r}"
        super().__init__(what if what == ANSWER else f"the value of {what}{told}")
        self.place = what.partition(" ")[2]
        self.pool = pool
        self.targets = tuple(targets)
        self.asked: Sequence[int] = ()


class Undecided(Unexplained):
    """No condition tells when something is done; its values are whether it was."""

    def __init__(self, what: str, tools: Iterable[str], pool: Pool, taken: Sequence[bool]) -> None:
        super().__init__(what, pool, taken)
        self.args = (what,)
        self.place = f"whether {' or '.join(sorted(tools))}"


@dataclass
class _Place:
    """A column on its way to be a node."""

    id: str
    column: Column


@dataclass
class _Search:
    """One search for one program.

    Nodes are explained from the first to the last: each may use what those before it have seen.
    """

    examples: Sequence[Example]
    known: ToolHabits
    deadline: float
    envs: list[Env] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    guards: dict[str, Guard] = field(default_factory=dict)
    classes: dict[frozenset[int], str] = field(default_factory=dict)
    members: dict[str, frozenset[int]] = field(default_factory=dict)
    """Traces that came by each node."""
    _kept_at: int = -1
    _pools: dict[tuple[int, ...], Pool] = field(default_factory=dict)
    _rows: dict[int, list[Rows]] = field(default_factory=dict)
    labels: dict[Expr, str] = field(default_factory=dict)
    holes: dict[str, Seen] = field(default_factory=dict)
    """Places of writes that a model was asked about, and what it said."""
    told: dict[str, tuple[Pool, Sequence[Said], Sequence[bool]]] = field(default_factory=dict)
    """For each guard what could be said there, and which of the traces it let through."""

    def run(self) -> Program:
        """Explain everything.

        Raises:
            NoProgram: Something is not explained.
        """
        everyone = frozenset(range(len(self.examples)))
        self.classes[everyone] = ""
        self.envs = [Env(dict(e.slots), e.now) for e in self.examples]
        cut = [blocks(e.steps, self.known) for e in self.examples]
        columns = split_by_history(align_columns(cut))
        for k, column in enumerate(columns):
            self._check_time()
            place = _Place(f"{'w' if column.writes else 'r'}{k}", column)
            if column.writes:
                self._write(place)
            else:
                self._read(place)
        program = Program(tuple(self.nodes), self.guards, self._answer())
        kinds = {name: kind for e in self.examples for name, kind in e.kinds.items()}
        said = {e.said for e in self.examples if e.said}
        return self._narrower(tidy(self._with_hidden_guards(program), said, kinds))

    # --- reads ---------------------------------------------------------------------------------

    def _read(self, place: _Place) -> None:
        here = sorted(place.column.cells)
        guard = self._guard(frozenset(here), place.column.tools)
        firsts = [place.column.cells[i].first for i in here]
        explainer = self._explainer(here)
        tool = self._tool(explainer, firsts)
        if tool == _ASKED:
            arguments: Arguments = {p: (const(k),) for p, k in firsts[0].arguments.items()}
            self.holes.update(dict.fromkeys(arguments, Seen(place.id)))
        else:
            arguments = self._asked_for(explainer, firsts, place, here)
        paging, cap, content = self._paging(place)
        self.nodes.append(Read(place.id, tool, arguments, guard, paging, cap, content))
        self._saw(place, here)
        for values in arguments.values():
            if isinstance(values[0], Const) and isinstance(values[0].value, str):
                self.labels[Seen(place.id)] = values[0].value

    def _asked_for(
        self, explainer: Explainer, firsts: Sequence[Step], place: _Place, here: Sequence[int]
    ) -> Arguments:
        try:
            return self._arguments(explainer, firsts, place.id)
        except Unexplained as e:
            e.asked = here
            raise

    def _paging(self, place: _Place) -> tuple[Paging | None, int, bool]:
        """How the read goes on, its cap, and whether traces were content with one full page."""
        cells = place.column.cells.values()
        tool = next(iter(cells)).first.tool
        cap = self.known.caps.get(tool, 0)
        full = [c for c in cells if isinstance(o := c.first.observation, list) and len(o) == cap]
        if cap and full and all(len(cell.steps) == 1 for cell in full):
            return None, cap, True
        if not cap and tool in self.known.longest:
            cap = max(self.known.longest[tool], 2) + 1
        return self.known.paging.get(tool), cap, False

    def _saw(self, place: _Place, here: Sequence[int]) -> None:
        self.members[place.id] = frozenset(here)
        for i in here:
            self.envs[i].saw(place.id, place.column.cells[i].observation)

    def _tool(self, explainer: Explainer, firsts: Sequence[Step]) -> Candidates:
        found = explainer.explain([s.tool for s in firsts])
        # A tool is named by the program or by a closed choice of the goal, never by free text.
        found = tuple(e for e in found if isinstance(e, Const) or is_call(e, "mapped"))
        if not found:
            raise NoProgram(f"which of {sorted({s.tool for s in firsts})} is called")
        return found

    def _arguments(self, explainer: Explainer, firsts: Sequence[Step], node: str) -> Arguments:
        found: dict[str, Candidates] = {}
        # Row by row: an id tells which row is meant, other values may come from the same row.
        for name in firsts[0].arguments:
            targets = [s.arguments[name] for s in firsts]
            if asked := self.holes.get(f"{firsts[0].tool}.{name}"):
                found[name] = (asked,)
                continue
            found[name] = self._leaf(explainer, targets, f"{node} {firsts[0].tool}.{name}")
        return found

    def _leaf(self, explainer: Explainer, targets: Sequence[Json], what: str) -> Candidates:
        self._check_time()
        found = explainer.explain(targets)
        if not found:
            unexplained = Unexplained(what, explainer.pool, targets)
            found = self._proposed(unexplained)
            if not found:
                raise unexplained
        return found

    def _proposed(self, it: Unexplained) -> Candidates:
        """What was proposed for such a place and fits every trace."""
        own = {e: None for place, e in self.known.hints if place == it.place}
        return tuple(sorted((e for e in own if it.pool.fits(e, it.targets)), key=size))

    def most_alike(self, it: Unexplained) -> list[int]:
        """The most traces for which one expression gives the value that they asked for.

        Traces that did not come by there are among them.
        """
        best: list[int] = []
        for i, target in zip(it.asked, it.targets, strict=True):
            self._check_time()
            for expr in self._explainer([i]).explain([target]):
                asked = enumerate(zip(it.asked, it.targets, strict=True))
                fits = [j for k, (j, t) in asked if same(it.pool.at(expr, k), t)]
                best = max(best, fits, key=len)
        return sorted({*range(len(self.examples))} - {*it.asked} | {*best})

    # --- writes --------------------------------------------------------------------------------

    def _write(self, place: _Place) -> None:
        here = sorted(place.column.cells)
        lengths = {len(place.column.cells[i].steps) for i in here}
        if len(lengths) == 1 and 1 < (k := next(iter(lengths))) <= _SEVERAL:
            try:
                return self._several(place, here, k)
            except NoProgram:
                pass
        shapes, guard = self._shapes(place, here, lengths == {1})
        firsts = [place.column.cells[i].first for i in here]
        tool = self._tool(self._explainer(here), firsts)
        self.nodes.append(Write(place.id, tool, shapes, guard))
        self._saw(place, here)

    def _shapes(
        self, place: _Place, here: Sequence[int], once: bool
    ) -> tuple[tuple[Shape, ...], str]:
        """Once, or for every row of a collection; in a branch, or for no row where it is not."""
        members = frozenset(here)
        if members not in self.classes:
            over = self._parent(members)
            loop = self._loop(place, sorted(over)) if not self._means(False) else None
            if loop is not None and self._means(True):
                return (loop,), self.classes[over]
            guard: str | NoProgram | None = None
            if once or loop is None:
                guard = self._soft_guard(here, place.column.tools)
            if not isinstance(guard, str):
                if loop is None:
                    why = f"when or for which rows {place.id} is made"
                    if isinstance(guard, Undecided):
                        tools, taken = place.column.tools, [bool(t) for t in guard.targets]
                        raise Undecided(why, tools, guard.pool, taken)
                    raise NoProgram(why)
                return (loop,), self.classes[over]
            if loop is not None and not any(e.conditional for e in self.examples):
                self._only_if_rows(guard, loop)
        shapes: list[Shape] = []
        unexplained: NoProgram = NoProgram(f"the rows that {place.id} is made for")
        if once:
            try:
                firsts = [place.column.cells[i].first for i in here]
                shapes.append(Single(self._arguments(self._explainer(here), firsts, place.id)))
            except OutOfTime:
                raise
            except NoProgram as e:
                unexplained = e
        rowless = shapes and not any(map(chooses_row, _simplest(shapes[0])))
        single_meant = bool(shapes) and self._means(False)
        inner = None if rowless or single_meant else self._loop(place, here)
        if inner is not None:
            shapes = [inner] if self._means(True) else [*shapes, inner]
        if not shapes:
            raise unexplained
        return tuple(shapes), self.classes[members]

    def _several(self, place: _Place, here: Sequence[int], k: int) -> None:
        """The same number of writes everywhere: each on its own, if no row of a list is needed."""
        found: list[tuple[Candidates, Single]] = []
        for j in range(k):
            steps = [place.column.cells[i].steps[j] for i in here]
            explainer = self._explainer(here)
            arguments = self._arguments(explainer, steps, f"{place.id}_{j}")
            if any(chooses_row(values[0]) for values in arguments.values()):
                raise NoProgram("rows of a list")
            found.append((self._tool(explainer, steps), Single(arguments)))
        # Not before it is sure that they are meant one by one: a loop may need no condition.
        guard = self._guard(frozenset(here), place.column.tools)
        nodes = [
            Write(f"{place.id}_{j}", tool, (shape,), guard) for j, (tool, shape) in enumerate(found)
        ]
        self.nodes += nodes
        for j in range(k):
            self.members[f"{place.id}_{j}"] = frozenset(here)
            for i in here:
                self.envs[i].saw(f"{place.id}_{j}", place.column.cells[i].steps[j].observation)

    def _loop(self, place: _Place, over: Sequence[int]) -> Loop | None:
        runs: list[tuple[Step, ...]] = [
            place.column.cells[i].steps if i in place.column.cells else () for i in over
        ]
        names = list(next(iter(place.column.cells.values())).first.arguments)
        found: list[Expr] = []
        arguments: Arguments | None = None
        for rows in self._collections(self._pool(over)):
            self._check_time()
            chosen = next((c for name in names if (c := chosen_rows(rows, runs, name))), None)
            if chosen is None:
                continue
            filters = guards.telling(rows.filters(chosen.bits), self._idle())
            if filters and arguments is None:
                arguments = self._row_arguments(rows, chosen, over)
            if arguments is not None:
                found += [call("flipped", e) if chosen.backwards else e for e in filters]
        return Loop(tuple(sorted(found, key=size)), arguments) if found and arguments else None

    def _row_arguments(self, rows: Rows, chosen: Chosen, over: Sequence[int]) -> Arguments | None:
        """What is written for one row, explained over the rows of all traces."""
        envs: list[Env] = []
        steps: list[Step] = []
        for i, pairs in zip(over, chosen.pairs, strict=True):
            for row, step in pairs:
                env = self.envs[i]
                envs.append(Env(env.slots, env.now, env.seen, row))
                steps.append(step)
        if not steps:
            return None
        pool = Pool(envs, self._nodes_of(over), self.labels, rows.fields)
        explainer = Explainer(pool, [])
        try:
            return {
                name: self._leaf(explainer, [s.arguments[name] for s in steps], f"a loop's {name}")
                for name in steps[0].arguments
            }
        except OutOfTime:
            raise
        except NoProgram:
            return None

    # --- branches ------------------------------------------------------------------------------

    def _parent(self, here: frozenset[int]) -> frozenset[int]:
        above = [c for c in self.classes if here < c]
        return min(above, key=len)

    def _guard(self, here: frozenset[int], tools: Iterable[str]) -> str:
        if here in self.classes:
            return self.classes[here]
        over = self._parent(here)
        if self._told_by_wording(here, over):
            raise NoProgram("when a branch is taken: each wording went one way only")
        pool = self._pool(sorted(over))
        collections = self._collections(pool)
        taken = [i in here for i in sorted(over)]
        said = guards.conditions(pool, collections)
        found = guards.explain(said, taken)
        if len(taken) < _FEW or not any(map(guards.grounded, found)):
            # Few traces fit many a single condition: two together must agree with it.
            found += guards.less_sure(pool, said, collections, taken)
        why = "when a branch is taken"
        if found:
            found = guards.telling(guards.likely(found), self._idle())
            if not any(map(guards.simple, found)) and guards.by_chance(
                pool, said, collections, taken, self._check_time
            ):
                why, found = f"{why}: too few runs tell chance from what is meant", ()
        if not found:
            undecided = Undecided(why, tools, pool, taken)
            found = self._proposed(undecided)
            if not found:
                raise undecided
        name = f"g{len(self.guards) + 1}"
        self.told[name] = (pool, said, taken)
        self.guards[name] = Guard(found, (), self.classes[over])
        self.classes[here] = name
        return name

    def _told_by_wording(self, here: frozenset[int], over: frozenset[int]) -> bool:
        """Whether which wording it was tells all, where none of them names a condition.

        They may ask for different things, and what was seen just tells them apart.
        """
        wordings = [self.examples[i].wording for i in here]
        others = {self.examples[i].wording for i in over - here}
        return others.isdisjoint(wordings) and not any(self.examples[i].conditional for i in over)

    def _narrower(self, program: Program) -> Program:
        """With what else was so in each branch: rivals that no word of the goals speaks against."""
        narrowed = {
            name: replace(guard, conditions=guards.narrower(guard.conditions, *self.told[name]))
            if guard.conditions
            else guard
            for name, guard in program.guards.items()
        }
        return replace(program, guards=narrowed)

    def _soft_guard(self, here: Sequence[int], tools: Iterable[str]) -> str | NoProgram:
        """The guard, or why there is none."""
        try:
            return self._guard(frozenset(here), tools)
        except OutOfTime:
            raise
        except NoProgram as e:
            return e

    def _only_if_rows(self, name: str, loop: Loop) -> None:
        """Ask nothing but whether there are rows, where a goal names no condition."""
        there = {call("exists", rows) for rows in loop.rows}
        told = tuple(c for c in self.guards[name].conditions if c in there)
        if told:
            self.guards[name] = replace(self.guards[name], conditions=told)

    def _with_hidden_guards(self, program: Program) -> Program:
        """With what must be so again before the first write, though nothing uses it."""
        hidden.check(program, self.examples)
        first = next(program.writes(), None)
        if first is None:
            return program
        pool = self._pool(sorted(self.members.get(first.id, frozenset(range(len(self.examples))))))
        rows = self._collections(pool)
        before = hidden.Before(program, self.examples, self.envs, pool, rows, self._idle())
        if not (found := before.conditions()):
            return program
        old = self.guards.get(first.guard, Guard())
        self.guards[first.guard] = replace(old, hidden=found)
        return replace(program, guards=dict(self.guards))

    # --- answers -------------------------------------------------------------------------------

    def _answer(self) -> Candidates:
        if any(isinstance(n, Write) for n in self.nodes):
            return ()
        everyone = range(len(self.examples))
        found = self._leaf(
            self._explainer(list(everyone)), [e.output for e in self.examples], ANSWER
        )
        if isinstance(found[0], Const):
            raise NoProgram("nothing was ever done, and the answer was always the same")
        if self.nodes and not nodes_of(found[0]):
            raise NoProgram("the answer, of which nothing that was read tells")
        return found

    # --- small things --------------------------------------------------------------------------

    def _means(self, many: bool) -> bool:
        """Whether goals speak of all of a kind, or of one in a row, and none of the other."""
        told = {e.many for e in self.examples} - {None}
        return told == {many}

    def _idle(self) -> set[str]:
        """Slots that vary and that nothing so far looks at."""
        said: dict[str, set[str]] = {}
        for example in self.examples:
            for name, value in example.slots.items():
                said.setdefault(name, set()).add(value)
        so_far = Program(tuple(self.nodes), self.guards)
        looked = {
            p.name
            for several in every_candidate(so_far)
            for p in parts(several[0] if several else Now())
            if isinstance(p, Slot)
        }
        return {name for name, values in said.items() if len(values) > 1} - looked - self._given

    @cached_property
    def _given(self) -> set[str]:
        """Slots whose text every run that writes hands over: that is what they are there for."""
        given: list[set[str]] = []
        for example in self.examples:
            own = [s.arguments.values() for s in example.steps if s.effect.writes]
            if own:
                values = {str(v) for v in chain.from_iterable(own)}
                given.append({name for name, text in example.slots.items() if text in values})
        return set.intersection(*given) if given else set()

    def _check_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise OutOfTime("the search took as long as it may")

    def _nodes_of(self, here: Sequence[int]) -> list[str]:
        wanted = frozenset(here)
        return [node for node, members in self.members.items() if wanted <= members]

    def _pool(self, here: Sequence[int]) -> Pool:
        """What can be said now. Kept for as long as no further node was seen."""
        if self._kept_at != len(self.members):
            self._kept_at, self._pools, self._rows = len(self.members), {}, {}
        pool = self._pools.get(tuple(here))
        if pool is None:
            envs = [self.envs[i] for i in here]
            own = [self.examples[i] for i in here]
            pool = Pool(
                envs,
                self._nodes_of(here),
                self.labels,
                kinds={n: k for e in own for n, k in e.kinds.items()},
                wordings=[e.wording for e in own],
                meanings=self.known.meanings,
                said={e.said for e in own if e.said},
            )
            self._pools[tuple(here)] = pool
        return pool

    def _collections(self, pool: Pool) -> list[Rows]:
        found = self._rows.get(id(pool))
        if found is None:
            found = [Rows(pool, e) for e in (*pool.lists, *pool.unions)]
            self._rows[id(pool)] = found
        return found

    def _explainer(self, here: Sequence[int]) -> Explainer:
        pool = self._pool(here)
        return Explainer(pool, self._collections(pool))


def synthesize(examples: Sequence[Example], known: ToolHabits, *, seconds: float = 10.0) -> Program:
    """The program of a family.

    Args:
        examples: Good traces, with slots named alike.
        known: How tools cut off their results.
        seconds: After so long the search gives up.

    Raises:
        NoProgram: What cannot be explained.
    """
    return _Search(examples, known, time.monotonic() + seconds).run()


def asked_alike(
    examples: Sequence[Example], known: ToolHabits, *, seconds: float = 10.0
) -> list[int]:
    """The most traces that agree on a value of a read that no expression gives in all of them.

    Args:
        examples: Traces without a program.
        known: How tools cut off their results.
        seconds: After so long the search gives up.

    Returns:
        Their numbers; none where it is something else that is not explained.
    """
    search = _Search(examples, known, time.monotonic() + seconds)
    try:
        search.run()
    except Unexplained as e:
        try:
            return search.most_alike(e) if e.asked else []
        except OutOfTime:
            return []
    except NoProgram:
        pass
    return []


def _simplest(shape: Shape) -> list[Expr]:
    return [candidates[0] for candidates in shape.arguments.values()]


def chooses_row(expr: Expr) -> bool:
    """Whether an expression takes one row, with its fields, out of several."""
    picks = ("nth", "extreme", "only")
    return any(
        is_call(p, "get") and any(is_call(q, f) for q in parts(p) for f in picks)
        for p in parts(expr)
    )
