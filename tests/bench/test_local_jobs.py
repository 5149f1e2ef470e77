from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench import local_jobs
from bench.local_jobs import NEW, PORTS, Row, failures, measure, table, totals
from llmos import Step, Trace
from llmos.cortex.processors import RecordedProcessor
from llmos.surfaces.demo.jobs import Job


def edit(job: Job) -> Trace:
    (file, before), *_ = job.files.items()
    after = job.expect(job.files)["text"]
    changed = [
        pair
        for pair in zip(before.splitlines(), after.splitlines(), strict=True)
        if pair[0] != pair[1]
    ]
    ((old, new),) = changed
    change = {"file_path": file, "old_string": old.strip(), "new_string": new.strip()}
    return Trace(job.goal, (Step("Read", {"file_path": file}), Step("Edit", change)), "Done.")


async def test_a_job_is_paid_once_and_a_new_one_of_its_kind_is_free_after_the_night(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(local_jobs, "JOBS", PORTS)
    monkeypatch.setattr(local_jobs, "NEW", NEW[1:])
    model = RecordedProcessor({job.goal: edit(job) for job in PORTS})
    rows = await measure(model, tmp_path, 60.0)
    modes = [(row.when, row.mode, row.right) for row in rows]
    assert modes == [
        *[("first", "LEARNER", True)] * 3,
        *[("second", "FOLLOWER", True)] * 3,
        ("after the night", "CRYSTALLIZED", True),
    ]
    assert len(json.loads((tmp_path / "rows.json").read_text("utf-8"))) == len(rows)


def test_failures_stand_in_the_table_and_below_it() -> None:
    right = Row("csv-north", "first", "LEARNER", 5_860, 12.8, True, "", "")
    wrong = replace(right, job="papers", right=False, error="there is no summary.md")
    free = replace(right, when="second", mode="FOLLOWER", tokens=0, seconds=0.123)
    rows = [right, wrong, free]
    lines = table(rows).splitlines()
    assert (
        "| csv-north | LEARNER, 5,860 tokens, 12.8 s, right | FOLLOWER, 0 tokens, 0.12 s, right |"
        in lines
    )
    assert "| papers | LEARNER, 5,860 tokens, 12.8 s, **failed** | not run |" in lines
    assert failures(rows) == "- papers, first: there is no summary.md"
    assert totals(rows).startswith("first: 1 of 2 right, 0 of them free; 11,720 tokens, 26 s")
