"""Many goals at once: a fixed number of slots, shared in turn by teams and users; with cancel."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from llmos.errors import UserError
from llmos.kernel.turns import Turns


@dataclass(order=True)
class _Waiting:
    priority: int
    order: int
    ready: asyncio.Future[None] = field(compare=False)


class _Share(NamedTuple):
    """From whose share a slot is."""

    team: str
    owner: str


@dataclass
class _Team:
    """Owners who share the turns of their team."""

    turns: Turns
    waiting: dict[str, list[_Waiting]] = field(default_factory=dict)
    """Heaps, by owner."""

    def clean(self) -> None:
        """Forget those who were cancelled where they are first, and owners who wait for nothing."""
        for owner, heap in list(self.waiting.items()):
            while heap and heap[0].ready.done():
                heapq.heappop(heap)
            if not heap:
                del self.waiting[owner]

    def leave(self, owner: str, waiting: _Waiting) -> None:
        """Take out one that was cancelled, wherever it stands."""
        heap = self.waiting.get(owner, [])
        if waiting in heap:
            heap.remove(waiting)
            heapq.heapify(heap)


def unlimited(name: str) -> int | None:
    """No owner and no team has a bound of its own."""
    return None


class Scheduler:
    """Hands out slots: in turn between teams, then between the owners of one, then by priority.

    Runs of one owner with one priority go in order of asking. It can be shared by several `LLMOS`
    objects on one event loop: then all their users share its slots. A team or an owner with weight
    2 gets two turns for one of the others. Whoever comes back after a pause has saved up nothing,
    so that nobody who waits is passed over for long.

    Args:
        slots: Runs at once, of all teams together.
        most: How many runs of an owner, or a team, may hold a slot at once; None for no bound.
        weights: Turns of owners and teams that get more or fewer than one; above 0.
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
        self._turns = Turns(self._weights)
        self._teams: dict[str, _Team] = {}
        self._held: Counter[str] = Counter()
        """Slots that owners and teams hold."""
        self._order = itertools.count()
        self._running: dict[str, asyncio.Task[object]] = {}
        self._of: dict[str, _Share] = {}
        """Of every run that waits or holds a slot."""
        self._lent: set[str] = set()
        """Runs that have given their slot away."""

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the runs that are waiting for a slot or hold one."""
        return tuple(self._running)

    @asynccontextmanager
    async def slot(
        self, run_id: str, priority: int = 0, owner: str = "", team: str = ""
    ) -> AsyncIterator[None]:
        """Wait for a slot and hold it.

        Args:
            run_id: By which the run can be cancelled, also while it waits.
            priority: Larger goes first, among the runs of its owner.
            owner: Who shares the slots of its team, such as ``user:alice``.
            team: Who shares the slots with other teams, such as ``team:crew``; the owner alone is
                one when left out.
        """
        task = asyncio.current_task()
        if task is not None:
            self._running[run_id] = task
        share = self._of[run_id] = _Share(team or owner, owner)
        try:
            await self._acquire(priority, share)
            try:
                yield
            finally:
                if run_id not in self._lent:
                    self._release(share)
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
        share = self._of[run_id]
        self._release(share)
        self._lent.add(run_id)
        # Whatever ends it early ends the run: then `slot` has none to give back.
        yield
        await self._acquire(priority, share)
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

    async def _acquire(self, priority: int, share: _Share) -> None:
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(-priority, next(self._order), ready)
        mine = self._teams.setdefault(share.team, _Team(Turns(self._weights)))
        self._turns.come(share.team)
        mine.turns.come(share.owner)
        heapq.heappush(mine.waiting.setdefault(share.owner, []), waiting)
        self._hand_out()
        if ready.done():
            return
        try:
            await ready
        except asyncio.CancelledError:
            if ready.cancel() or ready.cancelled():
                mine.leave(share.owner, waiting)
                self._tidy()
            else:
                # The slot was handed over in the same instant: pass it on, as if it never was.
                self._turns.give_back(share.team)
                mine.turns.give_back(share.owner)
                self._release(share)
            raise

    def _release(self, share: _Share) -> None:
        self._held -= Counter(set(share))
        self._free += 1
        self._hand_out()

    def _hand_out(self) -> None:
        """Give free slots to those whose turn it is."""
        self._tidy()
        while self._free > 0 and (able := self._able()):
            name = self._turns.next(able)
            team = self._teams[name]
            share = _Share(name, team.turns.next(able[name]))
            self._turns.take(share.team)
            team.turns.take(share.owner)
            self._held += Counter(set(share))
            self._free -= 1
            heapq.heappop(team.waiting[share.owner]).ready.set_result(None)
            team.clean()

    def _able(self) -> dict[str, list[str]]:
        """Owners who wait for a slot and may have one more, by team."""
        teams = ((name, team) for name, team in self._teams.items() if self._may_have_more(name))
        able = {name: [o for o in team.waiting if self._may_have_more(o)] for name, team in teams}
        return {name: owners for name, owners in able.items() if owners}

    def _may_have_more(self, name: str) -> bool:
        most = self._most(name)
        return most is None or self._held[name] < most

    def _tidy(self) -> None:
        """Keep nothing of those who wait for nothing, hold nothing and are not ahead of others."""
        for team in self._teams.values():
            team.clean()
            team.turns.forget({*team.waiting, *self._held})
        waiting = {name for name, team in self._teams.items() if team.waiting}
        self._turns.forget(waiting | self._held.keys())
        self._teams = {name: team for name, team in self._teams.items() if name in self._turns}
