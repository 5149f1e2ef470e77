"""Laws of choosing an agent."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.cortex.agents.selection import (
    FEW,
    Choice,
    Option,
    Record,
    choose,
    estimates,
    fit_of,
    may_explore_in,
    narrowed,
)
from llmos.cortex.agents.shipped import shipped
from llmos.errors import BugError

RECORDS = st.builds(
    Record, st.integers(0, 200), st.integers(0, 200), st.floats(0, 10, allow_nan=False)
)
OPTIONS = st.lists(
    st.builds(Option, st.sampled_from(["", "a", "b", "c", "d"]), st.floats(0, 1), RECORDS, RECORDS),
    min_size=1,
    unique_by=lambda o: o.name,
)
WORTH = st.floats(0.01, 10)
SEEDS = st.integers(0, 2**32)


def chosen(options: list[Option], seed: int = 0, worth: float = 1.0, **more: object) -> Choice:
    return choose(options, worth_usd=worth, rng=Random(seed), **more)  # type: ignore[arg-type]


@given(OPTIONS, WORTH, SEEDS, st.integers(0, 50), st.randoms())
def test_a_choice_is_an_option_whatever_their_order(
    options: list[Option], worth: float, seed: int, explored: int, order: Random
) -> None:
    choice = chosen(options, seed, worth, explored=explored)
    assert choice.name in {o.name for o in options}
    assert choice.explored == (choice.name != choice.estimates[0].name)
    again = list(options)
    order.shuffle(again)
    # Sums of prices differ in the last place with their order.
    other = chosen(again, seed, worth, explored=explored)
    assert [e.name for e in other.estimates][:1] == [e.name for e in choice.estimates][:1] or (
        other.estimates[0].utility == pytest.approx(choice.estimates[0].utility)
    )


@given(OPTIONS, WORTH, SEEDS)
def test_nothing_is_tried_where_it_must_not_be_or_the_bound_is_reached(
    options: list[Option], worth: float, seed: int
) -> None:
    assert not chosen(options, seed, worth, may_explore=False).explored
    runs = sum(o.here.runs for o in options)
    assert not chosen(options, seed, worth, explored=may_explore_in(runs)).explored


@given(OPTIONS, WORTH, SEEDS)
def test_what_is_surely_worse_is_never_tried(
    options: list[Option], worth: float, seed: int
) -> None:
    choice = chosen(options, seed, worth)
    by_name = {e.name: e for e in choice.estimates}
    assert by_name[choice.name].bounds[1] >= choice.estimates[0].bounds[0]


@given(OPTIONS, WORTH)
def test_estimates_lie_within_their_bounds_and_success_is_a_chance(
    options: list[Option], worth: float
) -> None:
    for estimate in estimates(options, worth):
        low, high = estimate.bounds
        assert 0 < estimate.success < 1
        assert low <= high
        price = estimate.cost_usd / worth
        assert low + price >= -1e-9 and high + price <= 1 + 1e-9


@given(RECORDS, st.floats(0, 1), st.booleans())
def test_a_success_raises_an_estimate_and_a_failure_lowers_it(
    record: Record, fit: float, there: bool
) -> None:
    def success(more: Record) -> float:
        here, elsewhere = (Record(), record + more) if there else (record + more, Record())
        return estimates([Option("a", fit, here, elsewhere)], 1.0)[0].success

    assert success(Record(good=1)) > success(Record()) > success(Record(bad=1))


@given(RECORDS, st.floats(0, 1), st.floats(0, 1))
def test_a_better_description_is_never_held_against_an_agent(
    record: Record, a: float, b: float
) -> None:
    low, high = sorted((a, b))
    worse, better = (estimates([Option("a", fit, record)], 1.0)[0].success for fit in (low, high))
    assert worse <= better


def test_what_costs_less_and_does_as_well_is_better() -> None:
    dear = Option("dear", here=Record(50, 5, 55.0))
    cheap = Option("cheap", here=Record(50, 5, 0.55))
    assert estimates([dear, cheap], 10.0)[0].name == "cheap"


def test_with_a_long_record_the_best_is_chosen_nearly_always() -> None:
    options = [Option("good", 0.0, Record(180, 20)), Option("bad", 1.0, Record(100, 100))]
    assert all(chosen(options, seed).name == "good" for seed in range(200))


def test_without_any_record_the_description_leads_and_all_are_tried_sometimes() -> None:
    options = [Option(""), Option("fits", 0.9), Option("not", 0.0)]
    names = [chosen(options, seed).name for seed in range(300)]
    assert estimates(options, 1.0)[0].name == "fits"
    assert names.count("fits") > names.count("not") > 0


def test_options_that_are_no_options_are_a_bug() -> None:
    for options, worth in (([], 1.0), ([Option("a"), Option("a")], 1.0), ([Option("a")], 0.0)):
        with pytest.raises(BugError):
            chosen(options, worth=worth)


@given(st.frozensets(st.text()), st.frozensets(st.text()), st.integers(0, 20))
def test_tools_are_only_ever_taken_away(
    granted: frozenset[str], used: frozenset[str], runs: int
) -> None:
    given_ = narrowed(granted, used, runs)
    assert given_ <= granted
    assert bool(given_) == bool(granted)
    if runs < FEW:
        assert given_ == granted


@pytest.mark.parametrize(
    ("goal", "name"),
    [
        ("Fix the bug in parser.py and add tests", "coder"),
        ("Count the rows of sales.csv where the total is missing", "data-analyst"),
        ("Compare the two files and say what the web pages answer", "researcher"),
    ],
)
def test_a_description_fits_the_goals_that_it_is_for(goal: str, name: str) -> None:
    fits = {agent: fit_of(goal, a.description) for agent, a in shipped().items()}
    assert max(fits, key=lambda agent: fits[agent]) == name
    assert all(0 <= fit <= 1 for fit in fits.values())
