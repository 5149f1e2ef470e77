"""Many goals at once: a fixed number of slots, shared fairly between owners, with cancel."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from llmos.errors import UserError


@dataclass(order=True)
class _Waiting:
    priority: int
    order: int
    ready: asyncio.Future[None] = field(compare=False)


@dataclass
class _Owner:
    """One of those who share the slots."""

    name: str
    weight: float
    waiting: list[_Waiting] = field(default_factory=list)
    held: int = 0
    passed: float = 0.0
    """How much it has had: 1 / weight for every slot. Whoever has had least is next."""
    last: int = -1
    """When it had its last turn: of several who have had as much, the one longest ago is next."""

    def first(self) -> _Waiting | None:
        """Who of it is next; those who were cancelled are forgotten."""
        while self.waiting and self.waiting[0].ready.done():
            heapq.heappop(self.waiting)
        return self.waiting[0] if self.waiting else None


def unlimited(owner: str) -> int | None:
    """No owner has a bound of its own."""
    return None


class Scheduler:
    """Hands out slots: in turn between owners, by priority within one, then in order of asking.

    It can be shared by several `LLMOS` objects on one event loop: then all their users share its
    slots. An owner with weight 2 gets two turns for one of the others. Whoever comes back after a
    pause has saved up nothing, so that nobody who waits is passed over for long.

    Args:
        slots: Runs at once, of all owners together.
        most: How many runs of an owner may hold a slot at once; None for no bound.
        weights: Turns of owners that get more or fewer than one; above 0.
    """

    def __init__(
        self,
        slots: int,
        most: Callable[[str], int | None] = unlimited,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self._free = slots
        self._most = most
        self._weights = dict(weights or {})
        if any(not weight > 0 for weight in self._weights.values()):
            raise UserError("a weight must be above 0", "leave the owner out for 1")
        self._owners: dict[str, _Owner] = {}
        self._turn = 0.0
        """What the owner whose turn it was last had had by then."""
        self._order = itertools.count()
        self._turns = itertools.count()
        self._running: dict[str, asyncio.Task[object]] = {}
        self._of: dict[str, str] = {}
        """Owner of every run that waits or holds a slot."""
        self._lent: set[str] = set()
        """Runs that have given their slot away."""

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the runs that are waiting for a slot or hold one."""
        return tuple(self._running)

    @asynccontextmanager
    async def slot(self, run_id: str, priority: int = 0, owner: str = "") -> AsyncIterator[None]:
        """Wait for a slot and hold it.

        Args:
            run_id: By which the run can be cancelled, also while it waits.
            priority: Larger goes first, among the runs of its owner.
            owner: Who shares the slots with others, such as ``user:alice``.
        """
        task = asyncio.current_task()
        if task is not None:
            self._running[run_id] = task
        self._of[run_id] = owner
        try:
            await self._acquire(priority, owner)
            try:
                yield
            finally:
                if run_id not in self._lent:
                    self._release(owner)
        finally:
            self._lent.discard(run_id)
            self._of.pop(run_id, None)
            self._running.pop(run_id, None)

    @asynccontextmanager
    async def lent(self, run_id: str, priority: int = 0) -> AsyncIterator[None]:
        """Give a run's slot to others meanwhile, and wait for one again after.

        Args:
            run_id: The run that holds it.
            priority: With which it waits.
        """
        owner = self._of.get(run_id, "")
        self._release(owner)
        self._lent.add(run_id)
        # Whatever ends it early ends the run: then `slot` has none to give back.
        yield
        await self._acquire(priority, owner)
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

    async def _acquire(self, priority: int, owner: str) -> None:
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        mine = self._owner(owner)
        if not mine.first() and not mine.held:
            mine.passed = max(mine.passed, self._turn)
        heapq.heappush(mine.waiting, _Waiting(-priority, next(self._order), ready))
        self._hand_out()
        if ready.done():
            return
        try:
            await ready
        except asyncio.CancelledError:
            # Cancelled, it stays in the heap until a slot would be its turn. Not cancelled any
            # more, the slot was handed over in the same instant: pass it on.
            if not ready.cancel() and not ready.cancelled():
                self._release(owner)
            self._forget(mine)
            raise

    def _release(self, owner: str) -> None:
        self._owners[owner].held -= 1
        self._free += 1
        self._hand_out()
        self._forget(self._owners[owner])

    def _hand_out(self) -> None:
        """Give free slots to those whose turn it is."""
        while self._free > 0:
            able = [(o, o.first()) for o in self._owners.values() if self._may_have_more(o)]
            turns = [(o.passed, o.last, first.order, o) for o, first in able if first is not None]
            if not turns:
                return
            *_, owner = min(turns, key=lambda turn: turn[:3])
            self._turn = max(self._turn, owner.passed)
            owner.passed += 1 / owner.weight
            owner.last = next(self._turns)
            owner.held += 1
            self._free -= 1
            heapq.heappop(owner.waiting).ready.set_result(None)

    def _may_have_more(self, owner: _Owner) -> bool:
        most = self._most(owner.name)
        return most is None or owner.held < most

    def _owner(self, name: str) -> _Owner:
        if name not in self._owners:
            self._owners[name] = _Owner(name, self._weights.get(name, 1.0), passed=self._turn)
        return self._owners[name]

    def _forget(self, owner: _Owner) -> None:
        """Keep nothing of an owner that has had no more than its turns, and waits for none."""
        if not owner.held and owner.first() is None and owner.passed <= self._turn:
            self._owners.pop(owner.name, None)
