"""What its owner keeps private, the crons of others do not see."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from llmos.errors import PermissionDenied, UserError
from llmos.memory.traces import Traces
from llmos.store import Store
from llmos.store.schema import traces
from llmos.values import ArtifactType
from llmos.volumes import Caller, Place, Version, Volume, is_private, keep_private, share
from llmos.volumes.privacy import shown
from llmos.volumes.roles import join
from tests.evolution.jobs import NOTE
from tests.evolution.office import traces as runs_of

TOOL = ArtifactType.TOOL
ALICE, MINE = Caller.person("alice"), Place("user", "alice")
OTHERS = [Caller.team_cron("red"), Caller.system_cron()]


@pytest.fixture
def secret(store: Store, volume: Volume) -> Version:
    """The first of two tools in alice's volume, who is in the team red."""
    store.write(lambda tx: join(tx, "red", "alice"))
    made = volume.put(None, TOOL, "secret", {"code": "pass"}, author="alice")
    volume.put(None, TOOL, "open", {"code": "pass"}, author="alice")
    return made


def hide(store: Store, kind: str = "artifact", subject: str = "", caller: Caller = ALICE) -> bool:
    return store.write(lambda tx: keep_private(tx, caller, MINE, kind, subject))


def show(store: Store, kind: str = "artifact", subject: str = "") -> bool:
    return store.write(lambda tx: share(tx, ALICE, MINE, kind, subject))


@pytest.mark.parametrize("cron", OTHERS, ids=str)
def test_a_private_artifact_is_not_there_for_the_crons_of_others(
    store: Store, secret: Version, cron: Caller
) -> None:
    theirs = Volume(store, "user", "alice", caller=cron)
    assert theirs.find(TOOL, "secret") is not None
    assert theirs.get_stats()["artifacts"] == 2
    assert hide(store, subject=secret.artifact_id)
    assert theirs.find(TOOL, "secret") is None
    assert [a.name for a in theirs.list_artifacts()] == ["open"]
    assert {c.name for c in theirs.get_recent_changes()} == {"open"}
    stats = theirs.get_stats()
    assert (stats["artifacts"], stats["versions"], stats["by_type"]["tool"]) == (1, 1, 1)
    # The same content under another name is not private.
    assert theirs.version(secret.digest).name == "open"
    reads = (theirs.get, theirs.history, theirs.changes, theirs.read_artifact, theirs.diff)
    for read in reads:
        with pytest.raises(UserError, match="there is no tool 'secret'") as caught:
            read(TOOL, "secret")
        assert caught.value.hint == "there are, among others: open"
    assert show(store, subject=secret.artifact_id)
    assert theirs.get(TOOL, "secret") == secret


def test_a_version_of_a_private_artifact_is_not_found_by_its_digest(
    store: Store, volume: Volume, secret: Version
) -> None:
    other = volume.put(None, TOOL, "secret", {"code": "return 1"}, author="alice")
    hide(store, subject=secret.artifact_id)
    with pytest.raises(UserError, match="no version"):
        Volume(store, "user", "alice", caller=Caller.system_cron()).version(other.digest[:8])


def test_the_systems_cron_cannot_change_what_is_private_or_take_its_name(
    store: Store, volume: Volume, secret: Version
) -> None:
    hide(store, subject=secret.artifact_id)
    system = Volume(store, "user", "alice", caller=Caller.system_cron())
    with pytest.raises(UserError, match="there is no tool 'secret'"):
        system.archive(TOOL, "secret", author="system-cron")
    with pytest.raises(PermissionDenied, match="no tool can be put as 'secret'"):
        system.put(None, TOOL, "secret", {"code": "x"}, author="system-cron")
    assert volume.get(TOOL, "secret") == secret


@pytest.mark.parametrize("cron", OTHERS, ids=str)
def test_a_private_volume_is_closed_to_the_crons_of_others(
    store: Store, secret: Version, cron: Caller
) -> None:
    hide(store, "volume")
    assert store.read(lambda c: is_private(c, MINE, "artifact", secret.artifact_id))
    theirs = Volume(store, "user", "alice", caller=cron)
    with pytest.raises(PermissionDenied, match="private"):
        theirs.list_artifacts()
    with pytest.raises(PermissionDenied):
        theirs.put(None, TOOL, "x", {}, author=cron.author)
    show(store, "volume")
    assert len(theirs.list_artifacts()) == 2


@pytest.mark.parametrize("caller", [ALICE, Caller.user_cron("alice")], ids=str)
def test_its_owner_and_the_owners_cron_see_all(
    store: Store, secret: Version, caller: Caller
) -> None:
    hide(store, "volume")
    hide(store, subject=secret.artifact_id)
    own = Volume(store, "user", "alice", caller=caller)
    assert own.get(TOOL, "secret") == secret
    assert own.get_stats()["artifacts"] == 2


@pytest.mark.parametrize(
    "caller", [Caller.person("bob"), Caller.user_cron("alice"), *OTHERS], ids=str
)
def test_only_its_owner_says_what_is_private(store: Store, secret: Version, caller: Caller) -> None:
    with pytest.raises(PermissionDenied, match="only its owner may"):
        hide(store, subject=secret.artifact_id, caller=caller)
    hide(store, subject=secret.artifact_id)
    with pytest.raises(PermissionDenied, match="only its owner may"):
        store.write(lambda tx: share(tx, caller, MINE, "artifact", secret.artifact_id))


def test_a_teams_volume_cannot_be_private(store: Store) -> None:
    for place in (Place("team", "alice"), Place("system", "system")):
        with pytest.raises(PermissionDenied):
            store.write(lambda tx, p=place: keep_private(tx, ALICE, p, "volume", ""))


def test_keeping_private_twice_is_the_same_as_once(store: Store, secret: Version) -> None:
    assert hide(store, subject=secret.artifact_id)
    assert not hide(store, subject=secret.artifact_id)
    assert show(store, subject=secret.artifact_id)
    assert not show(store, subject=secret.artifact_id)


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize(
    "kind, subject",
    [("artifact", ""), ("artifact", "0" * 26), ("trace", "0" * 26), ("volume", "x"), ("x", "y")],
)
def test_what_is_not_there_cannot_be_private(store: Store, kind: str, subject: str) -> None:
    with pytest.raises(UserError):
        hide(store, kind, subject)


async def test_a_private_trace_is_left_out_by_the_condition_for_queries(store: Store) -> None:
    kept, other = await Traces(store).learn(runs_of(NOTE, 1, 2), "alice", None)
    assert hide(store, "trace", kept.lower())
    query = select(traces.c.id).where(shown(MINE, "trace", traces.c.id))
    assert store.read(lambda c: c.scalars(query).all()) == [other]
    assert store.read(lambda c: is_private(c, MINE, "trace", kept))
    assert not store.read(lambda c: is_private(c, MINE, "trace", other))
