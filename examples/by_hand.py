"""Recordings that a person wrote, where no model at hand did the job.

    python -m examples.by_hand JOB …

They claim no model, no token and no second. Each is tried through the system calls and kept only if
the job's check passes.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from examples.catalog import RECORDED, file_of
from examples.csv_summary.jobs import SHOPS
from examples.stage import BY_HAND
from llmos.boot import LLMOS
from llmos.config import LLMOSConfig
from llmos.cortex.processors import RecordedProcessor
from llmos.surfaces.demo.jobs import Job
from llmos.surfaces.demo.recording import Recording
from llmos.values import Step, Trace, Verdict

_API = '''\
"""Notes in memory, as spec.md describes them."""

from itertools import count

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

app = FastAPI()
notes: dict[int, dict] = {}
ids = count(1)


class NewNote(BaseModel):
    text: str


def find(id: int) -> dict:
    if id not in notes:
        raise HTTPException(404, "there is no such note")
    return notes[id]


@app.post("/notes", status_code=201)
def add(new: NewNote) -> dict:
    note = {"id": next(ids), "text": new.text}
    notes[note["id"]] = note
    return note


@app.get("/notes")
def every() -> list[dict]:
    return list(notes.values())


@app.get("/notes/{id}")
def one(id: int) -> dict:
    return find(id)


@app.put("/notes/{id}")
def change(id: int, new: NewNote) -> dict:
    find(id)["text"] = new.text
    return notes[id]


@app.delete("/notes/{id}", status_code=204)
def remove(id: int) -> None:
    del notes[find(id)["id"]]
'''

_SUMMARY = """\
# Summary of three papers

## Do bees visit painted hives more often?

Blue hives had 18 % more returning foragers than bare wood; yellow ones did not differ. In weeks
with less than two hours of sun a day the effect was gone.

## Descaling kettles with citric acid saves energy

After 3,000 boils, kettles that were never descaled used 7 % more energy per boil and took 21
seconds longer. Descaling pays after 260 boils.

## One queue or many? Waiting times in a small library

With a single queue the average wait fell from 5.2 to 3.9 minutes, and 2 % instead of 6 % gave up;
visitors felt that it was slower.
"""

_TOTALS = """\
set -e
python3 - <<'END'
import csv
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
totals = defaultdict(Decimal)
for path in sorted(Path('sales/SHOP').glob('*.csv')):
    for row in csv.DictReader(path.open()):
        totals[row['product']] += Decimal(row['amount'])
with open('SHOP.md', 'w') as f:
    for product, total in sorted(totals.items()):
        f.write(f'- {product}: {total}\\n')
END
cat SHOP.md"""


def _totals(shop: str) -> tuple[Step, ...]:
    return (Step("Bash", {"command": _TOTALS.replace("SHOP", shop)}),)


def _read(*names: str) -> tuple[Step, ...]:
    return tuple(Step("Read", {"file_path": name}) for name in names)


def _write(name: str, content: str) -> tuple[Step, ...]:
    return (Step("Write", {"file_path": name, "content": content}),)


STEPS: Mapping[str, tuple[Step, ...]] = {
    "rest_api": _read("spec.md") + _write("api.py", _API),
    "papers": _read("papers/bees.md", "papers/kettles.md", "papers/queues.md")
    + _write("summary.md", _SUMMARY),
    **{f"csv-{shop}": _totals(shop) for shop in SHOPS[:3]},
}
"""The calls, by the name of the job."""


def written(job: Job) -> Recording:
    """What was written for a job."""
    trace = Trace(job.goal, STEPS[job.name], "Done.", model=BY_HAND)
    return Recording(job.name, trace, model=BY_HAND, model_sha256="", attempts=0)


async def record(job: Job) -> bool:
    """Try what was written for a job and keep it if it is right."""
    with tempfile.TemporaryDirectory() as folder:
        home, cwd = Path(folder) / "home", job.lay_out(Path(folder) / "work")
        played = RecordedProcessor({job.goal: written(job).trace})
        config = LLMOSConfig(audit_rate=0.0)
        async with LLMOS(home, processor=played, config=config) as llmos:
            result = await llmos.execute(job.goal, mode="LEARNER", check=job.check, cwd=cwd)
            stored = llmos.traces.get(result.trace_id)
    if result.verdict is not Verdict.VERIFIED:
        print(f"{job.name}: {result.error}", file=sys.stderr)
        return False
    trace = replace(stored, model=BY_HAND, duration_s=0.0)
    kept = replace(written(job), trace=trace)
    text = json.dumps(kept.as_json(), ensure_ascii=False, indent=1)
    file_of(job).write_text(f"{text}\n", "utf-8")
    return True


def main() -> int:
    """Record the named jobs; the exit code says whether all were right."""
    jobs = {job.name: job for jobs in RECORDED.values() for job in jobs}
    if not sys.argv[1:] or set(sys.argv[1:]) - set(jobs):
        print(f"{__doc__}\nJobs: {', '.join(jobs)}", file=sys.stderr)
        return 2
    return 0 if all([asyncio.run(record(jobs[name])) for name in sys.argv[1:]]) else 1


if __name__ == "__main__":
    sys.exit(main())
