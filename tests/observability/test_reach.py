"""Whom notifications reach, and what a line of the feed lets one type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from llmos.observability import ObservabilityHub
from llmos.store import Store, Transaction
from llmos.store.schema import roles, stamp
from llmos.values import ArtifactType, EventType
from llmos.volumes import Status
from tests.conftest import TestClock
from tests.volumes.people import Everybodys


@pytest.fixture
def store(home: Path, clock: TestClock) -> Iterator[Store]:
    with Store.open(home, clock=clock) as opened:
        yield opened


@pytest.fixture
def hub(store: Store, clock: TestClock) -> ObservabilityHub:
    return ObservabilityHub(store, user_id="alice", clock=clock)


def tell(store: Store, audience: str, owner: str, title: str) -> str:
    def write(tx: Transaction) -> str:
        event = tx.event(EventType.SYSTEM_ALERT, volume=audience, owner=owner, title=title)
        more = {"description": "", "reason": "", "finding": title}
        tx.notify(event, audience=audience, owner=owner, title=title, **more)
        return event

    return store.write(write)


def give(store: Store, scope: str, owner: str, user: str, role: str) -> None:
    row = {"scope": scope, "owner": owner, "user_id": user, "role": role}
    store.write(lambda tx: tx.conn.execute(insert(roles), row | {"since": stamp(tx.now)}))


def test_what_is_told_to_a_team_reaches_its_members_and_to_the_system_its_admins(
    store: Store, hub: ObservabilityHub, clock: TestClock
) -> None:
    tell(store, "team", "engineering", "for engineering")
    tell(store, "team", "sales", "for sales")
    tell(store, "system", "system", "for admins")
    assert hub.get_pending_notifications() == []
    give(store, "team", "engineering", "alice", "member")
    assert [n.title for n in hub.get_pending_notifications()] == ["for engineering"]
    give(store, "system", "system", "bob", "admin")
    bob = ObservabilityHub(store, user_id="bob", clock=clock)
    assert [n.title for n in bob.get_pending_notifications()] == ["for admins"]


def test_each_acknowledges_what_their_team_is_told_for_themselves(
    store: Store, hub: ObservabilityHub, clock: TestClock
) -> None:
    event = tell(store, "team", "engineering", "for engineering")
    for user in ("alice", "bob"):
        give(store, "team", "engineering", user, "member")
    assert hub.acknowledge(event) == 1
    assert hub.get_pending_notifications() == []
    bob = ObservabilityHub(store, user_id="bob", clock=clock)
    assert len(bob.get_pending_notifications()) == 1


def test_what_one_transaction_does_to_one_artifact_is_one_line(
    store: Store, hub: ObservabilityHub
) -> None:
    volume = Everybodys(store, "user", "alice")

    def write(tx: Transaction) -> None:
        volume.put(tx, ArtifactType.TOOL, "f", {"n": 1}, author="user-cron", note="4 runs agree")
        volume.set_status(ArtifactType.TOOL, "f", Status.ACTIVE, author="user-cron", tx=tx)
        volume.put(tx, ArtifactType.TOOL, "g", {"n": 1}, author="user-cron")

    store.write(write)
    g, f = hub.get_activity_feed()
    assert (f.what, f.why, f.count) == ("tool 'f' was created", "4 runs agree", 1)
    assert g.what == "tool 'g' was created"
    assert f.undo == f"llmos undo {f.event_id[-6:].lower()}"
    assert f.diff == ""


def test_a_new_version_says_how_to_see_the_difference(
    store: Store, hub: ObservabilityHub, clock: TestClock
) -> None:
    volume = Everybodys(store, "user", "alice")
    a = volume.put(None, ArtifactType.TOOL, "f", {"n": 1}, author="bob")
    clock.forward(seconds=1)
    b = volume.put(None, ArtifactType.TOOL, "f", {"n": 2}, author="bob")
    line = hub.get_activity_feed()[0]
    assert line.diff == f"llmos tools diff f {a.digest[:12]} {b.digest[:12]}"


def test_a_row_that_stands_for_many_quiet_cycles_counts_as_many(
    store: Store, hub: ObservabilityHub
) -> None:
    for quiet in (40, 7):
        payload = {"tasks": 0, "why": "nothing new", "quiet": quiet, "ok": True}
        store.write(lambda tx, p=payload: tx.event(EventType.CYCLE_END, owner="alice", payload=p))
    (line,) = hub.get_activity_feed()
    assert (line.count, line.what, line.why) == (47, "cycle: nothing to do", "nothing new")


def test_a_failed_cycle_says_so_and_is_not_quiet(store: Store, hub: ObservabilityHub) -> None:
    payload = {"tasks": 0, "error": "the disk is full", "ok": False}
    for _ in range(2):
        store.write(lambda tx: tx.event(EventType.CYCLE_END, owner="alice", payload=payload))
    assert [e.what for e in hub.get_activity_feed()] == ["cycle failed: the disk is full"] * 2
