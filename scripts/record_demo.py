"""Record what a local model does for the jobs of ``llmos demo``.

    python scripts/record_demo.py MODEL.gguf --name "Name of the model" [JOB …]

Each job runs in a new home and a new folder, through the ``local`` processor, until its check
passes or the attempts are used up: the first attempt at temperature 0, each further one a bit
warmer. Only the run that passed is kept, just as it was, with the count of those before it. The
model is loaded before the first run: that is no part of what a run took.
Prints the table for docs/demo.md at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from llmos.boot import LLMOS
from llmos.config import LLMOSConfig
from llmos.cortex.processors.local import LocalProcessor
from llmos.cortex.processors.local_engine import Completion, Engine, LlamaEngine
from llmos.plugins.sandbox import available
from llmos.surfaces.demo.jobs import JOBS, Job
from llmos.surfaces.demo.price import named_price
from llmos.surfaces.demo.recording import Recording, load
from llmos.values import Event, Json, ToolCall, Trace, Verdict

FOLDER = Path(__file__).resolve().parent.parent / "llmos" / "surfaces" / "demo" / "recordings"

CONTEXT = 8192
"""Tokens, as the local processor has them by default."""
WARM_UP = Job("warm-up", "Say hello", verify="")
WARMER = 0.2
"""Temperature that each attempt has more than the one before it."""


def main() -> int:
    """Record the named jobs, or all; the exit code says whether all succeeded."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"of: {', '.join(names())}")
    parser.add_argument("--name", required=True, help="the model's name, for people")
    parser.add_argument("--attempts", type=int, default=6)
    asked = parser.parse_intermixed_args()
    if unknown := set(asked.jobs) - set(names()):
        parser.error(f"no such job: {', '.join(sorted(unknown))}")
    if reason := available():
        parser.error(f"recordings are made with the sandbox: {reason}")
    with asked.model.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    engine = LlamaEngine(asked.model, None, CONTEXT)
    asyncio.run(attempt(WARM_UP, asked.model, engine, 0))
    missing = [
        job.name
        for job in JOBS
        if job.name in (asked.jobs or names())
        and not record(job, asked.model, engine, asked.attempts, asked.name, digest)
    ]
    engine.close()
    print(table(recording for job in JOBS if (recording := load(job.name))))
    return 1 if missing else 0


def names() -> list[str]:
    """Names of all jobs."""
    return [job.name for job in JOBS]


def record(job: Job, model: Path, engine: Engine, attempts: int, name: str, digest: str) -> bool:
    """Run one job until it succeeds and keep that run; False if none did."""
    runs: list[Trace] = []
    for number in range(attempts):
        runs.append(asyncio.run(attempt(job, model, engine, number)))
        print(f"{job.name}, attempt {number + 1}: {ended(runs[-1])}", file=sys.stderr)
        if runs[-1].verdict is Verdict.VERIFIED:
            break
    recording = kept(job, runs, name, digest)
    if recording is None:
        return False
    text = json.dumps(recording.as_json(), ensure_ascii=False, indent=1)
    (FOLDER / f"{job.name}.json").write_text(f"{text}\n", "utf-8")
    return True


async def attempt(job: Job, model: Path, engine: Engine, number: int) -> Trace:
    """One run of a job in a new home, as it was stored."""
    with tempfile.TemporaryDirectory() as folder:
        home, cwd = Path(folder) / "home", job.lay_out(Path(folder) / "work")
        # As everybody has it, but for the temperature.
        local = LocalProcessor(model, engine=Warm(engine, number * WARMER))
        async with LLMOS(home, processor=local, config=LLMOSConfig(audit_rate=0.0)) as llmos:
            result = await llmos.execute(
                job.goal, mode="LEARNER", check=job.check, cwd=cwd, on_event=show
            )
            # What the model took, without the check.
            stored = llmos.traces.get(result.trace_id)
            return replace(stored, duration_s=result.duration_s)


class Warm:
    """An engine at a temperature of its own: at none, a second attempt would be the first again."""

    def __init__(self, engine: Engine, temperature: float) -> None:
        self._engine = engine
        self._temperature = temperature

    def complete(
        self,
        messages: Sequence[Mapping[str, str]],
        schema: Mapping[str, Json],
        max_tokens: int,
        stop: threading.Event,
        temperature: float = 0.0,
    ) -> Completion:
        """See `Engine`."""
        warm = max(temperature, self._temperature)
        return self._engine.complete(messages, schema, max_tokens, stop, warm)

    def close(self) -> None:
        """Nothing: the next attempt needs the model again."""


def show(event: Event) -> None:
    """Let whoever waits see what the model does."""
    if isinstance(event, ToolCall):
        print(f"    {event.tool} {json.dumps(dict(event.arguments))[:200]}", file=sys.stderr)


def ended(run: Trace) -> str:
    """How a run ended, on one line."""
    took = f"{run.usage.total_tokens} tokens, {run.duration_s:.0f} s"
    return " ".join(f"{run.verdict.value}, {took} {run.error}".split())


def kept(job: Job, runs: Sequence[Trace], name: str, digest: str) -> Recording | None:
    """The recording of the last run if it passed its check, else None."""
    *before, last = runs
    if last.verdict is not Verdict.VERIFIED:
        return None
    return Recording(
        job.name,
        replace(last, model=name),
        model=name,
        model_sha256=digest,
        attempts=len(runs),
        failures=Counter(run.verdict.value for run in before),
        machine=f"on {os.cpu_count()} CPU threads",
    )


def table(recordings: Iterable[Recording]) -> str:
    """What the recordings took, as Markdown."""
    price = named_price()
    rows = [
        f"| job | steps | attempts | tokens (in + out) | at {price.model} | seconds |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for r in recordings:
        usage, out = r.trace.usage, r.trace.usage.output_tokens
        rows.append(
            f"| {r.job} | {len(r.trace.steps)} | {_attempts(r)} "
            f"| {usage.total_tokens:,} ({usage.total_tokens - out:,} + {out:,}) "
            f"| ${price.of(usage):.4f} | {r.trace.duration_s:.1f} |"
        )
    return "\n".join(rows)


def _attempts(recording: Recording) -> str:
    failed = ", ".join(f"{n} {verdict}" for verdict, n in sorted(recording.failures.items()))
    return f"{recording.attempts}{f' ({failed})' if failed else ''}"


if __name__ == "__main__":
    sys.exit(main())
