"""All jobs of the examples, and where what was recorded of them lies."""

from __future__ import annotations

import json
from pathlib import Path

from examples.csv_summary.jobs import NORTH
from examples.papers.jobs import PAPERS
from examples.rest_api.jobs import API
from llmos.surfaces.demo.jobs import Job
from llmos.surfaces.demo.recording import Recording

HERE = Path(__file__).resolve().parent

RECORDED: dict[str, tuple[Job, ...]] = {
    "csv_summary": (NORTH,),
    "rest_api": (API,),
    "papers": (PAPERS,),
}
"""The jobs that are recorded, by example."""


def file_of(job: Job) -> Path:
    """Where the recording of a job lies."""
    example = next(name for name, jobs in RECORDED.items() if job in jobs)
    return HERE / example / "recordings" / f"{job.name}.json"


def recordings_of(example: str) -> dict[str, Recording]:
    """What was recorded for an example, by the name of the job."""
    found = {job.name: file_of(job) for job in RECORDED[example]}
    return {
        name: Recording.from_json(json.loads(path.read_text("utf-8")))
        for name, path in found.items()
        if path.is_file()
    }
