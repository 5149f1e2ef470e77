"""What a goal is made of: typed pieces, quotes, words and marks."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.evolution.lexer import KINDS, is_kind, kinds_in, pieces


def told(goal: str) -> list[tuple[str, str]]:
    """The pieces of a goal that are neither words nor marks."""
    return [(p.kind, p.text) for p in pieces(goal) if p.kind not in ("word", "mark")]


@pytest.mark.parametrize(
    ("goal", "found"),
    [
        ("due 2024-02-29", [("date", "2024-02-29")]),
        ("on May 3rd, 2024", [("date", "May 3rd, 2024")]),
        ("on 3 of September", [("date", "3 of September")]),
        ("on Nov. 24?", [("date", "Nov. 24")]),
        ("next friday or friday", [("date", "next friday"), ("date", "friday")]),
        ("at 3:30 pm", [("time", "3:30 pm")]),
        ("at 3 p.m. sharp", [("time", "3 p.m.")]),
        ("at noon", [("time", "noon")]),
        ("for half an hour", [("duration", "half an hour")]),
        ("a 30-minute call", [("duration", "30-minute")]),
        ("pay $1,250.50 or 12%", [("number", "$1,250.50"), ("number", "12%")]),
        ("below -5", [("polar", "below"), ("number", "-5")]),
        ("to bob@example.com.", [("address", "bob@example.com")]),
        ("open ~/notes/a.txt", [("path", "~/notes/a.txt")]),
        ("see https://example.com/a?", [("path", "https://example.com/a")]),
        ("the first, then the last", [("polar", "first"), ("polar", "last")]),
        ("say 'it's late' twice", [("quote", "it's late")]),
        ("say \"he said 'no'\"", [("quote", "he said 'no'")]),
        (r"say 'Hi,\n\nbye'", [("quote", r"Hi,\n\nbye")]),
        ("the users' guide and bob's", []),
        ("an empty '' says nothing", []),
    ],
)
def test_typed_pieces_are_found_whole(goal: str, found: list[tuple[str, str]]) -> None:
    assert told(goal) == found


@pytest.mark.parametrize("goal", ["5 novels", "3 marbles", "market 24", "decide 5", "10 jane"])
def test_a_word_that_begins_like_a_month_is_no_date(goal: str) -> None:
    assert not is_kind("date", goal)
    assert "date" not in kinds_in(goal)


@pytest.mark.parametrize("goal", ["moreover", "v2", "x5", "firstborn", "underline", "x-5"])
def test_no_typed_piece_lies_within_a_word(goal: str) -> None:
    assert told(goal) == []


def test_a_figure_is_a_time_a_duration_or_a_number() -> None:
    assert all(is_kind("figure", text) for text in ("11", "3:30", "two hours"))
    assert not is_kind("figure", "friday")
    assert kinds_in("2 hours at 11") == {"figure"}


@given(st.text())
def test_pieces_come_in_order_and_say_where_they_stand(goal: str) -> None:
    at = 0
    for piece in pieces(goal):
        assert at <= piece.start < piece.end
        assert goal[piece.start : piece.end] == piece.text
        at = piece.end


@given(st.text())
def test_every_typed_piece_is_of_its_kind(goal: str) -> None:
    assert all(is_kind(p.kind, p.text) for p in pieces(goal) if p.kind in KINDS)


@pytest.mark.parametrize(
    "unit",
    ["a.", "+", "'", " '", "'a", ' "', "a'", "/", "/.", "a/", "1", "1,", "1.", "-", "a@", "half ",
     "may ", "a@a.", "\n", "~/", "next ", "é", "\U0001f600"],
)  # fmt: skip
def test_a_goal_of_100_000_characters_is_cut_up_within_seconds(unit: str) -> None:
    goal = (unit * 100_000)[:100_000]
    began = time.perf_counter()
    list(pieces(goal))
    list(pieces(f"{goal}!x"))
    assert time.perf_counter() - began < 10
