"""Emitted tools do what their programs do, read well, and let no text become code."""

from __future__ import annotations

import ast
import builtins
import dis
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import CodeType, FunctionType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmos.errors import SandboxError
from llmos.evolution import emit_runtime
from llmos.evolution.emit import allowed_tools, emit, function_name, parameter_names
from llmos.evolution.evaluate import FUNCTIONS
from llmos.evolution.ir import (
    Candidates,
    Expr,
    Guard,
    Loop,
    Now,
    Paging,
    Program,
    Read,
    Row,
    Seen,
    Single,
    Slot,
    Write,
    call,
    const,
)
from llmos.values import Json
from tests.evolution.programs import (
    NOW,
    SLOTS,
    Sandbox,
    World,
    a_sandbox,
    planned,
    programs,
    sandboxed,
    slots,
    told,
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with a_sandbox() as made:
        yield made


def args(**values: Expr) -> dict[str, Candidates]:
    return {name: (value,) for name, value in values.items()}


def read(node: str, tool: str = "items.find", /, **values: Expr) -> Read:
    return Read(node, (const(tool),), args(**values))


def write(node: str, guard: str = "", /, **values: Expr) -> Write:
    return Write(node, (const("item.add"),), (Single(args(**values)),), guard)


def function(program: Program, *parameters: str, docstring: str = "") -> str:
    """The emitted function alone, without the part of the runtime before it."""
    source = emit(program, name="learned", parameters=parameters, docstring=docstring)
    return source[source.index("def learned(") :]


# --- it does what the program does -------------------------------------------------------------

LENIENT = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


@settings(max_examples=100, deadline=None, suppress_health_check=LENIENT)
@given(program=programs(), said=slots(), world=told())
def test_emitted_tool_makes_the_calls_of_its_program_or_stops_where_it_does(
    program: Program, said: dict[str, str], world: dict[str, list[Json]], sandbox: Sandbox
) -> None:
    expected = planned(program, said, NOW, World(world))
    assert sandboxed(program, said, NOW, World(world), sandbox) == expected


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, suppress_health_check=LENIENT)
@given(program=programs(), said=slots(), world=told())
def test_emitted_tool_does_what_its_program_does_many_times(
    program: Program, said: dict[str, str], world: dict[str, list[Json]], sandbox: Sandbox
) -> None:
    expected = planned(program, said, NOW, World(world))
    assert sandboxed(program, said, NOW, World(world), sandbox) == expected


@settings(max_examples=100, deadline=None, suppress_health_check=LENIENT)
@given(program=programs())
def test_emitted_lines_are_no_longer_than_a_hundred_columns(program: Program) -> None:
    source = emit(program, name="learned", parameters=SLOTS, docstring="A program.")
    ast.parse(source)
    assert max(map(len, source.splitlines())) <= 100


def test_every_function_of_the_runtime_carries_all_that_it_needs() -> None:
    for name in FUNCTIONS:
        defined: dict[str, Any] = {}
        exec(emit_runtime.bundle([name]), defined)
        code = [f.__code__ for f in defined.values() if isinstance(f, FunctionType)]
        needed = {name for c in code for name in _globals(c)}
        assert needed <= {*defined, *dir(builtins)}, name


