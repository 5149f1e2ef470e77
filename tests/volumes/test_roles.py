"""Who belongs to a team, who looks after it, and who looks after the system."""

from __future__ import annotations

import pytest

from llmos.errors import PermissionDenied, UserError
from llmos.store import Store
from llmos.volumes import Caller, Place
from llmos.volumes.roles import (
    SYSTEM,
    Role,
    admins,
    first_user,
    grant,
    join,
    leave,
    make_admin,
    members,
    role_of,
    teams_of,
)

RED = Place("team", "red")
ALICE, BOB = Caller.person("alice"), Caller.person("bob")


@pytest.fixture
def red(store: Store) -> Place:
    """A team that alice looks after and bob belongs to."""
    for user in ("alice", "bob"):
        store.write(lambda tx, u=user: join(tx, "red", u))
    return RED


def roles(store: Store) -> dict[str, str]:
    return {m.user_id: m.role.value for m in store.read(lambda c: members(c, "red"))}


def say(store: Store, caller: Caller, place: Place, user: str, role: Role | None) -> None:
    store.write(lambda tx: grant(tx, caller, place, user, role))


@pytest.mark.usefixtures("red")
def test_the_first_of_a_team_looks_after_it_and_joining_twice_changes_nothing(
    store: Store,
) -> None:
    assert roles(store) == {"alice": "maintainer", "bob": "member"}
    assert not store.write(lambda tx: join(tx, "red", "alice"))
    assert not store.write(lambda tx: join(tx, "red", "bob"))
    assert roles(store) == {"alice": "maintainer", "bob": "member"}
    assert store.read(lambda c: teams_of(c, "bob")) == ["red"]


@pytest.mark.usefixtures("red")
def test_everybody_may_leave_and_the_last_maintainer_hands_over(store: Store) -> None:
    store.write(lambda tx: join(tx, "red", "a-third"))
    assert store.write(lambda tx: leave(tx, "red", "alice"))
    assert roles(store) == {"bob": "maintainer", "a-third": "member"}
    assert not store.write(lambda tx: leave(tx, "red", "alice"))
    for user in ("bob", "a-third"):
        store.write(lambda tx, u=user: leave(tx, "red", u))
    assert roles(store) == {}


def test_only_who_looks_after_a_team_says_who_belongs_to_it(store: Store, red: Place) -> None:
    for caller in (BOB, Caller.team_cron("red"), Caller.system_cron(), Caller.user_cron("alice")):
        with pytest.raises(PermissionDenied, match="only maintainers of the team and admins"):
            say(store, caller, red, "bob", Role.MAINTAINER)
    say(store, ALICE, red, "bob", Role.MAINTAINER)
    say(store, BOB, red, "alice", Role.MEMBER)
    assert roles(store) == {"alice": "member", "bob": "maintainer"}
    say(store, BOB, red, "alice", None)
    assert roles(store) == {"bob": "maintainer"}


def test_the_last_maintainer_and_the_last_admin_stay(store: Store, red: Place) -> None:
    for role in (Role.MEMBER, None):
        with pytest.raises(PermissionDenied, match="the last maintainer"):
            say(store, ALICE, red, "alice", role)
    store.write(lambda tx: first_user(tx, "alice"))
    with pytest.raises(PermissionDenied, match="the last admin"):
        say(store, ALICE, SYSTEM, "alice", None)


def test_the_first_user_of_a_home_is_its_admin_and_makes_others(store: Store) -> None:
    assert store.write(lambda tx: first_user(tx, "alice"))
    assert not store.write(lambda tx: first_user(tx, "alice"))
    assert not store.write(lambda tx: first_user(tx, "bob"))
    with pytest.raises(PermissionDenied, match="only admins"):
        store.write(lambda tx: make_admin(tx, BOB, "bob"))
    store.write(lambda tx: make_admin(tx, ALICE, "bob"))
    assert [m.user_id for m in store.read(admins)] == ["alice", "bob"]
    say(store, BOB, SYSTEM, "alice", None)
    assert store.read(lambda c: role_of(c, SYSTEM, "alice")) is None


def test_an_admin_looks_after_every_team(store: Store, red: Place) -> None:
    store.write(lambda tx: first_user(tx, "carer"))
    say(store, Caller.person("carer"), red, "bob", Role.MAINTAINER)
    say(store, Caller.person("carer"), Place("team", "new"), "bob", Role.MEMBER)
    # A team is never without somebody who looks after it.
    assert store.read(lambda c: role_of(c, Place("team", "new"), "bob")) is Role.MAINTAINER


@pytest.mark.parametrize(
    "place, role",
    [
        (Place("user", "alice"), Role.MEMBER),
        (RED, Role.ADMIN),
        (SYSTEM, Role.MEMBER),
        (SYSTEM, Role.MAINTAINER),
    ],
)
def test_a_role_that_is_none_there_is_refused(store: Store, place: Place, role: Role) -> None:
    store.write(lambda tx: first_user(tx, "alice"))
    with pytest.raises(UserError):
        say(store, ALICE, place, "bob", role)


@pytest.mark.parametrize("bad", ["", "../x", "A"])
def test_members_have_usable_names(store: Store, bad: str) -> None:
    for user, team in ((bad, "red"), ("alice", bad)):
        with pytest.raises(UserError):
            store.write(lambda tx, u=user, t=team: join(tx, t, u))
