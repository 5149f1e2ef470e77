"""Record what a local model does for the jobs of the examples.

    python -m examples.record MODEL.gguf --name "Name of the model" [JOB …]
    python -m examples.record MODEL.gguf --name "Name of the model" --done-in FOLDER [JOB …]

The second form takes what the model has done already, in the ``--folder`` of `bench.local_jobs`.
The first makes runs, as `scripts/record_demo.py` does it: a new home and a new folder for each
attempt, the first at temperature 0 and each further one a bit warmer, until the check passes. Only
the run that passed is kept, just as it was, with the count of those before it.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from examples.catalog import RECORDED, file_of
from llmos.boot import LLMOS
from llmos.cortex.processors.local_engine import Engine, LlamaEngine
from llmos.plugins.sandbox import available
from llmos.surfaces.demo.jobs import Job
from llmos.surfaces.demo.scene import Nobody
from llmos.values import Mode, Trace, Verdict
from scripts.record_demo import CONTEXT, WARM_UP, attempt, ended, kept, table

JOBS = {job.name: job for jobs in RECORDED.values() for job in jobs}


def main() -> int:
    """Record the named jobs, or all; the exit code says whether all succeeded."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"of: {', '.join(JOBS)}")
    parser.add_argument("--name", required=True, help="the model's name, for people")
    parser.add_argument("--machine", help="what it ran on; all its CPU threads when left out")
    parser.add_argument("--attempts", type=int, default=4)
    parser.add_argument("--done-in", type=Path, metavar="FOLDER", help="make no run: take these")
    asked = parser.parse_intermixed_args()
    if unknown := set(asked.jobs) - set(JOBS):
        parser.error(f"no such job: {', '.join(sorted(unknown))}")
    if reason := available():
        parser.error(f"recordings are made with the sandbox: {reason}")
    with asked.model.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    wanted = [JOBS[name] for name in asked.jobs or JOBS]
    if asked.done_in:
        tried = ((job, asyncio.run(done_in(asked.done_in, job))) for job in wanted)
        made = [keep(job, of, asked.name, digest, asked.machine) for job, of in tried]
    else:
        engine = LlamaEngine(asked.model, None, CONTEXT)
        asyncio.run(attempt(WARM_UP, asked.model, engine, 0))
        tried = ((job, try_out(job, asked.model, engine, asked.attempts)) for job in wanted)
        made = [keep(job, of, asked.name, digest, asked.machine) for job, of in tried]
        engine.close()
    return 0 if all(made) else 1


def try_out(job: Job, model: Path, engine: Engine, attempts: int) -> list[Trace]:
    """Run one job until it succeeds; all runs, the last one is the best."""
    runs: list[Trace] = []
    for number in range(attempts):
        runs.append(asyncio.run(attempt(job, model, engine, number)))
        tell(job, number, runs[-1])
        if runs[-1].verdict is Verdict.VERIFIED:
            break
    return runs


async def done_in(folder: Path, job: Job) -> list[Trace]:
    """What the model did for a job in the folder of `bench.local_jobs`, up to the first success."""
    rows = json.loads((folder / "rows.json").read_text("utf-8"))
    took = [row["seconds"] for row in rows if row["job"] == job.name and row["mode"] == "LEARNER"]
    async with LLMOS(folder / "home", processor=Nobody()) as llmos:
        of_job = [t.id for t in llmos.traces.recent(limit=1000) if t.goal == job.goal]
        runs = [llmos.traces.get(id_) for id_ in sorted(of_job)]
    learnt = [run for run in runs if run.mode is Mode.LEARNER]
    # What the model took, without the check.
    timed = [replace(t, duration_s=s) for t, s in zip(learnt, took, strict=True)]
    good = [i for i, run in enumerate(timed) if run.verdict is Verdict.VERIFIED]
    return timed[: good[0] + 1] if good else timed


def keep(
    job: Job, runs: Sequence[Trace], name: str, digest: str, machine: str | None = None
) -> bool:
    """Keep the last run if it was right; False if it was not."""
    recording = kept(job, runs, name, digest) if runs else None
    if recording is None:
        return False
    recording = replace(recording, machine=machine or recording.machine)
    text = json.dumps(recording.as_json(), ensure_ascii=False, indent=1)
    file_of(job).write_text(f"{text}\n", "utf-8")
    print(table([recording]), flush=True)
    return True


def tell(job: Job, number: int, run: Trace) -> None:
    """Let whoever waits see how an attempt ended, and why."""
    print(f"{job.name}, attempt {number + 1}: {ended(run)}", file=sys.stderr)
    for step in run.steps:
        shown = json.dumps(dict(step.arguments), ensure_ascii=False)
        print(f"    {step.tool} {shown}\n      -> {str(step.observation)[:300]!r}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
