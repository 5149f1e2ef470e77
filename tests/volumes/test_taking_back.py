"""What is taken back is as it was; what came after it is never lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from llmos.errors import PermissionDenied, UserError
from llmos.store import Store, Transaction, new_id
from llmos.store.schema import events, roles, stamp
from llmos.values import ArtifactType, EventType
from llmos.volumes import Status, Volume
from llmos.volumes.taking_back import find_happening, take_back
from tests.volumes.people import Everybodys

TOOL = ArtifactType.TOOL


@pytest.fixture
def volume(store: Store) -> Everybodys:
    return Everybodys(store, "user", "alice")


def put(volume: Volume, number: int, author: str = "alice", **more: Any) -> str:
    more = {"status": Status.ACTIVE} | more
    return volume.put(None, TOOL, "f", {"number": number}, author=author, **more).digest


def newest(store: Store, what: str = "") -> str:
    query = select(events.c.id).order_by(events.c.seq.desc())
    if what:
        query = query.where(events.c.payload.contains(f'"what":"{what}"'))
    return str(store.read(lambda c: c.scalar(query.limit(1))))


def undo(store: Store, event: str, author: str = "alice") -> list[str]:
    return store.write(lambda tx: take_back(tx, event, author))


def state(volume: Volume, name: str = "f") -> tuple[str, Status, bool] | None:
    """What an artifact is now; one that was never there is as one that is laid aside."""
    found = volume.find(TOOL, name)
    if found is None or found.status is Status.ARCHIVED:
        return None
    return found.current, found.status, found.pinned


def test_an_evolved_tool_goes_back_to_the_version_before(store: Store, volume: Volume) -> None:
    first = put(volume, 1)
    put(volume, 2)
    assert undo(store, newest(store)) == ["tool 'f' is at version 1 again"]
    assert state(volume) == (first, Status.ACTIVE, False)


CHANGES: dict[str, Callable[[Volume], object]] = {
    "archived": lambda v: v.archive(TOOL, "f", author="alice"),
    "status": lambda v: v.set_status(TOOL, "f", Status.QUARANTINED, author="alice"),
    "pinned": lambda v: v.pin(TOOL, "f", author="alice"),
    "evolved": lambda v: put(v, 2),
}


@pytest.mark.parametrize("what", CHANGES)
def test_taking_back_can_be_taken_back_and_is_done_once(
    store: Store, volume: Volume, what: str
) -> None:
    put(volume, 1)
    before = state(volume)
    CHANGES[what](volume)
    after = volume.find(TOOL, "f")
    changed = newest(store)
    undo(store, changed)
    assert state(volume) == before
    taken_back = newest(store)
    assert taken_back != changed
    assert "already" in undo(store, changed)[0]
    assert newest(store) == taken_back, "what changes nothing leaves no event"
    undo(store, taken_back)
    again = volume.find(TOOL, "f")
    assert again is not None and after is not None
    assert (again.current, again.status, again.pinned) == (
        after.current,
        after.status,
        after.pinned,
    )


def test_the_record_says_which_event_was_taken_back(store: Store, volume: Volume) -> None:
    put(volume, 1)
    event = newest(store)
    undo(store, event)
    assert volume.get_recent_changes(1)[0].why == f"takes back {event[-6:].lower()}"


def test_what_something_came_after_is_not_taken_back(store: Store, volume: Volume) -> None:
    put(volume, 1)
    put(volume, 2)
    second = newest(store)
    last = put(volume, 3)
    with pytest.raises(UserError, match="version 3 came after it") as told:
        undo(store, second)
    assert "llmos tools rollback f" in told.value.hint
    assert state(volume) == (last, Status.ACTIVE, False)


def test_a_status_that_became_another_is_not_taken_back(store: Store, volume: Volume) -> None:
    put(volume, 1)
    volume.set_status(TOOL, "f", Status.QUARANTINED, author="alice")
    event = newest(store)
    volume.archive(TOOL, "f", author="alice")
    with pytest.raises(UserError, match="became archived"):
        undo(store, event)


def test_a_promoted_tool_is_archived_where_it_was_promoted_to(store: Store) -> None:
    team = Everybodys(store, "team", "engineering")
    digest = put(team, 1, "team-cron")

    def promote(tx: Transaction) -> str:
        payload = {"artifact": "tool", "name": "f", "version": 1, "digest": digest}
        where = {"volume": "team", "owner": "engineering", "actor": "team-cron"}
        return tx.event(EventType.ARTIFACT_PROMOTED, subject="x", payload=payload, **where)

    event = store.write(promote)
    with pytest.raises(UserError, match="no event"):
        undo(store, event)
    give(store, "team", "engineering", "alice", "member")
    with pytest.raises(PermissionDenied, match="not yours"):
        undo(store, event)
    give(store, "team", "engineering", "bob", "maintainer")
    assert undo(store, event, "bob") == ["tool 'f' was archived"]
    assert state(team) is None


def test_an_announced_suggestion_is_laid_aside(store: Store, volume: Volume) -> None:
    content = {"title": "t", "text": "", "finding": "x", "evidence": {}, "action": {}}
    volume.put(None, ArtifactType.SUGGESTION, "s1", content, author="user-cron")
    event = store.write(
        lambda tx: tx.event(EventType.SUGGESTION_CREATED, owner="alice", subject="s1")
    )
    undo(store, event)
    found = volume.find(ArtifactType.SUGGESTION, "s1")
    assert found is not None and found.status is Status.ARCHIVED


def test_a_run_is_no_change_of_an_artifact(store: Store) -> None:
    event = store.write(
        lambda tx: tx.event(EventType.TASK_COMPLETED, owner="alice", subject="RUN", title="Sum")
    )
    with pytest.raises(UserError) as told:
        undo(store, event)
    assert "llmos undo RUN" in told.value.hint


@pytest.mark.parametrize("named", ["", "abc", "%%%%%%", "ZZZZZZ", "last", "é" * 8])
def test_what_is_no_event_is_refused_in_one_line(store: Store, named: str) -> None:
    assert store.read(lambda c: find_happening(c, named, "alice")) is None
    with pytest.raises(UserError, match="no event"):
        undo(store, named)


def test_an_event_is_named_by_the_end_of_its_id(store: Store, volume: Volume) -> None:
    put(volume, 1)
    undo(store, newest(store)[-6:].lower())
    assert state(volume) is None


def test_nobody_takes_back_what_happened_in_the_volume_of_another(
    store: Store, volume: Volume
) -> None:
    put(volume, 1)
    with pytest.raises(UserError, match="no event"):
        undo(store, newest(store), "bob")


# --- cycles --------------------------------------------------------------------------------------


def give(store: Store, scope: str, owner: str, user: str, role: str) -> None:
    def write(tx: Transaction) -> None:
        row = {"scope": scope, "owner": owner, "user_id": user, "role": role}
        tx.conn.execute(insert(roles), row | {"since": stamp(tx.now)})

    store.write(write)


def cycle(
    store: Store, work: Callable[[], object], level: str = "user", owner: str = "alice"
) -> str:
    """Do ``work`` between the events of a cycle; the cycle's id."""
    cycle_id = new_id()
    where: dict[str, Any] = {"volume": level, "owner": owner, "actor": f"{level}-cron"}
    store.write(lambda tx: tx.event(EventType.CYCLE_BEGIN, subject=cycle_id, **where))
    work()
    payload = {"tasks": 1, "ok": True}
    store.write(
        lambda tx: tx.event(EventType.CYCLE_END, subject=cycle_id, payload=payload, **where)
    )
    return cycle_id


