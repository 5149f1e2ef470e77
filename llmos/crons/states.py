"""How a cycle changes the row of its cron, each change with its events in one transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import update

from llmos.crons.cycle import CronLevel, CycleReport, CycleTask
from llmos.crons.memory import Memory, recall, remember
from llmos.crons.schedule import Schedule
from llmos.crons.status import CronStatus, find_cron, list_crons, meant
from llmos.store import Transaction, new_id
from llmos.store.schema import crons, parse_stamp, stamp
from llmos.values import EventType, Json

DEATHS = 3
"""Times in a row that a cycle whose process died is taken up again without waiting."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """One cycle that is under way."""

    id: str
    level: CronLevel
    owner: str
    began_at: datetime

    def as_dict(self) -> dict[str, Json]:
        """The cycle as JSON, for `from_dict`."""
        return {
            "id": self.id,
            "level": self.level.value,
            "owner": self.owner,
            "began_at": stamp(self.began_at),
        }

    @classmethod
    def from_dict(cls, told: dict[str, str]) -> Cycle:
        """What `as_dict` gave."""
        level, began_at = CronLevel(told["level"]), parse_stamp(told["began_at"])
        return cls(told["id"], level, told["owner"], began_at)

    def failed(self, error: str, seconds: float = 0.0) -> CycleReport:
        """The report of a cycle that came to nothing."""
        return CycleReport(self.level, self.owner, self.id, seconds=seconds, error=error)


def begin(tx: Transaction, level: CronLevel, owner: str, now: datetime) -> Cycle | None:
    """Let a cycle begin; None if one of this cron is under way already.

    Nothing is told of it yet: whether it does anything is known when it ends.
    """
    free = meant(level, owner) & (crons.c.status != "running")
    taken = update(crons).where(free).values(status="running", began_at=stamp(now), told="")
    if tx.conn.execute(taken).rowcount != 1:
        return None
    return Cycle(new_id(), level, owner, now)


def finish(
    tx: Transaction,
    cycle: Cycle,
    report: CycleReport,
    now: datetime,
    schedule: Schedule,
    overdue: Collection[CronStatus] = (),
) -> bool:
    """Let a cycle end, and tell what it did; False if it has ended already.

    A step that is done again after its process died must end it only once.

    Args:
        tx: The transaction.
        cycle: Which.
        report: What it did.
        now: The present.
        schedule: The intervals.
        overdue: Of the system's cycle: the crons that are overdue now.
    """
    cron = find_cron(tx.conn, cycle.level, cycle.owner)
    if cron is None or not cron.running or cron.began_at != cycle.began_at:
        return False
    failures = cron.failures + 1 if report.error else 0
    values = {
        "status": "failed" if report.error else "ok" if report.tasks else "quiet",
        "ended_at": stamp(now),
        "told": summary(report),
        "failures": failures,
        "next_at": stamp(schedule.next_at(cycle.level, cycle.began_at, now, failures)),
    }
    tx.conn.execute(update(crons).where(meant(cycle.level, cycle.owner)).values(values))
    place = cycle.level.place(cycle.owner)
    memory = recall(tx, place).with_report(report).still(cron_name(c) for c in overdue)
    if report.error or report.tasks:
        memory = _tell_quiet(tx, memory, report)
        _tell(tx, cycle, report)
    else:
        memory = memory.with_quiet(report, now)
        if memory.is_day(now):
            memory = _tell_quiet(tx, memory, report)
    remember(tx, place, memory)
    return True


def summary(report: CycleReport) -> str:
    """What a cycle did, in one line."""
    if report.error:
        return report.error
    if not report.tasks:
        return report.why or "nothing to do"
    titles = "; ".join(t.title for t in report.tasks[:3])
    more = len(report.tasks) - 3
    return f"{titles}; and {more} more" if more > 0 else titles


def lay_down(tx: Transaction, cycle: Cycle, now: datetime) -> None:
    """Note that a cycle was left in the middle on purpose; it is due as soon as crons run again."""
    mine = meant(cycle.level, cycle.owner) & (crons.c.began_at == stamp(cycle.began_at))
    told = "stopped in the middle; it is done again"
    values = {"status": "failed", "ended_at": stamp(now), "told": told, "next_at": stamp(now)}
    tx.conn.execute(update(crons).where(mine & (crons.c.status == "running")).values(values))


def take_up(
    tx: Transaction,
    left: Collection[Cycle],
    now: datetime,
    schedule: Schedule,
    alive: Collection[tuple[CronLevel, str]] = (),
) -> list[Cycle]:
    """Mend what dead processes left; the cycles that go on.

    Only for whoever holds the lock of the crons: then no cycle that is under way is alive.

    Args:
        tx: The transaction.
        left: Cycles that are kept elsewhere and can go on.
        now: The present.
        schedule: The intervals.
        alive: Crons of which this process knows that their cycle is under way.
    """
    going_on: list[Cycle] = []
    for cycle in left:
        cron = find_cron(tx.conn, cycle.level, cycle.owner)
        if cron is None or cron.failures >= DEATHS or _has_ended(tx, cycle, cron):
            continue
        # It counts as a failure until it ends well: what kills its process must not do so for ever.
        values = {"status": "running", "began_at": stamp(cycle.began_at)}
        died = {"failures": cron.failures + 1} if cron.running else {}
        tx.conn.execute(update(crons).where(meant(cycle.level, cycle.owner)).values(values | died))
        going_on.append(cycle)
    kept = {*alive, *((c.level, c.owner) for c in going_on)}
    for cron in list_crons(tx.conn):
        if cron.running and (cron.level, cron.owner) not in kept:
            _died(tx, cron, now, schedule)
    return going_on


def tell_started(tx: Transaction, cron: CronStatus) -> None:
    """Tell that a cron is looked after from now on."""
    _event(tx, EventType.CRON_STARTED, cron, f"the {cron.level.value} cron runs")


def tell_stopped(tx: Transaction, cron: CronStatus) -> None:
    """Tell that a cron is no longer looked after."""
    _event(tx, EventType.CRON_STOPPED, cron, f"the {cron.level.value} cron stopped")


def with_alerts(report: CycleReport, overdue: Collection[CronStatus], told: Memory) -> CycleReport:
    """The report of the system's cycle with an alert for each cron that has become overdue."""
    alerts = tuple(
        CycleTask(
            "alert",
            cron_name(cron),
            f"the {cron.level.value} cron of {cron.owner} has not ended for 3 intervals",
            cron.told or f"status: {cron.status}",
        )
        for cron in overdue
        if cron_name(cron) not in told.alerts
    )
    return replace(report, tasks=report.tasks + alerts)


