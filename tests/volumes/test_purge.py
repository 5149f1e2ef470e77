"""What is purged is really gone, with all that was made from it, and what is left still holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from llmos.errors import PermissionDenied, UserError
from llmos.store import Store, Transaction, new_id
from llmos.store.schema import events, metadata, patterns, private, proposals, usages
from llmos.values import ArtifactType, EventType
from llmos.volumes import (
    Caller,
    Outcome,
    Place,
    Status,
    Version,
    Volume,
    keep_private,
    record_usage,
)
from llmos.volumes.promotion import promote
from llmos.volumes.purge import purge
from llmos.volumes.roles import first_user, join
from tests.volumes.people import kept_by, of_alice

TOOL = ArtifactType.TOOL
ALICE, BOB, ADMIN = (Caller.person(u) for u in ("alice", "bob", "keeper"))
MINE, RED = Place("user", "alice"), Place("team", "red")
SECRET = "the-heron-sings"


@pytest.fixture(autouse=True)
def people(store: Store) -> None:
    settle(store)


def settle(store: Store) -> None:
    """Bob looks after the team red, where alice is; keeper after the system."""
    for user in ("bob", "alice"):
        store.write(lambda tx, u=user: join(tx, "red", u))
    store.write(lambda tx: first_user(tx, "keeper"))


def put(volume: Volume, told: str, name: str = "f", **more) -> Version:
    content = {"code": told}
    author = volume.caller.author
    return volume.put(None, TOOL, name, content, author=author, status=Status.ACTIVE, **more)


def up(store: Store, source: Version, target: Volume, **more) -> Version:
    author = target.caller.author
    return store.write(lambda tx: promote(tx, source, target, author=author, why="", **more))


def delete(
    store: Store, caller: Caller = ALICE, place: Place = MINE, name: str = "f", why: str = ""
) -> int:
    return store.write(lambda tx: purge(tx, caller, place, TOOL, name, why))


def dump(store: Store) -> str:
    """Everything in the database."""
    tables = metadata.sorted_tables
    return store.read(lambda c: str([c.execute(select(t)).all() for t in tables]))


def sound(store: Store) -> bool:
    if store.read(lambda c: c.dialect.name) == "postgresql":
        return True  # it looks after that itself, at every statement
    return not store.read(lambda c: c.execute(text("PRAGMA foreign_key_check")).all())


def used(store: Store, version: Version) -> None:
    """Rows of every table that point at a version or speak of it."""

    def write(tx: Transaction) -> None:
        record_usage(tx, version, Outcome.SERVED, user_id="alice", detail=SECRET)
        tx.conn.execute(insert(proposals).values(**PROPOSAL, id=new_id(), digest=version.digest))
        tx.conn.execute(insert(patterns).values(**PATTERN))
        keep_private(tx, ALICE, MINE, "artifact", version.artifact_id)

    store.write(write)


PROPOSAL = {
    **dict.fromkeys(("at", "expires_at"), "2026-03-02T09:07:00.000000Z"),
    **{"kind": "promote", "volume": "user", "owner": "alice", "type": "tool", "name": "f"},
    **{"to_volume": "team", "to_owner": "red", "status": "proposed", "by": "user-cron"},
    **{"decided_by": "", "why": SECRET, "evidence": json.dumps([SECRET])},
}
PATTERN = {
    **dict.fromkeys(("runs", "model_runs", "free_runs", "failed", "failing"), 0),
    **dict.fromkeys(("first_at", "last_at"), "2026-03-02T09:07:00.000000Z"),
    **{"owner": "alice", "key": "0" * 64, "shape": "x", "example": "x", "tool": "f"},
    **{"tokens": 0, "cost_micro": 0, "traces": "[]", "failures": "[]"},
}


def test_nothing_is_left_but_one_event_with_names_and_digests(store: Store, volume: Volume) -> None:
    first = put(volume, f"# {SECRET}", note=SECRET)
    second = put(volume, f"# {SECRET} again", note=SECRET)
    volume.set_status(TOOL, "f", Status.SHADOWING, author="alice", why=SECRET)
    used(store, second)
    assert SECRET in dump(store)
    assert delete(store, why="a customer asked") == 2
    assert SECRET not in dump(store)
    assert volume.find(TOOL, "f") is None
    for table in (usages, proposals, private):
        assert store.read(lambda c, t=table: c.execute(select(t)).all()) == []
    assert store.read(lambda c: c.scalar(select(patterns.c.tool))) is None
    query = select(events).where(events.c.type == EventType.ARTIFACT_DELETED.value)
    (row,) = store.read(lambda c: c.execute(query).all())
    told = json.loads(row.payload)
    assert (row.owner, row.actor, row.subject) == ("alice", "alice", first.artifact_id)
    assert [v["digest"] for v in told["versions"]] == [first.digest, second.digest]
    assert (told["name"], told["why"]) == ("f", "a customer asked")
    assert sound(store)


def test_nothing_of_it_is_left_in_the_file(home: Path) -> None:
    with Store.open(home) as store:
        volume = of_alice(store)
        put(volume, SECRET * 3000)
        put(volume, "kept", "g")
    assert SECRET.encode() in (home / "llmos.db").read_bytes()
    with Store.open(home) as store:
        delete(store)
        assert of_alice(store).get(TOOL, "g").code == "kept"
    left = [p for p in home.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]
    assert left == []


def test_what_was_made_from_it_is_gone_in_every_volume(store: Store, volume: Volume) -> None:
    red, system = kept_by(store, "team", "red"), kept_by(store, "system", "system")
    source = put(volume, "1")
    up(store, up(store, source, red, content={"code": "2"}), system)
    put(volume, "3", "g", lineage=[source.digest])
    own = put(red, "4", "own")
    for place in (red, system):
        assert place.find(TOOL, "f") is not None
    assert delete(store) == 4
    assert (red.find(TOOL, "f"), system.find(TOOL, "f")) == (None, None)
    assert (volume.list_artifacts(), red.get(TOOL, "own")) == ([], own)
    assert sound(store)


def test_an_artifact_that_is_partly_of_it_goes_on_with_what_is_its_own(
    store: Store, volume: Volume
) -> None:
    red = kept_by(store, "team", "red")
    put(volume, "1", "mine")
    kept = up(store, put(volume, "2", "g"), red)
    lined = [volume.get(TOOL, "mine").digest]
    red.put(None, TOOL, "g", {"code": "3"}, author="system-cron", lineage=lined)
    assert delete(store, name="mine") == 2
    assert red.get(TOOL, "g") == kept
    assert [v.seq for v in red.history(TOOL, "g")] == [1]
    assert red.changes(TOOL, "g")[0].why == "the version that counted was purged"
    assert sound(store)


def test_the_edition_of_every_volume_that_lost_something_is_another(
    store: Store, volume: Volume
) -> None:
    red = kept_by(store, "team", "red")
    up(store, put(volume, "1"), red)
    put(volume, "2", "g")
    put(red, "2", "g")
    seen = {(volume.edition(), red.edition())}
    delete(store)
    seen.add((volume.edition(), red.edition()))
    put(volume, "1")
    seen.add((volume.edition(), red.edition()))
    delete(store, name="g")
    delete(store, name="f")
    seen.add((volume.edition(), red.edition()))
    assert len({v for v, _ in seen}) == 4
    assert len({r for _, r in seen}) == 2


def test_a_pinned_artifact_is_not_purged(store: Store, volume: Volume) -> None:
    put(volume, "1")
    volume.pin(TOOL, "f", author="alice")
    with pytest.raises(UserError, match="is pinned"):
        delete(store)
    volume.unpin(TOOL, "f", author="alice")
    assert delete(store) == 1
    with pytest.raises(UserError, match="there is no tool 'f'"):
        delete(store)


@pytest.mark.parametrize(
    "caller", [BOB, Caller.user_cron("alice"), Caller.team_cron("red"), Caller.system_cron()]
)
def test_only_its_owner_or_an_admin_purges(store: Store, volume: Volume, caller: Caller) -> None:
    put(volume, "1")
    with pytest.raises(PermissionDenied, match="only its owner or an admin"):
        delete(store, caller)
    assert delete(store, ADMIN) == 1


def test_who_looks_after_a_team_purges_what_is_the_teams(store: Store) -> None:
    put(kept_by(store, "team", "red"), "1")
    with pytest.raises(PermissionDenied):
        delete(store, ALICE, RED)
    assert delete(store, BOB, RED) == 1


def test_what_a_team_purged_no_cron_brings_back(store: Store, volume: Volume) -> None:
    red = kept_by(store, "team", "red")
    source = put(volume, "1")
    up(store, source, red)
    delete(store, BOB, RED)
    with pytest.raises(PermissionDenied, match="nothing automatic brings it back"):
        up(store, source, red)
    assert up(store, source, Volume(store, "team", "red", caller=BOB)).seq == 1


def test_a_version_that_was_purged_cannot_be_promoted(store: Store, volume: Volume) -> None:
    source = put(volume, "1")
    delete(store)
    with pytest.raises(UserError, match="any more"):
        up(store, source, kept_by(store, "team", "red"))


def test_the_same_content_of_somebody_else_stays(store: Store, volume: Volume) -> None:
    bobs = Volume(store, "user", "bob", caller=BOB)
    put(bobs, "1"), put(bobs, "2")
    put(volume, "1")
    delete(store)
    assert len(bobs.history(TOOL, "f")) == 2
