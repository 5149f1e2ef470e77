"""Watermarks move with the work; the usage ledger counts what artifacts did."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError as RowRefused

from llmos.errors import UserError
from llmos.store import Store, Transaction
from llmos.store.schema import usages
from llmos.values import ArtifactType
from llmos.volumes import (
    Outcome,
    Place,
    Version,
    Volume,
    get_watermark,
    record_usage,
    set_watermark,
    usage_stats,
)
from tests.volumes.people import acting

TOOL = ArtifactType.TOOL
ALICE = Place("user", "alice")


@pytest.fixture
def version(volume: Volume) -> Version:
    return volume.put(None, TOOL, "f", {"code": "pass"}, author="alice")


def test_a_watermark_is_what_was_last_set_in_its_volume(store: Store) -> None:
    assert store.read(lambda c: get_watermark(c, "learning", ALICE)) is None
    for value in ("1", "7", "3"):
        store.write(lambda tx, v=value: set_watermark(tx, "learning", ALICE, v))
        assert store.read(lambda c: get_watermark(c, "learning", ALICE)) == value
    for other in (Place("user", "bob"), Place("team", "alice")):
        assert store.read(lambda c, o=other: get_watermark(c, "learning", o)) is None
    assert store.read(lambda c: get_watermark(c, "reports", ALICE)) is None


def test_a_watermark_moves_only_with_what_was_made(store: Store, volume: Volume) -> None:
    def learn(tx: Transaction, fails: bool) -> None:
        acting(volume, "user-cron").put(tx, TOOL, "f", {"code": "pass"}, author="user-cron")
        set_watermark(tx, "learning", ALICE, "12")
        assert get_watermark(tx, "learning", ALICE) == "12"
        if fails:
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        store.write(lambda tx: learn(tx, True))
    assert store.read(lambda c: get_watermark(c, "learning", ALICE)) is None
    assert volume.find(TOOL, "f") is None
    store.write(lambda tx: learn(tx, False))
    assert store.read(lambda c: get_watermark(c, "learning", ALICE)) == "12"


@pytest.mark.parametrize("bad", ["", "A", "../x"])
def test_a_watermark_has_a_usable_name(store: Store, bad: str) -> None:
    with pytest.raises(UserError):
        store.write(lambda tx: set_watermark(tx, bad, ALICE, "1"))
    with pytest.raises(UserError):
        store.read(lambda c: get_watermark(c, bad, ALICE))


def use(store: Store, version: Version, outcome: Outcome, user: str = "alice", **more) -> str:
    return store.write(lambda tx: record_usage(tx, version, outcome, user_id=user, **more))


def test_what_was_never_used_counts_nothing(store: Store, volume: Volume, version: Version) -> None:
    artifact = volume.find(TOOL, "f")
    stats = store.read(lambda c: usage_stats(c, artifact))
    assert stats.counts == dict.fromkeys(Outcome, 0)
    assert (stats.uses, stats.users, stats.tokens_saved, stats.cost_saved_usd) == (0, 0, 0, 0.0)
    assert stats.last_used is None


def test_the_ledger_counts_uses_users_and_savings(
    store: Store, volume: Volume, version: Version
) -> None:
    use(store, version, Outcome.SERVED, tokens_saved=900, cost_saved_micro=1_500_000)
    use(store, version, Outcome.ALREADY_DONE, "bob", tokens_saved=100, cost_saved_micro=500_000)
    use(store, version, Outcome.SIDE_EXIT, detail="a read changed")
    use(store, version, Outcome.AGREED, "user-cron")
    use(store, version, Outcome.WRONG, "bob")
    second = volume.put(None, TOOL, "f", {"code": "return"}, author="alice")
    use(store, second, Outcome.SERVED, tokens_saved=1)
    artifact = volume.find(TOOL, "f")
    stats = store.read(lambda c: usage_stats(c, artifact))
    assert (stats.uses, stats.users) == (4, 2)
    assert {o.value: n for o, n in stats.counts.items() if n} == {
        "served": 2,
        "already_done": 1,
        "side_exit": 1,
        "agreed": 1,
        "wrong": 1,
    }
    assert (stats.tokens_saved, stats.cost_saved_usd) == (1001, 2.0)
    last = store.read(lambda c: c.scalar(select(usages.c.at).order_by(usages.c.at.desc())))
    assert stats.last_used.isoformat()[:19] == last[:19]
    only = store.read(lambda c: usage_stats(c, artifact, second.digest))
    assert (only.uses, only.tokens_saved) == (1, 1)


def test_a_line_tells_who_used_what_in_which_run(store: Store, version: Version) -> None:
    run = "01JNB0000000000000000000AA"
    line = use(store, version, Outcome.SIDE_EXIT, "bob", trace_id=run, detail="gone \ud800")
    row = store.read(lambda c: c.execute(select(usages)).one())
    assert (row.id, row.trace_id, row.user_id, row.digest) == (line, run, "bob", version.digest)
    assert (row.volume, row.owner, row.detail) == ("user", "alice", "gone ?")


def test_only_users_and_stored_versions_are_counted(store: Store, version: Version) -> None:
    with pytest.raises(UserError, match="user id"):
        use(store, version, Outcome.SERVED, "../x")
    with pytest.raises(RowRefused):
        use(store, replace(version, digest="0" * 64), Outcome.SERVED)