def cron_name(cron: CronStatus) -> str:
    """What a cron is called in events: ``user:alice``."""
    return f"{cron.level.value}:{cron.owner}"


def _has_ended(tx: Transaction, cycle: Cycle, cron: CronStatus) -> bool:
    """Whether all of it was done, and only that was not noted where it is kept.

    The next cycle of its cron may have begun, and ended, before that could be noted.
    """
    if cron.began_at is not None and cron.began_at > cycle.began_at:
        return True
    newest = recall(tx, cycle.level.place(cycle.owner)).report
    return newest is not None and newest.cycle_id == cycle.id


def _died(tx: Transaction, cron: CronStatus, now: datetime, schedule: Schedule) -> None:
    began = cron.began_at or now
    cycle = Cycle(new_id(), cron.level, cron.owner, began)
    if cron.failures >= DEATHS:
        times = cron.failures + 1
        error = f"its process died in the middle of it, {times} times in a row"
        finish(tx, cycle, cycle.failed(error), now, schedule)
        return
    lay_down(tx, cycle, now)
    told = "its process died in the middle of it; it is done again"
    values = {"failures": cron.failures + 1, "told": told}
    tx.conn.execute(update(crons).where(meant(cron.level, cron.owner)).values(values))


def _event(tx: Transaction, type_: EventType, cron: CronStatus, title: str) -> None:
    place = cron.level.place(cron.owner)
    tx.event(
        type_,
        volume=place.volume,
        owner=place.owner,
        actor=cron.level.author,
        subject=cron_name(cron),
        title=title,
        payload={"level": cron.level.value},
    )


def _tell(tx: Transaction, cycle: Cycle, report: CycleReport) -> None:
    """Both ends of a cycle that did something, so that no beginning is left without an end."""
    place, who = cycle.level.place(cycle.owner), cycle.level.author
    begun: dict[str, Json] = {"level": cycle.level.value, "began_at": stamp(cycle.began_at)}
    tx.event(
        EventType.CYCLE_BEGIN,
        volume=place.volume,
        owner=place.owner,
        actor=who,
        subject=cycle.id,
        title="a cycle began",
        payload=begun,
    )
    tasks = len(report.tasks)
    done = "1 task" if tasks == 1 else f"{tasks} tasks"
    tx.event(
        EventType.CYCLE_END,
        volume=place.volume,
        owner=place.owner,
        actor=who,
        subject=cycle.id,
        title="cycle: failed" if report.error else f"cycle: {done} in {report.seconds:.1f} s",
        payload=begun | payload(report),
    )


def payload(report: CycleReport) -> dict[str, Json]:
    """What a CYCLE_END tells of a cycle."""
    return {
        "tasks": len(report.tasks),
        "why": report.why or report.error,
        "duration_s": round(report.seconds, 3),
        "tokens": report.tokens,
        "cost_usd": report.cost_usd,
        "ok": not report.error,
        "error": report.error,
        "looked_at": report.looked_at,
        "left": report.left,
    }


def _tell_quiet(tx: Transaction, memory: Memory, report: CycleReport) -> Memory:
    """Tell of the quiet cycles so far, one event for each reason; the memory without them."""
    place = report.level.place(report.owner)
    for quiet in memory.quiet:
        tx.event(
            EventType.CYCLE_END,
            volume=place.volume,
            owner=place.owner,
            actor=report.level.author,
            subject=quiet.cycle,
            title="cycle: nothing to do",
            payload={"level": report.level.value, **quiet.payload()},
        )
    return replace(memory, quiet=())
