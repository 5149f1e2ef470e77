"""How long a goal's trace is looked for, among few and among many replays of it.

python -m bench replays [--json]
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from llmos.memory.traces import Scope, Traces
from llmos.store import Store, Transaction
from llmos.store.schema import REPLAY, traces
from llmos.values import Trace, Verdict

REPLAYS = (1, 20_000)
LOOKS = 100
GOAL = "Write the total to total.txt"


async def looked_for(folder: Path, replays: int) -> float:
    """Milliseconds, the median."""
    with Store.open(folder / "home") as store:
        found = Traces(store)
        (source,) = await found.learn([Trace(GOAL, verdict=Verdict.CONFIRMED)], "alice", None)

        def repeat(tx: Transaction) -> None:
            row = tx.conn.execute(select(traces).where(traces.c.id == source)).one()._asdict()
            row["source"] = f"{REPLAY}{source}"
            tx.conn.execute(insert(traces), [row | {"id": f"R{n}"} for n in range(replays)])

        store.write(repeat)
        took = []
        for _ in range(LOOKS):
            began = time.perf_counter()
            (candidate,) = found.candidates(GOAL, Scope("alice"))
            took.append((time.perf_counter() - began) * 1e3)
            assert candidate.trace.id == source
        return statistics.median(took)


def main() -> list[dict[str, Any]]:
    """Measure both."""
    ms = []
    for replays in REPLAYS:
        with tempfile.TemporaryDirectory() as folder:
            ms.append(asyncio.run(looked_for(Path(folder), replays)))
    few, many = ms
    return [
        {
            "what": f"a goal's trace among {REPLAYS[1]:,} replays of it",
            "ms": round(many, 2),
            "among_one_ms": round(few, 2),
            "ratio": round(many / few, 2),
        }
    ]
