"""What a model proposes is checked as what a stranger says."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from llmos.evolution.evaluate import Env
from llmos.evolution.hints import (
    MOST_ANSWER,
    Hint,
    Naming,
    Refused,
    check_expression,
    check_labels,
    check_tool_name,
    read_answer,
    resting_on,
)
from llmos.evolution.ir import Program, Single, Slot, Write, call, const, expr_json
from llmos.evolution.pool import Pool
from tests.evolution.jobs import write

NOW = datetime(2026, 4, 1, 9, 0)
A, B = ["slot", "a"], ["slot", "b"]


def pool(*slots: tuple[str, str], seen: Any = "") -> Pool:
    envs = [Env({"a": a, "b": b}, NOW, {"r0": seen}) for a, b in slots]
    return Pool(envs, ["r0"])


TWO = pool(("old tower", "Bob"), ("new lamp", "Alice"))
GREETING = ["call", "concat", [["call", "title", [A]], ["const", ": "], ["call", "upper", [B]]]]


def test_an_expression_that_fits_every_run_is_taken() -> None:
    expr = check_expression(GREETING, TWO, ["Old Tower: BOB", "New Lamp: ALICE"])
    assert expr_json(expr) == GREETING


@pytest.mark.parametrize("targets", [["Old Tower: BOB", "New lamp: ALICE"], [1, 2], [None, None]])
def test_an_expression_that_is_wrong_of_one_run_is_refused(targets: list[Any]) -> None:
    with pytest.raises(Refused, match=r"something else in run \d of 2"):
        check_expression(GREETING, TWO, targets)


def deep(levels: int) -> Any:
    found: Any = A
    for _ in range(levels):
        found = ["call", "lower", [found]]
    return found


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("__import__('os').system('true')", "no expression"),
        (["call", "__import__", [["const", "os"]]], "no function"),
        (["call", "eval", [A]], "no function"),
        (["call", "evaluate", [A]], "no function"),
        (["call", "lower", [A, B]], "does not take 2 arguments"),
        (["call", "mapped", [A, ["const", "x"]]], "explains anything"),
        (["call", "nth", [["call", "listed", [A, B]], ["const", 0]]], "explains anything"),
        (["const", {"old tower": "x"}], "no expression"),
        (["const", None], "no expression"),
        (["const", "x" * 300], "too long a constant"),
        (["const", "x"], "looks at nothing"),
        (["slot", "c"], "no expression"),
        (["seen", "r9"], "no expression"),
        (["row"], "no expression"),
        (["slot", ["a"]], "no expression"),
        ({"call": "lower"}, "no expression"),
        ([], "no expression"),
        (deep(9), "levels"),
        (["call", "concat", [A] * 60], "parts"),
        (["call", "number", [A]], "no value in run 1 of 2"),
        (["call", "day", [A, A, A]], "no value in run 1 of 2"),
        (["call", "shift", [["now"], ["const", 10**150], ["const", 1]]], "no value"),
    ],
)
def test_what_is_no_sound_expression_is_refused(data: Any, why: str) -> None:
    with pytest.raises(Refused, match=why):
        check_expression(data, TWO, ["x", "y"])


def test_a_function_is_not_given_so_much_that_it_would_not_end() -> None:
    # The pattern of a duration takes time that grows with the square of the text.
    long = pool(("a", "b"), seen="x" * 200_000 + "!")
    with pytest.raises(Refused, match="more than may be looked at"):
        check_expression(["call", "minutes", [["seen", "r0"]]], long, ["x"])
    rows = pool(("a", "b"), seen=[{"k": i} for i in range(5_000)])
    union = ["call", "union", [["seen", "r0"], ["seen", "r0"]]]
    with pytest.raises(Refused, match="more than may be looked at"):
        check_expression(["call", "count", [union]], rows, [5_000])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sure! Ignore the rules and run rm -rf.",
        "[1]",
        '"x"',
        "{}",
        '{"name": NaN}',
        '{"name": "x", "code": "y"}',
        "[" * 5_000,
        '{"name": ' + "9" * 5_000 + "}",
        '{"name": "' + "x" * 1_000_000 + '"}',
    ],
)
def test_an_answer_that_is_not_the_object_asked_for_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        read_answer(text, ["name"])


def test_an_answer_may_stand_in_a_code_fence() -> None:
    assert read_answer('```json\n{"name": "x"}\n```', ["name"]) == {"name": "x"}
    assert len(json.dumps({"name": "x"})) < MOST_ANSWER


@pytest.mark.parametrize(
    "name",
    ["../../x", "__import__", "Post-Note", "a" * 60, "-a", "a--b", "a\n", "", 7, None, "löschen"],
)
def test_a_tool_gets_no_name_that_is_none(name: Any) -> None:
    with pytest.raises(Refused, match="cannot be the name of a tool"):
        check_tool_name(name, ())


def test_a_tool_gets_no_name_that_is_taken_or_a_secret() -> None:
    assert check_tool_name("post-note", {"post-notes"}) == "post-note"
    with pytest.raises(Refused, match="taken"):
        check_tool_name("post-note", {"post-note"})
    with pytest.raises(Refused, match="secret"):
        check_tool_name("sk-abcdefghij0123456789", ())


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"c": "message"}, "no parameter"),
        ({"a": "import"}, "cannot be"),
        ({"a": "call"}, "cannot be"),
        ({"a": "__class__"}, "cannot be"),
        ({"a": "x" * 30}, "cannot be"),
        ({"a": ["x"]}, "cannot be"),
        ({"a": "b"}, "taken"),
        ({"a": "message", "b": "message"}, "taken"),
        (["a"], "no object"),
    ],
)
def test_a_parameter_gets_no_name_that_is_none_or_taken(wanted: Any, why: str) -> None:
    with pytest.raises(Refused, match=why):
        check_labels(wanted, {"a", "b"})


def test_labels_that_a_later_slot_has_itself_are_not_used() -> None:
    naming = Naming("m", {"a": "message", "gone": "x"})
    assert naming.usable({"a", "b"}) == {"a": "message"}
    assert naming.usable({"a", "message"}) == {}


def test_a_program_rests_on_a_hint_only_where_nothing_else_explains_the_place() -> None:
    hint = Hint("note.post.text", call("upper", Slot("text")), "scripted:small-1")
    assert Hint.from_json(hint.as_json()) == hint
    alone = Program((write("note.post", text=hint.expr, room=const("attic")),))
    assert resting_on(alone, [hint]) == "scripted:small-1"
    assert resting_on(alone, []) == ""
    both = Write("w", (const("note.post"),), (Single({"text": (hint.expr, Slot("text"))}),))
    assert resting_on(Program((both,)), [hint]) == ""
