"""A check that lets everything pass would make every example a success."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from examples.by_hand import STEPS
from examples.catalog import HERE as EXAMPLES
from examples.catalog import RECORDED, recordings_of
from examples.csv_summary.jobs import NORTH, SHOPS, shop, totals
from examples.papers.jobs import PAPERS
from examples.rest_api.jobs import API
from examples.stage import BY_HAND
from llmos.surfaces.demo.jobs import Job

_API: str = STEPS["rest_api"][-1].arguments["content"]
_SUMMARY: str = STEPS["papers"][-1].arguments["content"]
_NORTH = "- candles: 100.35\n- honey: 529.95\n- soap: 60.00\n"


def said(job: Job, folder: Path, name: str, content: str) -> str:
    """What the job's check says to a result; "" if it passes."""
    cwd = job.lay_out(folder / "work")
    (cwd / name).write_text(content, "utf-8")
    ran = subprocess.run(["/bin/sh", "-c", job.check], cwd=cwd, capture_output=True, text=True)
    return "" if ran.returncode == 0 else ran.stderr or "failed"


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (_NORTH, ""),
        (
            "| product | total |\n| --- | ---: |\n"
            "| Candles | 100.35 |\n| Honey | 529.95 |\n| Soap | 60 |",
            "",
        ),
        (_NORTH.replace("529.95", "529.94"), "honey"),
        (_NORTH.replace("- soap: 60.00\n", ""), "soap"),
        ("", "candles"),
    ],
)
def test_the_totals_of_a_shop_are_compared_to_the_cent(
    tmp_path: Path, content: str, wrong: str
) -> None:
    found = said(NORTH, tmp_path, "north.md", content)
    assert wrong in found
    assert bool(found) == bool(wrong)


def test_a_changed_csv_file_does_not_pass_for_the_right_one(tmp_path: Path) -> None:
    name = "sales/north/may.csv"
    assert name in said(NORTH, tmp_path, name, "date,product,amount\n")


def test_the_totals_are_those_of_the_files() -> None:
    assert totals(NORTH.files) == {"candles": "100.35", "honey": "529.95", "soap": "60.00"}
    assert len({str(totals(shop(name).files)) for name in SHOPS}) == len(SHOPS)


@pytest.mark.parametrize(
    ("edit", "wrong"),
    [
        (lambda text: text, ""),
        (lambda text: text.replace("21\nseconds", "12\nseconds"), "21 seconds"),
        (lambda text: text.replace("18 %", "18 per cent"), ""),
        (lambda text: text.split("## Descaling")[0], "Descaling"),
        (lambda text: "\n".join(PAPERS.files.values()), "no summary"),
        # A fact must stand where its paper is told.
        (lambda text: "It fell to 3.9 minutes.\n" + text.replace("3.9", "3.8"), "3.9"),
    ],
)
def test_a_summary_must_cover_every_paper(
    tmp_path: Path, edit: Callable[[str], str], wrong: str
) -> None:
    found = said(PAPERS, tmp_path, "summary.md", edit(_SUMMARY))
    assert wrong in found
    assert bool(found) == bool(wrong)


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("fastapi", "uvicorn")),
    reason="fastapi and uvicorn are not installed: pip install 'llmos[test]'",
)
def test_an_api_of_another_specification_does_not_pass(tmp_path: Path) -> None:
    changed = replace(API, files=API.edits)
    found = said(changed, tmp_path, "api.py", _API)
    assert "delete" in found
    assert "(204, None), not with (200, " in found


@pytest.mark.parametrize("example", RECORDED)
def test_every_job_is_recorded_and_nobody_claims_a_model_for_what_was_written_by_hand(
    example: str,
) -> None:
    recordings = recordings_of(example)
    assert set(recordings) == {job.name for job in RECORDED[example]}
    for job in RECORDED[example]:
        made = recordings[job.name]
        assert made.trace.goal == job.goal
        by_model = made.model != BY_HAND
        assert bool(made.model_sha256) == bool(made.attempts) == by_model
        assert bool(made.trace.usage.total_tokens) == by_model


PAGES = sorted(EXAMPLES.rglob("README.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_every_link_and_every_command_of_a_page_leads_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), target
    for module in re.findall(r"python -m (examples\.\w+)", text):
        assert importlib.util.find_spec(f"{module}.__main__"), module
