"""Two processes in one database, and processes that are killed."""

import random
import time

import pytest
from sqlalchemy import func, select

from llmos.kernel.economy import Economy
from llmos.store.schema import events, ledger, processes, scopes
from tests.store.children import increase, open_and_close, pipe, start, work_until_killed
from tests.support.databases import Database, eventually


def test_two_processes_lose_no_increment(database: Database) -> None:
    with database.open() as store:
        row = {"name": "n", "spent_micro": 0, "reserved_micro": 0}
        store.write(lambda tx: tx.conn.execute(scopes.insert(), row))
    children = [start(increase, database, 600) for _ in range(2)]
    for child in children:
        child.join()
    assert [c.exitcode for c in children] == [0, 0]
    with database.open() as store:
        assert store.read(lambda c: c.scalar(select(scopes.c.spent_micro))) == 1200


def test_many_processes_may_open_a_new_home_at_once(new_database: Database) -> None:
    children = [start(open_and_close, new_database) for _ in range(6)]
    for child in children:
        child.join()
    assert [c.exitcode for c in children] == [0] * 6
    with new_database.open() as store:
        ended = select(func.count(processes.c.ended_at))
        assert store.read(lambda c: c.scalar(ended)) == 6


def kill_while_working(database: Database, count: int, after_s: float) -> list[list[str]]:
    """Let ``count`` processes work, kill −9 all; the ids each had told as committed."""
    working = []
    for _ in range(count):
        ours, theirs = pipe()
        working.append((start(work_until_killed, database, theirs), ours))
        theirs.close()
    heads = [open(ours.fileno(), "rb", closefd=False) for _, ours in working]  # noqa: SIM115
    firsts = [head.readline() for head in heads]  # all of them are at work now
    time.sleep(after_s)
    for child, _ in working:
        child.kill()
    told = []
    for (child, ours), head, first in zip(working, heads, firsts, strict=True):
        lines = (first + head.read()).split(b"\n")[:-1]  # the last may have been cut off
        child.join()
        assert child.exitcode == -9
        ours.close()
        told.append([line.decode() for line in lines])
    return told


def check_nothing_was_lost(database: Database, told: list[list[str]], before: set[str]) -> set[str]:
    """Every told id is stored, events and money agree; all ids that are stored now."""
    with database.open() as store:
        assert database.url is None or eventually(lambda: len(store.dead_processes()) == len(told))
        assert len(store.dead_processes()) == len(told)
        stored = set(store.read(lambda c: c.scalars(select(events.c.id)).all()))
        spent = store.read(lambda c: c.scalar(select(func.sum(ledger.c.amount_micro))))
        economy = Economy(store)
        all_told = {i for ids in told for i in ids}
        assert all_told and all_told <= stored
        # Each process may have been killed between its last commit and the telling of it.
        assert len(stored - before - all_told) <= len(told)
        assert spent == len(stored) * 10_000
        for scope in ("system", "user:alice"):
            assert economy.status(scope).spent_usd == pytest.approx(spent / 1e6, abs=0)
        assert economy.status("system").reserved_usd == len(told)
        assert economy.expire() == len(told)
        assert economy.status("system").reserved_usd == 0
        for dead in store.dead_processes():
            store.write(lambda tx, dead=dead: store.end_process(tx, dead))
        assert store.dead_processes() == []
        if database.url is None:
            check = store.read(lambda c: c.exec_driver_sql("PRAGMA integrity_check").scalar())
            assert check == "ok"
    return stored


def kill_repeatedly(database: Database, times: int) -> int:
    chance, stored, told = random.Random(20231130), set[str](), 0
    for _ in range(times):
        ids = kill_while_working(database, 2, chance.uniform(0, 0.05))
        stored = check_nothing_was_lost(database, ids, stored)
        told += sum(map(len, ids))
    return told


def test_kill_9_loses_nothing_that_was_committed(database: Database) -> None:
    times = 10 if database.url is None else 4  # a server is slower to open
    assert kill_repeatedly(database, times) >= 2 * times


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kill_9_two_hundred_times_loses_nothing(database: Database) -> None:
    told = kill_repeatedly(database, 200)
    print(f"\n200 x kill -9 of two processes at work: {told} commits told, 0 lost")