def test_a_cycle_is_taken_back_as_a_whole_and_comes_back_one_by_one(
    store: Store, volume: Volume
) -> None:
    def work() -> None:
        put(volume, 1, "user-cron", status=Status.SHADOWING)
        volume.set_status(TOOL, "f", Status.ACTIVE, author="user-cron")
        volume.put(None, TOOL, "g", {"n": 1}, author="user-cron", status=Status.ACTIVE)

    cycle_id = cycle(store, work)
    assert undo(store, cycle_id) == ["tool 'g' was archived", "tool 'f' was archived"]
    assert state(volume) is None
    assert "changed nothing that is still so" in undo(store, cycle_id[-6:])[0]
    undo(store, newest(store))
    again = state(volume)
    assert again is not None and again[1] is Status.ACTIVE, "it is in use as it was"


def test_a_cycle_leaves_what_somebody_changed_since_and_what_it_did_not_do(
    store: Store, volume: Volume
) -> None:
    volume.put(None, TOOL, "g", {"n": 1}, author="alice", status=Status.ACTIVE)

    def work() -> None:
        put(volume, 1, "user-cron")
        volume.put(None, TOOL, "g", {"n": 2}, author="user-cron", status=Status.ACTIVE)
        volume.put(None, TOOL, "h", {"n": 2}, author="alice", status=Status.ACTIVE)

    cycle_id = cycle(store, work)
    volume.pin(TOOL, "g", author="alice")
    told = undo(store, cycle_id)
    assert told == [
        "left: tool 'g' was pinned to version 2, by alice since",
        "tool 'f' was archived",
    ]
    assert volume.get(TOOL, "g").seq == 2
    assert state(volume, "h") is not None


