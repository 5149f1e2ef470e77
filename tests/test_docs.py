"""What the documents show is run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import llmos.boot
from llmos import Step, Trace
from llmos.cortex.processors import RecordedProcessor

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.S | re.M)


async def test_the_readme_program_runs(
    monkeypatch: pytest.MonkeyPatch, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (program,) = blocks(ROOT / "README.md", "python")
    goal = "Which events do I have today?"
    trace = Trace(goal, (Step("calendar.search_events", {}),), "The standup.")
    monkeypatch.setenv("LLMOS_HOME", str(home))
    monkeypatch.setattr(
        llmos.boot, "make_processor", lambda config: RecordedProcessor({goal: trace})
    )
    names: dict[str, object] = {"__name__": "readme"}
    exec(compile(program, "README.md", "exec"), names)
    await names["main"]()  # type: ignore[operator]
    assert capsys.readouterr().out == "LEARNER completed 0 The standup.\n"


async def test_the_hook_in_the_documents_adds_what_it_says(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    (program,) = blocks(ROOT / "docs" / "memory.md", "python")
    monkeypatch.setenv("LLMOS_HOME", str(home))
    names: dict[str, object] = {}
    exec(compile(program, "memory.md", "exec"), names)
    os = names["os"]
    assert isinstance(os, llmos.boot.LLMOS)
    async with os:
        told = os.explain_context("Make a release")
        assert [p.name for p in told.pieces if p.source == "hook"] == ["the wiki"]
        assert [p.source for p in os.explain_context("Make tea").pieces] == ["rules", "goal"]


COMMANDS = sorted(
    {
        match.group(1)
        for page in PAGES
        for block in blocks(page, "bash")
        for match in re.finditer(r"^llmos ([a-z]+)", block, re.M)
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_documented_command_exists(command: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "llmos", command, "--help"], capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
