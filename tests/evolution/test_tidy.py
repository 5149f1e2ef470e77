"""Rivals that nobody would mean go, others stay: no place is left empty, nothing is added."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.evolution.ir import (
    Candidates,
    Expr,
    Guard,
    Now,
    Program,
    Read,
    Seen,
    Single,
    Slot,
    Write,
    call,
    const,
    every_candidate,
    size,
)
from llmos.evolution.tidy import tidy

ROWS = call("rows", Seen("r1"))
FOUND = call("only", call("rows", Seen("r0")))
KINDS = {"name": "text", "title": "quote", "span": "duration", "limit": "number", "on": "date"}
HIGHER = call("mapped", Slot("way"), {"higher": ">", "lower": "<"})
MORE = call("mapped", Slot("way"), {"more": ">", "less": "<"})


def where(rows: Expr, field: str, op: str, operand: Expr) -> Expr:
    return call("where", rows, field, op, operand)


def program(value: Candidates, conditions: Candidates = ()) -> Program:
    """Looks somebody up, asks for their rows, and writes one value, maybe under a condition."""
    reads = (
        Read("r0", (const("people.find"),), {"name": (Slot("name"),)}),
        Read("r1", (const("boxes.list"),), {"owner": (FOUND,)}),
    )
    guards = {"g": Guard(conditions)} if conditions else {}
    write = Write("w", (const("boxes.mark"),), (Single({"what": value}),), "g" if guards else "")
    return Program((*reads, write), guards)


def left(*value: Expr, said: Collection[str] = (), kinds: Mapping[str, str] = KINDS) -> Candidates:
    (write,) = tidy(program(value), said, kinds).writes()
    return write.shapes[0].arguments["what"]


def asked(*conditions: Expr, said: Collection[str] = ()) -> Candidates:
    given = program((const("x"),), conditions)
    return tidy(given, said, {**KINDS, "way": "polar"}).guards["g"].conditions


# --- values ------------------------------------------------------------------------------------


def test_a_condition_on_rows_that_changes_nothing_goes_if_the_goal_does_not_speak_of_it() -> None:
    first = call("get", call("nth", ROWS, 0), "id")
    late = call("get", call("nth", where(ROWS, "due", "<", Now()), 0), "id")
    assert left(first, late, said=["mark the box of {name}"]) == (first,)
    assert left(first, late, said=["mark the overdue box of {name}"]) == (first, late)


def test_a_condition_on_rows_stays_if_it_is_all_that_looks_at_something_of_the_goal() -> None:
    first = call("get", call("nth", ROWS, 0), "id")
    light = where(ROWS, "weight", "<", call("number", Slot("limit")))
    filtered = call("get", call("nth", light, 0), "id")
    assert left(first, filtered) == (first, filtered)
    known = program((first, filtered))
    looked = Read("r2", (const("scales.read"),), {"limit": (call("number", Slot("limit")),)})
    (write,) = tidy(replace(known, nodes=(looked, *known.nodes)), (), KINDS).writes()
    assert write.shapes[0].arguments["what"] == (first,)


def test_a_read_that_was_asked_for_a_text_may_find_what_only_resembles_it() -> None:
    first = call("get", call("nth", ROWS, 0), "id")
    own = call("get", call("nth", where(ROWS, "owner", "==", Slot("name")), 0), "id")
    assert left(first, own) == (first, own)


def test_a_kind_of_rows_that_all_runs_saw_may_be_meant() -> None:
    kind = where(ROWS, "kind", "==", const("box"))
    pair = (call("get", call("nth", ROWS, 0), "id"), call("get", call("nth", kind, 0), "id"))
    assert left(*pair, said=["mark it"]) == pair


def test_a_result_that_repeats_what_it_was_asked_for_is_no_source() -> None:
    echo = call("get", call("nth", ROWS, 0), "owner")
    assert left(FOUND, echo) == (FOUND,)


def test_the_text_of_the_goal_is_no_coincidence_but_a_name_made_of_it_may_be() -> None:
    spelled = const("Blue boxes")
    assert left(Slot("title"), spelled) == (Slot("title"),)
    made = call("snake", Slot("title"))
    assert left(made, spelled) == (made, spelled)
    short = const("abc")
    assert left(Slot("title"), short) == (Slot("title"), short)


def test_what_was_looked_up_for_the_goal_is_no_coincidence() -> None:
    assert left(FOUND, const("alice@example.org")) == (FOUND,)


def test_a_table_is_meant_only_where_nothing_else_fits_or_its_names_say_so() -> None:
    table = call("mapped", Slot("name"), {"alice": "7", "bob": "8"})
    named = call("mapped", Slot("name"), {"total weight": "weight_total", "big box": "box_big"})
    assert left(Slot("title"), table) == (Slot("title"),)
    assert left(Slot("title"), named) == (Slot("title"), named)
    assert left(table) == (table,)


def test_a_piece_of_a_text_is_not_meant_where_all_of_it_or_a_constant_fits() -> None:
    piece = call("concat", "To ", call("first_word", Slot("title")))
    whole = call("concat", "To ", Slot("title"))
    assert left(whole, piece) == (whole,)
    assert left(const("To you"), piece) == (const("To you"),)
    assert left(piece) == (piece,)


def test_nobody_looks_for_rows_to_find_what_the_goal_says() -> None:
    minutes = call("text_of", call("minutes", Slot("span")))
    detour = call("get", call("nth", where(ROWS, "n", "<", Slot("limit")), 0), "minutes")
    assert left(minutes, detour) == (minutes,)


def test_a_date_of_the_goal_that_is_there_for_nothing_else_is_meant() -> None:
    meant = call("date_text", call("day", Slot("on"), Now(), "next"))
    other = call("date_text", call("shift", call("midnight", Now()), 3, 1440))
    assert left(other, meant, const("2024-03-01")) == (meant,)


def test_times_lie_on_the_side_of_now_that_the_goal_names() -> None:
    days = call("days", Slot("span"))
    ahead = call("date_text", call("shift", Now(), days, 1440))
    back = call("date_text", call("shift", Now(), call("negative", days), 1440))
    assert left(ahead, back, said=["in the past {span}"]) == (back,)
    assert left(ahead, back, said=["in the next {span}"]) == (ahead,)
    assert left(ahead, back, said=["for {span}"]) == (ahead, back)


# --- conditions --------------------------------------------------------------------------------

LIMIT = call("number", Slot("limit"))
SERIES = Seen("r1")


def test_of_two_series_the_peaks_are_compared_only_if_the_words_name_them() -> None:
    total, peak = (
        call("test", call(f, Seen("r0")), ">", call(f, SERIES)) for f in ("total", "highest")
    )
    assert asked(peak, total, said=["if there were more of {a} than of {b}"]) == (total,)
    assert asked(peak, total, said=["if the peak of {a} was above {b}"]) == (peak, total)
    assert asked(peak, said=["if there were more of {a} than of {b}"]) == (peak,)


def test_what_was_so_at_any_time_is_no_sum_and_no_mean() -> None:
    total, peak = (call("test", call(f, SERIES), ">", LIMIT) for f in ("total", "highest"))
    ever = call("ever", SERIES, ">", LIMIT)
    assert asked(ever, total, said=["if it was over {limit} at any time"]) == (ever,)
    assert asked(ever, total, peak, said=["if it was over {limit}"]) == (ever, total, peak)


def test_a_limit_is_not_counted_in_unless_the_words_say_so() -> None:
    strict = call("test", call("total", SERIES), ">", LIMIT)
    wide = call("negated", call("test", call("total", SERIES), "<", LIMIT))
    assert asked(strict, wide, said=["if it was over {limit}"]) == (strict,)
    assert asked(strict, wide, said=["if it was at least {limit}"]) == (strict, wide)


def test_a_condition_looks_at_the_figures_that_the_goal_names() -> None:
    some = call("exists", ROWS)
    few = call("test", call("count", ROWS), ">", LIMIT)
    assert asked(some, few) == (few,)


@pytest.mark.parametrize(("words", "meant"), [(HIGHER, 0), (MORE, 1)])
def test_up_or_down_is_meant_as_change_and_more_or_less_as_a_figure(
    words: Expr, meant: int
) -> None:
    moved = call("moved", SERIES, words, LIMIT)
    grown = call("test", call("growth", SERIES), words, LIMIT)
    said = ["if it grew, or went up or down, by {limit}"]
    assert asked(moved, grown, said=said) == ((moved, grown)[meant],)


# --- laws --------------------------------------------------------------------------------------

ATOMS = st.sampled_from(
    [
        Slot("name"),
        Slot("title"),
        Slot("on"),
        Now(),
        FOUND,
        const("Blue boxes"),
        const("x"),
        call("day", Slot("on"), Now(), "next"),
        call("shift", Now(), call("negative", call("days", Slot("span"))), 1440),
        call("get", call("nth", ROWS, 0), "owner"),
        call("get", call("nth", where(ROWS, "due", "<", Now()), 0), "owner"),
        call("mapped", Slot("name"), {"alice": "7"}),
        call("concat", "To ", call("first_word", Slot("title"))),
        call("test", call("total", SERIES), ">=", LIMIT),
        call("moved", SERIES, HIGHER, LIMIT),
    ]
)
PLACES = st.lists(ATOMS, min_size=1, max_size=8, unique=True).map(
    lambda found: tuple(sorted(found, key=size))
)
SAID = st.sets(st.sampled_from(["at any time", "in the past {span}", "if it grew", "mark it"]))


@given(PLACES, PLACES, SAID)
def test_some_of_the_candidates_of_every_place_stay_in_their_order(
    value: Candidates, conditions: Candidates, said: set[str]
) -> None:
    before = program(value, conditions)
    after = tidy(before, said, KINDS)
    for old, new in zip(every_candidate(before), every_candidate(after), strict=True):
        assert bool(new) == bool(old)
        assert [c for c in old if c in new] == list(new)
