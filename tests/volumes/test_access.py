"""Who may read and write which volume, each rule by itself."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from llmos.errors import PermissionDenied, UserError
from llmos.store import Store
from llmos.values import ArtifactType
from llmos.volumes import Access, Caller, Place, ReadableVolume, Volume, may, require
from llmos.volumes.roles import SYSTEM, Role, first_user, grant, join, leave
from tests.volumes.people import kept_by

TOOL = ArtifactType.TOOL
ALICE, BOB = Place("user", "alice"), Place("user", "bob")
RED, BLUE = Place("team", "red"), Place("team", "blue")
CODE = {"code": "pass"}


@pytest.fixture(autouse=True)
def people(store: Store) -> None:
    """Alice looks after the system and the team red, where bob is; nobody is in blue."""

    def settle(tx) -> None:
        first_user(tx, "alice")
        join(tx, "red", "alice")
        join(tx, "red", "bob")

    store.write(settle)


def rights(store: Store, caller: Caller) -> dict[str, str]:
    """What ``caller`` may: ``rw``, ``r``, ``w`` or nothing, by volume."""

    def of(conn, place: Place) -> str:
        asked = [(Access.READ, "r"), (Access.WRITE, "w")]
        return "".join(told for access, told in asked if may(conn, caller, place, access))

    places = (ALICE, BOB, RED, BLUE, SYSTEM)
    found = store.read(lambda c: {p.owner: of(c, p) for p in places})
    return {owner: told for owner, told in found.items() if told}


def test_a_users_cron_has_its_users_volume_and_reads_those_of_the_users_teams(
    store: Store,
) -> None:
    assert rights(store, Caller.user_cron("alice")) == {"alice": "rw", "red": "r"}
    assert rights(store, Caller.user_cron("bob")) == {"bob": "rw", "red": "r"}
    assert rights(store, Caller.user_cron("red")) == {}


def test_a_teams_cron_reads_its_members_and_the_system_and_has_the_teams_volume(
    store: Store,
) -> None:
    expected = {"alice": "r", "bob": "r", "red": "rw", "system": "r"}
    assert rights(store, Caller.team_cron("red")) == expected
    assert rights(store, Caller.team_cron("blue")) == {"blue": "rw", "system": "r"}
    assert rights(store, Caller.team_cron("alice")) == {"system": "r"}


def test_the_systems_cron_has_all(store: Store) -> None:
    every = dict.fromkeys(("alice", "bob", "red", "blue", "system"), "rw")
    assert rights(store, Caller.system_cron()) == every


def test_a_person_has_their_own_and_reads_their_teams_and_the_systems(store: Store) -> None:
    assert rights(store, Caller.person("bob")) == {"bob": "rw", "red": "r", "system": "r"}
    assert rights(store, Caller.person("red")) == {"system": "r"}


def test_maintainers_write_the_teams_volume_and_admins_the_systems(store: Store) -> None:
    assert rights(store, Caller.person("alice")) == {"alice": "rw", "red": "rw", "system": "rw"}
    alice = Caller.person("alice")
    store.write(lambda tx: grant(tx, alice, RED, "bob", Role.MAINTAINER))
    assert rights(store, Caller.person("bob"))["red"] == "rw"


def test_who_left_a_team_is_out_at_the_next_call(store: Store) -> None:
    volume = ReadableVolume(store, "team", "red", caller=Caller.person("bob"))
    assert volume.list_artifacts() == []
    store.write(lambda tx: leave(tx, "red", "bob"))
    with pytest.raises(PermissionDenied, match="only members of a team") as caught:
        volume.list_artifacts()
    assert caught.value.hint == "ask a maintainer to let you in"
    assert rights(store, Caller.user_cron("bob")) == {"bob": "rw"}
    assert rights(store, Caller.team_cron("red")) == {"alice": "r", "red": "rw", "system": "r"}


@pytest.mark.parametrize(
    "caller, place, access, rule",
    [
        (Caller.person("bob"), ALICE, Access.READ, "a user's volume is that user's alone"),
        (Caller.person("bob"), RED, Access.WRITE, "only maintainers"),
        (Caller.person("bob"), SYSTEM, Access.WRITE, "only admins"),
        (Caller.user_cron("bob"), RED, Access.WRITE, "has its user's volume"),
        (Caller.team_cron("red"), BOB, Access.WRITE, "has the team's volume"),
    ],
)
def test_a_refusal_names_the_rule_and_what_to_do(
    store: Store, caller: Caller, place: Place, access: Access, rule: str
) -> None:
    with pytest.raises(PermissionDenied, match=rule) as caught:
        store.read(lambda c: require(c, caller, place, access))
    assert access.value in caught.value.message and caught.value.hint


def test_every_method_asks(store: Store) -> None:
    kept_by(store, "user", "alice").put(None, TOOL, "f", CODE, author="system-cron")
    volume = Volume(store, "user", "alice", caller=Caller.person("bob"))
    given = {"author": "bob"}
    calls = [
        lambda: volume.find(TOOL, "f"),
        lambda: volume.get(TOOL, "f"),
        lambda: volume.version("0" * 64),
        lambda: volume.history(TOOL, "f"),
        lambda: volume.changes(TOOL, "f"),
        lambda: volume.get_recent_changes(),
        lambda: volume.edition(),
        lambda: volume.list_artifacts(),
        lambda: volume.read_artifact(TOOL, "f"),
        lambda: volume.diff(TOOL, "f"),
        lambda: volume.get_stats(),
        lambda: volume.put(None, TOOL, "f", CODE, **given),
        lambda: volume.rollback(TOOL, "f", **given),
        lambda: volume.set_status(TOOL, "f", "active", **given),
        lambda: volume.archive(TOOL, "f", **given),
        lambda: volume.restore(TOOL, "f", **given),
        lambda: volume.pin(TOOL, "f", **given),
        lambda: volume.unpin(TOOL, "f", **given),
        lambda: store.write(lambda tx: volume.find(TOOL, "f", tx=tx)),
        lambda: store.write(lambda tx: volume.put(tx, TOOL, "f", CODE, **given)),
    ]
    for call in calls:
        with pytest.raises(PermissionDenied, match="a user's volume is that user's alone"):
            call()
    assert len(kept_by(store, "user", "alice").get_recent_changes()) == 1


async def test_a_coroutine_is_asked_too(store: Store) -> None:
    volume = Volume(store, "user", "alice", caller=Caller.person("bob"))
    with pytest.raises(PermissionDenied):
        await volume.aput(TOOL, "f", CODE, author="bob")


def test_nobody_writes_in_anothers_name(store: Store, volume: Volume) -> None:
    for author in ("bob", "user-cron"):
        with pytest.raises(PermissionDenied, match="nobody writes in another's name"):
            volume.put(None, TOOL, "f", CODE, author=author)
    volume.put(None, TOOL, "f", CODE, author="alice")
    for change in (volume.pin, volume.archive, volume.restore, volume.unpin, volume.rollback):
        with pytest.raises(PermissionDenied, match="nobody writes in another's name"):
            change(TOOL, "f", author="bob")
    assert len(volume.get_recent_changes()) == 1


def test_of_ones_own_volume_nothing_is_asked_of_the_database(store: Store) -> None:
    asked: list[str] = []
    for caller in (Caller.person("alice"), Caller.user_cron("alice")):
        own = Volume(store, "user", "alice", caller=caller)
        with store._reading.connect() as connection:
            event.listen(connection, "before_cursor_execute", lambda *a: asked.append(a[2]))
            for access in Access:
                require(connection, caller, own.place, access)
    assert asked == []


def test_what_is_recorded_is_the_user_or_the_name_of_the_cron() -> None:
    callers = [Caller.person("alice"), Caller.user_cron("alice"), Caller.team_cron("red")]
    callers += [Caller.system_cron(), Caller.user_cron("alice", "audit")]
    expected = ["alice", "user-cron", "team-cron", "system-cron", "audit"]
    assert [caller.author for caller in callers] == expected


@pytest.mark.parametrize("name", ["", "../x", "A", "user-cron", "team-cron", "system-cron"])
def test_a_person_has_a_usable_name_that_no_cron_has(name: str) -> None:
    with pytest.raises(UserError):
        Caller.person(name)
