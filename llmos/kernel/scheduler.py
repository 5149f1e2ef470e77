"""Many goals at once: a fixed number of slots, by priority, with cancel."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from llmos.errors import UserError


@dataclass(order=True)
class _Waiting:
    priority: int
    order: int
    ready: asyncio.Future[None] = field(compare=False)


class Scheduler:
    """Hands out slots; equal priorities in the order of asking."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._waiting: list[_Waiting] = []
        self._order = itertools.count()
        self._running: dict[str, asyncio.Task[object]] = {}
        self._lent: set[str] = set()
        """Runs that have given their slot away."""

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the runs that are waiting for a slot or hold one."""
        return tuple(self._running)

    @asynccontextmanager
    async def slot(self, run_id: str, priority: int = 0) -> AsyncIterator[None]:
        """Wait for a slot and hold it.

        Args:
            run_id: By which the run can be cancelled, also while it waits.
            priority: Larger goes first.
        """
        task = asyncio.current_task()
        if task is not None:
            self._running[run_id] = task
        try:
            await self._acquire(priority)
            try:
                yield
            finally:
                if run_id not in self._lent:
                    self._release()
        finally:
            self._lent.discard(run_id)
            self._running.pop(run_id, None)

    @asynccontextmanager
    async def lent(self, run_id: str, priority: int = 0) -> AsyncIterator[None]:
        """Give a run's slot to others meanwhile, and wait for one again after.

        Args:
            run_id: The run that holds it.
            priority: With which it waits.
        """
        self._release()
        self._lent.add(run_id)
        # Whatever ends it early ends the run: then `slot` has none to give back.
        yield
        await self._acquire(priority)
        self._lent.discard(run_id)

    def cancel(self, run_id: str) -> None:
        """Cancel a waiting or running run.

        Raises:
            UserError: No such run is active here.
        """
        task = self._running.get(run_id)
        if task is None:
            raise UserError(f"no run {run_id!r} is active", "see `llmos traces list`")
        task.cancel()

    async def _acquire(self, priority: int) -> None:
        if self._free > 0 and not self._waiting:
            self._free -= 1
            return
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, _Waiting(-priority, next(self._order), ready))
        try:
            await ready
        except asyncio.CancelledError:
            # Cancelled, it stays in the heap until a slot would be its turn. Not cancelled any
            # more, the slot was handed over in the same instant: pass it on.
            if not ready.cancel() and not ready.cancelled():
                self._release()
            raise

    def _release(self) -> None:
        while self._waiting:
            ready = heapq.heappop(self._waiting).ready
            if not ready.done():
                ready.set_result(None)
                return
        self._free += 1
