"""Record what a local model does for the jobs of the examples.

    python -m examples.record MODEL.gguf --name "Name of the model" [JOB …]

As `scripts/record_demo.py` does it: a new home and a new folder for each attempt, the first at
temperature 0 and each further one a bit warmer, until the check passes; only the run that passed is
kept, just as it was, with the count of those before it. What the others did is told on standard
error, and nowhere else.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
from pathlib import Path

from examples.catalog import RECORDED, file_of
from llmos.cortex.processors.local_engine import Engine, LlamaEngine
from llmos.plugins.sandbox import available
from llmos.surfaces.demo.jobs import Job
from llmos.values import Trace, Verdict
from scripts.record_demo import CONTEXT, WARM_UP, attempt, ended, kept, table

JOBS = {job.name: job for jobs in RECORDED.values() for job in jobs}


def main() -> int:
    """Record the named jobs, or all; the exit code says whether all succeeded."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"of: {', '.join(JOBS)}")
    parser.add_argument("--name", required=True, help="the model's name, for people")
    parser.add_argument("--attempts", type=int, default=4)
    asked = parser.parse_intermixed_args()
    if unknown := set(asked.jobs) - set(JOBS):
        parser.error(f"no such job: {', '.join(sorted(unknown))}")
    if reason := available():
        parser.error(f"recordings are made with the sandbox: {reason}")
    with asked.model.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    engine = LlamaEngine(asked.model, None, CONTEXT)
    asyncio.run(attempt(WARM_UP, asked.model, engine, 0))
    made = {
        name: record(JOBS[name], asked.model, engine, asked.attempts, asked.name, digest)
        for name in asked.jobs or JOBS
    }
    engine.close()
    return 0 if all(made.values()) else 1


def record(job: Job, model: Path, engine: Engine, attempts: int, name: str, digest: str) -> bool:
    """Run one job until it succeeds and keep that run; False if none did."""
    runs: list[Trace] = []
    for number in range(attempts):
        runs.append(asyncio.run(attempt(job, model, engine, number)))
        tell(job, number, runs[-1])
        if runs[-1].verdict is Verdict.VERIFIED:
            break
    recording = kept(job, runs, name, digest)
    if recording is None:
        return False
    text = json.dumps(recording.as_json(), ensure_ascii=False, indent=1)
    file_of(job).parent.mkdir(exist_ok=True)
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
