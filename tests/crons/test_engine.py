"""The engine on a real store: what is due, in which order, and what is told of it."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from llmos.crons import CronLevel, CycleReport, states
from llmos.crons.holding import CronsElsewhere, holder
from llmos.crons.schedule import Schedule
from llmos.crons.status import add_cron
from llmos.errors import ConfigError, UserError
from llmos.store import Store, Transaction
from tests.conftest import TestClock
from tests.crons.conftest import Cycles, Hanging, MakeEngine, did, told

USER, TEAM, SYSTEM = CronLevel.USER, CronLevel.TEAM, CronLevel.SYSTEM
ENDS = ("CYCLE_BEGIN", "CYCLE_END")


async def test_users_come_first_then_their_teams_then_the_system(
    make_engine: MakeEngine, cycles: Cycles
) -> None:
    engine = await make_engine()
    engine.register("bob", "engineering")
    engine.register("alice", "engineering")
    engine.run_due()
    ran = cycles.taken()
    assert sorted(ran[:2]) == [("user", "alice"), ("user", "bob")]
    assert ran[2:] == [("team", "engineering"), ("system", "system")]


async def test_each_level_is_due_again_after_its_own_interval(
    make_engine: MakeEngine, cycles: Cycles, clock: TestClock
) -> None:
    engine = await make_engine()
    engine.register("alice", "engineering")
    engine.run_due()
    cycles.taken()
    rounds = []
    for _ in range(4):
        clock.forward(seconds=1799)
        engine.run_due()
        assert cycles.taken() == []
        clock.forward(seconds=1)
        engine.run_due()
        rounds.append([level for level, _ in cycles.taken()])
    assert rounds == [["user"], ["user", "team"], ["user"], ["user", "team", "system"]]


async def test_a_cron_that_was_due_often_while_the_machine_was_off_runs_once(
    make_engine: MakeEngine, cycles: Cycles, clock: TestClock
) -> None:
    engine = await make_engine()
    engine.register("alice")
    engine.run_due()
    await engine.stop()
    cycles.taken()
    clock.forward(days=3)
    engine = await make_engine()
    engine.run_due()
    assert cycles.taken() == [("user", "alice"), ("system", "system")]
    clock.forward(seconds=1799)
    engine.run_due()
    assert cycles.taken() == []


async def test_a_cycle_that_still_runs_when_it_is_due_again_is_skipped_not_queued(
    make_engine: MakeEngine, cycles: Cycles, clock: TestClock
) -> None:
    hanging = cycles.does["user", "alice"] = Hanging()
    engine = await make_engine()
    engine.register("alice")
    engine.tick()
    assert hanging.begun.wait(10)
    for _ in range(3):
        clock.forward(seconds=1800)
        engine.tick()
    clock.forward(seconds=600)
    hanging.go.set()
    engine.run_due()
    assert cycles.taken().count(("user", "alice")) == 1
    (cron, _) = engine.status()
    assert cron.next_at is not None and cron.began_at is not None
    assert (cron.next_at - cron.began_at).total_seconds() == 4 * 1800


async def test_a_user_that_hangs_holds_up_the_system_for_one_interval_and_is_told_of(
    make_engine: MakeEngine, cycles: Cycles, clock: TestClock
) -> None:
    hanging = cycles.does["user", "alice"] = Hanging()
    engine = await make_engine()
    engine.register("alice")
    engine.tick()
    assert hanging.begun.wait(10)
    clock.forward(seconds=5400)
    assert (engine.tick(), engine.overdue()) == (0, [])
    clock.forward(seconds=1801)
    assert [c.owner for c in engine.overdue()] == ["alice"]
    report = await engine.run_now(SYSTEM, "system")
    (alert,) = report.tasks
    assert (alert.kind, alert.subject) == ("alert", "user:alice")
    again = await engine.run_now(SYSTEM, "system")
    assert again.tasks == (), "the same finding is told once"
    hanging.go.set()
    engine.run_due()
    assert engine.overdue() == []


async def test_a_failing_cron_backs_off_to_eight_intervals_and_one_success_resets_it(
    make_engine: MakeEngine, cycles: Cycles, clock: TestClock, store: Store
) -> None:
    def fail() -> CycleReport:
        raise RuntimeError("the disk\nis on fire")

    cycles.does["user", "alice"] = fail
    engine = await make_engine()
    engine.register("alice")
    waits = []
    for _ in range(6):
        engine.run_due()
        (cron, _) = engine.status()
        assert (cron.status, cron.told) == ("failed", "RuntimeError: the disk is on fire")
        assert cron.next_at is not None
        waits.append((cron.next_at - clock.now).total_seconds() / 1800)
        clock.now = cron.next_at
    assert waits == [1, 2, 4, 8, 8, 8]
    assert cron.failures == 6
    end = told(store, "CYCLE_END")[-1]
    assert (end["payload"]["ok"], end["payload"]["error"]) == (False, cron.told)
    del cycles.does["user", "alice"]
    engine.run_due()
    (cron, _) = engine.status()
    assert (cron.status, cron.failures) == ("quiet", 0)


async def test_a_cycle_that_did_something_is_told_from_its_beginning_to_its_end(
    make_engine: MakeEngine, cycles: Cycles, store: Store
) -> None:
    cycles.does["user", "alice"] = lambda: did(
        "user", "alice", "mail", "sums", tokens=70, cost_usd=0.02, looked_at=9, left=1, seconds=2.5
    )
    engine = await make_engine()
    engine.register("alice")
    engine.run_due()
    begin, end = told(store, *ENDS)
    assert begin["subject"] == end["subject"] and len(begin["subject"]) == 26
    for row in (begin, end):
        assert (row["volume"], row["owner"], row["actor"]) == ("user", "alice", "user-cron")
    assert end["payload"] == {
        "level": "user",
        "began_at": "2026-03-02T09:07:00.000000Z",
        "tasks": 2,
        "why": "",
        "duration_s": 2.5,
        "tokens": 70,
        "cost_usd": 0.02,
        "ok": True,
        "error": "",
        "looked_at": 9,
        "left": 1,
    }
    assert engine.status()[0].told == "mail; sums"


async def test_quiet_cycles_are_told_together_when_something_happens(
    make_engine: MakeEngine, cycles: Cycles, clock: TestClock, store: Store
) -> None:
    engine = await make_engine()
    engine.register("alice")
    engine.pause(SYSTEM)
    for _ in range(5):
        engine.run_due()
        clock.forward(seconds=1800)
    assert told(store, *ENDS) == []
    cycles.does["user", "alice"] = lambda: did("user", "alice", "mail")
    engine.run_due()
    quiet, begin, end = told(store, *ENDS)
    assert (quiet["type"], quiet["payload"]["tasks"], quiet["payload"]["quiet"]) == (
        "CYCLE_END",
        0,
        5,
    )
    assert quiet["payload"]["why"] == "nothing new"
    assert quiet["payload"]["since"] == "2026-03-02T09:07:00.000000Z"
    assert (begin["type"], end["payload"]["tasks"]) == ("CYCLE_BEGIN", 1)


async def test_a_quiet_week_makes_one_event_a_day_for_each_cron(
    make_engine: MakeEngine, clock: TestClock, store: Store
) -> None:
    engine = await make_engine(intervals={USER: 10_800, SYSTEM: 10_800})
    engine.register("alice")
    for _ in range(7 * 8):
        engine.run_due()
        clock.forward(hours=3)
    by_actor: dict[str, int] = {}
    for row in told(store, *ENDS):
        assert row["type"] == "CYCLE_END"
        by_actor[row["actor"]] = by_actor.get(row["actor"], 0) + row["payload"]["quiet"]
    count = len(told(store, *ENDS))
    assert 2 * 5 <= count <= 2 * 7
    assert by_actor["user-cron"] >= 5 * 8


async def test_crons_are_told_to_start_and_stop_once_a_start(
    make_engine: MakeEngine, store: Store
) -> None:
    engine = await make_engine()
    engine.register("alice", "engineering")
    engine.run_due()
    engine.run_due()
    await engine.stop()
    await engine.stop()
    for type_ in ("CRON_STARTED", "CRON_STOPPED"):
        rows = told(store, type_)
        assert [(r["volume"], r["owner"], r["actor"]) for r in rows] == [
            ("user", "alice", "user-cron"),
            ("team", "engineering", "team-cron"),
            ("system", "system", "system-cron"),
        ]


async def test_a_paused_cron_stays_paused_for_whoever_runs_the_crons_next(
    make_engine: MakeEngine, cycles: Cycles, clock: TestClock
) -> None:
    engine = await make_engine()
    engine.register("alice")
    engine.register("bob")
    assert engine.pause(USER, "alice") == 1
    assert engine.pause(SYSTEM) == 1
    await engine.stop()
    engine = await make_engine()
    engine.run_due()
    assert cycles.taken() == [("user", "bob")]
    engine.resume(USER)
    engine.run_due()
    assert cycles.taken() == [("user", "alice")]


async def test_a_cron_that_is_not_there_cannot_be_paused(make_engine: MakeEngine) -> None:
    engine = await make_engine()
    with pytest.raises(UserError, match="there is no such cron: the user cron of 'bob'"):
        engine.pause(USER, "bob")


async def test_a_second_engine_is_told_who_runs_the_crons(
    make_engine: MakeEngine, home: Path
) -> None:
    first = await make_engine()
    second = await make_engine(start=False)
    with pytest.raises(CronsElsewhere, match=r"are run by program \d+ since 2026-03-02"):
        await second.start()
    await first.stop()
    assert holder(home) is None
    await second.start()
    assert holder(home) is not None


async def test_run_now_needs_no_schedule_and_leaves_none(
    make_engine: MakeEngine, cycles: Cycles, home: Path
) -> None:
    cycles.does["user", "alice"] = lambda: did("user", "alice", "mail")
    engine = await make_engine(start=False)
    report = await engine.run_now(USER, "alice")
    assert [t.title for t in report] == ["mail"]
    assert holder(home) is None
    assert cycles.taken() == [("user", "alice")]


async def test_run_now_is_done_by_the_process_that_runs_the_crons(
    make_engine: MakeEngine, cycles: Cycles, store: Store
) -> None:
    runs = await make_engine(poll_s=0.01)
    runs.register("alice")
    runs.run_due()
    cycles.does["user", "alice"] = lambda: did("user", "alice", "mail")
    asks = await make_engine(start=False)
    report = await asks.run_now(USER, "alice")
    assert [t.title for t in report] == ["mail"]
    assert told(store, "CYCLE_END")[-1]["subject"] == report.cycle_id
    del cycles.does["user", "alice"]
    assert (await asks.run_now(USER, "alice")).why == "nothing new"
    runs.pause(USER, "alice")
    with pytest.raises(UserError, match="paused"):
        await asks.run_now(USER, "alice")


async def test_run_now_does_not_run_a_cycle_twice_at_once(
    make_engine: MakeEngine, cycles: Cycles
) -> None:
    hanging = cycles.does["user", "alice"] = Hanging()
    engine = await make_engine()
    engine.register("alice")
    engine.tick()
    assert hanging.begun.wait(10)
    with pytest.raises(UserError, match="is under way"):
        await engine.run_now(USER, "alice")
    hanging.go.set()


async def test_cycles_run_one_after_the_other_however_fast_they_are_asked_for(
    make_engine: MakeEngine, cycles: Cycles
) -> None:
    engine = await make_engine(poll_s=0.001)
    engine.register("bob")
    engine.run_due()
    cycles.taken()
    for _ in range(30):
        await engine.run_now(USER, "bob")
    assert cycles.taken() == [("user", "bob")] * 30
    assert engine.status()[0].failures == 0, "none was taken for lost"


async def test_a_cycle_that_hangs_at_the_end_leaves_no_running_row_and_keeps_the_lock(
    make_engine: MakeEngine, cycles: Cycles, home: Path
) -> None:
    hanging = cycles.does["user", "alice"] = Hanging()
    engine = await make_engine()
    engine.register("alice")
    engine.tick()
    assert hanging.begun.wait(10)
    await engine.stop()
    (cron, _) = engine.status()
    assert (cron.status, cron.failures, cron.next_at) == ("failed", 0, cron.ended_at)
    assert engine.cycles_left
    assert holder(home) is not None, "it might still store something"
    hanging.go.set()
    for _ in range(1000):
        if holder(home) is None:
            break
        time.sleep(0.01)
    assert holder(home) is None


@pytest.mark.parametrize("failures", [0, 2])
async def test_a_row_that_a_dead_process_left_running_is_due_at_once(
    make_engine: MakeEngine, cycles: Cycles, home: Path, failures: int
) -> None:
    engine = await make_engine(start=False)
    engine.register("alice")
    run(home, f"UPDATE crons SET status='running', failures={failures}, began_at=next_at")
    await engine.start()
    engine.run_due()
    assert ("user", "alice") in cycles.taken()
    assert {c.status for c in engine.status()} == {"quiet"}


async def test_a_cycle_that_kills_its_process_again_and_again_is_made_to_wait(
    make_engine: MakeEngine, cycles: Cycles, home: Path, clock: TestClock, store: Store
) -> None:
    engine = await make_engine(start=False)
    engine.register("alice")
    run(home, "UPDATE crons SET status='running', failures=3, began_at=next_at")
    await engine.start()
    engine.run_due()
    assert cycles.taken() == []
    cron = engine.status()[0]
    assert cron.status == "failed"
    assert cron.next_at is not None and cron.next_at > clock.now
    assert "died in the middle of it, 4 times in a row" in cron.told
    assert told(store, "CYCLE_END")[0]["payload"]["ok"] is False


async def test_an_interval_that_cannot_work_is_refused(make_engine: MakeEngine) -> None:
    with pytest.raises(ConfigError, match="'user_cron_interval' must be above 0"):
        await make_engine(intervals={USER: 0.0})


async def test_a_name_that_no_folder_can_have_is_refused(make_engine: MakeEngine) -> None:
    engine = await make_engine()
    with pytest.raises(UserError):
        engine.register("../alice")
    assert engine.status() == []


def run(home: Path, statement: str) -> None:
    """What a dead process left in the database."""
    connection = sqlite3.connect(home / "llmos.db")
    with connection:
        connection.execute(statement)
    connection.close()


def test_a_cycle_that_ended_is_not_taken_up_when_the_next_one_has_ended_too(
    store: Store, clock: TestClock
) -> None:
    """Its process died before it could note the end where it keeps the cycle."""
    schedule = Schedule.of()

    def through(tx: Transaction) -> states.Cycle:
        cycle = states.begin(tx, USER, "alice", clock())
        assert cycle is not None
        done = did("user", "alice", "mail", cycle_id=cycle.id)
        states.finish(tx, cycle, done, clock(), schedule)
        return cycle

    store.write(lambda tx: add_cron(tx, USER, "alice", clock()))
    first = store.write(through)
    clock.forward(seconds=1800)
    second = store.write(through)
    left = store.write(lambda tx: states.take_up(tx, [first, second], clock(), schedule))
    assert left == []
    assert len(told(store, *ENDS)) == 4
