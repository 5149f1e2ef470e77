"""The laws of the four numbers: they hold under any events whatever."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.sentience.valence import (
    DECAY,
    DIMENSIONS,
    PUSHES,
    SENSITIVITY,
    SET_POINT,
    Trigger,
    Valence,
)

number = st.floats(-1, 1)
valences = st.builds(Valence, number, number, number, number)
triggers = st.lists(st.sampled_from(Trigger), max_size=12)
moves = st.lists(st.one_of(st.none(), st.sampled_from(Trigger)), max_size=300)


def lived(valence: Valence, events: list[Trigger | None]) -> Valence:
    """After events; None is a run in which nothing happened."""
    for event in events:
        valence = valence.decayed() if event is None else valence.apply(event)
    return valence


def test_the_numbers_are_those_of_the_design() -> None:
    assert SET_POINT.as_dict() == {
        "safety": 0.5,
        "curiosity": 0.0,
        "energy": 0.7,
        "self_confidence": 0.3,
    }
    assert SENSITIVITY == (0.15, 0.12, 0.08, 0.10)
    assert DECAY == (0.02, 0.03, 0.01, 0.02)
    assert tuple(SET_POINT.as_dict()) == DIMENSIONS == SENSITIVITY._fields


def test_every_trigger_moves_something_and_none_by_more_than_its_sensitivity() -> None:
    assert set(PUSHES) == set(Trigger)
    for push in PUSHES.values():
        assert any(push)
        assert all(-1 <= p <= 1 for p in push)


@given(valences, moves)
def test_no_events_take_a_number_out_of_its_bounds(start: Valence, events: list[Trigger]) -> None:
    assert all(-1 <= n <= 1 for n in lived(start, events).numbers)


@given(valences)
def test_decay_goes_toward_the_set_point_and_never_beyond(valence: Valence) -> None:
    after = valence.decayed()
    for was, now, goal in zip(valence.numbers, after.numbers, SET_POINT.numbers, strict=True):
        assert min(was, goal) <= now <= max(was, goal)
    assert after.cost <= valence.cost


@given(valences)
def test_left_alone_the_set_point_is_reached_again(valence: Valence) -> None:
    assert lived(valence, [None] * 1500).cost < 1e-9


def test_at_the_set_point_nothing_decays_and_it_costs_nothing() -> None:
    assert SET_POINT.decayed() == SET_POINT
    assert SET_POINT.cost == 0
    assert Valence(safety=0.0, energy=0.2).cost == pytest.approx(0.5)


@given(valences, triggers, st.randoms(use_true_random=False))
def test_the_order_of_what_comes_together_does_not_matter(
    start: Valence, together: list[Trigger], rng: random.Random
) -> None:
    other = together.copy()
    rng.shuffle(other)
    assert start.apply(*together) == start.apply(*other)


@given(valences, st.sampled_from(Trigger), valences)
def test_a_trigger_does_not_turn_the_order_of_two_states(
    one: Valence, trigger: Trigger, other: Valence
) -> None:
    pairs = zip(one.numbers, other.numbers, strict=True)
    after = zip(one.apply(trigger).numbers, other.apply(trigger).numbers, strict=True)
    for (a, b), (then_a, then_b) in zip(pairs, after, strict=True):
        assert (then_a <= then_b) if a <= b else (then_a >= then_b)


@given(valences, moves)
def test_more_violations_never_make_it_feel_safer(start: Valence, events: list[Trigger]) -> None:
    safer = lived(start, [e for e in events if e is not Trigger.SAFETY_VIOLATION])
    with_quiet = [None if e is Trigger.SAFETY_VIOLATION else e for e in events]
    assert lived(start, events).safety <= safer.safety + 1e-12
    assert lived(Valence(), events).safety <= max(0.5, lived(Valence(), with_quiet).safety) + 1e-12


def test_any_number_of_successes_does_not_hide_the_first_violation() -> None:
    usual = [None, Trigger.TASK_SUCCESS, Trigger.TASK_REPETITION]
    after = lived(SET_POINT, usual * 1000).apply(Trigger.SAFETY_VIOLATION)
    assert after.safety == pytest.approx(0.35)
