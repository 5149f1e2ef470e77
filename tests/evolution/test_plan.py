"""A program asks for one call after the other, and stops where its candidates disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from llmos.evolution.ir import (
    Candidates,
    Expr,
    Guard,
    Loop,
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
from llmos.evolution.plan import Request, Runner, Stop, Unrecorded, foretell, rehearse
from llmos.values import Effect, Json, Step

NOW = datetime(2026, 4, 8, 9, 30)
ROWS = call("rows", Seen("r"))
READ = Read("r", (const("shelf.find"),), {})
TWO: list[Json] = [{"code": "B1", "n": 1}, {"code": "B2", "n": 2}]


def write(*candidates: Expr, guard: str = "", node: str = "w") -> Write:
    return Write(node, (const("note.post"),), (Single({"text": candidates}),), guard)


def loop(*rows: Expr) -> Write:
    code: Candidates = (call("get", Row(), "code"),)
    return Write("w", (const("shelf.remove"),), (Loop(rows, {"code": code}),))


def run(
    program: Program,
    *told: Json,
    slots: Mapping[str, str] | None = None,
    strict: bool = True,
    foresee: bool = False,
) -> tuple[list[Request], str]:
    """All calls and the answer, where reads tell ``told`` one after the other."""
    runner = Runner(program, slots or {}, NOW, strict=strict).run(foresee=foresee)
    left, made = list(told), list[Request]()
    observation: Json = None
    try:
        while True:
            made.append(runner.send(observation))
            observation = None if made[-1].writes else left.pop(0)
    except StopIteration as e:
        return made, e.value


def asked(made: Sequence[Request]) -> list[Json]:
    return [dict(r.arguments) for r in made if r.writes]


def test_candidates_that_agree_are_one() -> None:
    made, answer = run(Program((write(Slot("a"), const("x")),)), slots={"a": "x"})
    assert asked(made) == [{"text": "x"}]
    assert answer == ""


def test_candidates_that_disagree_stop_the_run_and_are_both_told() -> None:
    with pytest.raises(Stop, match=r"w\.text could be 'y' or 'x'"):
        run(Program((write(Slot("a"), const("x")),)), slots={"a": "y"})


def test_only_the_simplest_counts_where_nothing_is_strict() -> None:
    made, _ = run(Program((write(Slot("a"), const("x")),)), slots={"a": "y"}, strict=False)
    assert asked(made) == [{"text": "y"}]


def test_one_and_true_disagree() -> None:
    with pytest.raises(Stop, match="could be"):
        run(Program((write(const(1), const(True)),)))


def test_the_simplest_candidate_must_have_a_value() -> None:
    with pytest.raises(Stop, match="is not known"):
        run(Program((write(Slot("a")),)))


def test_a_rival_row_that_is_not_there_is_no_agreement() -> None:
    lent = call("where", ROWS, "state", "==", "lent")
    rivals = [call("get", call("nth", rows, 0), "code") for rows in (ROWS, lent)]
    with pytest.raises(Stop):
        run(Program((READ, write(*rivals))), [{"code": "B1", "state": "in"}])


def test_a_loop_writes_once_for_every_row() -> None:
    made, _ = run(Program((READ, loop(ROWS))), TWO)
    assert asked(made) == [{"code": "B1"}, {"code": "B2"}]
    assert asked(run(Program((READ, loop(ROWS))), "Nothing found.")[0]) == []


def test_shapes_that_write_different_calls_stop() -> None:
    single = Single({"code": (call("get", call("nth", ROWS, 0), "code"),)})
    both = Write("w", (const("shelf.remove"),), (single, loop(ROWS).shapes[0]))
    assert asked(run(Program((READ, both)), TWO[:1])[0]) == [{"code": "B1"}]
    with pytest.raises(Stop, match="once or for several"):
        run(Program((READ, both)), TWO)


def test_collections_must_agree() -> None:
    few = call("where", ROWS, "n", "<", 2)
    with pytest.raises(Stop, match="the rows of w"):
        run(Program((READ, loop(ROWS, few))), TWO)


# --- guards ------------------------------------------------------------------------------------


def guarded(*conditions: Expr, hidden: Candidates = (), after: str = "") -> dict[str, Guard]:
    return {"g": Guard(conditions, hidden, after)}


def test_a_guard_that_does_not_hold_skips_its_nodes() -> None:
    program = Program((READ, write(const("x"), guard="g")), guarded(call("exists", ROWS)))
    assert asked(run(program, TWO)[0]) == [{"text": "x"}]
    assert asked(run(program, [])[0]) == []


def test_conditions_that_disagree_stop() -> None:
    rivals = (call("exists", ROWS), call("test", call("count", ROWS), ">", 2))
    with pytest.raises(Stop, match="whether a condition holds"):
        run(Program((READ, write(const("x"), guard="g")), guarded(*rivals)), TWO)


def test_a_guard_after_one_that_does_not_hold_is_not_asked() -> None:
    guards = {"a": Guard((const(False),)), **guarded(Slot("missing"), after="a")}
    assert run(Program((write(const("x"), guard="g"),), guards))[0] == []


def test_a_hidden_guard_is_asked_before_the_first_write_and_not_without_one() -> None:
    hidden = (call("exists", ROWS),)
    program = Program((READ, write(const("x"), guard="g")), guarded(hidden=hidden))
    assert asked(run(program, TWO)[0]) == [{"text": "x"}]
    with pytest.raises(Stop, match="nothing used it"):
        run(program, [])
    with pytest.raises(Stop, match="nothing used it"):
        run(program, {"not": "a list"})
    closed = replace(program, guards=guarded(const(False), hidden=hidden))
    assert asked(run(closed, [])[0]) == []


# --- reads -------------------------------------------------------------------------------------


PAGED = replace(READ, cap=2, paging=Paging(2, "before", "code"))


def test_full_pages_are_followed_and_put_together() -> None:
    made, _ = run(Program((PAGED, loop(ROWS))), TWO, [{"code": "B3"}])
    assert [dict(r.arguments) for r in made if not r.writes] == [{}, {"before": "B2"}]
    assert [a["code"] for a in asked(made)] == ["B1", "B2", "B3"]


def test_a_last_page_that_is_a_sentence_or_empty_ends_them() -> None:
    lasts: list[Json] = ["No more.", []]
    for last in lasts:
        assert len(asked(run(Program((PAGED, loop(ROWS))), TWO, last)[0])) == 2


def test_a_result_that_may_be_cut_off_stops_where_nobody_knows_how_to_go_on() -> None:
    with pytest.raises(Stop, match="there may be more"):
        run(Program((replace(READ, cap=2), loop(ROWS))), TWO)
    with pytest.raises(Stop, match="there may be more"):
        run(Program((PAGED, loop(ROWS))), [*TWO, {"code": "B3"}])


def test_pages_that_do_not_move_on_stop() -> None:
    same: list[Json] = [{"code": "B1"}, {"code": "B1"}]
    with pytest.raises(Stop, match="cannot be asked for more"):
        run(Program((PAGED, loop(ROWS))), same, same, same)
    with pytest.raises(Stop, match="cannot be asked for more"):
        run(Program((PAGED, loop(ROWS))), [1, 2])


# --- foreseeing --------------------------------------------------------------------------------


def test_what_waits_for_an_earlier_write_is_not_foreseen() -> None:
    later = write(Seen("w"), node="v")
    program = Program((write(const("x")), later))
    assert asked(run(program, foresee=True)[0]) == [{"text": "x"}]


def test_all_that_can_stop_stops_before_any_write() -> None:
    program = Program((write(const("x")), write(Slot("a"), const("y"), node="v")))
    runner = Runner(program, {"a": "z"}, NOW).run(foresee=True)
    with pytest.raises(Stop):
        while True:
            next(runner)


# --- rehearsals --------------------------------------------------------------------------------


def test_a_rehearsal_answers_from_the_record() -> None:
    program = Program((READ, loop(ROWS)))
    steps = [
        Step("shelf.find", {}, TWO, effect=Effect.READ),
        Step("shelf.remove", {"code": "B1"}, "ok"),
        Step("shelf.remove", {"code": "B2"}, "ok"),
    ]
    assert len(rehearse(program, {}, NOW, steps)) == 3
    with pytest.raises(Stop, match=r"shelf\.remove.*was not recorded"):
        rehearse(program, {}, NOW, steps[:2])


def test_what_a_program_announces_is_told_before_what_a_run_wrote() -> None:
    program = Program((READ, loop(ROWS)))
    read = Step("shelf.find", {}, TWO)
    made, runner = foretell(program, {}, NOW, [read])
    assert [r.arguments for r in made if r.writes] == [{"code": "B1"}, {"code": "B2"}]
    assert runner.open == []
    none, idle = foretell(program, {}, NOW, [replace(read, observation=[])])
    assert [r.tool for r in none] == ["shelf.find"] and idle.open == ["w"]
    with pytest.raises(Unrecorded, match="was not recorded"):
        foretell(program, {}, NOW, [])


def test_a_call_that_was_recorded_once_is_not_rehearsed_twice() -> None:
    program = Program((write(const("x")), write(const("x"), node="v")))
    with pytest.raises(Stop, match="was not recorded"):
        rehearse(program, {}, NOW, [Step("note.post", {"text": "x"}, "ok")])


def test_answers_are_agreed_upon_like_values() -> None:
    program = Program((READ,), answer=(call("text_of", call("count", ROWS)),))
    assert run(program, TWO)[1] == "2"
    rivals = replace(program, answer=(*program.answer, const("3")))
    with pytest.raises(Stop, match="the answer could be '2' or '3'"):
        run(rivals, TWO)
