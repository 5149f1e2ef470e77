"""Cycles as DBOS workflows: what the plain carrier does, and what it cannot."""

from __future__ import annotations

import io
import logging
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from llmos.crons import CronLevel
from llmos.crons.carriers import PlainCarrier
from llmos.crons.durable import DurableCarrier, best_carrier
from llmos.store import Store
from tests.crons.conftest import Cycles, MakeEngine, did, told

USER = CronLevel.USER


def workflows(home: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(home / "crons.db")) as connection:
        return connection.execute("SELECT workflow_uuid, status FROM workflow_status").fetchall()


async def test_a_cycle_that_has_ended_leaves_no_workflow_behind(
    make_engine: MakeEngine, cycles: Cycles, store: Store, home: Path
) -> None:
    cycles.does["user", "alice"] = lambda: did("user", "alice", "mail", tokens=3)
    engine = await make_engine(carrier=DurableCarrier(store))
    engine.register("alice", "engineering")
    engine.run_due()
    assert cycles.taken() == [("user", "alice"), ("team", "engineering"), ("system", "system")]
    assert told(store, "CYCLE_END")[0]["payload"]["tokens"] == 3
    assert workflows(home) == []
    await engine.stop()
    again = await make_engine(carrier=DurableCarrier(store))
    report = await again.run_now(USER, "alice")
    assert [t.title for t in report] == ["mail"]


DIES = """
import asyncio, os, sys
from pathlib import Path
from llmos.crons import CronLevel
from llmos.crons.engine import CronEngine
from llmos.store import Store
from tests.crons.conftest import did

moment = sys.argv[2]

def cycle(level, owner):
    if moment == "work":
        os.kill(os.getpid(), 9)
    return did("user", "alice", "mail", tokens=7)

async def main():
    store = Store.open(Path(sys.argv[1]))
    engine = CronEngine(store, cycle, poll_s=None)
    end = engine._steps.end
    def dies(cycle, report):
        if moment == "after":
            end(cycle, report)
        os.kill(os.getpid(), 9)
    engine._steps.end = dies
    await engine.run_now(CronLevel.USER, "alice")

asyncio.run(main())
"""


def die(home: Path, moment: str) -> None:
    done = subprocess.run([sys.executable, "-c", DIES, str(home), moment], check=False)
    assert done.returncode == -9


async def test_the_report_of_a_cycle_whose_process_died_before_its_end_is_told(
    make_engine: MakeEngine, cycles: Cycles, home: Path
) -> None:
    die(home, "end")
    with Store.open(home) as store:
        engine = await make_engine(store=store, carrier=DurableCarrier(store))
        engine._under_way.wait()
        (end,) = told(store, "CYCLE_END")
        assert (end["payload"]["tasks"], end["payload"]["tokens"]) == (1, 7)
        assert cycles.taken() == [], "the work was done and is not done again"
        assert (engine.status()[0].status, engine.status()[0].failures) == ("ok", 0)
        await engine.stop()


async def test_a_cycle_whose_process_died_in_its_work_is_done_by_the_next_one(
    make_engine: MakeEngine, cycles: Cycles, home: Path
) -> None:
    die(home, "work")
    with Store.open(home) as store:
        engine = await make_engine(store=store, carrier=DurableCarrier(store))
        engine._under_way.wait()
        assert cycles.taken() == [("user", "alice")]
        assert engine.status()[0].status == "quiet"
        await engine.stop()


async def test_a_cycle_whose_process_died_after_its_end_is_told_once(
    make_engine: MakeEngine, cycles: Cycles, home: Path
) -> None:
    die(home, "after")
    with Store.open(home) as store:
        engine = await make_engine(store=store, carrier=DurableCarrier(store))
        engine.run_due()
        assert len(told(store, "CYCLE_END")) == 1
        assert cycles.taken() == []
        await engine.stop()
        assert workflows(home) == []


async def test_where_dbos_is_in_use_already_cycles_are_carried_plainly(
    make_engine: MakeEngine, store: Store, tmp_path: Path
) -> None:
    first = await make_engine(carrier=DurableCarrier(store))
    with Store.open(tmp_path / "other") as other:
        assert isinstance(best_carrier(other), PlainCarrier)
    await first.stop()
    assert isinstance(best_carrier(store), DurableCarrier)
    assert os.path.exists(store.home / "crons.db")


def test_it_begins_again_where_standard_error_is_another(store: Store) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger("dbos").addHandler(handler)
    stream.close()
    carrier = DurableCarrier(store)
    carrier.open(lambda cycle: did("user", "alice"), lambda cycle, report: None)
    carrier.close()
    assert handler not in logging.getLogger("dbos").handlers
