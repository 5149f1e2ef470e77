"""Slots are shared in turn between owners: nobody is passed over, nobody has more than it may."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.errors import UserError
from llmos.kernel.scheduler import Scheduler


class Office:
    """Owners whose runs hold a slot until they are let go, oldest first."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.began: list[tuple[str, int, int]] = []
        self.at_work: list[tuple[str, asyncio.Event]] = []
        self.tasks: list[asyncio.Task[None]] = []

    def ask(self, owner: str, priority: int = 0) -> None:
        number = len(self.tasks)
        self.tasks.append(asyncio.ensure_future(self._run(owner, priority, number)))

    async def _run(self, owner: str, priority: int, number: int) -> None:
        async with self.scheduler.slot(f"run{number}", priority, owner):
            over = asyncio.Event()
            self.began.append((owner, priority, number))
            self.at_work.append((owner, over))
            await over.wait()

    async def settle(self) -> None:
        for _ in range(4):
            await asyncio.sleep(0)

    async def end_one(self, which: int = 0) -> None:
        self.at_work.pop(which)[1].set()
        await self.settle()

    async def drain(self) -> None:
        await self.settle()
        while self.at_work:
            await self.end_one()
        await asyncio.gather(*self.tasks)


async def test_an_owner_with_many_runs_does_not_keep_another_waiting() -> None:
    office = Office(Scheduler(1))
    for _ in range(5):
        office.ask("alice")
    await office.settle()
    office.ask("bob")
    office.ask("bob", 9)
    await office.drain()
    assert [o for o, _, _ in office.began] == [*("alice", "bob") * 2, *["alice"] * 3]


async def test_a_priority_holds_within_its_owner_alone() -> None:
    office = Office(Scheduler(1))
    for owner, priority in (("alice", 0), ("alice", 0), ("bob", 0), ("alice", 9), ("bob", 5)):
        office.ask(owner, priority)
    await office.drain()
    assert [(o, p) for o, p, _ in office.began] == [
        *(("alice", 0), ("bob", 5), ("alice", 9), ("bob", 0), ("alice", 0))
    ]


async def test_weights_are_turns() -> None:
    office = Office(Scheduler(1, weights={"alice": 2.0}))
    for _ in range(6):
        office.ask("alice")
        office.ask("bob")
    await office.settle()
    for _ in range(8):
        await office.end_one()
    first = [o for o, _, _ in office.began[:9]]
    assert first.count("alice") == 6
    await office.drain()
    with pytest.raises(UserError, match="weight"):
        Scheduler(1, weights={"alice": 0.0})


async def test_a_pause_saves_nothing_up() -> None:
    office = Office(Scheduler(1))
    for _ in range(8):
        office.ask("alice")
    await office.settle()
    for _ in range(4):
        await office.end_one()
    for _ in range(4):
        office.ask("bob")
    await office.drain()
    order = [o for o, _, _ in office.began]
    assert order[5:9] in (["bob", "alice"] * 2, ["alice", "bob"] * 2)


async def test_an_owner_at_its_bound_leaves_free_slots_to_others() -> None:
    office = Office(Scheduler(3, most={"alice": 1}.get))
    for owner in ("alice", "alice", "bob", "bob"):
        office.ask(owner)
    await office.settle()
    assert sorted(o for o, _ in office.at_work) == ["alice", "bob", "bob"]
    await office.drain()
    assert len(office.began) == 4


async def test_the_parts_of_a_plan_fit_into_the_bound_of_their_owner() -> None:
    scheduler = Scheduler(1, most=lambda owner: 1)
    async with (
        asyncio.timeout(5),
        scheduler.slot("plan", 0, "alice"),
        scheduler.lent("plan"),
        scheduler.slot("part", 0, "alice"),
    ):
        assert scheduler.running == ("plan", "part")
    async with asyncio.timeout(5), scheduler.slot("next", 0, "alice"):
        assert scheduler.running == ("next",)


async def storm(slots: int, bound: int, seed: int) -> None:
    chance = random.Random(seed)
    owners = ["alice", "bob", "team"][: chance.randint(1, 3)]
    office = Office(Scheduler(slots, most=lambda owner: bound))
    waiting: list[tuple[str, int, int]] = []
    for _ in range(40):
        before = len(office.began)
        if chance.random() < 0.55:
            owner, priority = chance.choice(owners), chance.randrange(3)
            waiting.append((owner, priority, len(office.tasks)))
            office.ask(owner, priority)
            await office.settle()
        elif office.at_work:
            await office.end_one(chance.randrange(len(office.at_work)))
        for got in office.began[before:]:
            mine = [w for w in waiting if w[0] == got[0]]
            assert got == min(mine, key=lambda w: (-w[1], w[2])), "priority holds within an owner"
            waiting.remove(got)
        held = [o for o, _ in office.at_work]
        assert len(held) <= slots and all(held.count(o) <= bound for o in owners)
        able = [o for o, _, _ in waiting if held.count(o) < bound]
        assert not able or len(held) == slots, "no slot is idle while somebody may have it"
    await office.drain()
    assert len(office.began) == len(office.tasks), "everybody had a turn"


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers())
def test_slots_bounds_and_priorities_hold_and_nobody_starves(
    slots: int, bound: int, seed: int
) -> None:
    asyncio.run(storm(slots, bound, seed))


async def contest(counts: list[int], slots: int) -> None:
    office = Office(Scheduler(slots))
    names = [f"o{i}" for i in range(len(counts))]
    for name, count in zip(names, counts, strict=True):
        for _ in range(count):
            office.ask(name)
    await office.drain()
    order = [o for o, _, _ in office.began]
    for name, count in zip(names, counts, strict=True):
        # While somebody waits, no other gets more than one turn ahead of it.
        last = len(order) - 1 - order[::-1].index(name)
        for other in names:
            assert order[: last + 1].count(other) <= count + 1 + slots


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 8), min_size=1, max_size=4), st.integers(1, 3))
def test_nobody_gets_ahead_of_those_who_wait(counts: list[int], slots: int) -> None:
    asyncio.run(contest(counts, slots))
