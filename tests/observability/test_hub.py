"""The hub on a real store: what is told to whom, once, and in how many lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from llmos.errors import UserError
from llmos.observability import ObservabilityHub
from llmos.store import Store, Transaction
from llmos.store.sqlite import Sqlite
from llmos.values import EventType
from tests.conftest import OpenStore, TestClock


@pytest.fixture
def store(open_store: OpenStore, clock: TestClock) -> Iterator[Store]:
    with open_store(clock) as opened:
        yield opened


@pytest.fixture
def hub(store: Store, clock: TestClock) -> ObservabilityHub:
    return ObservabilityHub(store, user_id="alice", clock=clock)


def task(store: Store, type_: EventType, subject: str, **payload: object) -> str:
    return store.write(
        lambda tx: tx.event(
            type_, owner="alice", actor="alice", subject=subject, title="Sum it", payload=payload
        )
    )


def test_what_was_recorded_is_in_the_feed_newest_first(
    hub: ObservabilityHub, clock: TestClock
) -> None:
    hub.record_artifact_created("insight_001", title="Mondays are slow", why="12 traces say so")
    clock.forward(minutes=5)
    hub.record_proposal_created("crystallize_pattern", actor="user_cron")
    clock.forward(minutes=5)
    hub.record_cycle_complete(tasks=3, duration_s=2.5, cost_usd=0.02, actor="user_cron")
    cycle, proposal, insight = hub.get_activity_feed()
    assert (cycle.what, cycle.cost_usd, cycle.who) == ("cycle: 3 tasks in 2.5 s", 0.02, "user_cron")
    assert proposal.subject == "crystallize_pattern"
    assert (insight.who, insight.what, insight.why) == (
        "alice",
        "Mondays are slow",
        "12 traces say so",
    )
    assert (clock.now - insight.when).total_seconds() == 600


def test_artifacts_and_proposals_are_notified_and_cycles_are_not(hub: ObservabilityHub) -> None:
    hub.record_artifact_created("insight_001", why="12 traces say so")
    hub.record_proposal_created("crystallize_pattern")
    hub.record_cycle_complete(tasks=3, duration_s=2.5)
    proposal, insight = hub.get_pending_notifications()
    assert proposal.type is EventType.PROPOSAL_CREATED
    assert (insight.subject, insight.description) == ("insight_001", "12 traces say so")
    assert "alice" in insight.reason


def test_the_same_finding_is_told_once_and_stays_in_the_feed_each_time(
    hub: ObservabilityHub,
) -> None:
    hub.record_proposal_created("crystallize_pattern")
    hub.record_proposal_created("crystallize_pattern")
    assert len(hub.get_pending_notifications()) == 1
    assert len(hub.get_activity_feed()) == 2
    hub.acknowledge("crystallize_pattern")
    hub.record_proposal_created("crystallize_pattern")
    assert hub.get_pending_notifications() == []


def test_acknowledging_by_subject_ends_that_notification_and_no_other(
    hub: ObservabilityHub,
) -> None:
    hub.record_artifact_created("insight_001")
    hub.record_artifact_created("insight_002")
    assert hub.acknowledge("insight_001") == 1
    assert [n.subject for n in hub.get_pending_notifications()] == ["insight_002"]
    assert hub.acknowledge("insight_001") == 0, "once more changes nothing"


@pytest.mark.parametrize("name", [str, str.lower, lambda i: i[-6:], lambda i: i[-8:].lower()])
def test_an_event_is_named_by_its_id_or_the_end_of_it(hub: ObservabilityHub, name: object) -> None:
    event = hub.record_artifact_created("insight_001")
    assert callable(name)
    assert hub.acknowledge(name(event)) == 1
    assert hub.get_pending_notifications() == []


@pytest.mark.parametrize("name", ["insight_002", "", "%", "001", "ÿ" * 200])
def test_acknowledging_what_never_was_is_an_error(hub: ObservabilityHub, name: str) -> None:
    hub.record_artifact_created("insight_001")
    with pytest.raises(UserError, match="no notification"):
        hub.acknowledge(name)
    assert len(hub.get_pending_notifications()) == 1


def test_nobody_sees_or_acknowledges_what_happened_in_another_volume(
    store: Store, hub: ObservabilityHub, clock: TestClock
) -> None:
    hub.record_artifact_created("insight_001")
    bob = ObservabilityHub(store, user_id="bob", clock=clock)
    assert bob.get_activity_feed() == []
    assert bob.get_pending_notifications() == []
    with pytest.raises(UserError):
        bob.acknowledge("insight_001")
    team = ObservabilityHub(store, user_id="alice", volume="team", owner="alice", clock=clock)
    assert team.get_activity_feed() == []


def test_each_member_of_a_team_acknowledges_for_themselves(store: Store, clock: TestClock) -> None:
    alice, bob = (
        ObservabilityHub(store, user_id=user, volume="team", owner="engineering", clock=clock)
        for user in ("alice", "bob")
    )
    alice.record_artifact_created("tool_007")
    alice.acknowledge("tool_007")
    assert alice.get_pending_notifications() == []
    assert [n.subject for n in bob.get_pending_notifications()] == ["tool_007"]


def test_the_feed_looks_back_by_the_given_clock(hub: ObservabilityHub, clock: TestClock) -> None:
    hub.record_artifact_created("old")
    clock.forward(hours=30)
    hub.record_artifact_created("new")
    assert [e.subject for e in hub.get_activity_feed(since_hours=24)] == ["new"]
    assert [e.subject for e in hub.get_activity_feed(since_hours=48)] == ["new", "old"]


def test_an_event_from_before_a_step_of_the_clock_does_not_end_the_feed(
    hub: ObservabilityHub, clock: TestClock
) -> None:
    hub.record_artifact_created("first")
    clock.forward(days=-3)
    hub.record_artifact_created("stamped_too_early")
    clock.forward(days=3, minutes=1)
    hub.record_artifact_created("last")
    assert [e.subject for e in hub.get_activity_feed()] == ["last", "first"]


def test_quiet_cycles_are_one_line_however_many_there_are(
    hub: ObservabilityHub, clock: TestClock
) -> None:
    first = clock.now
    for i in range(10):
        hub.record_cycle_complete(tasks=1 if i == 5 else 0, duration_s=0.1, why="nothing new")
        clock.forward(minutes=30)
    quiet, busy = hub.get_activity_feed()
    assert (quiet.count, quiet.since, quiet.why) == (9, first, "nothing new")
    assert (busy.count, busy.since) == (1, None)


def test_free_replays_of_one_goal_are_one_line_and_paid_or_stopped_ones_are_not(
    store: Store, hub: ObservabilityHub
) -> None:
    completed = EventType.TASK_COMPLETED
    task(store, completed, "r1", mode="LEARNER", cost_usd=0.5)
    for i in range(3):
        task(store, completed, f"f{i}", mode="FOLLOWER", cost_usd=0.0)
    task(store, completed, "x", mode="MIXED", cost_usd=0.1, side_exit="in.txt has changed")
    task(store, completed, "y", mode="FOLLOWER", already_done=True)
    told = [(e.count, e.cost_usd, e.why) for e in hub.get_activity_feed()]
    assert told == [
        (1, 0.0, "it was already done"),
        (1, 0.1, "the replay stopped: in.txt has changed"),
        (3, 0.0, "replayed from a trace"),
        (1, 0.5, "the model worked alone"),
    ]


def test_a_run_is_one_line_and_one_that_still_runs_is_told_as_begun(
    store: Store, hub: ObservabilityHub
) -> None:
    task(store, EventType.TASK_STARTED, "done")
    task(store, EventType.TASK_FAILED, "done", error="the disk is full")
    task(store, EventType.TASK_STARTED, "running")
    running, failed = hub.get_activity_feed()
    assert running.type is EventType.TASK_STARTED
    assert (failed.type, failed.why) == (EventType.TASK_FAILED, "the disk is full")


def test_a_limit_counts_lines_not_events(store: Store, hub: ObservabilityHub) -> None:
    for i in range(3):
        task(store, EventType.TASK_COMPLETED, f"a{i}", mode="LEARNER")
    for i in range(20):
        task(store, EventType.TASK_COMPLETED, f"b{i}", mode="FOLLOWER")
    assert [e.count for e in hub.get_activity_feed(limit=2)] == [20, 1]


def test_entries_and_notifications_are_json(hub: ObservabilityHub) -> None:
    import json

    hub.record_artifact_created("insight_001")
    for each in (hub.get_activity_feed()[0], hub.get_pending_notifications()[0]):
        told = json.loads(json.dumps(each.as_dict()))
        assert told["subject"] == "insight_001"
        assert told["type"] == "ARTIFACT_CREATED"
    assert hub.get_activity_feed()[0].as_dict()["when"] == "2026-03-02T09:07:00.000000Z"


def test_the_feed_walks_the_owners_index_backwards(
    store: Store, hub: ObservabilityHub, clock: TestClock
) -> None:
    query = hub._events().limit(10).compile(compile_kwargs={"literal_binds": True})

    def plan(conn: Connection) -> str:
        if isinstance(store.database, Sqlite):
            return " ".join(r.detail for r in conn.execute(text(f"EXPLAIN QUERY PLAN {query}")))
        for way in ("seqscan", "bitmapscan"):  # as if there were many rows
            conn.execute(text(f"SET LOCAL enable_{way} = off"))
        return " ".join(conn.scalars(text(f"EXPLAIN {query}")))

    said = store.read(plan)
    assert "events_by_owner" in said
    assert not re.search("TEMP B-TREE|Sort", said), "nothing is sorted: the index has the order"


def test_the_feed_of_many_events_reads_only_the_newest(store: Store, hub: ObservabilityHub) -> None:
    def write(tx: Transaction) -> None:
        for _ in range(1000):
            tx.event(EventType.HEALTH_CHECK, owner="alice", title="healthy", payload={"ok": True})

    store.write(write)
    (line,) = hub.get_activity_feed()
    assert 200 <= line.count < 1000
    assert line.since is not None
