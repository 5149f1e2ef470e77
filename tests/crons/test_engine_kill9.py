"""A daemon that is killed at random moments loses nothing, doubles nothing, hangs nowhere."""

from __future__ import annotations

import pytest

from tests.crons.killing import Left, kill_again_and_again, what_is_left
from tests.support.databases import Database


@pytest.mark.parametrize(
    "times",
    [3, pytest.param(20, marks=[pytest.mark.slow, pytest.mark.timeout(600)])],
)
async def test_after_kills_every_unit_of_work_is_done_exactly_once(
    new_database: Database, times: int
) -> None:
    kill_again_and_again(new_database, times)
    left = await what_is_left(new_database)
    print(f"{times} kills: {left}")
    assert min(left.made.values()) >= 3
    assert left == Left(left.made, lost=0, doubled=0, running=0, unpaired=0, overlapping=0)
