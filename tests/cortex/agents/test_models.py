"""Which model an agent should work with: what it gets right against what it costs."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.cortex.agents.models import (
    ENOUGH,
    SLACK,
    SURE,
    at_least,
    choose_model,
    compared,
    per_good,
    told,
)
from llmos.cortex.agents.records import Run
from llmos.cortex.agents.selection import Record

COUNTS = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda c: Record(*c))


def runs(model: str, good: int, bad: int, usd: float, family: str = "f") -> list[Run]:
    def run(k: int) -> Run:
        return Run(f"{model}{k}", family, "a@1", k < good, usd, False, family, model)

    return [run(k) for k in range(good + bad)]


def chosen(current: str, *families: list[Run]) -> str | None:
    choice = choose_model(families, current)
    return choice.model if choice else None


def test_the_cheaper_one_where_it_is_as_good() -> None:
    both = runs("dear", 19, 1, 0.05) + runs("cheap", 20, 0, 0.01)
    choice = choose_model([both], "dear")
    assert choice is not None and choice.model == "cheap" and choice.cheaper
    assert choice.chance >= SURE
    assert "cheap: 20 of 20 runs were good, $0.0100 for each good one" in choice.why
    assert chosen("cheap", both) is None, "it is in use"


def test_the_dearer_one_where_the_cheaper_one_fails_so_often_that_it_costs_more() -> None:
    both = runs("dear", 19, 1, 0.03) + runs("cheap", 4, 16, 0.01)
    assert chosen("cheap", both) == "dear"
    assert chosen("dear", both) is None
    pricey = runs("dear", 19, 1, 0.06) + runs("cheap", 4, 16, 0.01)
    assert chosen("cheap", pricey) is None, "a good run of it costs more all the same"


def test_few_runs_and_what_may_be_chance_change_nothing() -> None:
    few = runs("dear", ENOUGH, 0, 0.05) + runs("cheap", ENOUGH - 1, 0, 0.01)
    assert chosen("dear", few) is None
    unsure = runs("dear", 19, 1, 0.05) + runs("cheap", 9, 2, 0.01)
    assert chosen("dear", unsure) is None


def test_only_families_in_which_both_have_worked_are_compared() -> None:
    hard = runs("dear", 6, 14, 0.05, "hard") + runs("cheap", 1, 0, 0.01, "easy")
    easy = runs("cheap", 30, 0, 0.01, "easy")
    assert chosen("dear", hard[:20], easy) is None
    ours, others = compared([hard[:20], easy], "cheap", "dear")
    assert (ours.runs, others.runs) == (0, 0)


def test_what_costs_nothing_is_never_left_for_its_price() -> None:
    assert chosen("mine", runs("mine", 12, 8, 0.0) + runs("other", 20, 0, 0.01)) is None


@given(COUNTS, COUNTS)
def test_the_probability_is_one_and_its_other_way_round_the_rest(a: Record, b: Record) -> None:
    assert at_least(a, b) + at_least(b, a) == pytest.approx(1, abs=0.02)
    assert at_least(a, b, SLACK) >= at_least(a, b) - 1e-9


def test_the_probability_is_that_of_drawing_from_both_posteriors() -> None:
    rng, a, b = Random(1), Record(17, 3), Record(9, 4)
    drawn = [
        rng.betavariate(1 + a.good, 1 + a.bad) >= rng.betavariate(1 + b.good, 1 + b.bad) - SLACK
        for _ in range(20_000)
    ]
    assert at_least(a, b, SLACK) == pytest.approx(sum(drawn) / len(drawn), abs=0.01)


def test_what_a_good_run_costs_counts_the_bad_ones() -> None:
    assert per_good(Record(2, 2, 0.4)) == pytest.approx(0.2)
    assert told("m", Record(0, 3, 0.1)) == "m: 0 of 3 runs were good, none of them good"
