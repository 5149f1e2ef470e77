"""Quotas are looked at before a run begins, for all processes of a home together."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from llmos import LLMOS, LLMOSConfig, tool
from llmos.errors import ConfigError, LowBatteryError, UserError
from llmos.kernel.quotas import parse_quotas
from llmos.kernel.scheduler import Scheduler
from tests.conftest import MakeOS, TestClock, recording

WAIT = recording("Wait for it", ("wait", {}))
started: list[str] = []
gate = asyncio.Event()


@tool(effects="open_read")
async def wait() -> str:
    """Waits for it."""
    started.append("")
    await gate.wait()
    return "done"


@pytest.fixture(autouse=True)
def fresh() -> None:
    started.clear()
    globals()["gate"] = asyncio.Event()


def quota(scope: str, **values: float) -> LLMOSConfig:
    return LLMOSConfig(quotas={scope: values})


async def until_started(count: int) -> None:
    async with asyncio.timeout(20):
        while len(started) < count:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("scope", ["user:alice", "user:*", "team:crew"])
async def test_one_run_too_many_in_another_process_is_refused_before_it_begins(
    make_os: MakeOS, scope: str
) -> None:
    settings = {"config": quota(scope, runs=1), "plugins": [wait], "team_id": "crew"}
    first, second = await make_os([WAIT], **settings), await make_os([WAIT], **settings)
    running = asyncio.ensure_future(first.execute(WAIT.goal))
    await until_started(1)
    with pytest.raises(UserError, match="has 1 runs at work, of 1") as e:
        await second.execute(WAIT.goal)
    assert "llmos budget quota" in e.value.hint and "--runs 2" in e.value.hint
    gate.set()
    assert (await running).success
    assert (await second.execute(WAIT.goal)).success
    assert len(second.traces.recent(limit=10)) == 2, "what was refused was not begun"


@pytest.mark.parametrize("scope", ["user:alice", "team:crew"])
async def test_runs_over_the_quota_of_one_process_wait_for_their_turn(
    make_os: MakeOS, scope: str
) -> None:
    os = await make_os([WAIT], config=quota(scope, runs=1), plugins=[wait], team_id="crew")
    both = [asyncio.ensure_future(os.execute(WAIT.goal)) for _ in range(2)]
    await until_started(1)
    await asyncio.sleep(0.05)
    assert len(started) == 1
    gate.set()
    assert all(r.success for r in await asyncio.gather(*both))


async def test_users_share_the_slots_of_a_scheduler_that_is_handed_to_both(
    make_os: MakeOS,
) -> None:
    shared = Scheduler(1)
    alice = await make_os([WAIT], plugins=[wait], scheduler=shared)
    bob = await make_os([WAIT], plugins=[wait], scheduler=shared, user_id="bob")
    runs = [asyncio.ensure_future(alice.execute(WAIT.goal)) for _ in range(3)]
    await until_started(1)
    runs.append(asyncio.ensure_future(bob.execute(WAIT.goal)))
    await asyncio.sleep(0.05)
    assert len(started) == 1
    gate.set()
    results = await asyncio.gather(*runs)
    assert all(r.success for r in results)


async def test_a_day_may_cost_so_much_and_the_next_one_again(
    make_os: MakeOS, clock: TestClock
) -> None:
    paid = recording("Say hello", output="Hello.")
    os = await make_os([paid], config=quota("user:alice", usd_per_day=1.0))
    economy, scopes = os.kernel.economy, ["system", "user:alice"]
    for usd in (0.6, 0.4):
        held = await economy.reserve(scopes, usd, note="a run")
        await economy.settle(held, usd)
    with pytest.raises(LowBatteryError, match=r"user:alice has spent \$1.00 in 24 hours") as e:
        os._kernel.quotas.require_money(scopes)
    assert "--usd-per-day 2" in e.value.hint
    os._kernel.quotas.require_money(["system", "user:bob"])
    clock.forward(hours=25)
    os._kernel.quotas.require_money(scopes)


@pytest.mark.parametrize(
    ("scope", "values"),
    [
        ("alice", {"runs": 1}),
        ("system:x", {"runs": 1}),
        ("user:", {"runs": 1}),
        ("user:a", {"runs": 0}),
        ("user:a", {"runs": True}),
        ("user:a", {"usd_per_day": -1}),
        ("user:a", {"usd_per_day": float("nan")}),
        ("user:a", {"cats": 1}),
    ],
)
def test_a_quota_that_cannot_be_meant_is_told(scope: str, values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="the quota of"):
        parse_quotas({scope: values})


async def test_a_wrong_quota_opens_nothing(home: Path) -> None:
    with pytest.raises(ConfigError):
        await LLMOS(home, config=quota("alice", runs=1)).boot()
    assert not (home / "llmos.db").exists()
