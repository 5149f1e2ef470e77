"""One more trace leaves fewer candidates, and never more goals than before."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmos.evolution.columns import ToolHabits
from llmos.evolution.example import Example, NoProgram
from llmos.evolution.family import check_reproduces
from llmos.evolution.ir import (
    Const,
    Guard,
    Program,
    Read,
    Seen,
    Single,
    Slot,
    Write,
    call,
    const,
    every_candidate,
)
from llmos.evolution.narrow import Anew, narrow
from llmos.evolution.plan import Stop
from llmos.evolution.synthesize import synthesize
from llmos.values import Effect, Json, Step
from tests.evolution.jobs import SIMPLE, jobs
from tests.evolution.office import (
    Job,
    a_clock,
    an_office,
    examples,
    foreseen,
    habits,
    some_slots,
)

NOTHING = ToolHabits({}, {}, {})
NOW = datetime(2026, 4, 8, 9, 30)
POST = Write("w", (const("note.post"),), (Single({"text": (Slot("a"), const("x"))}),))


def posted(slots: Mapping[str, str], *texts: Json, before: tuple[Step, ...] = ()) -> Example:
    steps = [Step("note.post", {"text": t}, "ok", effect=Effect.WRITE) for t in texts]
    return Example(slots, NOW, (*before, *steps))


def texts(program: Program) -> tuple[object, ...]:
    (node,) = program.writes()
    return node.shapes[0].arguments["text"]


def test_candidates_that_do_not_fit_are_left_out() -> None:
    assert texts(narrow(Program((POST,)), posted({"a": "y"}, "y"), NOTHING)) == (Slot("a"),)
    assert texts(narrow(Program((POST,)), posted({"a": "y"}, "x"), NOTHING)) == (const("x"),)
    assert texts(narrow(Program((POST,)), posted({"a": "x"}, "x"), NOTHING)) == texts(
        Program((POST,))
    )


@pytest.mark.parametrize(
    "example",
    [
        posted({"a": "y"}, "z"),
        posted({"a": "x"}),
        posted({"a": "x"}, "x", "x"),
        replace(
            posted({"a": "x"}, "x"), steps=(Step("note.post", {"other": "x"}, effect=Effect.WRITE),)
        ),
        replace(
            posted({"a": "x"}, "x"), steps=(Step("duty.add", {"text": "x"}, effect=Effect.WRITE),)
        ),
        replace(
            posted({"a": "x"}, "x"), steps=(Step("note.post", {"text": "x"}, effect=Effect.READ),)
        ),
    ],
)
def test_a_trace_that_does_something_else_is_no_narrowing(example: Example) -> None:
    with pytest.raises(Anew):
        narrow(Program((POST,)), example, NOTHING)


def test_a_table_grows_by_what_is_new_and_keeps_what_it_knew() -> None:
    table = call("mapped", Slot("a"), {"x": "one"})
    program = Program((replace(POST, shapes=(Single({"text": (table,)}),)),))
    grown = narrow(program, posted({"a": "y"}, "two"), NOTHING)
    assert texts(grown) == (call("mapped", Slot("a"), {"x": "one", "y": "two"}),)
    with pytest.raises(Anew):
        narrow(grown, posted({"a": "x"}, "two"), NOTHING)


def test_conditions_that_say_otherwise_are_left_out() -> None:
    read = Read("r", (const("parcel.list"),), {})
    rows = call("rows", Seen("r"))
    guard = Guard((call("exists", rows), call("test", call("count", rows), ">", 1)))
    program = Program((read, replace(POST, guard="g")), {"g": guard})
    looked = Step("parcel.list", {}, [{"number": "P1"}], effect=Effect.READ)
    taken = narrow(program, posted({"a": "x"}, "x", before=(looked,)), NOTHING)
    assert taken.guards["g"].conditions == guard.conditions[:1]
    left = narrow(program, posted({"a": "x"}, before=(looked,)), NOTHING)
    assert left.guards["g"].conditions == guard.conditions[1:]
    with pytest.raises(Anew):
        narrow(taken, posted({"a": "x"}, before=(looked,)), NOTHING)


def test_hidden_guards_that_did_not_hold_are_dropped() -> None:
    hidden = (call("test", Slot("a"), "==", "x"), const(True))
    program = Program((POST,), {"": Guard((), hidden)})
    assert narrow(program, posted({"a": "y"}, "y"), NOTHING).guards[""].hidden == (const(True),)


def test_answers_are_narrowed_too() -> None:
    read = Read("r", (const("parcel.list"),), {})
    program = Program((read,), answer=(Seen("r"), const("none")))
    looked = Step("parcel.list", {}, "one", effect=Effect.READ)
    example = Example({}, NOW, (looked,), "one")
    assert narrow(program, example, NOTHING).answer == (Seen("r"),)
    with pytest.raises(Anew):
        narrow(program, replace(example, output="two"), NOTHING)


# --- random ------------------------------------------------------------------------------------


def candidates(program: Program) -> set[object]:
    return {e for several in every_candidate(program) for e in several}


def _calls(program: Program, seed: int) -> list[object]:
    """What a program would do for some goals; None where it stops."""
    rng = random.Random(seed)
    found: list[object] = []
    for _ in range(8):
        made = foreseen(program, some_slots(rng), a_clock(rng), an_office(rng))
        found.append(made and [(r.tool, dict(r.arguments)) for r in made])
    return found


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(jobs(), st.integers(0, 10**6), st.integers(3, 5))
def test_a_narrowed_program_reproduces_all_it_did_and_serves_nothing_new(
    job: Job, number: int, count: int
) -> None:
    seen = examples(job, number, count + 4)
    known = habits(seen)
    try:
        program = synthesize(seen[:count], known, seconds=5)
    except NoProgram:
        return
    told = list(seen[:count])
    for example in seen[count:]:
        before = program
        try:
            program = narrow(before, example, known)
            check_reproduces(program, example)
        except (Anew, Stop):
            program = before
            continue
        told.append(example)
        for old in told:
            check_reproduces(program, old)
        tables = {e for e in candidates(program) if "mapped" in str(e)}
        assert candidates(program) - tables <= candidates(before)
    grown = any("mapped" in str(e) for e in candidates(program))
    first = synthesize(seen[:count], known, seconds=5)
    for one, two in zip(_calls(first, number), _calls(program, number), strict=True):
        # What all of many candidates agree on, some of them agree on, if they say anything.
        assert one is None or grown or two in (None, one)


@pytest.mark.parametrize("name", SIMPLE)
def test_narrowing_ends_where_explaining_all_at_once_does(name: str) -> None:
    seen = examples(SIMPLE[name], 3, 12)
    known = habits(seen)
    program = synthesize(seen[:6], known)
    for example in seen[6:]:
        program = narrow(program, example, known)
    at_once = synthesize(seen, known)
    assert _calls(program, 5) == _calls(at_once, 5)
    for node in program.nodes:
        assert not isinstance(node.tool[0], Const) or node.tool[0].value
