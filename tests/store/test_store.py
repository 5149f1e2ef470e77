import asyncio
import gc
import os
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from llmos.errors import BugError, ConfigError, StoreError
from llmos.store import EventRow, Store, Transaction, new_id
from llmos.store.schema import events, feedback, notifications, processes, scopes
from llmos.values import EventType
from tests.support.databases import Database


def add(name: str):
    """A write that adds one row."""
    row = {"name": name, "spent_micro": 0, "reserved_micro": 0}
    return lambda tx: tx.conn.execute(scopes.insert(), row)


def names(store: Store) -> list[str]:
    return store.read(lambda c: list(c.scalars(select(scopes.c.name).order_by(scopes.c.name))))


def started(tx: Transaction, title: str = "") -> str:
    return tx.event(EventType.TASK_STARTED, owner="alice", title=title)


def test_home_is_made_for_its_owner_only(store: Store, home: Path) -> None:
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "run").stat().st_mode) == 0o700


def test_what_was_written_is_there_after_opening_again(database: Database) -> None:
    with database.open() as store:
        store.write(add("a"))
    with database.open() as store:
        assert names(store) == ["a"]


def test_database_is_in_wal_mode_and_the_driver_begins_nothing_itself(home: Path) -> None:
    with Store.open(home) as store:
        mode = store.write(lambda tx: tx.conn.exec_driver_sql("PRAGMA journal_mode").scalar())
        assert mode == "wal"
        written = (home / "llmos.db").read_bytes()[18:20]
        assert written == b"\2\2"  # so it will be for all who open it
        begun = store.write(lambda tx: tx.conn.connection.driver_connection.isolation_level)
        assert begun is None


def test_write_returns_what_its_function_returns(either: Store) -> None:
    assert either.write(lambda tx: 41 + 1) == 42


def test_raising_rolls_everything_back_and_reaches_the_caller(either: Store) -> None:
    def write(tx: Transaction) -> None:
        add("a")(tx)
        started(tx)
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        either.write(write)
    assert names(either) == []
    assert either.read(lambda c: c.scalar(select(func.count()).select_from(events))) == 0
    either.write(add("b"))
    assert names(either) == ["b"]


def test_writes_of_many_threads_are_run_one_after_the_other(either: Store) -> None:
    either.write(add("n"))

    def increase(tx: Transaction) -> None:
        was = tx.conn.scalar(select(scopes.c.spent_micro))
        tx.conn.execute(scopes.update().values(spent_micro=was + 1))

    def work() -> None:
        for _ in range(50):
            either.write(increase)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert either.read(lambda c: c.scalar(select(scopes.c.spent_micro))) == 400


def test_a_read_sees_one_moment_while_others_write(store: Store) -> None:
    store.write(add("a"))

    def count_twice(conn) -> tuple[int, int]:
        count = select(func.count()).select_from(scopes)
        first = conn.scalar(count)
        store.submit(add("b")).result()
        return first, conn.scalar(count)

    assert store.read(count_twice) == (1, 1)
    assert names(store) == ["a", "b"]


def test_a_read_cannot_write(store: Store) -> None:
    with pytest.raises(BugError, match="read"):
        store.read(lambda c: c.execute(scopes.insert(), {"name": "a"}))
    assert names(store) == []


def test_a_row_that_refers_to_nothing_is_refused(either: Store) -> None:
    row = dict.fromkeys(("id", "trace_id", "user_id", "verdict", "by", "note", "at"), "x")
    with pytest.raises(IntegrityError):
        either.write(lambda tx: tx.conn.execute(feedback.insert(), row))


@pytest.mark.parametrize("outer", ["read", "write"])
@pytest.mark.parametrize("inner", ["read", "write"])
def test_calling_the_store_from_inside_is_refused_instead_of_waiting_for_itself(
    either: Store, outer: str, inner: str
) -> None:
    with pytest.raises(BugError):
        getattr(either, outer)(lambda _: getattr(either, inner)(lambda _: None))
    assert either.write(lambda tx: 1) == either.read(lambda conn: 1) == 1


def test_stop_iteration_in_a_write_does_not_hang_its_caller(either: Store) -> None:
    with pytest.raises(BugError, match="StopIteration"):
        either.write(lambda tx: next(iter(())))


def test_transaction_knows_the_stores_clock_and_process() -> None:
    noon = datetime(2023, 11, 30, 12, tzinfo=UTC)
    with Store.memory(clock=lambda: noon) as store:
        assert store.write(lambda tx: (tx.now, tx.process_id)) == (noon, store.process_id)


