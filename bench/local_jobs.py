"""Ten file jobs with a local model, live: the first time, the second time, and after one night.

python -m bench.local_jobs MODEL.gguf [--folder DIR] [--wall SECONDS] [--threads N]

One home; every run in a new folder with fresh files; each with a check that was computed from the
files, without any model. The first attempt counts, failures included. The second time and the time
after the night are ordinary runs too: what cannot be done free goes to the model again. Three jobs
are of one kind, and three of another; after the night each kind gets a new goal that no run has
named. Audits are off, so that no free run is drawn for the model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from examples.csv_summary.jobs import EAST, NORTH, SOUTH, WEST
from examples.papers.jobs import PAPERS
from examples.rest_api.jobs import API
from llmos import LLMOS, LLMOSConfig
from llmos.cortex.processors.local import LocalProcessor
from llmos.evolution.compiler import LearnReport
from llmos.surfaces.demo.jobs import CALCULATOR, RENAME, Files, Job, lay_out
from llmos.values import Mode, Processor, Verdict

_VERIFY_PORT = """\
found = read(expected["file"])
need(json.loads(found) == json.loads(expected["text"]), f"the file holds {found}")
"""


def port(name: str, old: int, new: int, rest: str) -> Job:
    """A job that changes one number in a JSON file."""
    file = f"conf/{name}.json"
    text = f'{{\n  "host": "localhost",\n  "port": {old},\n{rest}\n}}\n'

    def expect(files: Files) -> dict[str, str]:
        return {"file": file, "text": files[file].replace(f": {old}", f": {new}")}

    goal = f"In {file} change the port from {old} to {new} and keep everything else"
    return Job(f"port-{name}", goal, _VERIFY_PORT, {file: text}, expect)


PORTS = (
    port("web", 8080, 9090, '  "workers": 4'),
    port("mail", 2525, 2526, '  "tls": true,\n  "queue": "out"'),
    port("chat", 6667, 6697, '  "rooms": ["garden", "roof"]'),
)
JOBS = (NORTH, SOUTH, EAST, *PORTS, CALCULATOR, RENAME, API, PAPERS)
"""Done twice before the night."""
NEW = (WEST, port("files", 2049, 2050, '  "root": "shared",\n  "quota": 250'))
"""Of the kinds that recur; done once, after the night."""
FIRST, SECOND, NEXT_DAY = "first", "second", "after the night"


@dataclass(frozen=True)
class Row:
    """One run."""

    job: str
    when: str
    mode: str
    tokens: int
    seconds: float
    right: bool
    side_exit: str
    error: str


async def measure(processor: Processor, folder: Path, wall_s: float) -> list[Row]:
    """All runs, in order; kept in ``rows.json`` as they come."""
    rows: list[Row] = []
    config = LLMOSConfig(audit_rate=0.0, audit_rate_external=0.0, run_wall_s=wall_s)
    async with LLMOS(folder / "home", processor=processor, config=config) as os_:
        # Loads the model, which is no part of what a job takes.
        await os_.execute("Say hello", mode=Mode.LEARNER, cwd=lay_out({}, folder / "warm-up"))
        for when, jobs in ((FIRST, JOBS), (SECOND, JOBS), (NEXT_DAY, NEW)):
            if when == NEXT_DAY:
                tell_night((await os_.kernel.run_cron_now()).learnt)
            for job in jobs:
                rows.append(await run(os_, job, when, folder))
                keep(rows, folder)
    return rows


async def run(os_: LLMOS, job: Job, when: str, folder: Path) -> Row:
    """One run in a folder of its own."""
    cwd = job.lay_out(folder / when.replace(" ", "-") / job.name)
    result = await os_.execute(job.goal, check=job.check, cwd=cwd)
    row = Row(
        job.name,
        when,
        result.mode.value + (" already done" if result.already_done else ""),
        result.usage.total_tokens,
        round(result.duration_s, 2),
        result.success and result.verdict is Verdict.VERIFIED,
        result.side_exit.reason if result.side_exit else "",
        " ".join(result.error.split()),
    )
    print(json.dumps(asdict(row)), file=sys.stderr, flush=True)
    for step in result.steps:
        made = json.dumps(dict(step.arguments), ensure_ascii=False)
        print(f"    {step.tool}{' FAILED' if step.is_error else ''} {made}", file=sys.stderr)
    return row


def tell_night(report: LearnReport) -> None:
    """What the night made, and of what it made nothing."""
    print(f"\nThe night: {report.traces} good runs; tools: {', '.join(report.created) or 'none'}")
    for goal, runs, why in report.unlearnt:
        print(f"- no tool ({runs} runs): {goal}: {why}")
    print(flush=True)


def keep(rows: Sequence[Row], folder: Path) -> None:
    text = json.dumps([asdict(row) for row in rows], indent=1)
    (folder / "rows.json").write_text(f"{text}\n", "utf-8")


def table(rows: Sequence[Row]) -> str:
    """The runs as Markdown, a line a job."""
    found = {(row.job, row.when): row for row in rows}
    lines = ["| job | first time | second time |", "| --- | --- | --- |"]
    for job in JOBS:
        first, second = (cell(found.get((job.name, when))) for when in (FIRST, SECOND))
        lines.append(f"| {job.name} | {first} | {second} |")
    lines += ["", "| a new goal of a kind | after the night |", "| --- | --- |"]
    lines += [f"| {job.name} | {cell(found.get((job.name, NEXT_DAY)))} |" for job in NEW]
    return "\n".join(lines)


def cell(row: Row | None) -> str:
    """Mode, tokens, seconds, and whether the check passed."""
    if row is None:
        return "not run"
    seconds = f"{row.seconds:.1f}" if row.seconds >= 1 else f"{row.seconds:.2f}"
    stopped = ", side exit" if row.side_exit else ""
    told = f"{row.mode}{stopped}, {row.tokens:,} tokens, {seconds} s"
    return f"{told}, {'right' if row.right else '**failed**'}"


def totals(rows: Sequence[Row]) -> str:
    """Sums of each round."""
    lines = []
    for when in (FIRST, SECOND, NEXT_DAY):
        of = [row for row in rows if row.when == when]
        free = sum(row.tokens == 0 and row.right for row in of)
        lines.append(
            f"{when}: {sum(r.right for r in of)} of {len(of)} right, {free} of them free; "
            f"{sum(r.tokens for r in of):,} tokens, {sum(r.seconds for r in of):.0f} s"
        )
    return "\n".join(lines)


def failures(rows: Sequence[Row]) -> str:
    """What went wrong, one line a run."""
    bad = [row for row in rows if not row.right or row.side_exit]
    return "\n".join(f"- {r.job}, {r.when}: {r.side_exit or r.error or 'failed'}" for r in bad)


def main() -> int:
    """Measure and print; failures are part of the result and no error."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--folder", type=Path, help="a new folder for all that is made")
    parser.add_argument("--wall", type=float, default=300.0, help="seconds a run may take")
    parser.add_argument("--threads", type=int, help="CPU threads of the model; all by default")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="llmos-jobs-"))
    folder.mkdir(parents=True, exist_ok=True)
    began, processor = time.monotonic(), LocalProcessor(asked.model, threads=asked.threads)
    try:
        rows = asyncio.run(measure(processor, folder.resolve(), asked.wall))
    finally:
        if asked.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(table(rows), failures(rows), totals(rows), sep="\n\n")
    load, python = os.getloadavg()[2], platform.python_version()
    threads = asked.threads or os.cpu_count()
    print(f"\n{asked.model.name} on {threads} of {os.cpu_count()} cores, load average {load:.1f}")
    print(f"Python {python}; {(time.monotonic() - began) / 60:.0f} minutes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