def _globals(code: CodeType) -> set[str]:
    found = {str(i.argval) for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    return found.union(*(_globals(c) for c in code.co_consts if isinstance(c, CodeType)))


def test_bundle_is_only_what_is_used() -> None:
    assert emit_runtime.bundle(["kebab"]) == (
        "import re\n\n\n"
        "def kebab(text: str) -> str:\n"
        '    """Words joined by hyphens, in small letters."""\n'
        '    return "-".join(re.findall("[a-z0-9]+", text.lower()))'
    )
    assert emit_runtime.bundle([]) == ""
    assert "WEEKDAYS" not in emit_runtime.bundle(["minutes"])
    assert "UNIT_MINUTES = {" in emit_runtime.bundle(["minutes"])


# --- it reads well -----------------------------------------------------------------------------

FOUND = call("rows", Seen("r0"))
OPEN = call("where", FOUND, "state", "==", "open")
OLD = call(
    "where",
    OPEN,
    "at",
    "<",
    call("shift", Now(), call("negative", call("days", Slot("age"))), 1440),
)


def test_single_write_of_constants_and_slots() -> None:
    program = Program((write("w0", name=Slot("name"), state=const("open"), size=const(2)),))
    assert (
        emit(program, name="add_item", parameters=["name"], docstring="Add an item.")
        == '''\
def needs(*texts: str | None) -> None:
    """Stop where the wording of the goal does not say something: it is None."""
    for text in texts:
        if text is None:
            raise ValueError("the goal does not say all that is needed")


def add_item(now: str, name: str | None) -> str:
    """Add an item."""
    needs(name)
    call("item.add", {"name": name, "state": "open", "size": 2})

    return ""
'''
    )


def test_answer_of_a_read() -> None:
    called = call("where", OPEN, "name", "==", Slot("title"))
    answer = call("concat", "There are ", call("text_of", call("count", called)), " open items.")
    program = Program((read("r0", query=call("lower", Slot("title"))),), {}, (answer,))
    assert (
        function(program, "title")
        == """\
def learned(now: str, title_: str | None) -> str:
    needs(title_)
    items_find = call("items.find", {"query": lower(title_)})

    how_many = count(where(where(rows(items_find), "state", "==", "open"), "name", "==", title_))
    as_text = text_of(how_many)
    return str(concat("There are ", as_text, " open items."))
"""
    )


def test_loop_works_out_all_arguments_before_its_first_call() -> None:
    loop = Loop((OLD,), args(id=call("get", Row(), "id"), state=const("closed")))
    program = Program((read("r0"), Write("w0", (const("item.change"),), (loop,))))
    assert (
        function(program, "age")
        == """\
def learned(now: str, age: str | None) -> str:
    now = moment(now)
    items_find = call("items.find", {})

    needs(age)
    matching = where(rows(items_find), "state", "==", "open")
    changes = [
        {"id": get(row, "id"), "state": "closed"}
        for row in where(matching, "at", "<", shift(now, negative(days(age)), 1440))
    ]
    for change in changes:
        call("item.change", change)

    return ""
"""
    )


def test_slot_that_only_a_loop_needs_is_asked_for_in_the_loop() -> None:
    loop = Loop((FOUND,), args(id=call("get", Row(), "id"), note=Slot("note")))
    program = Program((read("r0"), Write("w0", (const("item.change"),), (loop,))))
    assert (
        function(program, "note")
        == """\
def learned(now: str, note: str | None) -> str:
    items_find = call("items.find", {})

    changes = []
    for row in rows(items_find):
        needs(note)
        changes.append({"id": get(row, "id"), "note": note})
    for change in changes:
        call("item.change", change)

    return ""
"""
    )


def test_guards_are_nested_and_asked_once() -> None:
    program = Program(
        (
            read("r0"),
            write("w0", "g1", name=const("one")),
            write("w1", "g2", name=const("two")),
            write("w2", name=const("always")),
            write("w3", "g1", name=const("three")),
        ),
        {
            "g1": Guard((call("exists", OPEN),)),
            "g2": Guard((call("negated", call("test", Slot("way"), "==", "up")),), (), "g1"),
        },
    )
    assert (
        function(program, "way")
        == """\
def learned(now: str, way: str | None) -> str:
    items_find = call("items.find", {})

    holds = exists(where(rows(items_find), "state", "==", "open"))
    if holds:
        call("item.add", {"name": "one"})

        needs(way)
        if not test(way, "==", "up"):
            call("item.add", {"name": "two"})

    call("item.add", {"name": "always"})

    if holds:
        call("item.add", {"name": "three"})

    return ""
"""
    )


def test_paging_goes_on_until_a_page_is_not_full() -> None:
    paged = replace(read("r0", query=Slot("query")), paging=Paging(5, "before", "at"), cap=5)
    program = Program((paged,), {}, (call("text_of", call("count", FOUND)),))
    assert (
        function(program, "query")
        == """\
def learned(now: str, query: str | None) -> str:
    needs(query)
    asked = {"query": query}
    items_find = call("items.find", asked)
    pages = []
    while isinstance(items_find, list) and len(items_find) >= 5:
        if len(items_find) > 5:
            raise ValueError("there may be more results than these")
        pages.append(items_find)
        last = items_find[-1]
        further = last.get("at") if isinstance(last, dict) else None
        if further is None or asked.get("before") == further:
            raise ValueError("the results cannot be asked to go on")
        asked = {**asked, "before": further}
        items_find = call("items.find", asked)
    if pages:
        items_find = union(*pages, items_find if isinstance(items_find, list) else [])

    return str(text_of(count(rows(items_find))))
"""
    )


def test_read_that_may_be_cut_off_stops_when_it_is_full() -> None:
    program = Program((replace(read("r0"), cap=5), write("w0")))
    assert (
        function(program)
        == """\
def learned(now: str) -> str:
    items_find = call("items.find", {})
    if isinstance(items_find, list) and len(items_find) >= 5:
        raise ValueError("there may be more results than these")

    call("item.add", {})
    return ""
"""
    )


def test_tool_is_chosen_before_its_arguments() -> None:
    tool = call("mapped", Slot("way"), {"up": "item.add", "down": "item.change"})
    program = Program((Write("w0", (tool,), (Single(args(name=const("one"))),)),))
    assert (
        function(program, "way")
        == """\
def learned(now: str, way: str | None) -> str:
    needs(way)
    tool = mapped(way, {"down": "item.change", "up": "item.add"})
    call(tool, {"name": "one"})

    return ""
"""
    )


def test_write_that_may_be_meant_once_or_for_rows_stops_where_these_differ() -> None:
    once = Single(args(id=call("get", call("nth", FOUND, 0), "id")))
    loop = Loop((FOUND,), args(id=call("get", Row(), "id")))
    program = Program((read("r0"), Write("w0", (const("item.change"),), (once, loop))))
    assert (
        function(program)
        == """\
def learned(now: str) -> str:
    items_find = call("items.find", {})

    changes = [{"id": get(nth(rows(items_find), 0), "id")}]
    changes_2 = [{"id": get(row, "id")} for row in rows(items_find)]
    if changes_2 != changes:
        raise ValueError("it may be meant once or for several rows")
    for change in changes:
        call("item.change", change)

    return ""
"""
    )


def test_long_expressions_get_variables() -> None:
    day = call("day", Slot("when"), Now(), "next")
    that_day = call("where", FOUND, "day", "==", call("date_text", day))
    need = call("minutes", Slot("length"))
    free = call("free_slot", that_day, "start", "lasts", day, need, 9, 17)
    program = Program((read("r0"), write("w0", start=call("second_text", free), name=Slot("name"))))
    assert (
        function(program, "name", "when", "length")
        == """\
def learned(now: str, name: str | None, when: str | None, length: str | None) -> str:
    now = moment(now)
    items_find = call("items.find", {})

    needs(when, length, name)
    matching = where(rows(items_find), "day", "==", date_text(day(when, now, "next")))
    that_time = free_slot(
        matching, "start", "lasts", day(when, now, "next"), minutes(length), 9, 17
    )
    call("item.add", {"start": second_text(that_time), "name": name})

    return ""
"""
    )


# --- which tools it may call -------------------------------------------------------------------


def test_allowed_tools_are_named_by_constants_and_tables() -> None:
    table = {"up": "item.add", "down": "item.change"}
    program = Program(
        (
            read("r0"),
            Write("w0", (call("mapped", Slot("way"), table),), (Single({}),)),
            Write("w1", (call("get", Seen("r0"), "name"),), (Single({}),)),
        )
    )
    assert allowed_tools(program) == {"items.find", "item.add", "item.change"}


def test_tool_that_an_observation_names_is_refused(sandbox: Sandbox) -> None:
    program = Program(
        (read("r0"), Write("w0", (call("get", Seen("r0"), "name"),), (Single({}),))),
    )
    world = World({"items.find": [{"name": "item.add"}]})
    happened = sandboxed(program, {}, NOW, world, sandbox)
    assert (len(happened.calls), happened.answer) == (1, None)


# --- nothing breaks out ------------------------------------------------------------------------

NASTY = [
    '"', '""', '"""', "'", "'''", "\\", '\\"', '"""\\', "\n", "\r", "\r\n", "\x00", "\u2028",
    "\u202e", "{}", "{0}", "%s", "#", '"""\nimport os\n"""', '")\ncall("item.drop", {})\n#', "é𝄞",
    "\\N{BULLET}", "\\u0022",
]  # fmt: skip


def arguments(program_slots: Mapping[str, Json]) -> dict[str, Json]:
    names = parameter_names(list(program_slots))
    return {"now": NOW.isoformat(), **{names[s]: v for s, v in program_slots.items()}}


@pytest.mark.parametrize("text", NASTY)
def test_text_stays_text_wherever_it_stands(text: str, sandbox: Sandbox) -> None:
    paging = Paging(1, text + "1", text)
    program = Program(
        (
            Read("r0", (const(text),), {text: (const({text: [text]}),)}, "", paging, 1),
            Write(text, (const(text),), (Single({text: (const(text),)}),), text),
            Write("w0", (call("mapped", Slot(text), {text: text}),), (Single({}),)),
        ),
        {text: Guard((call("test", const(text), "==", text),))},
        (call("get", call("nth", FOUND, 0), text),),
    )
    source = emit(program, name="learned", parameters=[text], docstring=text)
    kinds = {type(n) for n in ast.parse(source).body}
    assert kinds <= {ast.Import, ast.ImportFrom, ast.FunctionDef}
    made: list[tuple[str, dict[str, Json]]] = []

    def answer(tool: str, asked: dict[str, Json]) -> Json:
        made.append((tool, asked))
        return [{text: "at"}] if len(made) == 1 else []

    result = sandbox.run(source, "learned", arguments({text: text}), answer, allowed_tools(program))
    first: dict[str, Json] = {text: {text: [text]}}
    assert result == "at"
    assert made == [
        (text, first),
        (text, {**first, text + "1": "at"}),
        (text, {text: text}),
        (text, {}),
    ]


@pytest.mark.parametrize("text", [*NASTY, "two\nlines", " a ", 'he said "so"', "\ud800"])
def test_docstring_says_what_it_is_given(text: str) -> None:
    source = emit(Program(()), name="learned", parameters=[], docstring=text)
    tree = ast.parse(source)
    assert [type(n) for n in tree.body] == [ast.FunctionDef]
    said = ast.get_docstring(tree.body[0], clean=True) or ""  # type: ignore[arg-type]
    expected = text.replace("\r\n", "\n").replace("\ud800", "�").strip()
    assert said.strip() == expected


@given(st.text(), st.text(), st.lists(st.text(), unique=True, max_size=4))
def test_any_text_makes_one_function_with_its_parameters(
    text: str, constant: str, names: list[str]
) -> None:
    program = Program((write("w0", name=const(constant)),))
    tree = ast.parse(emit(program, name="learned", parameters=names, docstring=text))
    (defined,) = tree.body
    assert isinstance(defined, ast.FunctionDef)
    assert len({a.arg for a in defined.args.args}) == len(names) + 1
    asked = defined.body[-2]
    assert isinstance(asked, ast.Expr) and isinstance(asked.value, ast.Call)
    assert ast.literal_eval(asked.value.args[1]) == {"name": constant}


@given(st.lists(st.text() | st.sampled_from(["class", "now", "call", "day"]), unique=True))
def test_parameter_names_are_free_plain_and_different(slots_: list[str]) -> None:
    names = parameter_names(slots_)
    assert list(names) == slots_
    assert len(set(names.values())) == len(slots_)
    for name in names.values():
        exec(f"def f({name}): return {name}", {})
        assert name.isascii() and not name.startswith("_")
        assert name not in {"now", "call", "row", "len", *FUNCTIONS}


def test_parameter_keeps_the_name_of_its_slot_where_it_can() -> None:
    names = {
        "name": "name",
        "class": "class_",
        "title": "title_",
        "len": "len_",
        "now": "now_",
        "_x": "x",
        "1st": "value_1st",
        "größe": "groe",
        "a b": "a_b",
        "a_b": "a_b_2",
        "": "value",
        "__import__": "import_",
    }
    assert parameter_names(list(names)) == names


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        ("close_old_items", "close_old_items"),
        ("Close old items!", "Close_old_items"),
        ("count", "count_"),
        ("", "value"),
        ("3 things", "value_3_things"),
        ("größe", "groe"),
        ("x" * 99, "x" * 60),
    ],
)
def test_function_name_is_made_of_any_text(wish: str, name: str) -> None:
    assert function_name(wish) == name
    emit(Program(()), name=name, parameters=[], docstring="")


