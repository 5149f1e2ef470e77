"""The stored state is a function of the events, however and by whom they are taken in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from llmos.sentience import (
    SET_POINT,
    InternalState,
    Trigger,
    Valence,
    history,
    internal_state,
    take_in,
)
from llmos.sentience.state import BATCH, KEPT, take_in_some
from llmos.store import Store, Transaction
from llmos.store.schema import internal_history, internal_states
from llmos.values import EventType, Json
from tests.sentience.children import take_in_often
from tests.store.children import start

RUN: dict[str, Json] = {"mode": "CRYSTALLIZED", "verdict": "completed"}
KINDS: list[tuple[EventType, dict[str, Json]]] = [
    (EventType.TASK_STARTED, {}),
    (EventType.TASK_COMPLETED, RUN),
    (EventType.TASK_COMPLETED, RUN | {"mode": "LEARNER", "novel": True}),
    (EventType.TASK_FAILED, RUN | {"verdict": "refuted"}),
    (EventType.SYSTEM_ALERT, {"audit": "disagreed"}),
    (EventType.HEALTH_CHECK, {"audit": "agreed"}),
    (EventType.ARTIFACT_CREATED, {"artifact": "tool"}),
]
kinds = st.lists(st.sampled_from(KINDS), max_size=40)
some = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.memory() as made:
        yield made


def happen(
    store: Store, given: Sequence[tuple[EventType, dict[str, Json]]], owner: str = "alice"
) -> None:
    def write(tx: Transaction) -> None:
        for kind, told in given:
            tx.event(kind, owner=owner, payload=told)

    store.write(write)


def stored(store: Store) -> tuple[Any, ...] | None:
    row = store.read(lambda c: c.execute(select(internal_states)).first())
    return None if row is None else tuple(row)


def now(store: Store, user: str = "alice") -> InternalState:
    return store.read(lambda c: internal_state(c, user))


def test_a_home_where_nothing_happened_is_at_its_set_points(store: Store) -> None:
    assert now(store) == InternalState(SET_POINT, 0)
    assert take_in(store, "alice").valence == SET_POINT
    assert stored(store) is None


@some
@given(kinds, st.data())
def test_one_by_one_or_in_batches_the_state_is_the_same(
    given: list[tuple[EventType, dict[str, Json]]], data: st.DataObject
) -> None:
    with Store.memory() as one, Store.memory() as other:
        for event in given:
            happen(one, [event])
            take_in(one, "alice")
        while given:
            size = data.draw(st.integers(1, len(given)))
            happen(other, given[:size])
            given = given[size:]
            if data.draw(st.booleans()):
                take_in(other, "alice")
        assert now(one) == now(other) == take_in(one, "alice") == take_in(other, "alice")
        told = [s.read(lambda c: history(c, "alice")) for s in (one, other)]
        assert [(m.seq, m.triggers, m.valence) for m in told[0]] == [
            (m.seq, m.triggers, m.valence) for m in told[1]
        ]


def test_looking_writes_nothing_and_sees_what_is_not_taken_in_yet(store: Store) -> None:
    happen(store, [KINDS[4]])
    assert now(store).valence == Valence(safety=0.35, curiosity=-0.06, self_confidence=0.25)
    assert stored(store) is None


def test_an_event_is_never_counted_twice(store: Store) -> None:
    happen(store, KINDS)
    first = take_in(store, "alice")
    row = stored(store)
    assert take_in(store, "alice") == first == now(store)
    assert stored(store) == row
    assert store.write(lambda tx: take_in_some(tx, "alice")) == first


def test_decay_is_counted_in_runs_and_not_in_other_events(store: Store) -> None:
    happen(store, [KINDS[4]])
    low = take_in(store, "alice").valence
    happen(store, [KINDS[0]] * 50)
    assert take_in(store, "alice").valence == low
    happen(store, [KINDS[1]])
    after = take_in(store, "alice").valence
    assert after == low.decayed().apply(Trigger.TASK_SUCCESS, Trigger.TASK_REPETITION)
    assert after.safety > low.safety


def test_each_user_has_their_own_state(store: Store) -> None:
    happen(store, [KINDS[4]] * 3)
    happen(store, [KINDS[1]], owner="bob")
    assert take_in(store, "alice").valence.safety == pytest.approx(0.05)
    assert take_in(store, "bob").valence.safety == 0.5


def test_a_long_past_is_taken_in_in_batches(store: Store) -> None:
    happen(store, [KINDS[3], KINDS[1]] * BATCH)
    assert store.write(lambda tx: take_in_some(tx, "alice")).seq == BATCH
    whole = now(store)
    assert take_in(store, "alice") == whole
    assert whole.seq == 2 * BATCH


def test_of_the_history_the_last_thousand_moments_are_kept(store: Store) -> None:
    happen(store, [KINDS[1]] * (KEPT + 700))
    take_in(store, "alice")
    happen(store, [KINDS[1]], owner="bob")
    take_in(store, "bob")
    count = select(func.count()).where(internal_history.c.user_id == "alice")
    assert store.read(lambda c: c.scalar(count)) == KEPT
    moments = store.read(lambda c: history(c, "alice", 5))
    assert [m.seq for m in moments] == [1700, 1699, 1698, 1697, 1696]
    assert moments[0].triggers == (Trigger.TASK_SUCCESS, Trigger.TASK_REPETITION)
    assert moments[0].valence == now(store).valence


def test_two_processes_at_once_count_each_event_once(home: Path) -> None:
    with Store.open(home) as store:
        happen(store, KINDS)
        children = [start(take_in_often, home, 40) for _ in range(2)]
        for _ in range(40):
            happen(store, KINDS[1:4])
        for child in children:
            child.join(60)
            assert child.exitcode == 0
        state = take_in(store, "alice")
        moments = store.read(lambda c: history(c, "alice"))
        assert len(moments) == len({m.seq for m in moments}) == 40 * 3 + len(KINDS) - 1
    with Store.memory() as alone:
        happen(alone, [*KINDS, *KINDS[1:4] * 40])
        assert take_in(alone, "alice").valence == state.valence
