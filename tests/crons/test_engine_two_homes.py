"""Two homes that share a database, as two machines do: one runs the crons, the other says so."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmos.crons.claim import Holder
from llmos.crons.holding import CronsElsewhere, who
from llmos.store import Store
from llmos.store.presence import TakenForDead
from tests.conftest import TestClock
from tests.crons.conftest import Cycles, MakeEngine
from tests.crons.killing import OWNERS, Left, made, start, what_is_left
from tests.support.databases import Database, Server, eventually


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, home: Path, tmp_path: Path) -> Database:
    """A database that is in no home."""
    if request.param == "sqlite":
        return Database(home, f"sqlite:///{tmp_path / 'shared.db'}")
    server: Server = request.getfixturevalue("postgres")
    return Database(home, server.empty())


@pytest.fixture
def there(shared: Database, tmp_path: Path) -> Database:
    """The same database, from another home."""
    return Database(tmp_path / "there", shared.url)


Stores = tuple[Store, Store]


@pytest.fixture
def stores(shared: Database, there: Database, clock: TestClock) -> Iterator[Stores]:
    with shared.open(clock) as one, there.open(clock) as other:
        yield one, other


def end_sessions(server: Server) -> None:
    server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )


async def test_the_second_one_names_process_machine_and_home_of_the_first(
    make_engine: MakeEngine, stores: Stores
) -> None:
    one, other = stores
    first = await make_engine(store=one)
    with pytest.raises(CronsElsewhere, match="the crons of this database are run by") as caught:
        await make_engine(store=other)
    found = caught.value.holder
    assert isinstance(found, Holder)
    assert (found.pid, found.home) == (os.getpid(), str(one.home))
    assert str(one.home) in caught.value.message
    assert who(other) == found
    await first.stop()
    assert (who(one), who(other)) == (None, None)
    assert (await make_engine(store=other)).running


async def test_who_asks_for_a_cycle_has_it_run_by_the_other_home(
    make_engine: MakeEngine, stores: Stores, cycles: Cycles
) -> None:
    one, other = stores
    first = await make_engine(store=one, poll_s=0.01)
    second = await make_engine(store=other, start=False)
    first.register("alice")
    report = await second.run_now(first.status()[0].level, "alice")
    assert report.why == "nothing new"
    assert not second.running


@pytest.mark.slow
async def test_of_two_that_start_at_once_one_works(shared: Database, there: Database) -> None:
    with shared.open():
        pass  # the tables are made
    both = [start(shared), start(there)]
    try:
        lines = [child.stdout.readline() for child in both if child.stdout is not None]
        assert sorted(line == "ready\n" for line in lines) == [False, True]
        assert any("the crons of this database are run by program" in line for line in lines)
    finally:
        for child in both:
            child.kill()
            child.communicate()
    assert (await what_is_left(there)).overlapping == 0


@pytest.mark.slow
async def test_when_the_first_is_killed_the_other_takes_over(
    shared: Database, there: Database
) -> None:
    first = start(shared)
    assert first.stdout is not None and first.stdout.readline() == "ready\n"
    first.send_signal(signal.SIGKILL)
    first.communicate()
    with there.open() as store:
        assert eventually(lambda: who(store) is None)
    left = await what_is_left(there)
    assert left == Left(left.made, lost=0, doubled=0, running=0, unpaired=0, overlapping=0)


# --- a server that goes away -----------------------------------------------------------------


async def test_one_that_was_cut_off_and_replaced_stores_nothing_more_and_ends(
    make_engine: MakeEngine, postgres: Server, home: Path, tmp_path: Path, clock: TestClock
) -> None:
    url = postgres.empty()
    with Store.open(home, url=url, clock=clock) as one:
        first = await make_engine(store=one)
        first.register("alice")
        with Store.open(tmp_path / "there", url=url, clock=clock) as other:
            end_sessions(postgres)
            assert eventually(lambda: who(other) is None)
            second = await make_engine(store=other)
            with pytest.raises(TakenForDead):
                first.tick()
            assert second.tick() == 1
            with pytest.raises(CronsElsewhere):
                first._holding.keep()
            await second.stop()


async def test_an_engine_that_was_taken_for_dead_ends_and_says_why(
    make_engine: MakeEngine, postgres: Server, home: Path, tmp_path: Path
) -> None:
    url = postgres.empty()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    with Store.open(home, url=url) as one, Store.open(tmp_path / "there", url=url) as other:
        engine = await make_engine(
            store=one, poll_s=0.01, on_end=lambda: loop.call_soon_threadsafe(ended.set)
        )
        other.write(lambda tx: other.end_process(tx, one.process_id))
        end_sessions(postgres)
        await asyncio.wait_for(ended.wait(), 20)
        assert isinstance(engine.failed, TakenForDead | CronsElsewhere)
        assert not engine.running


async def test_one_that_does_nothing_comes_back_after_a_restart_of_the_server(
    make_engine: MakeEngine, postgres: Server, home: Path, tmp_path: Path
) -> None:
    url = postgres.empty()
    with Store.open(home, url=url) as one, Store.open(tmp_path / "there", url=url) as other:
        engine = await make_engine(store=one, poll_s=0.01)
        end_sessions(postgres)
        assert eventually(lambda: who(other) is None) or engine.running
        assert eventually(lambda: who(other) is not None)
        assert engine.running


@pytest.mark.slow
async def test_a_daemon_works_on_when_the_server_ends_its_sessions_again_and_again(
    postgres: Server, home: Path
) -> None:
    database = Database(home, postgres.empty())
    child = start(database)
    try:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        for _ in range(3):
            end_sessions(postgres)
            assert goes_on(database)
    finally:
        child.kill()
        child.communicate()
    left = await what_is_left(database)
    assert left == Left(left.made, lost=0, doubled=0, running=0, unpaired=0, overlapping=0)


def goes_on(database: Database) -> bool:
    """Whether each cron makes more than there is now."""
    with database.open() as store:
        before = {level: made(store, level, owner) for level, owner in OWNERS.items()}
        return eventually(lambda: all(made(store, v, OWNERS[v]) > n for v, n in before.items()))
