"""Blobs that nobody refers to go; whatever an undo or a replay may need stays."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from llmos import LLMOS, Mode
from llmos.errors import StoreError
from llmos.kernel.journal import Journal
from llmos.kernel.snapshot import Entry, Snapshots
from llmos.kernel.sweep import UNTOUCHED_S, sweep, untouched_for
from llmos.memory.traces import Traces
from llmos.store import BlobStore, Store
from llmos.store.schema import journal
from llmos.values import ArtifactType, Trace
from tests.conftest import MakeOS, TestClock, recording
from tests.store.children import start
from tests.support.databases import Database

OLD = 2 * UNTOUCHED_S
OVER = recording("Write over a.txt", ("Write", {"file_path": "a.txt", "content": "new"}))
OTHER = recording("Write over b.txt", ("Write", {"file_path": "b.txt", "content": "new"}))


def kept(blobs: BlobStore) -> set[str]:
    paths = (p for p in blobs.root.rglob("*") if p.is_file())
    return {p.parent.name + p.name for p in paths}


def age(blobs: BlobStore) -> None:
    """As if everything had been put long ago."""
    for path in blobs.root.rglob("*"):
        if path.is_file():
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - OLD))


def of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def two_runs(make_os: MakeOS, cwd: Path) -> tuple[LLMOS, BlobStore, str, str]:
    """Two files written over, and the runs that did it."""
    os_ = await make_os([OVER, OTHER])
    (cwd / "a.txt").write_text("secret of a")
    (cwd / "b.txt").write_text("what b was")
    first, second = [(await os_.execute(goal.goal)).trace_id for goal in (OVER, OTHER)]
    return os_, os_._kernel.store.blobs, first, second


async def test_a_purge_takes_the_contents_along_that_only_its_run_needed(
    make_os: MakeOS, cwd: Path
) -> None:
    os_, blobs, first, second = await two_runs(make_os, cwd)
    assert {of("secret of a"), of("what b was")} <= kept(blobs)
    age(blobs)
    os_.kernel.purge(ArtifactType.TRACE, first)
    assert of("secret of a") not in kept(blobs)
    await os_.undo(second)
    assert (cwd / "b.txt").read_text() == "what b was"


async def test_a_run_is_purged_also_where_no_blob_can_be_deleted(
    make_os: MakeOS, cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os_, blobs, first, _ = await two_runs(make_os, cwd)
    age(blobs)

    def refuse(path: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StoreError, match="cannot write to"):
        blobs.drop(of("secret of a"), 3600)
    os_.kernel.purge(ArtifactType.TRACE, first)
    assert [t.goal for t in os_.traces.recent()] == [OTHER.goal]
    assert of("secret of a") in kept(blobs)


async def test_contents_of_a_run_that_is_purged_at_once_go_with_a_later_cycle_of_the_system(
    make_os: MakeOS, cwd: Path, clock: TestClock
) -> None:
    os_, blobs, first, _ = await two_runs(make_os, cwd)
    os_.kernel.purge(ArtifactType.TRACE, first)
    await os_.kernel.run_cron_now("system")
    assert of("secret of a") in kept(blobs), "somebody may just be putting it"
    age(blobs)
    clock.forward(hours=2)
    await os_.kernel.run_cron_now("system")
    assert of("secret of a") not in kept(blobs) and of("what b was") in kept(blobs)


async def test_what_nobody_refers_to_goes_once_a_day_also_without_a_purge(
    make_os: MakeOS, cwd: Path, clock: TestClock
) -> None:
    os_, blobs, _, _ = await two_runs(make_os, cwd)
    await os_.kernel.run_cron_now("system")
    stray = blobs.put(b"left by a command that has ended")
    age(blobs)
    clock.forward(hours=4)
    await os_.kernel.run_cron_now("system")
    assert stray in kept(blobs)
    clock.forward(hours=21)
    await os_.kernel.run_cron_now("system")
    assert stray not in kept(blobs) and {of("secret of a"), of("what b was")} <= kept(blobs)


async def test_a_sweep_that_cannot_be_made_fails_no_cycle_and_is_told(
    make_os: MakeOS, cwd: Path, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    os_, blobs, first, _ = await two_runs(make_os, cwd)
    await os_.kernel.run_cron_now("system")
    os_.kernel.purge(ArtifactType.TRACE, first)
    age(blobs)

    def refuse(path: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    clock.forward(hours=2)
    report = await os_.kernel.run_cron_now("system")
    assert report.error == "" and "cannot write to" in report.why


async def test_a_replay_still_knows_what_a_folder_was_like(make_os: MakeOS, cwd: Path) -> None:
    goal = recording("List the notes", ("Glob", {"pattern": "*.md"}), output="One: x.md")
    os_ = await make_os([goal])
    (cwd / "x.md").write_text("x")
    await os_.execute(goal.goal)
    blobs = os_._kernel.store.blobs
    before = kept(blobs)
    age(blobs)
    assert sweep(os_._kernel.store).blobs == 0 and kept(blobs) == before != set()
    assert (await os_.execute(goal.goal)).mode is Mode.FOLLOWER
    (cwd / "y.md").write_text("y")
    result = await os_.execute(goal.goal)
    assert result.side_exit is not None and "y.md" in result.side_exit.reason


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with database.open() as opened:
        yield opened


@pytest.fixture
async def run_id(store: Store) -> str:
    (made,) = await Traces(store).learn([Trace("Do it")], "alice", None)
    return made


def test_what_a_command_that_is_at_work_may_change_stays_until_it_is_settled(
    store: Store, run_id: str, tmp_path: Path
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "kept").write_text("as it was")
    (folder / "same").write_text("never changed")
    snapshots = Snapshots(store.blobs)
    ledger = Journal(store, snapshots)
    manifest = snapshots.manifest(str(folder), keep=True)
    store.write(lambda tx: ledger.before_tree(tx, run_id, 0, f"tree:{folder}", manifest))
    age(store.blobs)
    assert sweep(store).blobs == 0
    (folder / "kept").write_text("changed by a command that died")
    store.write(lambda tx: ledger.settle_interrupted(tx, [run_id]))
    assert sweep(store).bytes == len("never changed")
    ledger.undo(run_id)
    assert (folder / "kept").read_text() == "as it was"


def test_a_listing_that_is_gone_stops_no_sweep(store: Store, run_id: str) -> None:
    lost = {f"tree:{store.home}": Entry("tree", "0" * 64)}
    ledger = Journal(store, Snapshots(store.blobs))
    store.write(lambda tx: ledger.before(tx, run_id, 0, lost))
    store.blobs.put(b"stray")
    age(store.blobs)
    assert sweep(store).blobs == 1


def test_where_a_listing_cannot_be_read_now_nothing_is_swept(store: Store, run_id: str) -> None:
    listing, content = store.blobs.put(b"a listing"), store.blobs.put(b"what it names")
    named = {f"tree:{store.home}": Entry("tree", listing)}
    ledger = Journal(store, Snapshots(store.blobs))
    store.write(lambda tx: ledger.before(tx, run_id, 0, named))
    age(store.blobs)
    path = store.blobs.root / listing[:2] / listing[2:]
    path.unlink()
    path.symlink_to(path)  # an error of reading that also an administrator gets
    with pytest.raises(StoreError, match="nothing was swept"):
        sweep(store)
    assert content in kept(store.blobs)


# --- two processes --------------------------------------------------------------------------

CONTENTS = [f"content {n}".encode() for n in range(60)]


def put_and_name(database: Database, run_id: str) -> None:
    """Another process: puts contents that are there already, and names each in a row."""
    with database.open() as other:
        ledger = Journal(other, Snapshots(other.blobs))
        for n, content in enumerate(CONTENTS):
            named = {f"/{n}": Entry("file", other.blobs.put(content), 0o644)}
            other.write(lambda tx, n=n, named=named: ledger.before(tx, run_id, n, named))


def test_nothing_goes_that_another_process_puts_and_names_meanwhile(
    store: Store, run_id: str, database: Database
) -> None:
    for content in CONTENTS:
        store.blobs.put(content)
    age(store.blobs)
    child = start(put_and_name, database, run_id)
    while child.is_alive():
        sweep(store)
    child.join()
    assert child.exitcode == 0
    named = store.read(lambda c: c.scalars(select(journal.c.before)).all())
    assert len(named) == len(CONTENTS)
    for digest, content in zip(named, CONTENTS, strict=True):
        assert store.blobs.get(str(digest)) == content


def test_no_content_goes_that_a_call_of_now_may_still_write_down() -> None:
    assert untouched_for(120.0) == UNTOUCHED_S == 3600.0
    assert untouched_for(7200.0) == 14400.0
