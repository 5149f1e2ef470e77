"""The words of a goal say how it decides and chooses."""

from __future__ import annotations

import pytest

from llmos.evolution import cues


@pytest.mark.parametrize(
    "words", ["all overdue tasks", "since {date}", "the last week", "in 2 days"]
)
def test_a_wording_may_speak_of_time(words: str) -> None:
    assert cues.of_time([words])
    assert cues.of_time(["give it to {name}", words])


def test_a_wording_that_does_not_speak_of_time_has_no_use_for_the_clock() -> None:
    assert not cues.of_time(["give all of {name}'s boxes to {name_2}"])


def test_what_is_not_known_may_mean_anything() -> None:
    assert cues.of_time([]) and cues.of_equality([])
    assert cues.figures([]) == cues.FIGURES


def test_a_figure_is_meant_only_where_every_wording_names_it() -> None:
    ever, grew = "was it above {number} at any time", "if it grew by {number}"
    assert "ever" in cues.figures([ever]) and "moved" not in cues.figures([ever])
    assert {"moved", "growth"} <= cues.figures([grew]) and "ever" not in cues.figures([grew])
    assert not cues.figures([ever, grew])
    assert cues.figures(["more boxes from {a} than from {b}"]) == frozenset()


@pytest.mark.parametrize("words", ["at least {n}", "{n} or more", "no later than {n}", "up to {n}"])
def test_a_limit_may_be_counted_in(words: str) -> None:
    assert cues.of_equality([words])
    assert not cues.of_equality(["more than {n}"])


def test_a_length_of_time_lies_in_the_past_or_ahead() -> None:
    assert cues.side(["in the past {span} or so"], "span") == -1
    assert cues.side(["in the next {span}"], "span") == 1
    assert cues.side(["in the next {span}", "in the past {span}"], "span") == 0
    assert cues.side(["for {span}"], "span") == 0
    assert cues.side([], "span") == 0


def test_up_and_down_are_told_from_how_much() -> None:
    assert cues.of_change(["higher", "Lower"])
    assert not cues.of_change(["more", "less"])
    assert not cues.of_change(["higher", "more"])


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("the largest book", True),
        ("the book with the most copies", True),
        ("the least expensive one", True),
        ("the most recent mail", False),
        ("the latest mail", False),
        ("most of the orders", False),
        ("at least five copies", False),
        ("at most five copies", False),
    ],
)
def test_a_most_of_something_is_told_from_a_limit_and_from_the_newest(
    said: str, named: bool
) -> None:
    assert cues.superlative([said]) is named
