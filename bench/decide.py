"""How long it takes to decide what is done with a goal, among many stored runs of other goals.

python -m bench decide [--json]

Only the decision: what the goal may be told, and what it then does, are measured elsewhere. The
peer is the same home when it held a thousand runs.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import text

from llmos import LLMOS, LLMOSConfig, Mode, Step, Trace, Verdict
from llmos.store import Store, Transaction
from llmos.values import Effect

RUNS = (1_000, 100_000, 1_000_000)
DECISIONS = 300
KNOWN = 50
"""Goals that are asked for, in turn."""


def goal(n: int) -> str:
    """One that is known."""
    return f"Write {n} to number-{n}.txt"


def more(store: Store, first: int, last: int) -> None:
    """Store runs of other goals, copies of the first but for the goal, which nobody asks for."""

    def write(tx: Transaction) -> None:
        names = [row[1] for row in tx.conn.execute(text("PRAGMA table_info(traces)"))]
        own = {"id": "'X' || n", "goal_key": "'other ' || n"}
        chosen = ", ".join(own.get(name, f'"{name}"') for name in names)
        listed = ", ".join(f'"{name}"' for name in names)
        tx.conn.execute(
            text(
                "WITH RECURSIVE k(n) AS"
                " (SELECT :first UNION ALL SELECT n + 1 FROM k WHERE n < :last)"
                f" INSERT INTO traces ({listed}) SELECT {chosen} FROM k,"
                " (SELECT * FROM traces ORDER BY id LIMIT 1)"
            ),
            {"first": first, "last": last},
        )

    store.write(write)


async def measured(folder: Path) -> list[dict[str, Any]]:
    """One row for each number of runs."""
    known = [
        Trace(
            goal(n),
            (
                Step(
                    "Write",
                    {"file_path": f"number-{n}.txt", "content": str(n)},
                    "written",
                    effect=Effect.WRITE,
                ),
            ),
            "Done.",
            verdict=Verdict.CONFIRMED,
        )
        for n in range(KNOWN)
    ]
    rows: list[dict[str, Any]] = []
    stored = KNOWN
    async with LLMOS(folder / "home", "alice", cwd=folder, config=LLMOSConfig()) as os:
        await os.learn(known)
        for runs in RUNS:
            await asyncio.to_thread(more, os._kernel.store, stored + 1, runs)
            stored = runs
            took = []
            for n in range(DECISIONS):
                run = os._run(os._asking.request(goal(n % KNOWN)))
                began = time.perf_counter()
                decision, source = run.decide()
                took.append((time.perf_counter() - began) * 1e3)
                assert decision.mode is Mode.FOLLOWER and source is not None, decision
            p50, p99 = statistics.median(took), statistics.quantiles(took, n=100)[98]
            first = rows[0]["p50_ms"] if rows else p50
            row = {"what": f"decide among {runs:,} runs", "p50_ms": round(p50, 2)}
            rows.append(row | {"p99_ms": round(p99, 2), "ratio_to_few": round(p50 / first, 2)})
    rows[1]["target"] = "p50 <= 1 ms, p99 <= 5 ms"
    rows[2]["target"] = "within 3 times that of 100,000"
    return rows


def main() -> list[dict[str, Any]]:
    """Measure all."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(measured(Path(folder)))
