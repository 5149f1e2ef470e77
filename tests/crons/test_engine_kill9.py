"""A daemon that is killed at random moments loses nothing, doubles nothing, hangs nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crons.killing import kill_again_and_again, what_is_left


@pytest.mark.parametrize(
    "times",
    [3, pytest.param(20, marks=[pytest.mark.slow, pytest.mark.timeout(600)])],
)
async def test_after_kills_every_unit_of_work_is_done_exactly_once(
    tmp_path: Path, times: int
) -> None:
    home = tmp_path / "home"
    kill_again_and_again(home, times)
    left = await what_is_left(home)
    print(f"{times} kills: {left}")
    assert min(left.made.values()) >= 3
    assert (left.lost, left.doubled, left.running, left.unpaired) == (0, 0, 0, 0)
