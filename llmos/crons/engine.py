"""The engine of the crons: looks what is due, has it done, and survives whatever ends it.

Times come from the table ``crons`` and the injected clock, never from a timer: a cron that was
due while the machine was off is due when it is on again, once. See docs/crons.md.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime

from llmos.crons import asking, states
from llmos.crons.carriers import Carrier
from llmos.crons.claim import Holder
from llmos.crons.cycle import CronLevel, CycleReport
from llmos.crons.durable import best_carrier
from llmos.crons.holding import PROGRAM, CronsElsewhere, Holding, who
from llmos.crons.schedule import Schedule
from llmos.crons.states import Cycle
from llmos.crons.status import (
    SYSTEM_OWNER,
    CronStatus,
    add_cron,
    list_crons,
    set_paused,
)
from llmos.crons.steps import RunCycle, Steps, one_line
from llmos.crons.underway import Key, UnderWay
from llmos.errors import LLMOSError, UserError
from llmos.store import Store, Transaction
from llmos.store.presence import TakenForDead
from llmos.values import Clock, utc_now

_log = logging.getLogger(__name__)


class CronEngine:
    """Runs the crons of one home, as the only one to do so.

    Args:
        store: Of the home.
        run_cycle: What a cycle does.
        intervals: Seconds between two cycles, where not as by default.
        clock: Returns the present.
        carrier: Carries cycles through; DBOS by default.
        parallel: Cycles of users and teams that run at once. The system's cron needs no turn: it
            watches the others.
        poll_s: How often the table is looked at, in seconds of the wall clock; None if only
            `tick` and `run_due` do that.
        grace_s: How long `stop` waits for a cycle to end by itself.
        on_cycle: Told every report, in the thread of its cycle.
        on_end: Called, in a thread of the engine, when that has ended: by `stop`, or because it
            could not begin or go on (`failed`).
    """

    def __init__(
        self,
        store: Store,
        run_cycle: RunCycle,
        *,
        intervals: Mapping[CronLevel, float] | None = None,
        clock: Clock = utc_now,
        carrier: Carrier | None = None,
        parallel: int = 2,
        poll_s: float | None = 2.0,
        grace_s: float = 0.5,
        on_cycle: Callable[[CycleReport], None] = lambda report: None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.schedule = Schedule.of(intervals)
        self.on_cycle = on_cycle
        self.on_end = on_end
        self.failed: Exception | None = None
        """Why it could not begin or go on."""
        self._store = store
        self._clock = clock
        self._steps = Steps(store, run_cycle, clock, self.schedule)
        self._given = carrier
        self._carrier: Carrier | None = None
        self._parallel = parallel
        self._poll_s = poll_s
        self._grace_s = grace_s
        self._holding = Holding(store)
        self._under_way = UnderWay(self._cycle_ended)
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._closed = True
        self._ticking = threading.RLock()
        self._started: set[Key] = set()

    # --- which crons there are ---------------------------------------------------------------

    def register(self, user_id: str, team_id: str | None = None) -> None:
        """Have crons for a user, the team if there is one, and the system.

        Raises:
            UserError: An id is not a usable name.
        """

        def write(tx: Transaction) -> None:
            now = self._clock()
            add_cron(tx, CronLevel.USER, user_id, now, team_id)
            if team_id is not None:
                add_cron(tx, CronLevel.TEAM, team_id, now)
            add_cron(tx, CronLevel.SYSTEM, SYSTEM_OWNER, now)

        self._store.write(write)
        self._wake.set()

    def status(self) -> list[CronStatus]:
        """All crons of the home and how they stand."""
        return self._store.read(list_crons)

    def holder(self) -> Holder | None:
        """Who runs the crons of the home, or of the database that it shares; also this one."""
        return who(self._store)

    def overdue(self) -> list[CronStatus]:
        """The crons that have not ended for three of their intervals."""
        return self._steps.overdue()

    def pause(self, level: CronLevel, owner: str | None = None) -> int:
        """Let no cycle of a cron begin, or of all of a level; how many crons that changed.

        Raises:
            UserError: There is no such cron.
        """
        return self._store.write(lambda tx: set_paused(tx, level, owner, True))

    def resume(self, level: CronLevel, owner: str | None = None) -> int:
        """Take `pause` back.

        Raises:
            UserError: There is no such cron.
        """
        changed = self._store.write(lambda tx: set_paused(tx, level, owner, False))
        self._wake.set()
        return changed

    # --- life --------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether this engine runs the crons of its home."""
        living = self._thread is not None and self._thread.is_alive()
        return living and not self._stopping.is_set()

    def launch(self, kind: str = PROGRAM) -> None:
        """Run the crons from now on, in threads of its own. Idempotent; returns at once.

        Raises:
            CronsElsewhere: Another process runs them.
        """
        if self.running:
            return
        if self._thread is not None:
            self._thread.join()  # it has been told to end
        self._holding.take(self._clock(), kind)
        self._stopping.clear()
        self._ready.clear()
        self.failed, self._closed, self._steps.since = None, False, self._clock()
        self._thread = threading.Thread(target=self._live, name="llmos-crons", daemon=True)
        self._thread.start()

    async def start(self, kind: str = PROGRAM) -> None:
        """`launch`, and wait until what a dead process left has been taken up.

        Raises:
            CronsElsewhere: Another process runs them.
            StoreError: What has to be stored cannot be.
        """
        self.launch(kind)
        await asyncio.to_thread(self._ready.wait)
        if self.failed is not None:
            await self.stop()
            raise self.failed

    async def stop(self) -> None:
        """End, within about a second. A cycle that does not end in time is done again later."""
        self.abandon()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    def abandon(self) -> None:
        """Have everything end soon, without waiting for it."""
        self._stopping.set()
        self._wake.set()  # after the other: whoever wakes must see it

    @property
    def cycles_left(self) -> bool:
        """Whether a cycle is under way in this process: after `stop`, one that hangs."""
        return bool(self._under_way.keys)

    def _live(self) -> None:
        """What the engine's own thread does, from its beginning to its end."""
        try:
            self._open()
        except Exception as e:
            _log.warning("the crons did not start: %s", e)
            self.failed = e
            self._stopping.set()
        self._ready.set()
        if self._poll_s is None:
            self._stopping.wait()
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                self._holding.keep()
                self.tick()
            except (CronsElsewhere, TakenForDead) as e:
                _log.warning("the crons ended: %s", e)
                self.failed = e
                self._stopping.set()
            except Exception as e:  # a full disk ends nothing: it is looked at again
                _log.warning("the crons could not be looked at: %s", e)
            self._wake.wait(self._poll_s)
        self._close()
        self.on_end()

    def _open(self) -> None:
        self._carrier = self._given or best_carrier(self._store)
        left = self._carrier.open(self._steps.work, self._steps.end)
        now = self._clock()
        going_on = self._store.write(lambda tx: states.take_up(tx, left, now, self.schedule))
        self._carrier.forget([c for c in left if c not in going_on])
        for cycle in going_on:
            self._begin(cycle, self._carrier.go_on)

    def _close(self) -> None:
        self._under_way.wait(self._grace_s)
        if self._carrier is not None:
            with suppress(Exception):
                self._carrier.close()
        left, now = self._under_way.cycles, self._clock()

        def write(tx: Transaction) -> None:
            for cycle in left:
                states.lay_down(tx, cycle, now)
            for cron in list_crons(tx.conn):
                if (cron.level, cron.owner) in self._started:
                    states.tell_stopped(tx, cron)

        try:
            self._store.write(write)
        except LLMOSError as e:
            _log.warning("the end of the crons was not noted: %s", e)
        self._started.clear()
        self._closed = True
        self._let_go()

    def _let_go(self) -> None:
        """Let others run the crons, unless a cycle of this process still might store something."""
        if self._closed and not self._under_way.keys:
            self._holding.release()

    # --- cycles ------------------------------------------------------------------------------

    def tick(self) -> int:
        """Begin what is due now; how many cycles that were."""
        with self._ticking:
            now, crons = self._clock(), self.status()
            self._look_after(crons, now)
            begun = 0
            for cron in self.schedule.ready(self.status(), now):
                if self._stopping.is_set() or not self._has_turn(cron):
                    continue
                begun += self._try(cron.level, cron.owner, now) is not None
            return begun

    def run_due(self) -> None:
        """Carry through whatever is due now, and return when nothing is left."""
        while self.tick() or self.cycles_left:
            self._under_way.wait()

    async def run_now(self, level: CronLevel, owner: str) -> CycleReport:
        """Run a cycle now, due or not, here or in the process that runs the crons.

        Raises:
            UserError: A cycle of this cron is under way, or it is paused in another process.
        """
        self._store.write(lambda tx: add_cron(tx, level, owner, self._clock()))
        if self.running:
            await asyncio.to_thread(self._ready.wait)
            return await asyncio.wrap_future(self._now(level, owner))
        try:
            self._holding.take(self._clock())
        except CronsElsewhere:
            return await asyncio.to_thread(asking.ask, self._store, level, owner, self._clock)
        self._stopping.clear()
        self._closed = False
        try:
            await asyncio.to_thread(self._open)
            await asyncio.to_thread(self._under_way.wait)  # for what a dead process left
            return await asyncio.wrap_future(self._now(level, owner))
        finally:
            await asyncio.to_thread(self._close)

    def _now(self, level: CronLevel, owner: str) -> Future[CycleReport]:
        begun = self._try(level, owner, self._clock())
        if begun is None:
            raise UserError(
                f"a cycle of the {level.value} cron of {owner!r} is under way",
                "see it: llmos crons status",
            )
        return begun

    def _look_after(self, crons: list[CronStatus], now: datetime) -> None:
        """Tell of crons that are new here; mend rows whose cycle ended without a trace."""
        alive = self._under_way.keys
        new = [c for c in crons if (c.level, c.owner) not in self._started]
        lost = [c for c in crons if c.running and (c.level, c.owner) not in alive]

        def write(tx: Transaction) -> None:
            for cron in new:
                states.tell_started(tx, cron)
            if lost:
                states.take_up(tx, (), now, self.schedule, self._under_way.keys)

        if new or lost:
            self._store.write(write)
            self._started |= {(c.level, c.owner) for c in new}

    def _has_turn(self, cron: CronStatus) -> bool:
        others = [k for k in self._under_way.keys if k[0] is not CronLevel.SYSTEM]
        return cron.level is CronLevel.SYSTEM or len(others) < self._parallel

    def _try(self, level: CronLevel, owner: str, now: datetime) -> Future[CycleReport] | None:
        assert self._carrier is not None
        # Between the row and the thread `tick` would take the cycle for one that was lost.
        with self._ticking:
            cycle = self._store.write(lambda tx: states.begin(tx, level, owner, now))
            return None if cycle is None else self._begin(cycle, self._carrier.run)

    def _begin(self, cycle: Cycle, carry: Callable[[Cycle], CycleReport]) -> Future[CycleReport]:
        def through() -> CycleReport:
            try:
                report = carry(cycle)
            except Exception as e:
                if self._stopping.is_set():
                    raise
                report = cycle.failed(one_line(e))
                self._steps.end(cycle, report)
            self.on_cycle(report)
            return report

        return self._under_way.begin(cycle, through)

    def _cycle_ended(self) -> None:
        self._let_go()
        self._wake.set()
