"""A job of six parts with a local model, live: none of them known, four, and all.

python -m bench.local_plan MODEL.gguf [--wall SECONDS] [--threads N]

The plan is given; every part changes one number in a file of its own, and each file is held against
what it should be. Two homes: in the second one four of the six goals were done, and taken back,
before the plan. Then that plan is taken back and done again. What the four had cost is told too:
it was paid once, and not for the plan.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.local_jobs import PORTS, port
from llmos import LLMOS, LLMOSConfig
from llmos.cortex.plans import Part, Plan
from llmos.cortex.processors.local import LocalProcessor
from llmos.surfaces.demo.jobs import lay_out
from llmos.values import Mode, Processor, RunResult

JOBS = (
    *PORTS,
    port("files", 2049, 2050, '  "root": "shared"'),
    port("news", 1119, 1120, '  "groups": 12'),
    port("print", 6310, 6311, '  "duplex": true'),
)
KNOWN = JOBS[:4]
GOAL = "Move all six services to their new ports"


@dataclass(frozen=True)
class Row:
    """One run of the plan."""

    known: str
    tokens: int
    seconds: float
    free: int
    """Parts that took no token."""
    right: int
    """Files that are as they should be."""
    before: int = 0
    """Tokens of what was done before the plan."""


def plan() -> Plan:
    """The first four at once, the fifth after them, and the sixth after that."""
    names = [job.name for job in JOBS]
    after = {names[4]: tuple(names[:4]), names[5]: (names[4],)}
    return Plan.of([Part(job.name, job.goal, after.get(job.name, ())) for job in JOBS])


async def measure(processor: Processor, folder: Path, wall_s: float) -> list[Row]:
    """The three runs; the first one's home knows nothing."""
    config = LLMOSConfig(audit_rate=0.0, audit_rate_external=0.0, run_wall_s=wall_s)
    rows = []
    files = {name: text for job in JOBS for name, text in job.files.items()}
    cwd = lay_out(files, folder / "none")
    async with LLMOS(folder / "home", processor=processor, config=config, cwd=cwd) as os_:
        await os_.execute("Say hello", mode=Mode.LEARNER)  # loads the model
        rows.append(row("none", await os_.execute(GOAL, plan=plan()), os_, cwd))
    cwd = lay_out(files, folder / "four")
    async with LLMOS(folder / "other", processor=processor, config=config, cwd=cwd) as os_:
        before = 0
        for job in KNOWN:
            done = await os_.execute(job.goal, check=job.check)
            before += done.usage.total_tokens
            if done.success:
                await os_.undo(done.trace_id)
        result = await os_.execute(GOAL, plan=plan())
        rows.append(row("four", result, os_, cwd, before))
        if result.success:
            await os_.undo(result.trace_id)
            rows.append(row("all", await os_.execute(GOAL, plan=plan()), os_, cwd))
    return rows


def row(known: str, result: RunResult, os_: LLMOS, cwd: Path, before: int = 0) -> Row:
    if result.error:
        print(f"{known}: {result.error}", file=sys.stderr)
    runs = [t for t in os_.traces.recent(limit=20) if t.goal in {job.goal for job in JOBS}]
    parts = [t for t in runs if t.id > result.trace_id]
    right = 0
    for job in JOBS:
        ((name, _),) = job.files.items()
        right += (cwd / name).read_text("utf-8") == job.expect(job.files)["text"]
    return Row(
        known,
        result.usage.total_tokens,
        round(result.duration_s, 1),
        sum(t.usage.total_tokens == 0 for t in parts),
        right,
        before,
    )


def main() -> int:
    """Measure and print; failures are part of the result and no error."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--wall", type=float, default=300.0, help="seconds a run may take")
    parser.add_argument("--threads", type=int, help="CPU threads of the model; all by default")
    asked = parser.parse_args()
    processor = LocalProcessor(asked.model, threads=asked.threads)
    with tempfile.TemporaryDirectory(prefix="llmos-plan-") as folder:
        rows = asyncio.run(measure(processor, Path(folder).resolve(), asked.wall))
    print("| known | files right | parts for nothing | tokens | seconds | paid before |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for r in rows:
        print(
            f"| {r.known} | {r.right} of 6 | {r.free} of 6 | {r.tokens:,} | {r.seconds} |"
            f" {r.before:,} |"
        )
    print(f"\n{asked.model.name}, load average {os.getloadavg()[2]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