# --- events and notifications ----------------------------------------------------------------


def test_event_is_stored_as_it_is_told(either: Store) -> None:
    told: list[EventRow] = []
    either.on_events(told.extend)
    event_id = either.write(
        lambda tx: tx.event(
            EventType.ARTIFACT_CREATED,
            owner="engineering",
            volume="team",
            actor="TeamCron",
            subject="t1",
            title="Übung",
            payload={"n": [1, None, "é"]},
        )
    )
    row = either.read(lambda c: c.execute(select(events)).one())
    (event,) = told
    assert event.id == row.id == event_id
    assert (event.seq, event.type, row.type) == (row.seq, "ARTIFACT_CREATED", "ARTIFACT_CREATED")
    assert row.payload == '{"n":[1,null,"é"]}'
    assert event.payload == {"n": [1, None, "é"]}
    assert row[4:9] == ("team", "engineering", "TeamCron", "t1", "Übung")
    assert (event.volume, event.owner, event.actor, event.subject, event.title) == row[4:9]


def test_subscribers_are_told_after_the_commit_in_order_and_only_of_commits(store: Store) -> None:
    told: list[tuple[list[str], int]] = []

    def hear(rows) -> None:
        committed = store.read(lambda c: c.scalar(select(func.count()).select_from(events)))
        told.append(([r.title for r in rows], committed))

    def fail(tx: Transaction) -> None:
        started(tx, "lost")
        raise ValueError

    end = store.on_events(hear)
    store.write(lambda tx: [started(tx, "a"), started(tx, "b")])
    with pytest.raises(ValueError):
        store.write(fail)
    store.write(lambda tx: None)
    store.write(lambda tx: started(tx, "c"))
    end()
    store.write(lambda tx: started(tx, "d"))
    assert told == [(["a", "b"], 2), (["c"], 3)]


def test_a_raising_subscriber_disturbs_nobody(either: Store) -> None:
    told: list[EventRow] = []

    def fail(rows) -> None:
        raise RuntimeError("subscriber")

    either.on_events(fail)
    either.on_events(told.extend)
    assert either.write(started) == told[0].id


def test_a_subscriber_that_writes_is_refused_instead_of_waiting_for_itself(either: Store) -> None:
    refused: list[str] = []

    def hear(rows) -> None:
        try:
            either.write(started)
        except BugError as e:
            refused.append(e.message)

    either.on_events(hear)
    either.write(started)
    assert len(refused) == 1


def test_the_same_finding_is_told_once_to_each_audience(either: Store) -> None:
    def notify(finding: str, audience: str, owner: str) -> bool:
        def write(tx: Transaction) -> bool:
            texts = dict.fromkeys(("title", "description", "reason"), "x")
            event = started(tx)
            return tx.notify(event, audience=audience, owner=owner, finding=finding, **texts)

        return either.write(write)

    assert notify("f", "user", "alice")
    assert not notify("f", "user", "alice")
    assert notify("f", "user", "bob")
    assert notify("f", "team", "alice")
    assert notify("g", "user", "alice")
    count = select(func.count()).select_from(notifications)
    assert either.read(lambda c: c.scalar(count)) == 4


# --- async -----------------------------------------------------------------------------------


async def test_awrite_and_aread_do_not_block_the_loop(either: Store) -> None:
    go, ticks = threading.Event(), 0

    async def tick() -> None:
        nonlocal ticks
        while ticks < 5:
            ticks += 1
            await asyncio.sleep(0)
        go.set()

    # The write ends only once the loop has gone round five times.
    waited, _ = await asyncio.gather(either.awrite(lambda tx: go.wait(10)), tick())
    assert waited
    await either.awrite(add("a"))
    assert await either.aread(lambda c: c.scalar(select(scopes.c.name))) == "a"


async def test_a_cancelled_awrite_is_finished_as_a_whole(either: Store) -> None:
    entered, go = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> None:
        add("a")(tx)
        entered.set()
        go.wait(10)
        add("b")(tx)

    running = asyncio.create_task(either.awrite(slow))
    queued = asyncio.create_task(either.awrite(add("c")))
    await asyncio.to_thread(entered.wait, 10)
    running.cancel()
    queued.cancel()
    results = await asyncio.gather(running, queued, return_exceptions=True)
    assert [type(r) for r in results] == [asyncio.CancelledError] * 2
    go.set()
    either.write(lambda tx: None)  # comes after both
    assert names(either) == ["a", "b", "c"]


