"""What is proven is copied to a farther volume, and can be recalled from all of them."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from llmos.errors import PermissionDenied, UserError
from llmos.store import Store
from llmos.store.schema import events
from llmos.values import ArtifactType, EventType
from llmos.volumes import Caller, Status, Version, Volume, What, keep_private
from llmos.volumes.descent import copied_from, copies_of
from llmos.volumes.promotion import descendants, promote, recall
from llmos.volumes.roles import first_user, join
from tests.volumes.people import kept_by

TOOL = ArtifactType.TOOL
ONE, TWO, THREE = ({"code": f"return {n}"} for n in (1, 2, 3))
ALICE, BOB, CARER = (Caller.person(u) for u in ("alice", "bob", "carer"))
TEAM_CRON = Caller.team_cron("red")


@pytest.fixture(autouse=True)
def people(store: Store) -> None:
    """Carer looks after the team red, where alice and bob are; keeper after the system."""
    for user in ("carer", "alice", "bob"):
        store.write(lambda tx, u=user: join(tx, "red", u))
    store.write(lambda tx: first_user(tx, "keeper"))


@pytest.fixture
def red(store: Store) -> Volume:
    return Volume(store, "team", "red", caller=TEAM_CRON)


@pytest.fixture
def system(store: Store) -> Volume:
    return kept_by(store, "system", "system")


def put(volume: Volume, content: dict, name: str = "f") -> Version:
    return volume.put(None, TOOL, name, content, author=volume.caller.author, status=Status.ACTIVE)


def up(store: Store, source: Version, target: Volume, **more) -> Version:
    author = target.caller.author
    return store.write(
        lambda tx: promote(tx, source, target, author=author, why="used 5 times", **more)
    )


def take_back(store: Store, caller: Caller, source: Version, why: str = "") -> list[str]:
    found = store.write(lambda tx: recall(tx, caller, source.digest, why))
    return [f"{v.volume}/{v.name}@{v.seq}" for v in found]


def below(store: Store, version: Version) -> list[str]:
    found = store.read(lambda c: descendants(c, version.digest))
    return [f"{v.volume}/{v.owner}/{v.name}@{v.seq}" for v in found]


def told(store: Store, type: EventType) -> list[dict]:
    query = select(events.c.payload).where(events.c.type == type.value).order_by(events.c.seq)
    return [json.loads(p) for p in store.read(lambda c: c.scalars(query).all())]


# --- promotion ---------------------------------------------------------------------------------


def test_a_version_is_copied_in_use_with_what_it_was_made_from(
    store: Store, volume: Volume, red: Volume
) -> None:
    source = put(volume, ONE)
    made = up(store, source, red, lineage=["0" * 26])
    assert (made.volume, made.owner, made.name, made.seq) == ("team", "red", "f", 1)
    assert (made.content, made.digest, made.status) == (ONE, source.digest, Status.ACTIVE)
    assert (made.parent, made.lineage) == (source.digest, (source.digest, "0" * 26))
    assert (made.author, made.note) == ("team-cron", "used 5 times")
    assert red.get(TOOL, "f") == made
    assert red.changes(TOOL, "f")[0].what is What.PROMOTED
    assert volume.get(TOOL, "f") == source


def test_it_is_told_once_as_a_promotion_where_it_went(
    store: Store, volume: Volume, red: Volume
) -> None:
    source = put(volume, ONE)
    made = up(store, source, red, content=TWO)
    (row,) = store.read(lambda c: c.execute(select(events).where(events.c.volume == "team")).all())
    assert (row.type, row.owner, row.actor) == ("ARTIFACT_PROMOTED", "red", "team-cron")
    expected = {
        "artifact": "tool",
        "name": "f",
        "version": 1,
        "digest": made.digest,
        "from_volume": "user",
        "from_owner": "alice",
        "source": source.digest,
        "why": "used 5 times",
    }
    assert json.loads(row.payload).items() >= expected.items()


def test_promoting_the_same_digest_again_does_nothing(
    store: Store, volume: Volume, red: Volume
) -> None:
    source = put(volume, ONE)
    made, edition = up(store, source, red), red.edition()
    assert up(store, source, red) == made
    assert up(store, source, red, content=TWO) == made
    assert (red.edition(), len(told(store, EventType.ARTIFACT_PROMOTED))) == (edition, 1)


def test_a_recalled_digest_does_not_come_back(store: Store, volume: Volume, red: Volume) -> None:
    source = put(volume, ONE)
    up(store, source, red)
    take_back(store, ALICE, source)
    assert up(store, source, red).status is Status.QUARANTINED
    assert red.find(TOOL, "f").status is Status.QUARANTINED


def test_the_next_version_of_the_same_source_goes_on_where_the_last_went(
    store: Store, volume: Volume, red: Volume
) -> None:
    first = up(store, put(volume, ONE), red)
    second = up(store, put(volume, TWO), red)
    assert (second.artifact_id, second.seq) == (first.artifact_id, 2)
    assert red.get(TOOL, "f") == second


def test_a_name_that_is_anothers_is_left_to_it(store: Store, volume: Volume, red: Volume) -> None:
    own = put(red, THREE)
    assert up(store, put(volume, ONE), red).name == "f-2"
    bobs = Volume(store, "user", "bob", caller=BOB)
    assert up(store, put(bobs, TWO), red).name == "f-3"
    assert (up(store, put(volume, {"code": "4"}), red).name, red.get(TOOL, "f")) == ("f-2", own)


def test_a_free_name_is_no_longer_than_names_are(store: Store, volume: Volume, red: Volume) -> None:
    name = "x" * 64
    put(red, THREE, name)
    assert up(store, put(volume, ONE, name), red).name == "x" * 62 + "-2"


def test_what_a_cron_promotes_does_not_replace_what_is_pinned(
    store: Store, volume: Volume, red: Volume
) -> None:
    first = up(store, put(volume, ONE), red)
    red.pin(TOOL, "f", author="team-cron")
    second = up(store, put(volume, TWO), red)
    assert (red.get(TOOL, "f"), red.history(TOOL, "f")[-1]) == (first, second)
    assert len(told(store, EventType.ARTIFACT_PROMOTED)) == 2
    by_person = Volume(store, "team", "red", caller=CARER)
    third = up(store, put(volume, THREE), by_person)
    assert red.get(TOOL, "f") == third


def test_only_who_may_write_the_target_promotes(store: Store, volume: Volume) -> None:
    source = put(volume, ONE)
    for caller in (ALICE, Caller.user_cron("alice")):
        with pytest.raises(PermissionDenied):
            up(store, source, Volume(store, "team", "red", caller=caller))


@pytest.mark.parametrize("kind", ["artifact", "volume"])
def test_what_is_private_is_promoted_by_its_owner_only(
    store: Store, volume: Volume, red: Volume, kind: str
) -> None:
    source = put(volume, ONE)
    subject = source.artifact_id if kind == "artifact" else ""
    store.write(lambda tx: keep_private(tx, ALICE, volume.place, kind, subject))
    with pytest.raises(PermissionDenied, match="alice keeps it private"):
        up(store, source, red)
    store.write(lambda tx: join(tx, "own", "alice"))
    assert up(store, source, Volume(store, "team", "own", caller=ALICE)).content == ONE


def test_what_is_out_of_use_or_lies_there_is_not_promoted(
    store: Store, volume: Volume, red: Volume
) -> None:
    source = put(volume, ONE)
    with pytest.raises(UserError, match="lies in"):
        up(store, source, volume)
    volume.set_status(TOOL, "f", Status.QUARANTINED, author="alice")
    with pytest.raises(UserError, match="is quarantined"):
        up(store, source, red)


# --- descent -----------------------------------------------------------------------------------


def test_what_was_made_from_a_version_is_found_in_every_volume(
    store: Store, volume: Volume, red: Volume, system: Volume
) -> None:
    source = put(volume, ONE)
    up(store, up(store, source, red, content=TWO), system)
    put(volume, THREE)
    merged = volume.put(None, TOOL, "g", {"x": 1}, author="alice", lineage=[source.digest])
    expected = ["team/red/f@1", "system/system/f@1", "user/alice/f@2", "user/alice/g@1"]
    assert below(store, source) == expected
    assert below(store, merged) == []


def test_the_same_content_elsewhere_by_chance_is_no_descendant(
    store: Store, volume: Volume, red: Volume
) -> None:
    bobs = Volume(store, "user", "bob", caller=BOB)
    put(bobs, ONE), put(bobs, TWO)
    source = put(volume, ONE)
    up(store, source, red)
    put(bobs, THREE)
    take_back(store, ALICE, source)
    assert [v.status for v in bobs.history(TOOL, "f")] == [Status.ACTIVE] * 3


def test_copies_lead_to_what_was_promoted_and_from_there_to_all_others(
    store: Store, volume: Volume, red: Volume, system: Volume
) -> None:
    blue = kept_by(store, "team", "blue")
    bobs = put(Volume(store, "user", "bob", caller=BOB), THREE, "g")
    source = put(volume, ONE)
    first = up(store, source, red, content=TWO, lineage=[bobs.digest])
    far, other = up(store, first, system), up(store, source, blue)

    def names(found: list[Version]) -> list[str]:
        return sorted(f"{v.volume}/{v.owner}" for v in found)

    assert names(store.read(lambda c: copied_from(c, far))) == ["team/red", "user/alice"]
    # What does the same is not what was copied.
    assert names(store.read(lambda c: copied_from(c, first))) == ["user/alice"]
    assert store.read(lambda c: copied_from(c, source)) == []
    every = ["system/system", "team/blue", "team/red"]
    assert names(store.read(lambda c: copies_of(c, [source]))) == every
    assert store.read(lambda c: copies_of(c, [other, bobs])) == []


# --- recall ------------------------------------------------------------------------------------


def test_an_owner_recalls_their_work_from_every_farther_volume(
    store: Store, volume: Volume, red: Volume, system: Volume
) -> None:
    source = put(volume, ONE)
    up(store, up(store, source, red, content=TWO), system)
    kept = put(red, THREE, "own")
    assert take_back(store, ALICE, source, "not for all") == ["team/f@1", "system/f@1"]
    assert red.find(TOOL, "f").status is Status.QUARANTINED
    assert system.find(TOOL, "f").status is Status.QUARANTINED
    assert (volume.get(TOOL, "f"), red.get(TOOL, "own")) == (source, kept)
    change = red.changes(TOOL, "f")[0]
    assert (change.by, change.why) == ("alice", "recalled: not for all")
    evolved = told(store, EventType.ARTIFACT_EVOLVED)
    assert [e["now"] for e in evolved] == ["quarantined", "quarantined"]
    assert take_back(store, ALICE, source) == []


def test_what_was_evolved_from_a_promoted_version_is_recalled_with_it(
    store: Store, volume: Volume, red: Volume
) -> None:
    source = put(volume, ONE)
    up(store, source, red)
    put(red, TWO)
    red.archive(TOOL, "f", author="team-cron")
    assert take_back(store, ALICE, source) == ["team/f@1", "team/f@2"]
    assert red.restore(TOOL, "f", author="team-cron").status is Status.QUARANTINED


def test_who_looks_after_the_copies_recalls_them(
    store: Store, volume: Volume, red: Volume, system: Volume
) -> None:
    source = put(volume, ONE)
    up(store, up(store, source, red), system)
    # The system's copy is the team's work too.
    assert take_back(store, CARER, source) == ["team/f@1", "system/f@1"]
    other = put(volume, TWO)
    up(store, up(store, other, red), system)
    assert take_back(store, Caller.person("keeper"), other) == ["system/f@2"]
    assert take_back(store, ALICE, other) == ["team/f@2"]


def test_nobody_else_recalls_also_not_with_a_copy_of_their_own(
    store: Store, volume: Volume, red: Volume
) -> None:
    source = put(volume, ONE)
    up(store, source, red)
    put(Volume(store, "user", "bob", caller=BOB), ONE)
    for caller in (BOB, Caller.user_cron("bob"), Caller.person("stranger")):
        with pytest.raises(PermissionDenied, match="may not recall"):
            take_back(store, caller, source)
    assert red.find(TOOL, "f").status is Status.ACTIVE


def test_an_earlier_copy_by_chance_gives_no_right_to_recall(
    store: Store, volume: Volume, red: Volume
) -> None:
    put(Volume(store, "user", "bob", caller=BOB), ONE)
    source = put(volume, ONE)
    up(store, source, red)
    with pytest.raises(PermissionDenied):
        take_back(store, BOB, source)


def test_what_was_there_when_it_was_promoted_is_recalled_with_it(
    store: Store, volume: Volume, red: Volume
) -> None:
    up(store, put(volume, ONE), red, content=THREE)
    second = put(volume, TWO)
    assert up(store, second, red, content=THREE).seq == 1
    assert up(store, second, red, content=THREE).seq == 1
    assert len(told(store, EventType.ARTIFACT_PROMOTED)) == 2
    assert take_back(store, ALICE, second) == ["team/f@1"]


def test_a_version_that_is_not_there_cannot_be_recalled(store: Store) -> None:
    with pytest.raises(UserError, match="no version"):
        store.write(lambda tx: recall(tx, ALICE, "0" * 64, ""))
