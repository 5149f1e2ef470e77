"""Every expression that fits is found, nothing that does not fit, and the simplest comes first."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.evolution.evaluate import Env
from llmos.evolution.ir import (
    Call,
    Const,
    Expr,
    Now,
    Row,
    Seen,
    Slot,
    call,
    const,
    expr_from,
    expr_json,
    size,
)
from llmos.evolution.leaves import Explainer
from llmos.evolution.pool import FAIL, Pool, same, uses
from llmos.evolution.rows import Rows
from llmos.values import Json
from tests.evolution.office import TOPICS, a_clock, an_office, some_slots

ROWS = call("rows", Seen("books"))
WEDNESDAY = datetime(2026, 4, 8, 9, 30)


def pool_of(*envs: Env, **more: Any) -> Pool:
    nodes = [n for n in envs[0].seen if all(n in env.seen for env in envs)]
    return Pool(envs, nodes, **more)


def explained(pool: Pool, targets: Sequence[Json]) -> tuple[Expr, ...]:
    return Explainer(pool, [Rows(pool, e) for e in (*pool.lists, *pool.unions)]).explain(targets)


def offices(seed: int, count: int, books: int = 8) -> list[Env]:
    rng = random.Random(seed)
    return [
        Env(some_slots(rng), a_clock(rng), {"books": an_office(rng, books).books})
        for _ in range(count)
    ]


# --- one value ---------------------------------------------------------------------------------

SAID = [
    ({"a": "hall"}, "hall", Slot("a")),
    ({"a": "north hall"}, "North Hall", call("title", Slot("a"))),
    ({"a": "North Hall"}, "north_hall", call("snake", Slot("a"))),
    ({"a": "lamps"}, "lamp", call("singular", Slot("a"))),
    ({"a": "alice@hall.org"}, "alice", call("before_at", Slot("a"))),
    ({"a": "Grand Hall"}, "Hall", call("last_word", Slot("a"))),
    ({"a": r"one\ntwo"}, "one\ntwo", call("lines", Slot("a"))),
    ({"a": "30 minutes"}, 30, call("minutes", Slot("a"))),
    ({"a": "two"}, 2, call("number", Slot("a"))),
    ({"a": "$1,200"}, "1200", call("text_of", call("number", Slot("a")))),
    ({"a": "tomorrow"}, "2026-04-09", call("date_text", call("day", Slot("a"), Now(), "next"))),
    (
        {"a": "Friday"},
        "2026-04-10 00:00",
        call("minute_text", call("day", Slot("a"), Now(), "after")),
    ),
    ({}, "2026-04-08 09:30:00", call("second_text", Now())),
    (
        {},
        "2026-04-11",
        call("date_text", call("shift", call("midnight", Now()), 3, 1440)),
    ),
    (
        {"a": "3 days"},
        "2026-04-05 09:30",
        call("minute_text", call("shift", Now(), call("negative", call("days", Slot("a"))), 1440)),
    ),
    ({}, "2026-04-13", call("date_text", call("week", Now(), 1, 0))),
    (
        {"a": "tomorrow", "b": "3pm"},
        "2026-04-09 15:00",
        call("minute_text", call("time_on", call("day", Slot("a"), Now(), "next"), Slot("b"), 0)),
    ),
    ({"a": "hall"}, "To the hall!", call("concat", "To the ", Slot("a"), "!")),
]


@pytest.mark.parametrize(("slots", "target", "expected"), SAID)
def test_what_the_goal_and_the_clock_say_is_found(
    slots: dict[str, str], target: Json, expected: Expr
) -> None:
    pool = pool_of(Env(slots, WEDNESDAY))
    assert expected in explained(pool, [target]), target


def test_texts_are_put_together_from_several_others() -> None:
    one = Env({"a": "hall", "b": "hurry"}, WEDNESDAY)
    two = Env({"a": "attic", "b": "wait"}, WEDNESDAY)
    meant = call("concat", Slot("b"), ", ", Slot("a"), "!")
    assert explained(pool_of(one, two), ["hurry, hall!", "wait, attic!"]) == (meant,)


SEEN: list[tuple[Any, Json, Expr]] = [
    ("hall", "hall", Seen("s")),
    ({"room": "hall"}, "hall", call("get", Seen("s"), "room")),
    ([{"id": "7", "n": 1}], "7", call("get", call("only", call("rows", Seen("s"))), "id")),
    ({"mon": 3, "tue": 9, "wed": 4}, "tue", call("peak", Seen("s"), True)),
    ({"mon": 3, "tue": 9, "wed": 4}, 16, call("total", Seen("s"))),
    ({"mon": 3, "tue": 9, "wed": 4}, "wed", call("label", Seen("s"), -1)),
    (
        [{"id": "7", "n": 1}, {"id": "8", "n": 5}],
        "8",
        call("get", call("nth", call("rows", Seen("s")), -1), "id"),
    ),
    (
        [{"id": "7", "at": "2026-04-01"}, {"id": "8", "at": "2026-04-02"}],
        "8",
        call("get", call("extreme", call("rows", Seen("s")), "at", True), "id"),
    ),
    (
        [{"id": "7", "k": "x"}, {"id": "8", "k": "y"}, {"id": "9", "k": "x"}],
        "x",
        call("most_common", call("rows", Seen("s")), "k"),
    ),
    (
        [{"id": "7", "k": "x"}, {"id": "8", "k": "hall"}, {"id": "9", "k": "x"}],
        "8",
        call(
            "get", call("only", call("where", call("rows", Seen("s")), "k", "==", Slot("a"))), "id"
        ),
    ),
]


@pytest.mark.parametrize(("observation", "target", "expected"), SEEN)
def test_what_was_seen_is_found(observation: Json, target: Json, expected: Expr) -> None:
    pool = pool_of(Env({"a": "hall"}, WEDNESDAY, {"s": observation}))
    assert expected in explained(pool, [target])


def test_a_value_that_nothing_gives_and_that_varies_is_not_explained() -> None:
    pool = pool_of(*offices(1, 3))
    assert explained(pool, ["one", "two", "three"]) == ()


def test_values_of_one_text_in_all_traces_are_a_constant_too() -> None:
    pool = pool_of(Env({"a": "hall"}, WEDNESDAY), Env({"a": "hall"}, WEDNESDAY))
    assert explained(pool, ["hall", "hall"]) == (Slot("a"), const("hall"))


def test_a_value_that_stands_in_a_result_is_read_there_before_it_is_a_constant() -> None:
    rows = [{"id": "7", "n": 1}, {"id": "8", "n": 5}]
    pool = pool_of(Env({}, WEDNESDAY, {"s": rows}), Env({}, WEDNESDAY, {"s": rows}))
    found = explained(pool, ["7", "7"])
    assert isinstance(found[0], Call)
    assert isinstance(found[-1], Const)


def test_a_name_like_the_one_word_that_was_seen_stays_tied_to_it() -> None:
    envs = [Env({"a": "total weight", "b": "hall"}, WEDNESDAY) for _ in range(2)]
    pool = pool_of(*envs, kinds={"a": "word", "b": "text"})
    found = explained(pool, ["weight_total"] * 2)
    assert call("mapped", Slot("a"), {"total weight": "weight_total"}) in found
    assert const("weight_total") not in found
    assert const("height") in explained(pool, ["height"] * 2)


def test_a_name_made_of_one_word_may_have_been_joined_of_several() -> None:
    envs = [Env({"a": word}, WEDNESDAY) for word in ("hall", "attic", "cellar")]
    found = explained(pool_of(*envs), [f"boxes_{e.slots['a']}" for e in envs])
    assert call("concat", "boxes_", Slot("a")) in found
    assert call("concat", "boxes_", call("snake", Slot("a"))) in found


def test_a_table_is_made_only_of_what_was_seen_twice() -> None:
    def envs(*words: str) -> list[Env]:
        return [Env({"w": word}, WEDNESDAY) for word in words]

    twice = pool_of(*envs("red", "blue", "red", "blue"), kinds={"w": "word"})
    table = call("mapped", Slot("w"), {"red": 1, "blue": 2})
    assert table in explained(twice, [1, 2, 1, 2])
    once = pool_of(*envs("red", "blue", "green", "blue"), kinds={"w": "word"})
    assert explained(once, [1, 2, 3, 2]) == ()
    contradicting = pool_of(*envs("red", "blue", "red", "blue"), kinds={"w": "word"})
    assert explained(contradicting, [1, 2, 3, 2]) == ()


@pytest.mark.parametrize("text", ["{a}", "$a", "{{ now }}", "__import__('os')", "Seen('s')"])
def test_template_syntax_is_text(text: str) -> None:
    pool = pool_of(Env({"a": text}, WEDNESDAY, {"s": text}), Env({"a": "x"}, WEDNESDAY, {"s": "x"}))
    for expr in explained(pool, [f"so {text}", "so x"]):
        assert isinstance(expr, Call)
        assert expr.function == "concat"
        assert expr.arguments[1] in (Slot("a"), Seen("s"))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.sampled_from(["code", "title", "shelved", "copies"]),
)
def test_what_is_found_gives_the_targets_and_the_simplest_comes_first(
    seed: int, count: int, name: str
) -> None:
    envs = offices(seed, count)
    rng = random.Random(seed)
    targets = [rng.choice(env.seen["books"])[name] for env in envs]
    pool = pool_of(*envs)
    found = explained(pool, targets)
    for expr in found:
        assert all(same(pool.at(expr, i), t) for i, t in enumerate(targets)), expr
        assert expr_from(expr_json(expr)) == expr
    assert len(set(found)) == len(found)
    plain = [e for e in found if not isinstance(e, Const)]
    sizes = [size(e) for e in (plain if len(plain) < len(found) else found)]
    assert sizes == sorted(sizes)


@pytest.mark.xfail(
    strict=True,
    reason="rows that are greatest by a number are dropped where place or date tell them too: "
    "three runs of 'the one with the most copies' are served as 'the first one'",
)
def test_the_row_with_the_greatest_number_stays_a_rival_of_the_first() -> None:
    envs = [
        Env({}, WEDNESDAY, {"s": [{"id": f"{k}7", "copies": 9}, {"id": f"{k}8", "copies": 2}]})
        for k in range(3)
    ]
    found = explained(pool_of(*envs), ["07", "17", "27"])
    assert call("get", call("extreme", call("rows", Seen("s")), "copies", True), "id") in found


@pytest.mark.parametrize(
    "said",
    ["lend out the largest book about {topic}", "lend out the book about {topic} with most copies"],
)
def test_the_greatest_under_a_condition_stays_a_rival_of_the_first_under_it(said: str) -> None:
    envs = [
        Env(
            {"topic": topic},
            WEDNESDAY,
            {
                "s": [
                    {"id": f"{k}6", "topic": "maps", "copies": 50 * (topic != "maps") + 9},
                    {"id": f"{k}7", "topic": "moths", "copies": 8},
                    {"id": f"{k}8", "topic": "moths", "copies": 2},
                    {"id": f"{k}9", "topic": "maps", "copies": 1},
                ]
            },
        )
        for k, topic in enumerate(["moths", "maps", "moths"])
    ]
    pool = pool_of(*envs, said=(said,))
    of_topic = call("where", call("rows", Seen("s")), "topic", "==", Slot("topic"))
    found = explained(pool, ["07", "16", "27"])
    assert call("get", call("nth", of_topic, 0), "id") in found
    assert call("get", call("extreme", of_topic, "copies", True), "id") in found


# --- pools -------------------------------------------------------------------------------------


def test_values_are_told_apart_by_kind() -> None:
    assert not same(True, 1)
    assert not same(1, 1.0)
    assert same("a", "a")
    pool = pool_of(Env({"a": "1"}, WEDNESDAY, {"s": {"n": 1}}))
    assert const(1) in explained(pool, [1])
    assert all(type(pool.at(e, 0)) is float for e in explained(pool, [1.0]))


def test_an_expression_that_abstains_somewhere_has_no_values() -> None:
    pool = pool_of(Env({"a": "two"}, WEDNESDAY), Env({"a": "many"}, WEDNESDAY))
    number = call("number", Slot("a"))
    assert pool.at(number, 0) == 2
    assert pool.at(number, 1) is FAIL
    assert pool.values(number) is None


def test_slots_that_some_goal_lacks_are_not_used() -> None:
    pool = pool_of(Env({"a": "x", "b": "y"}, WEDNESDAY), Env({"a": "x"}, WEDNESDAY))
    assert pool.slots == [Slot("a")]


def test_lists_that_were_empty_once_are_lists() -> None:
    rows = [{"id": "7"}]
    told = [Env({}, WEDNESDAY, {"s": x}) for x in (rows, "Nothing there.", [])]
    assert pool_of(*told).lists == [call("rows", Seen("s"))]
    assert pool_of(told[1]).lists == []


def test_a_slot_varies_only_within_a_wording() -> None:
    envs = [Env({"a": x}, WEDNESDAY) for x in ("one", "two")]
    assert pool_of(*envs).varies(Slot("a"))
    assert not pool_of(*envs, wordings=[0, 1]).varies(Slot("a"))


def test_uses_sees_functions_at_any_depth() -> None:
    expr = call("get", call("nth", ROWS, 0), "code")
    assert uses(expr, "rows")
    assert not uses(expr, "only")
    assert not uses(Row(), "rows")


# --- rows --------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_filters_choose_exactly_the_chosen_rows(seed: int, count: int) -> None:
    envs = offices(seed, count)
    pool = pool_of(*envs)
    rows = Rows(pool, ROWS)
    meant = call("where", ROWS, "topic", "==", Slot("topic"))
    if seed % 2:
        meant = call("where", meant, "copies", ">", call("number", Slot("number")))
    chosen, at = 0, 0
    for i, env in enumerate(envs):
        kept = pool.at(meant, i)
        for book in env.seen["books"]:
            chosen |= (book in kept) << at
            at += 1
    found = rows.filters(chosen)
    if chosen:
        assert found
    for expr in found:
        assert [pool.at(expr, i) for i in range(count)] == [pool.at(meant, i) for i in range(count)]


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_conditions_hold_for_the_rows_that_their_expression_keeps(seed: int) -> None:
    envs = offices(seed, 2, books=5)
    pool = pool_of(*envs)
    rows = Rows(pool, ROWS)
    for atom in rows.atoms[:60]:
        for i, items in enumerate(rows.items):
            kept = pool.at(atom.over(ROWS), i)
            bits = [bool(atom.bits >> (rows.offsets[i] + k) & 1) for k in range(len(items))]
            assert kept == [b for b, holds in zip(items, bits, strict=True) if holds], atom


def test_ids_and_addresses_are_data_and_no_kinds() -> None:
    pool = pool_of(*offices(3, 3))
    constants = {a.field for a in Rows(pool, ROWS).atoms if not a.grounded}
    assert constants <= {"topic", "state"}
    assert {a.operand for a in Rows(pool, ROWS).atoms if a.field == "topic" and not a.grounded} <= {
        const(t) for t in TOPICS
    }


@pytest.mark.xfail(
    strict=True,
    reason="a number of the goal is taken for a time of day: one odd condition then hides the two "
    "that were meant, and they are no rivals",
)
def test_a_number_is_no_time_of_day() -> None:
    envs = offices(5, 3)
    atoms = Rows(pool_of(*envs, kinds={"number": "number", "past": "date"}), ROWS).atoms
    assert not any(
        uses(a.operand, "time_on") and Slot("number") in _slots(a.operand) for a in atoms
    )


def _slots(expr: Expr) -> set[Expr]:
    from llmos.evolution.ir import parts

    return {p for p in parts(expr) if isinstance(p, Slot)}
