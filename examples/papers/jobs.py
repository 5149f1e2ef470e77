"""The goal, the papers it starts from, and what has to come of it."""

from __future__ import annotations

from pathlib import Path

from examples.inputs import files_in, verify_with
from llmos.surfaces.demo.jobs import Files, Job
from llmos.values import Json

HERE = Path(__file__).resolve().parent
_FILES = files_in(HERE / "inputs")
_BEES = "papers/bees.md"

SHARE = 0.6
"""What a summary may have of the length of all papers together."""

FACTS: dict[str, list[list[str]]] = {
    _BEES: [["18 %", "19 %"], ["blue"]],
    "papers/kettles.md": [["7 %"], ["21 seconds", "21 s"]],
    "papers/queues.md": [["3.9"], ["2 %"]],
}
"""What a summary must say of each paper: for each fact its spellings."""


def _expect(files: Files) -> Json:
    papers = [
        {
            "title": files[name].splitlines()[0].lstrip("# "),
            # Of the spellings of a figure only that which the paper has is right.
            "facts": [[s for s in fact if s in files[name].lower()] for fact in facts],
        }
        for name, facts in FACTS.items()
    ]
    return {"papers": papers, "length": int(SHARE * sum(map(len, files.values())))}


PAPERS = Job(
    "papers",
    "Summarise the papers in papers: write summary.md with the title and the results of each",
    verify_with(HERE / "check.py"),
    _FILES,
    _expect,
    keeps=tuple(_FILES),
    edits={_BEES: _FILES[_BEES].replace("18 %", "19 %")},
)
