"""Many who put under one name at once make one artifact, and lose nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from llmos.store import Store
from llmos.values import ArtifactType
from llmos.volumes import Volume
from tests.store.children import start
from tests.support.databases import Database
from tests.volumes.children import put_many
from tests.volumes.people import of_alice

TOOL = ArtifactType.TOOL


def check(volume: Volume, authors: list[str], times: int) -> None:
    (artifact,) = volume.list_artifacts()
    history = volume.history(TOOL, "shared")
    assert [v.seq for v in history] == list(range(1, len(authors) * times + 1))
    assert history[-1].digest == artifact.current
    # Each was made from what was current when it came: no version was passed over.
    assert [v.parent for v in history] == [None, *(v.digest for v in history[:-1])]
    for author in authors:
        assert [v.content["n"] for v in history if v.author == author] == list(range(times))


def test_two_processes_put_under_one_name(database: Database) -> None:
    database.open().close()
    children = [start(put_many, database, author, 20) for author in ("alice", "bob")]
    for child in children:
        child.join()
    assert [c.exitcode for c in children] == [0, 0]
    with database.open() as store:
        check(of_alice(store), ["alice", "bob"], 20)


def test_two_stores_of_one_process_put_under_one_name(database: Database) -> None:
    with database.open() as store:
        with ThreadPoolExecutor() as pool:
            done = [pool.submit(put_many, database, author, 20) for author in ("alice", "bob")]
        for future in done:
            future.result()
        check(of_alice(store), ["alice", "bob"], 20)


def test_threads_that_put_one_content_make_one_version(store: Store, volume: Volume) -> None:
    def put(_: int) -> str:
        return volume.put(None, TOOL, "f", {"code": "pass"}, author="alice").digest

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(put, range(40)))) == 1
    assert len(volume.history(TOOL, "f")) == 1
    assert len(volume.get_recent_changes()) == 1
