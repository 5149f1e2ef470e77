"""The goal, the specification it starts from, and what has to come of it."""

from __future__ import annotations

from pathlib import Path

from examples.inputs import files_in, verify_with
from llmos.surfaces.demo.jobs import Files, Job
from llmos.values import Json

HERE = Path(__file__).resolve().parent
_FILES = files_in(HERE / "inputs")
_NO_BODY, _TOLD = "status 204, no body", "status 200; answer the note that was removed"


def _expect(files: Files) -> Json:
    told = _TOLD in files["spec.md"]
    return {"status": 200 if told else 204, "told": told}


API = Job(
    "rest_api",
    "Create a REST API with FastAPI in api.py, as spec.md describes it",
    verify_with(HERE / "check.py"),
    _FILES,
    _expect,
    keeps=("spec.md",),
    edits={"spec.md": _FILES["spec.md"].replace(_NO_BODY, _TOLD)},
)
