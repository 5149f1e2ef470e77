"""Slots are shared in turn between teams and owners: nobody is passed over, or has too much."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.errors import UserError
from llmos.kernel.scheduler import Scheduler
from llmos.kernel.turns import Turns


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


class Crews:
    """Users with and without a team, whose runs hold slots; every law is checked all the time."""

    def __init__(self, slots: int, most: Callable[[str], int | None]) -> None:
        self.scheduler = Scheduler(slots, most)
        self.slots = slots
        self.most = most
        self.asked: dict[int, tuple[str, str]] = {}
        """Team and owner of those that wait, by number, in order of asking."""
        self.held: dict[int, tuple[str, str]] = {}
        self.over: dict[int, asyncio.Event] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.passed: Counter[tuple[str, str, str]] = Counter()
        """Turns of another since one waits, by level, the one that waits, and the other."""

    def ask(self, team: str, owner: str) -> None:
        number = len(self.tasks)
        self.asked[number] = (team, owner)
        self.tasks[number] = asyncio.ensure_future(self._run(number, team, owner))

    async def _run(self, number: int, team: str, owner: str) -> None:
        named = "" if team == owner else team
        async with self.scheduler.slot(f"run{number}", 0, owner, named):
            self._began(number)
            self.held[number] = (team, owner)
            try:
                await self.over[number].wait()
            finally:
                del self.held[number]

    def _able(self, besides: int | None = None) -> set[tuple[str, str]]:
        held = [h for n, h in self.held.items() if n != besides]
        names = Counter(name for pair in held for name in set(pair))
        return {
            pair
            for pair in self.asked.values()
            if all(most is None or names[n] < most for n, most in ((n, self.most(n)) for n in pair))
        }

    def _began(self, number: int) -> None:
        team, owner = mine = self.asked[number]
        able = self._able()
        assert mine in able, "nobody has more than it may"
        assert number == min(n for n, pair in self.asked.items() if pair == mine), "first come"
        self._pass_over("team", {other for other, _ in able}, team)
        self._pass_over(f"in {team}", {theirs for other, theirs in able if other == team}, owner)
        self._forget("team", team)
        self._forget(f"in {team}", owner)
        del self.asked[number]
        self.over[number] = asyncio.Event()

    def _pass_over(self, level: str, waiting: set[str], taker: str) -> None:
        for name in waiting - {taker}:
            self.passed[level, name, taker] += 1
            assert self.passed[level, name, taker] <= 1, f"{name} is passed over twice {level}"

    def _forget(self, level: str, name: str) -> None:
        for key in [k for k in self.passed if k[:2] == (level, name)]:
            del self.passed[key]

    async def settle(self) -> None:
        for _ in range(4):
            await asyncio.sleep(0)
        for task in self.tasks.values():
            if task.done() and not task.cancelled():
                task.result()  # a law was broken in it
        able = self._able()
        assert not able or len(self.held) == self.slots, "no slot is idle that somebody may have"
        assert len(self.held) <= self.slots
        teams = {team for team, _ in able}
        for level, waits, _ in list(self.passed):
            still = waits in teams if level == "team" else (level[3:], waits) in able
            if not still:
                self._forget(level, waits)

    async def end(self, number: int) -> None:
        self.over[number].set()
        await self.settle()

    async def cancel(self, number: int) -> None:
        self.tasks[number].cancel()
        self.asked.pop(number, None)
        await self.settle()


async def rush(slots: int, bounds: dict[str, int], seed: int) -> None:
    chance = random.Random(seed)
    people = [
        ("crew", "alice"),
        ("crew", "bob"),
        ("crew", "user1"),
        ("desk", "user2"),
        ("user3", "user3"),
    ]
    crews = Crews(slots, bounds.get)
    for _ in range(60):
        move = chance.random()
        if move < 0.5:
            crews.ask(*chance.choice(people))
            await crews.settle()
        elif move < 0.8 and crews.held:
            await crews.end(chance.choice(sorted(crews.held)))
        elif crews.asked:
            if crews.held and chance.random() < 0.7:
                # A slot may be handed over in the very instant in which it is cancelled.
                crews.over[chance.choice(sorted(crews.held))].set()
                await asyncio.sleep(0)
            await crews.cancel(chance.choice(sorted(crews.asked)))
    while crews.held:
        await crews.end(min(crews.held))
    assert not crews.asked, "everybody had a turn"
    await asyncio.gather(*crews.tasks.values(), return_exceptions=True)
    assert crews.scheduler.running == ()
    for _ in range(slots):
        # One slot too few would be seen here: somebody who was cancelled has kept none.
        crews.ask("late", "late")
    await crews.settle()
    assert len(crews.held) == slots
    while crews.held:
        await crews.end(min(crews.held))


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 3),
    st.dictionaries(st.sampled_from(["alice", "crew", "user2", "user3"]), st.integers(1, 2)),
    st.integers(),
)
def test_teams_take_turns_and_so_do_the_users_of_one(
    slots: int, bounds: dict[str, int], seed: int
) -> None:
    asyncio.run(rush(slots, bounds, seed))


async def test_a_team_of_ten_gets_no_more_than_one_person() -> None:
    crews = Crews(1, {}.get)
    for user in range(10):
        crews.ask("crew", f"user{user}")
    for _ in range(10):
        crews.ask("alice", "alice")
    await crews.settle()
    first: list[str] = []
    for _ in range(10):
        number, (team, _) = next(iter(crews.held.items()))
        first.append(team)
        await crews.end(number)
    assert Counter(first) == {"crew": 5, "alice": 5}
    while crews.held:
        await crews.end(min(crews.held))


async def test_a_bound_of_a_team_holds_for_its_users_together_and_that_of_a_user_everywhere() -> (
    None
):
    scheduler = Scheduler(9, most={"crew": 2, "alice": 1}.get)
    async with scheduler.slot("a", 0, "alice"), scheduler.slot("b", 0, "bob", "crew"):
        # Alice has hers without the team; what she asks for within it counts as hers too.
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), scheduler.slot("c", 0, "alice", "crew"):
                pass
        async with scheduler.slot("d", 0, "user1", "crew"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01), scheduler.slot("e", 0, "user2", "crew"):
                    pass
    async with asyncio.timeout(1), scheduler.slot("f", 0, "alice", "crew"):
        assert scheduler.running == ("f",)


async def test_a_lent_slot_is_one_of_its_team() -> None:
    scheduler = Scheduler(2, most={"crew": 1}.get)
    async with asyncio.timeout(5), scheduler.slot("plan", 0, "alice", "crew"):
        async with scheduler.lent("plan"), scheduler.slot("part", 0, "alice", "crew"):
            assert scheduler.running == ("plan", "part")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), scheduler.slot("next", 0, "bob", "crew"):
                pass


def test_nothing_is_kept_of_those_who_have_had_no_more_than_the_others() -> None:
    turns = Turns({})
    for name in ("alice", "bob"):
        turns.come(name)
        turns.take(name)
    turns.forget(())
    assert "alice" in turns, "it is ahead of whoever comes now"
    turns.come("team")
    for _ in range(2):
        turns.take("team")
    turns.forget(())
    assert "alice" not in turns and "team" in turns