async def test_a_write_that_fails_after_its_caller_was_cancelled_is_logged_once(
    either: Store, caplog: pytest.LogCaptureFixture
) -> None:
    go = threading.Event()

    def fail(tx: Transaction) -> None:
        go.wait(10)
        raise LookupError("no row")

    task = asyncio.create_task(either.awrite(fail))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    await either.awrite(lambda tx: None)
    del task
    gc.collect()
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("llmos.store.store", "WARNING")
    assert record.message.endswith("no row")


def test_an_awrite_outlives_the_loop_that_awaited_it(
    either: Store, caplog: pytest.LogCaptureFixture
) -> None:
    go = threading.Event()

    async def leave_it() -> None:
        task = asyncio.create_task(either.awrite(lambda tx: (go.wait(10), add("a")(tx))[0]))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave_it())
    go.set()
    either.write(lambda tx: None)
    assert names(either) == ["a"]
    assert not caplog.records


# --- processes and closing -------------------------------------------------------------------


def test_an_open_store_is_alive_for_another_and_a_closed_one_has_ended(database: Database) -> None:
    with database.open() as one:
        with database.open() as other:
            assert one.dead_processes() == other.dead_processes() == []
        assert one.dead_processes() == []
        rows = one.read(lambda c: c.execute(select(processes)).all())
    ended = {r.id: r.ended_at is not None for r in rows}
    assert ended == {one.process_id: False, other.process_id: True}
    left = [p.name for p in (database.home / "run").glob("*.lock")]
    assert left == (["migrate.lock"] if database.url is None else [])


def test_close_finishes_what_is_queued_and_is_idempotent(database: Database) -> None:
    before = threading.enumerate()  # a test of forgotten systems leaves a store open
    store = database.open()
    (writer,) = (t for t in threading.enumerate() if t.name == "llmos-writer" and t not in before)
    go = threading.Event()
    store.submit(lambda tx: go.wait(10))
    outcomes = [store.submit(add(n)) for n in "abc"]
    threading.Timer(0.05, go.set).start()
    store.close()
    store.close()
    assert all(o.done() for o in outcomes)
    assert not writer.is_alive()
    with pytest.raises(StoreError, match="closed"):
        store.write(add("d"))
    with database.open() as again:
        assert names(again) == ["a", "b", "c"]


def test_a_store_cannot_be_closed_from_its_own_writer(either: Store) -> None:
    with pytest.raises(BugError, match="closed from"):
        either.write(lambda tx: either.close())
    assert either.write(lambda tx: 1) == 1


def test_memory_store_leaves_nothing_behind() -> None:
    store = Store.memory()
    assert not store.home.exists()
    digest = store.blobs.put(b"x")
    assert store.blobs.get(digest) == b"x"
    assert store.dead_processes() == []
    store.close()
    assert not store.home.exists()


def test_two_memory_stores_share_nothing() -> None:
    with Store.memory() as one, Store.memory() as other:
        one.write(add("a"))
        assert names(other) == []


def test_a_forked_process_is_told_to_open_the_store_again(store: Store) -> None:
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            store.write(add("a"))
        except BugError as e:
            os.write(writable, e.message.encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert b"forked" in os.read(readable, 1000)


# --- urls and ids ----------------------------------------------------------------------------


def test_another_sqlite_file_can_be_named_by_url(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    with Store.open(home, url=f"sqlite:///{elsewhere}") as store:
        store.write(add("a"))
    assert elsewhere.exists() and not (home / "llmos.db").exists()


@pytest.mark.parametrize(
    "url", ["mysql://alice:secret@db/x", "sqlite://", "sqlite:///:memory:", "no url"]
)
def test_a_url_that_cannot_work_is_a_config_error_without_its_password(
    home: Path, url: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Store.open(home, url=url)
    assert "secret" not in caught.value.message
    assert not home.exists()


def test_ids_only_grow_even_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [new_id() for _ in range(2000)]
    monkeypatch.setattr("time.time_ns", lambda: 1_600_000_000_000_000_000)
    made += [new_id() for _ in range(10)]
    assert made == sorted(set(made))
    assert {len(i) for i in made} == {26}


def test_a_forked_process_makes_other_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_600_000_000_000_000_000)  # one millisecond
    new_id()
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writable, new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(readable, 100).decode() != new_id()
