"""The soak tells what happened: held against the files, counted, and sampled at every hour."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from random import Random

import pytest

from bench.soak.day import Day, Hour, Options, Told
from bench.soak.desk import Desk, Job, note, theme
from bench.soak.report import as_json, as_line, as_text
from llmos.crons.carriers import PlainCarrier

HOURS, PER_HOUR = 2, 16


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    options = Options(HOURS, PER_HOUR, seed=3, carrier=PlainCarrier())
    return asyncio.run(Day(tmp_path_factory.mktemp("soak"), options).live())


def test_hours_pass_with_goals_of_all_people_and_crons_when_they_are_due(told: Told) -> None:
    assert (told.wrong, told.failed) == ([], [])
    counts = told.counts
    assert counts["goals"] == sum(h.modes.total() for h in told.hours) >= HOURS * PER_HOUR
    assert counts["successes checked"] + told.modes["failed"] == counts["goals"]
    assert told.modes["LEARNER"] and counts["tokens"]
    assert (told.cycles["user cycles"], told.cycles["team cycles"]) == (4 * 4, 2 * 2)
    assert (told.cycles["system cycles"], told.cycles["cycles that failed"]) == (1, 0)


def test_every_hour_is_sampled_and_told(told: Told) -> None:
    begin, ends = told.begin, [h.end for h in told.hours]
    assert begin is not None and len(ends) == HOURS
    for before, end in zip([begin, *ends], ends, strict=False):
        assert before is not None and end is not None
        assert end.rss_kb > 10_000 and end.threads >= 4 and end.files > 3 and end.tasks >= 1
        assert end.goals > before.goals and end.store_kb >= before.store_kb
        assert end.rows["traces"] > before.rows.get("traces", 0)
    assert sum(told.tables.values()) > 100_000 and {"traces", "events"} <= told.tables.keys()
    text = as_text(told)
    assert f"{told.counts['successes checked']} successes held against the files" in text
    assert "0 wrong" in text and "growth per 1,000 goals" in text
    assert len(json.loads(json.dumps(as_json(told)))["hours"]) == HOURS
    assert f"hour  {HOURS} of {HOURS}" in as_line(told.hours[-1], HOURS)
    assert "2026-06-01 08:00 to 2026-06-01 10:00, alice" in told.report


async def test_a_wrong_result_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day = Day(tmp_path, Options(1, 4, carrier=PlainCarrier()))
    real = Desk.expect

    def other(desk: Desk, after: dict[str, str | None]) -> None:
        real(desk, {name: f"{text}!" for name, text in after.items()})

    monkeypatch.setattr(Desk, "expect", other)
    monkeypatch.setattr("bench.soak.day.MIXTURE", {note: 1})
    assert (await day.live()).wrong


def test_a_desk_knows_what_is_amiss(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk", Random(0))
    job: Job = theme(desk, desk.rng)
    ((name, after),) = job.after.items()
    assert desk.amiss() == [] and not desk.holds(job.after)
    desk.expect(job.after)
    assert desk.amiss() == [name]
    (desk.folder / name).write_text(str(after))
    assert desk.amiss() == [] and desk.holds(job.after)
    (desk.folder / "stray.txt").write_text("not expected")
    assert desk.amiss() == ["stray.txt"]
    assert Hour(1).took == {}
