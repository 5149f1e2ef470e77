"""Programs of the intermediate form, worlds that answer their calls, and a sandbox to run them."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import strategies as st

from llmos.errors import SandboxError
from llmos.evolution.emit import allowed_tools, emit, parameter_names
from llmos.evolution.ir import (
    Expr,
    Guard,
    Loop,
    Node,
    Now,
    Paging,
    Program,
    Read,
    Row,
    Seen,
    Shape,
    Single,
    Slot,
    Write,
    call,
    const,
)
from llmos.evolution.plan import Runner, Stop
from llmos.plugins.program import ProgramRunner
from llmos.plugins.program_told import as_json
from llmos.values import Json

# --- what happens ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Happened:
    """What a program did: its calls as JSON, and its answer or None where it stopped."""

    calls: tuple[str, ...]
    answer: Json


class World:
    """Answers calls: every tool goes through its own list, and says an empty list after it."""

    def __init__(self, told: Mapping[str, Sequence[Json]]) -> None:
        self._left = {tool: list(observations) for tool, observations in told.items()}
        self.calls: list[str] = []

    def answer(self, tool: str, arguments: Mapping[str, Json]) -> Json:
        self.calls.append(json.dumps([tool, dict(arguments)], sort_keys=True))
        left = self._left.get(tool)
        return copy.deepcopy(left.pop(0)) if left else []


class Sandbox:
    """A runner of programs with a loop of its own, for tests that are not asynchronous."""

    def __init__(self) -> None:
        self._loop = asyncio.Runner()
        self._runner = ProgramRunner(1)

    def run(
        self,
        source: str,
        function: str,
        arguments: Mapping[str, Json],
        answer: Callable[[str, dict[str, Json]], Json] = lambda tool, arguments: None,
        allowed: frozenset[str] = frozenset(),
    ) -> Json:
        async def host(tool: str, arguments: dict[str, Json]) -> Json:
            return answer(tool, arguments)

        return self._loop.run(self._runner.run(source, function, arguments, host, allowed=allowed))

    def close(self) -> None:
        self._loop.run(self._runner.aclose())
        self._loop.close()


@contextmanager
def a_sandbox() -> Generator[Sandbox]:
    made = Sandbox()
    try:
        yield made
    finally:
        made.close()


def planned(program: Program, slots: Mapping[str, str], now: datetime, world: World) -> Happened:
    """What the interpreter of programs does with the simplest candidates."""
    run = Runner(program, slots, now, strict=False).run()
    observation: Json = None
    try:
        request = next(run)
        while True:
            # What is no JSON can be asked of no tool.
            as_json(dict(request.arguments), 1_000_000, "asked")
            observation = world.answer(request.tool, request.arguments)
            request = run.send(observation)
    except StopIteration as e:
        return Happened(tuple(world.calls), e.value)
    except (Stop, SandboxError, TypeError):
        # A loop over what is no collection is a TypeError.
        return Happened(tuple(world.calls), None)


def sandboxed(
    program: Program, slots: Mapping[str, str], now: datetime, world: World, sandbox: Sandbox
) -> Happened:
    """What the emitted function does in the sandbox."""
    source = emit(program, name="learned", parameters=SLOTS, docstring="A program.")
    arguments: dict[str, Json] = {"now": now.isoformat(timespec="seconds")}
    for slot, parameter in parameter_names(SLOTS).items():
        arguments[parameter] = slots.get(slot)
    try:
        answer = sandbox.run(source, "learned", arguments, world.answer, allowed_tools(program))
    except SandboxError:
        return Happened(tuple(world.calls), None)
    return Happened(tuple(world.calls), answer)


# --- values ------------------------------------------------------------------------------------

SLOTS = ("title", "when", "hour", "amount", "way", "length", "class")
"""Slots of every program; some of them are names of the runtime or of Python."""

READS = {"items.find": "rows", "items.list": "rows", "figures.get": "series", "id.get": "text"}
"""What the tools that look mostly return."""

WRITES = ("item.change", "item.add")

NOW = datetime(2024, 2, 28, 9, 30)

_NAMES = st.sampled_from(["Ann", "bob", "release notes", "a_b-c", "x\\ny", 'it\'s "so"', ""])
_MOMENTS = st.integers(-50, 50).map(lambda n: (NOW + timedelta(hours=7 * n)).isoformat(" "))

ROWS = st.fixed_dictionaries(
    {
        "id": st.integers(1, 9).map(lambda n: f"0000{n}"),
        "name": _NAMES,
        "state": st.sampled_from(["open", "Closed"]),
        "at": _MOMENTS,
        "size": st.integers(0, 5) | st.sampled_from([1.5, "7", None]),
        "lasts": st.sampled_from(["30", "60", 45]),
    }
)

SERIES = st.dictionaries(
    st.sampled_from(["mon", "tue", "wed", "thu"]),
    st.integers(-3, 9) | st.integers(-5000, 5000).map(lambda n: n / 1000),
    min_size=1,
    max_size=4,
)

_ODD: st.SearchStrategy[Json] = st.sampled_from([None, "nothing found", {}, 0, [1], {"id": "x"}])


def _observations(kind: str) -> st.SearchStrategy[Json]:
    usual: dict[str, st.SearchStrategy[Json]] = {
        "rows": st.lists(ROWS, max_size=1) | st.lists(ROWS, min_size=2, max_size=4),
        "series": SERIES,
        "text": _NAMES,
    }
    return st.integers(0, 20).flatmap(lambda n: usual[kind] if n < 20 else _ODD)


def told() -> st.SearchStrategy[dict[str, list[Json]]]:
    """What the tools of a world say, one call after the other."""
    kinds = {**READS, **dict.fromkeys(WRITES, "text")}
    return st.fixed_dictionaries(
        {t: st.lists(_observations(k), min_size=2, max_size=6) for t, k in kinds.items()}
    )


def _mostly(usual: Sequence[str], odd: str) -> st.SearchStrategy[str]:
    return st.integers(0, 15).flatmap(lambda n: st.sampled_from(usual) if n < 15 else st.just(odd))


def slots() -> st.SearchStrategy[dict[str, str]]:
    """What a goal says; now and then its wording lacks a slot."""
    values = {
        "title": _NAMES,
        "when": _mostly(["tomorrow", "March 3", "friday", "2024-02-29"], "soon"),
        "hour": _mostly(["3pm", "noon", "9:30", "at 7"], "25:00"),
        "amount": _mostly(["0", "2", "1.5", "three", "$1,000"], "many"),
        "way": _mostly(["up", "down"], "sideways"),
        "length": _mostly(["30 minutes", "1.5 hours", "2 days", "a week"], "long"),
        "class": _NAMES,
    }
    lacking = st.integers(0, 6).flatmap(lambda n: st.none() if n < 6 else st.sampled_from(SLOTS))
    return st.tuples(st.fixed_dictionaries(values), lacking).map(
        lambda p: {k: v for k, v in p[0].items() if k != p[1]}
    )


# --- expressions -------------------------------------------------------------------------------

_OPS = st.sampled_from(["<", "<=", ">", ">=", "==", "!=", "in"])
_FIELDS = st.sampled_from(["id", "name", "state", "at", "size", "lasts"])
_RULES = st.sampled_from(["next", "after", "last", "before", "year"])
_DIRECTION = call("mapped", Slot("way"), {"up": ">", "down": "<"})
_CASES = st.sampled_from(["lower", "title", "sentence", "snake", "kebab", "lines", "spaced"])


@dataclass(frozen=True)
class Seeing:
    """What an expression may be made of."""

    nodes: Mapping[str, str]
    """Step to the kind of what it returns."""
    row: bool = False

    def of(self, kind: str) -> list[Expr]:
        return [Seen(node) for node, k in self.nodes.items() if k == kind]


Draw = st.DrawFn


def _rows(draw: Draw, seeing: Seeing) -> Expr:
    base = [call("rows", s) for s in seeing.of("rows")]
    if not base:
        return call("listed")
    rows: Expr = draw(st.sampled_from(base))
    if draw(st.integers(0, 4)) == 4:
        rows = call("union", rows, draw(st.sampled_from(base)))
    for _ in range(draw(st.integers(0, 2))):
        rows = draw(st.sampled_from(_FILTERS))(draw, seeing, rows)
    return rows


_FILTERS: list[Callable[[Draw, Seeing, Expr], Expr]] = [
    lambda d, s, rows: call("where", rows, "state", "==", d(st.sampled_from(["open", "closed"]))),
    lambda d, s, rows: call("where", rows, "at", d(_OPS), _moment(d, s)),
    lambda d, s, rows: call("where", rows, "name", "in", _text(d, s)),
    lambda d, s, rows: call("where", rows, d(_FIELDS), d(_OPS), _number(d, s)),
    lambda d, s, rows: call("one_of", rows, "name", ["Ann", "bob"]),
    lambda d, s, rows: call("flipped", rows),
]


def _pick(draw: Draw, seeing: Seeing) -> Expr:
    if seeing.row and draw(st.integers(0, 3)) < 3:
        return Row()
    rows = _rows(draw, seeing)
    ways = [
        call("nth", rows, 0),
        call("nth", rows, -1),
        call("only", rows),
        call("extreme", rows, draw(_FIELDS), draw(st.booleans())),
    ]
    return draw(st.sampled_from(ways))


def _number(draw: Draw, seeing: Seeing) -> Expr:
    kind = draw(st.integers(0, 4))
    series = seeing.of("series")
    if kind == 0 and series:
        name = draw(st.sampled_from(["total", "highest", "mean", "growth", "opening", "count"]))
        return call(name, draw(st.sampled_from(series)))
    if kind == 1:
        return call("count", _rows(draw, seeing))
    if kind == 2:
        return call("number", call("get", _pick(draw, seeing), "size"))
    return call("number", Slot("amount")) if kind == 3 else const(draw(st.integers(-2, 5)))


def _moment(draw: Draw, seeing: Seeing) -> Expr:
    kind = draw(st.integers(0, 6))
    day = call("day", Slot("when"), Now(), draw(_RULES))
    if kind == 0:
        return call("shift", Now(), call("negative", call("minutes", Slot("length"))), 1)
    if kind == 1:
        return call("moment", call("get", _pick(draw, seeing), "at"))
    if kind == 2:
        need = call("minutes", Slot("length"))
        return call("free_slot", _rows(draw, seeing), "at", "lasts", day, need, 9, 17)
    if kind == 3:
        return call("time_on", call("midnight", Now()), Slot("hour"), 8)
    moments: list[Expr] = [Now(), day, call("clock", call("midnight", Now()), 12, 0, 0)]
    return moments[kind - 4]


def _text(draw: Draw, seeing: Seeing) -> Expr:
    kind = draw(st.integers(0, 8))
    series = seeing.of("series")
    if kind == 0:
        atom = draw(st.sampled_from([*map(Slot, SLOTS), *seeing.of("text")]))
        return call("concat", "About ", atom, draw(_NAMES))
    if kind == 1:
        return call("get", _pick(draw, seeing), draw(_FIELDS))
    if kind == 2:
        form = draw(st.sampled_from(["date_text", "minute_text", "second_text", "iso_text"]))
        return call(form, _moment(draw, seeing))
    if kind == 3 and series:
        return call("peak", draw(st.sampled_from(series)), draw(st.booleans()))
    if kind == 4:
        return call("most_common", _rows(draw, seeing), draw(_FIELDS))
    if kind == 5:
        return call("text_of", _number(draw, seeing))
    if kind == 6:
        return call(draw(_CASES), Slot("title"))
    texts = [*map(Slot, SLOTS), *seeing.of("text"), const(draw(_NAMES))]
    return draw(st.sampled_from(texts))


def _condition(draw: Draw, seeing: Seeing) -> Expr:
    said = _positive(draw, seeing)
    return call("negated", said) if draw(st.booleans()) else said


def _positive(draw: Draw, seeing: Seeing) -> Expr:
    kind = draw(st.integers(0, 4))
    series = seeing.of("series")
    if kind == 1 and series:
        name = draw(st.sampled_from(["ever", "moved"]))
        return call(name, draw(st.sampled_from(series)), _DIRECTION, _number(draw, seeing))
    if kind == 2:
        return call("test", _number(draw, seeing), draw(_OPS), _number(draw, seeing))
    if kind == 3:
        return call("test", Slot("way"), "==", "up")
    if kind == 4:
        return call("test", _moment(draw, seeing), draw(_OPS), _moment(draw, seeing))
    return call("exists", _rows(draw, seeing))


def _value(draw: Draw, seeing: Seeing) -> Expr:
    kind = draw(st.integers(0, 29))
    if kind > 26:
        return _number(draw, seeing)
    if kind == 26:
        # Seldom right: moments, rows and lists are asked of no tool.
        odd = [_moment, _pick, _rows, _condition]
        return draw(st.sampled_from(odd))(draw, seeing)
    constants: list[Json] = [True, 3, 0.5, None, [1, "a"], {"k": []}, "fixed"]
    return _text(draw, seeing) if kind < 22 else const(draw(st.sampled_from(constants)))


# --- programs ----------------------------------------------------------------------------------


def _arguments(draw: Draw, seeing: Seeing) -> dict[str, tuple[Expr, ...]]:
    names = draw(st.lists(st.sampled_from(["title", "id", "to", "class"]), max_size=3, unique=True))
    return {name: (_value(draw, seeing),) for name in names}


def _read(draw: Draw, seeing: Seeing, name: str, guard: str) -> tuple[Read, str]:
    tool = draw(st.sampled_from(sorted(READS)))
    cap = draw(st.sampled_from([0, 0, 2, 3]))
    paging = Paging(cap, "before", "id") if cap and draw(st.integers(0, 3)) < 3 else None
    # Mostly a goal's own words, so that more than the first read is come to.
    words: list[Expr] = [*map(Slot, SLOTS), const(3)]
    arguments: dict[str, tuple[Expr, ...]] = {"query": (draw(st.sampled_from(words)),)}
    worked_out = draw(st.booleans())
    if seeing.nodes and worked_out:
        arguments = _arguments(draw, seeing)
    return Read(name, (const(tool),), arguments, guard, paging, cap), READS[tool]


def _shape(draw: Draw, seeing: Seeing) -> Shape:
    if draw(st.booleans()):
        return Single(_arguments(draw, seeing))
    inner = Seeing(seeing.nodes, row=True)
    return Loop((_rows(draw, seeing),), _arguments(draw, inner))


def _write(draw: Draw, seeing: Seeing, name: str, guard: str) -> Write:
    table = {"up": "item.add", "down": "item.change"}
    tools: list[Expr] = [*map(const, WRITES), call("mapped", Slot("way"), table)]
    tool = draw(st.sampled_from(tools))
    shapes = [_shape(draw, seeing) for _ in range(draw(st.sampled_from([1, 1, 1, 2])))]
    return Write(name, (tool,), tuple(shapes), guard)


@st.composite
def programs(draw: Draw) -> Program:
    """Programs of a few steps, of every shape."""
    guards: dict[str, Guard] = {}
    kinds: dict[str, str] = {}
    nodes: list[Node] = []
    for k in range(draw(st.integers(1, 6))):
        seeing = Seeing(dict(kinds))
        if draw(st.integers(0, 2)) == 2:
            conditions = (_condition(draw, seeing),) if draw(st.integers(0, 5)) < 5 else ()
            after = draw(st.sampled_from(["", *guards]))
            guards[f"g{len(guards) + 1}"] = Guard(conditions, (), after)
        guard = draw(st.sampled_from(["", *guards]))
        if draw(st.booleans()) or k == 0:
            node, kinds[f"r{k}"] = _read(draw, seeing, f"r{k}", guard)
            nodes.append(node)
        else:
            nodes.append(_write(draw, seeing, f"w{k}", guard))
            kinds[f"w{k}"] = "text"
    answer = (_value(draw, Seeing(kinds)),) if draw(st.booleans()) else ()
    return Program(tuple(nodes), guards, answer)
