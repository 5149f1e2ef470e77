from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.local_plan import JOBS, measure
from llmos.cortex.processors import RecordedProcessor
from llmos.values import Usage
from tests.bench.test_local_jobs import edit


async def test_parts_that_are_known_are_not_paid_again(tmp_path: Path) -> None:
    played = {job.goal: replace(edit(job), usage=Usage(900, 100)) for job in JOBS}
    none, four, every = await measure(RecordedProcessor(played), tmp_path, 60.0)
    assert (none.free, none.right, none.tokens) == (0, 6, 6_000)
    assert (four.free, four.right, four.tokens, four.before) == (4, 6, 2_000, 4_000)
    assert (every.free, every.right, every.tokens) == (6, 6, 0)
