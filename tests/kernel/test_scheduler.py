"""Slots are never exceeded, never lost, and go by priority."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.errors import UserError
from llmos.kernel.scheduler import Scheduler


class Runs:
    """Runs that hold their slot until they are let go."""

    def __init__(self, slots: int) -> None:
        self.scheduler = Scheduler(slots)
        self.began: list[str] = []
        self.active: set[str] = set()
        self.most = 0
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.gates: dict[str, asyncio.Event] = {}

    def start(self, name: str, priority: int = 0) -> None:
        self.gates[name] = asyncio.Event()
        self.tasks[name] = asyncio.ensure_future(self._run(name, priority))

    async def _run(self, name: str, priority: int) -> None:
        async with self.scheduler.slot(name, priority):
            self.began.append(name)
            self.active.add(name)
            self.most = max(self.most, len(self.active))
            try:
                await self.gates[name].wait()
            finally:
                self.active.discard(name)

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def finish(self, *names: str) -> None:
        for name in names:
            self.gates[name].set()
        await self.settle()


async def test_no_more_runs_than_slots() -> None:
    runs = Runs(2)
    for name in "abcd":
        runs.start(name)
    await runs.settle()
    assert runs.active == {"a", "b"}
    await runs.finish("a")
    assert runs.active == {"b", "c"}
    await runs.finish("b", "c", "d")
    assert (runs.active, runs.most) == (set(), 2)


async def test_larger_priorities_first_and_equal_ones_in_order() -> None:
    runs = Runs(1)
    for name, priority in (("first", 0), ("x0", 0), ("x5", 5), ("y0", 0), ("y5", 5), ("low", -1)):
        runs.start(name, priority)
    await runs.settle()
    await runs.finish(*runs.gates)
    await asyncio.gather(*runs.tasks.values())
    assert runs.began == ["first", "x5", "y5", "x0", "y0", "low"]


async def test_a_newcomer_does_not_overtake_those_who_wait() -> None:
    runs = Runs(1)
    runs.start("a")
    runs.start("b")
    await runs.settle()
    runs.gates["a"].set()
    await runs.settle()
    runs.start("c")
    await runs.settle()
    assert runs.began == ["a", "b"]
    await runs.finish("b", "c")
    assert runs.began == ["a", "b", "c"]


async def test_waiting_and_running_runs_are_listed() -> None:
    runs = Runs(1)
    runs.start("a")
    runs.start("b")
    await runs.settle()
    assert runs.scheduler.running == ("a", "b")
    await runs.finish("a", "b")
    assert runs.scheduler.running == ()


@pytest.mark.parametrize("name", ["running", "waiting"])
async def test_a_cancelled_run_gives_its_slot_on(name: str) -> None:
    runs = Runs(1)
    for each in ("running", "waiting", "last"):
        runs.start(each)
    await runs.settle()
    runs.scheduler.cancel(name)
    with pytest.raises(asyncio.CancelledError):
        await runs.tasks[name]
    await runs.finish("running", "waiting", "last")
    assert "last" in runs.began
    assert runs.scheduler.running == ()
    assert (name == "waiting") == ("waiting" not in runs.began)


async def test_a_run_cancelled_in_the_instant_its_turn_comes_passes_it_on() -> None:
    for release_first in (True, False):
        runs = Runs(1)
        for each in "abc":
            runs.start(each)
        await runs.settle()
        if release_first:
            runs.gates["a"].set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            runs.tasks["b"].cancel()
        else:
            runs.tasks["b"].cancel()
            runs.gates["a"].set()
        with pytest.raises(asyncio.CancelledError):
            await runs.tasks["b"]
        await runs.settle()
        assert runs.active == {"c"}
        await runs.finish("c")


async def test_a_waiter_cancelled_while_the_slot_comes_free_ends_as_cancelled() -> None:
    # Both in one turn of the loop: the slot is offered to somebody who has gone.
    runs = Runs(1)
    runs.start("a")
    runs.start("b")
    await runs.settle()
    runs.tasks["a"].cancel()
    runs.tasks["b"].cancel()
    for name in "ab":
        with pytest.raises(asyncio.CancelledError):
            await runs.tasks[name]
    runs.start("c")
    await runs.settle()
    assert runs.active == {"c"}
    await runs.finish("c")


async def test_an_exception_releases_the_slot() -> None:
    scheduler = Scheduler(1)
    with pytest.raises(ZeroDivisionError):
        async with scheduler.slot("a"):
            1 / 0  # noqa: B018
    async with asyncio.timeout(1), scheduler.slot("b"):
        assert scheduler.running == ("b",)


async def test_what_is_not_active_cannot_be_cancelled() -> None:
    with pytest.raises(UserError, match="no run 'x'"):
        Scheduler(1).cancel("x")


async def storm(slots: int, count: int, seed: int) -> None:
    """Many runs, cancelled at random; then all slots must be there again."""
    chance = random.Random(seed)
    runs = Runs(slots)
    for i in range(count):
        runs.start(str(i), chance.randrange(3))
    names = list(runs.tasks)
    while names:
        for name in chance.sample(names, min(len(names), chance.randint(1, 4))):
            names.remove(name)
            if chance.random() < 0.5:
                runs.tasks[name].cancel()
            else:
                runs.gates[name].set()
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        assert len(runs.active) <= slots
    ended = await asyncio.gather(*runs.tasks.values(), return_exceptions=True)
    assert all(e is None or isinstance(e, asyncio.CancelledError) for e in ended)
    assert runs.most <= slots
    assert runs.scheduler.running == ()
    for i in range(slots):
        runs.start(f"after {i}")
    await runs.settle()
    assert len(runs.active) == slots
    for task in runs.tasks.values():
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 4), st.integers(1, 15), st.integers())
def test_no_slot_is_lost_whatever_is_cancelled(slots: int, count: int, seed: int) -> None:
    asyncio.run(storm(slots, count, seed))