@pytest.mark.parametrize(
    "name", ["", "a b", "class", "day", "call", "now", "len", "_private", "ſ", "f(): pass\ndef g"]
)
def test_unusable_function_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        emit(Program(()), name=name, parameters=[], docstring="")


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        (call("__import__", "os"), "what is"),
        (call("x()) or eval(", "os"), "what is"),
        (Slot("other"), "no parameter"),
        (Seen("r9"), "what is"),
        (const(float("inf")), "no literal"),
        (const([float("nan")]), "no literal"),
        (const("\ud800"), "no literal"),
    ],
)
def test_what_cannot_be_written_is_refused(expr: Expr, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        emit(Program((write("w0", name=expr),)), name="f", parameters=["slot"], docstring="")


@pytest.mark.parametrize("guards", [{}, {"g1": Guard((), (), "g2"), "g2": Guard((), (), "g1")}])
def test_guard_that_cannot_be_asked_is_refused(guards: dict[str, Guard]) -> None:
    with pytest.raises(ValueError, match="no guard 'g1'"):
        function(Program((write("w0", "g1"),), guards))


# --- side exits --------------------------------------------------------------------------------


def test_slot_that_the_wording_lacks_stops_the_tool_where_it_is_needed(sandbox: Sandbox) -> None:
    program = Program((read("r0"), write("w0", name=Slot("name"))))
    source = emit(program, name="learned", parameters=["name"], docstring="")
    world = World({})
    with pytest.raises(SandboxError, match="the goal does not say all that is needed"):
        sandbox.run(
            source, "learned", arguments({"name": None}), world.answer, allowed_tools(program)
        )
    assert [json.loads(c)[0] for c in world.calls] == ["items.find"]


def test_observation_of_a_branch_not_taken_stops_the_tool(sandbox: Sandbox) -> None:
    program = Program(
        (replace(read("r0"), guard="g1"), write("w0", name=Seen("r0"))),
        {"g1": Guard((call("test", 1, "==", 2),))},
    )
    happened = sandboxed(program, {}, NOW, World({}), sandbox)
    assert (happened.calls, happened.answer) == ((), None)


def test_step_that_is_made_twice_is_looked_at_anew(sandbox: Sandbox) -> None:
    # The same expression, long enough for a variable, means something else after the second read.
    chosen = call("where", call("where", FOUND, "state", "==", "open"), "name", "==", "Ann")
    program = Program(
        (
            read("r0"),
            write("w0", name=call("count", chosen)),
            read("r0", "items.list"),
            write("w1", name=call("count", chosen)),
        )
    )
    row: dict[str, Json] = {"state": "open", "name": "Ann"}
    world = {"items.find": [[row]], "items.list": [[row, row]]}
    happened = sandboxed(program, {}, NOW, World(world), sandbox)
    assert happened == planned(program, {}, NOW, World(world))
    assert [json.loads(c)[1] for c in happened.calls] == [{}, {"name": 1}, {}, {"name": 2}]
