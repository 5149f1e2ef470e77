"""Versions are put, found, compared, moved between and laid aside; every change is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from llmos.errors import UserError
from llmos.store import Store, Transaction
from llmos.store.schema import events
from llmos.values import ArtifactType, EventType
from llmos.volumes import Status, Volume, What
from tests.volumes.people import acting, kept_by

TOOL, AGENT = ArtifactType.TOOL, ArtifactType.AGENT
ONE = {"code": "def f():\n    return 1\n", "holes": 0}
TWO = {"code": "def f():\n    return 2\n", "holes": 0}
THREE = {"code": "def f():\n    return 3\n", "holes": 0}


def put(volume: Volume, content: dict, name: str = "f", **more) -> object:
    author = more.setdefault("author", volume.caller.author)
    as_author = acting(volume, author) if author in ("user-cron", "system-cron") else volume
    return as_author.put(None, TOOL, name, content, **more)


def told(store: Store) -> list[tuple[str, str]]:
    rows = store.read(lambda c: c.execute(select(events).order_by(events.c.seq)).all())
    return [(row.type, row.title) for row in rows]


def test_a_new_name_makes_an_artifact_with_its_first_version(volume: Volume) -> None:
    made = put(volume, ONE, lineage=["a" * 64, "0" * 26], note="learnt")
    assert (made.seq, made.parent, made.status) == (1, None, Status.DRAFT)
    assert made.lineage == ("a" * 64, "0" * 26)
    assert (made.note, made.author, made.code) == ("learnt", "alice", ONE["code"])
    assert volume.get(TOOL, "f") == made
    assert volume.version(made.digest) == made
    assert volume.version(made.digest[:6]) == made
    artifact = volume.find(TOOL, "f")
    assert (artifact.current, artifact.pinned, artifact.status) == (made.digest, False, "draft")


def test_the_digest_is_that_of_the_content_whatever_the_order_of_its_keys(volume: Volume) -> None:
    made = put(volume, {"b": 1, "a": [True, None, 2.5, "ü\0"]})
    assert put(volume, {"a": (True, None, 2.5, "ü\0"), "b": 1}) == made
    assert len(volume.history(TOOL, "f")) == 1


def test_another_content_makes_a_version_whose_parent_is_the_one_before(volume: Volume) -> None:
    first, second = put(volume, ONE), put(volume, TWO)
    assert (second.seq, second.parent) == (2, first.digest)
    assert volume.history(TOOL, "f") == [first, second]
    assert volume.get(TOOL, "f") == second


def test_a_named_parent_is_kept(volume: Volume) -> None:
    put(volume, ONE)
    assert put(volume, TWO, parent="b" * 64).parent == "b" * 64


def test_putting_what_is_there_changes_nothing_and_tells_nothing(
    store: Store, volume: Volume
) -> None:
    first = put(volume, ONE)
    before = told(store)
    assert put(volume, ONE, note="again", status=Status.ACTIVE) == first
    assert told(store) == before
    assert len(volume.changes(TOOL, "f")) == 1


def test_a_person_who_puts_an_earlier_content_returns_to_its_version(volume: Volume) -> None:
    first, _ = put(volume, ONE), put(volume, TWO)
    assert put(volume, ONE) == first
    assert volume.get(TOOL, "f") == first
    assert len(volume.history(TOOL, "f")) == 2


def test_rollback_goes_to_the_version_before_and_deletes_nothing(volume: Volume) -> None:
    made = [put(volume, c) for c in (ONE, TWO, THREE)]
    assert volume.rollback(TOOL, "f", author="alice") == made[1]
    assert volume.rollback(TOOL, "f", author="alice") == made[0]
    assert volume.history(TOOL, "f") == made
    with pytest.raises(UserError, match=r"tool 'f' has no earlier version"):
        volume.rollback(TOOL, "f", author="alice")


def test_rollback_passes_over_what_was_taken_out_of_use(volume: Volume) -> None:
    first, second, _ = [put(volume, c) for c in (ONE, TWO, THREE)]
    volume.set_status(TOOL, "f", Status.QUARANTINED, version=2, author="alice", why="wrong")
    assert volume.rollback(TOOL, "f", author="alice") == first
    assert volume.rollback(TOOL, "f", 2, author="alice").digest == second.digest
    assert volume.find(TOOL, "f").status is Status.QUARANTINED


@pytest.mark.parametrize("ref", ["digest", "prefix", "number"])
def test_a_version_is_named_by_digest_its_beginning_or_number(volume: Volume, ref: str) -> None:
    first, _ = put(volume, ONE), put(volume, TWO)
    name = {"digest": first.digest, "prefix": first.digest[:6].upper(), "number": 1}[ref]
    assert volume.rollback(TOOL, "f", name, author="alice") == first


@pytest.mark.parametrize("ref", [0, 3, "abc", "../../x", "", "f" * 64, "%" * 8])
def test_a_version_that_is_not_there_is_refused(volume: Volume, ref: str | int) -> None:
    put(volume, ONE), put(volume, TWO)
    with pytest.raises(UserError):
        volume.rollback(TOOL, "f", ref, author="alice")
    assert volume.get(TOOL, "f").seq == 2


def test_a_pinned_artifact_stores_what_comes_automatically_and_stays(volume: Volume) -> None:
    first = put(volume, ONE)
    assert volume.pin(TOOL, "f", author="alice", why="it works").pinned
    second = put(volume, TWO, author="user-cron", automatic=True)
    assert volume.get(TOOL, "f") == first
    assert volume.history(TOOL, "f") == [first, second]
    assert volume.changes(TOOL, "f", 1)[0].what is What.KEPT
    assert put(volume, TWO, author="user-cron", automatic=True) == second
    assert len(volume.changes(TOOL, "f")) == 3
    assert put(volume, THREE).seq == 3  # a person is not held by the pin
    assert volume.get(TOOL, "f").seq == 3


def test_what_was_kept_aside_may_advance_once_the_pin_is_gone(volume: Volume) -> None:
    put(volume, ONE)
    volume.pin(TOOL, "f", author="alice")
    second = put(volume, TWO, automatic=True)
    assert not volume.unpin(TOOL, "f", author="alice").pinned
    assert volume.get(TOOL, "f").seq == 1
    assert put(volume, TWO, automatic=True) == second
    assert volume.get(TOOL, "f") == second


def test_nothing_automatic_undoes_a_rollback(volume: Volume) -> None:
    first, _ = put(volume, ONE), put(volume, TWO)
    volume.rollback(TOOL, "f", author="alice")
    put(volume, TWO, author="user-cron", automatic=True)
    assert volume.get(TOOL, "f") == first
    put(volume, THREE, author="user-cron", automatic=True)
    assert volume.get(TOOL, "f").seq == 3


def test_nothing_automatic_undoes_what_a_person_put(volume: Volume) -> None:
    put(volume, ONE, author="user-cron", automatic=True)
    second = put(volume, TWO)
    put(volume, ONE, author="user-cron", automatic=True)
    assert volume.get(TOOL, "f") == second


def test_what_an_automation_replaced_it_brings_back_itself(volume: Volume) -> None:
    first = put(volume, ONE, author="user-cron", automatic=True)
    put(volume, TWO, author="user-cron", automatic=True)
    assert put(volume, ONE, author="system-cron", automatic=True) == first
    assert volume.get(TOOL, "f").seq == 2
    assert put(volume, ONE, author="user-cron", automatic=True) == first
    assert volume.get(TOOL, "f") == first
    assert volume.changes(TOOL, "f", 1)[0].what is What.EVOLVED
    volume.rollback(TOOL, "f", 2, author="alice")
    put(volume, ONE, author="user-cron", automatic=True)
    assert volume.get(TOOL, "f").seq == 2


def test_nothing_automatic_brings_an_archived_artifact_back(volume: Volume) -> None:
    put(volume, ONE, status=Status.ACTIVE)
    assert volume.archive(TOOL, "f", author="alice", why="unused").status is Status.ARCHIVED
    put(volume, TWO, automatic=True)
    assert volume.find(TOOL, "f").status is Status.ARCHIVED
    assert volume.get(TOOL, "f").seq == 1
    assert volume.restore(TOOL, "f", author="alice").status is Status.ACTIVE


def test_a_quarantined_version_does_not_advance_by_itself(volume: Volume) -> None:
    put(volume, ONE)
    put(volume, TWO, status=Status.QUARANTINED, automatic=True)
    assert volume.get(TOOL, "f").seq == 1


@pytest.mark.parametrize("status", [Status.DRAFT, Status.SHADOWING, Status.QUARANTINED])
def test_restoring_gives_the_status_back_that_there_was(volume: Volume, status: Status) -> None:
    put(volume, ONE, status=status)
    for _ in range(2):
        volume.archive(TOOL, "f", author="alice")
        assert volume.restore(TOOL, "f", author="alice").status is status


def test_what_came_archived_is_restored_as_a_draft(volume: Volume) -> None:
    put(volume, ONE, status=Status.ARCHIVED)
    assert volume.restore(TOOL, "f", author="alice").status is Status.DRAFT


def test_every_change_is_recorded_with_who_when_and_why(volume: Volume) -> None:
    first, second = put(volume, ONE), put(volume, TWO, author="user-cron", note="two more traces")
    cron = acting(volume, "user-cron")
    cron.set_status(TOOL, "f", Status.ACTIVE, author="user-cron", why="proven")
    cron.set_status(TOOL, "f", Status.ACTIVE, author="user-cron", why="proven again")
    volume.pin(TOOL, "f", author="alice", why="good")
    volume.rollback(TOOL, "f", author="alice", why="no, bad")
    acting(volume, "bob").archive(TOOL, "f", author="bob", why="unused")
    volume.restore(TOOL, "f", author="alice")
    done = list(reversed(volume.changes(TOOL, "f")))
    assert [(c.what.value, c.was, c.now, c.by, c.why) for c in done] == [
        ("created", "", first.digest, "alice", ""),
        ("evolved", first.digest, second.digest, "user-cron", "two more traces"),
        ("status", "draft", "active", "user-cron", "proven"),
        ("pinned", "active", "active", "alice", "good"),
        ("rolled_back", second.digest, first.digest, "alice", "no, bad"),
        ("archived", "draft", "archived", "bob", "unused"),
        ("restored", "archived", "draft", "alice", ""),
    ]
    assert [c.at for c in done] == sorted({c.at for c in done})
    assert volume.get_recent_changes(limit=2) == [done[-1], done[-2]]
    assert volume.find(TOOL, "f").updated_at == done[-1].at


def test_every_change_is_an_event_of_the_volume(store: Store, volume: Volume) -> None:
    first = put(volume, ONE)
    put(volume, TWO)
    volume.pin(TOOL, "f", author="alice")
    put(volume, THREE, author="user-cron", automatic=True)
    volume.rollback(TOOL, "f", author="alice")
    volume.set_status(TOOL, "f", Status.SHADOWING, version=2, author="alice")
    volume.archive(TOOL, "f", author="alice", why="unused")
    volume.restore(TOOL, "f", author="alice")
    volume.unpin(TOOL, "f", author="alice")
    assert told(store) == [
        ("ARTIFACT_CREATED", "tool 'f' was created"),
        ("ARTIFACT_EVOLVED", "tool 'f' is now version 2"),
        ("ARTIFACT_EVOLVED", "tool 'f' was pinned to version 2"),
        ("ARTIFACT_EVOLVED", "tool 'f' has a new version 3, which is not in use"),
        ("ARTIFACT_EVOLVED", "tool 'f' was rolled back to version 1"),
        ("ARTIFACT_EVOLVED", "tool 'f' version 2 is shadowing, was draft"),
        ("ARTIFACT_DELETED", "tool 'f' was archived"),
        ("ARTIFACT_EVOLVED", "tool 'f' was restored"),
        ("ARTIFACT_EVOLVED", "tool 'f' is no longer pinned"),
    ]
    row = store.read(lambda c: c.execute(select(events).where(events.c.seq == 7)).one())
    assert (row.volume, row.owner, row.actor) == ("user", "alice", "alice")
    assert row.subject == first.artifact_id
    assert '"name":"f"' in row.payload and '"why":"unused"' in row.payload


def test_several_facts_become_true_together_or_not_at_all(store: Store, volume: Volume) -> None:
    def fail(tx: Transaction) -> None:
        volume.put(tx, TOOL, "f", ONE, author="alice")
        volume.set_status(TOOL, "f", Status.ACTIVE, author="alice", tx=tx)
        assert volume.get(TOOL, "f", tx=tx).status is Status.ACTIVE
        tx.event(EventType.INSIGHT_GENERATED, owner="alice")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        store.write(fail)
    assert volume.find(TOOL, "f") is None
    assert told(store) == []


async def test_a_coroutine_puts_without_blocking(store: Store, volume: Volume) -> None:
    first = await volume.aput(TOOL, "f", ONE, author="alice")
    await volume.aput(TOOL, "f", TWO, author="alice")
    await store.awrite(lambda tx: volume.rollback(TOOL, "f", author="alice", tx=tx))
    assert volume.get(TOOL, "f") == first


def test_volumes_do_not_see_each_other(store: Store, volume: Volume) -> None:
    others = [kept_by(store, "user", "bob"), kept_by(store, "team", "alice")]
    others.append(kept_by(store, "system", "system"))
    made = put(volume, ONE)
    for other in others:
        assert other.find(TOOL, "f") is None
        assert other.list_artifacts() == [] == other.get_recent_changes()
        with pytest.raises(UserError, match="no version"):
            other.version(made.digest)
        own = put(other, ONE)
        assert own.digest == made.digest and own.artifact_id != made.artifact_id
    put(others[0], TWO)
    assert volume.get(TOOL, "f") == made


def test_one_content_may_have_two_names(volume: Volume) -> None:
    first, second = put(volume, ONE), put(volume, ONE, name="g")
    assert replace(
        second, artifact_id=first.artifact_id, name="f", created_at=first.created_at
    ) == (first)
    assert volume.version(first.digest).name == "f"


def test_lists_are_by_type_and_status_the_last_changed_first(volume: Volume) -> None:
    for name in ("a", "b", "c"):
        put(volume, ONE, name=name)
    volume.put(None, AGENT, "a", {"text": "You are."}, author="alice")
    volume.set_status(TOOL, "b", Status.ACTIVE, author="alice")
    names = [(x.type.value, x.name) for x in volume.list_artifacts()]
    assert names == [("tool", "b"), ("agent", "a"), ("tool", "c"), ("tool", "a")]
    assert [x.name for x in volume.list_artifacts(TOOL, limit=2)] == ["b", "c"]
    assert [x.name for x in volume.list_artifacts(TOOL, Status.ACTIVE)] == ["b"]
    assert [x.name for x in volume.list_artifacts(status=Status.DRAFT)] == ["a", "c", "a"]


def test_stats_count_what_is_there(volume: Volume) -> None:
    assert volume.get_stats()["artifacts"] == volume.get_stats()["versions"] == 0
    put(volume, ONE), put(volume, TWO), put(volume, ONE, name="g")
    volume.pin(TOOL, "g", author="alice")
    volume.put(None, AGENT, "a", {"text": "You are."}, author="alice", status=Status.ACTIVE)
    stats = volume.get_stats()
    assert (stats["volume"], stats["owner"], stats["pinned"]) == ("user", "alice", 1)
    assert (stats["artifacts"], stats["versions"]) == (3, 4)
    assert stats["by_type"] == {"trace": 0, "tool": 2, "agent": 1, "insight": 0, "suggestion": 0}
    assert stats["by_status"]["draft"] == 2 and stats["by_status"]["active"] == 1


def test_diff_shows_code_as_code_against_the_version_before(volume: Volume) -> None:
    first, second = put(volume, ONE), put(volume, TWO | {"holes": 1})
    assert volume.diff(TOOL, "f").split("\n") == [
        f"--- tool/f version 1 ({first.digest[:12]})",
        f"+++ tool/f version 2 ({second.digest[:12]})",
        "@@ -1,6 +1,6 @@",
        "-holes: 0",
        "+holes: 1",
        " code:",
        " ",
        " def f():",
        "-    return 1",
        "+    return 2",
        " ",
    ]
    assert volume.diff(TOOL, "f", 2, first.digest).count("\n+") == 3
    assert volume.diff(TOOL, "f", 1, 1) == ""
    assert volume.diff(TOOL, "f", b=1).startswith("--- nothing\n+++ tool/f version 1")


def test_an_artifact_is_read_as_text(volume: Volume) -> None:
    put(volume, ONE)
    assert volume.read_artifact(TOOL, "f") == f"holes: 0\ncode:\n\n{ONE['code']}"
    volume.put(None, AGENT, "a", {"text": "You are.\nBe.\n", "by": "é"}, author="alice")
    assert volume.read_artifact(AGENT, "a") == "by: é\ntext: |\n  You are.\n  Be.\n"


def test_a_name_that_is_not_there_names_those_that_are(volume: Volume) -> None:
    with pytest.raises(UserError, match=r"no tool 'f' in the user volume of alice") as caught:
        volume.get(TOOL, "f")
    assert caught.value.hint == "nothing of that type is there"
    put(volume, ONE, name="g")
    with pytest.raises(UserError) as caught:
        volume.pin(TOOL, "f", author="alice")
    assert "g" in caught.value.hint


@pytest.mark.parametrize("bad", ["", "../x", "A", "a/b", "x" * 65, "a\0", "ü"])
def test_no_unchecked_name_gets_in(store: Store, volume: Volume, bad: str) -> None:
    with pytest.raises(UserError):
        kept_by(store, "user", bad)
    with pytest.raises(UserError):
        put(volume, ONE, name=bad)
    with pytest.raises(UserError):
        put(volume, ONE, author=bad)
    put(volume, ONE)
    for change in (volume.pin, volume.archive):
        with pytest.raises(UserError):
            change(TOOL, "f", author=bad)
    assert len(volume.get_recent_changes()) == 1


@pytest.mark.parametrize("kind, owner", [("users", "alice"), ("", "a"), ("system", "alice")])
def test_a_volume_that_cannot_be_is_refused(store: Store, kind: str, owner: str) -> None:
    with pytest.raises(UserError):
        kept_by(store, kind, owner)  # type: ignore[arg-type]


@pytest.mark.parametrize("origin", [{"lineage": ["x"]}, {"parent": "abc"}])
def test_what_a_version_was_made_from_is_named_in_full(volume: Volume, origin: dict) -> None:
    with pytest.raises(UserError, match=r"lineage|parent"):
        put(volume, ONE, **origin)


@pytest.mark.parametrize(
    "content", [{"x": float("nan")}, {"x": {1, 2}}, {"x": "\ud800"}, {(1,): 2}, {1: 2, "a": 3}]
)
def test_a_content_without_a_json_form_is_refused(volume: Volume, content: dict) -> None:
    with pytest.raises(UserError, match=r"content of tool 'f' has no JSON form"):
        put(volume, content)
    assert volume.find(TOOL, "f") is None
