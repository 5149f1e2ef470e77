"""The crons of a booted LLM OS, as programs that embed it use them."""

from __future__ import annotations

import gc
import time
from pathlib import Path

import pytest

from llmos import LLMOS, LLMOSConfig
from llmos.crons import CronLevel
from llmos.crons.holding import holder
from llmos.errors import ConfigError, UserError
from tests.conftest import MakeOS, TestClock


async def test_crons_start_at_once_inside_a_running_loop_and_end_with_the_system(
    make_os: MakeOS, home: Path
) -> None:
    os = await make_os()
    os.kernel.start_crons(user_id="alice", team_id="engineering")
    assert os.kernel.crons.running
    os.kernel.start_crons(user_id="alice", team_id="engineering")
    status = os.kernel.get_cron_status()
    assert [(c.level.value, c.owner) for c in status] == [
        ("user", "alice"),
        ("team", "engineering"),
        ("system", "system"),
    ]
    report = None
    while report is None:
        try:
            report = await os.kernel.crons.run_now(CronLevel.USER, "alice")
        except UserError:  # its first cycle is under way
            time.sleep(0.01)
    assert (report.tasks, report.why) == ((), "nothing new")
    await os.shutdown()
    assert holder(home) is None
    os = await make_os()
    assert "running" not in {c.status for c in os.kernel.get_cron_status()}


async def test_crons_that_were_stopped_can_be_started_again(make_os: MakeOS, home: Path) -> None:
    os = await make_os()
    os.kernel.start_crons()
    os.kernel.stop_crons()
    assert not os.kernel.crons.running
    os.kernel.start_crons()
    assert os.kernel.crons.running
    assert holder(home) is not None


async def test_a_second_system_on_the_home_only_looks(make_os: MakeOS) -> None:
    first, second = await make_os(), await make_os()
    first.kernel.start_crons()
    assert len(second.kernel.start_crons(user_id="bob")) == 3
    assert not second.kernel.crons.running


async def test_a_system_that_is_forgotten_does_not_keep_its_crons(home: Path, cwd: Path) -> None:
    os = await LLMOS(home, user_id="alice", cwd=cwd, config=LLMOSConfig()).boot()
    os.kernel.start_crons()
    assert holder(home) is not None
    del os
    gc.collect()
    for _ in range(2000):
        if holder(home) is None:
            break
        time.sleep(0.01)
    assert holder(home) is None


async def test_crons_that_are_turned_off_do_not_start(make_os: MakeOS) -> None:
    os = await make_os(config=LLMOSConfig(enable_crons=False))
    with pytest.raises(ConfigError, match="enable_crons"):
        os.kernel.start_crons()


async def test_intervals_are_those_of_the_settings(make_os: MakeOS, clock: TestClock) -> None:
    os = await make_os(config=LLMOSConfig(user_cron_interval=60.0))
    await os.kernel.crons.run_now(CronLevel.USER, "alice")
    (cron,) = os.kernel.get_cron_status()
    assert cron.next_at is not None
    assert (cron.next_at - clock.now).total_seconds() == 60