def test_a_cycle_that_is_not_over_is_not_taken_back(store: Store) -> None:
    cycle_id = new_id()
    store.write(
        lambda tx: tx.event(
            EventType.CYCLE_BEGIN, owner="alice", actor="user-cron", subject=cycle_id
        )
    )
    with pytest.raises(UserError, match="not over"):
        undo(store, cycle_id)


def test_only_an_admin_takes_back_what_the_system_did_everywhere(
    store: Store, volume: Volume
) -> None:
    put(volume, 1)
    archive = lambda: volume.archive(TOOL, "f", author="system-cron")  # noqa: E731
    cycle_id = cycle(store, archive, "system", "system")
    with pytest.raises(PermissionDenied, match="system volume"):
        undo(store, cycle_id)
    give(store, "system", "system", "bob", "admin")
    assert undo(store, cycle_id, "bob") == ["tool 'f' version 1 is active again"]


# --- the law -------------------------------------------------------------------------------------

STATUSES = st.sampled_from(list(Status))
NUMBERS = st.integers(0, 3)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), NUMBERS, STATUSES, st.booleans()),
        st.tuples(st.just("status"), NUMBERS, STATUSES),
        st.tuples(st.just("rollback"), NUMBERS),
        st.tuples(st.sampled_from(["pin", "unpin", "archive", "restore"])),
    ),
    max_size=14,
)


def do(volume: Volume, operation: tuple[Any, ...]) -> None:
    match operation:
        case ("put", number, status, automatic):
            put(volume, number, status=status, automatic=automatic)
        case ("status", number, status):
            volume.set_status(TOOL, "f", status, version=number, author="alice")
        case ("rollback", number):
            volume.rollback(TOOL, "f", number, author="alice")
        case (name,):
            getattr(volume, name)(TOOL, "f", author="alice")


def whole(volume: Volume) -> object:
    """The artifact and the status of each of its versions."""
    if volume.find(TOOL, "f") is None:
        return None
    found = volume.find(TOOL, "f")
    assert found is not None
    statuses = {v.seq: v.status for v in volume.history(TOOL, "f")}
    return found.current, found.status, found.pinned, statuses


@settings(max_examples=60, deadline=None)
@given(OPERATIONS)
def test_undoing_all_events_in_reverse_order_gives_every_former_state_back(
    operations: list[tuple[Any, ...]],
) -> None:
    with Store.memory(lambda: datetime(2026, 3, 2, tzinfo=UTC)) as store:
        _undo_in_reverse_order(Everybodys(store, "user", "alice"), store, operations)


def _undo_in_reverse_order(volume: Volume, store: Store, operations: list[tuple[Any, ...]]) -> None:
    past: list[tuple[str, object]] = []
    for operation in operations:
        before, last = whole(volume), newest(store)
        try:
            do(volume, operation)
        except UserError:
            continue
        if newest(store) != last:
            past.append((newest(store), before))
    for event, before in reversed(past):
        undo(store, event, "alice")
        assert same(whole(volume), before)


def same(now: Any, before: Any) -> bool:
    """Whether all is as before; versions made since are kept, and a first one is laid aside."""
    if before is None:
        return bool(now[1] is Status.ARCHIVED)
    return bool(now[:3] == before[:3] and before[3].items() <= now[3].items())
