"""Exact bounds of a rate: what the claim of free runs rests on."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.evolution.bounds import lower_bound, upper_bound

trials = st.integers(1, 400)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(trials, st.data())
def test_one_more_failure_raises_both_bounds(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n - 1))
    assert upper_bound(k, n) < upper_bound(k + 1, n) or upper_bound(k, n) == 1.0
    assert lower_bound(k, n) < lower_bound(k + 1, n)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(trials, st.data())
def test_one_more_clean_trial_lowers_both_bounds(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    assert upper_bound(k, n + 1) < upper_bound(k, n)
    assert lower_bound(k, n + 1) <= lower_bound(k, n)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(trials, st.data())
def test_the_counted_share_lies_between_the_bounds(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    assert 0.0 <= lower_bound(k, n) <= k / n <= upper_bound(k, n) <= 1.0


@settings(max_examples=100, deadline=None, derandomize=True)
@given(trials, st.data())
def test_failures_and_passes_mirror_each_other(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    assert lower_bound(k, n) == pytest.approx(1 - upper_bound(n - k, n), abs=1e-9)


@pytest.mark.parametrize("n", [1, 12, 298, 299, 10_000])
def test_without_a_failure_the_bound_is_the_closed_form(n: int) -> None:
    assert upper_bound(0, n) == pytest.approx(1 - 0.05 ** (1 / n), rel=1e-9)


def test_one_percent_takes_299_clean_audits() -> None:
    assert round(upper_bound(0, 298), 4) == 0.01
    assert upper_bound(0, 298) > 0.01
    assert upper_bound(0, 299) <= 0.01


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    # Two-sided 90 % limits, as tables of the binomial distribution give them.
    [(1, 10, 0.00512, 0.39416), (5, 10, 0.22244, 0.77756), (2, 20, 0.01807, 0.28262)],
)
def test_bounds_are_those_of_the_tables(k: int, n: int, low: float, high: float) -> None:
    assert lower_bound(k, n) == pytest.approx(low, abs=1e-5)
    assert upper_bound(k, n) == pytest.approx(high, abs=1e-5)


def test_nothing_tried_claims_nothing() -> None:
    assert (lower_bound(0, 0), upper_bound(0, 0)) == (0.0, 1.0)


def test_many_audits_are_counted_quickly_and_exactly() -> None:
    # The normal approximation is good here, so that a slip of the sum would show.
    assert upper_bound(1000, 100_000) == pytest.approx(0.01 + 1.645 * 0.000315, abs=2e-5)
