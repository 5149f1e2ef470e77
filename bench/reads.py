"""What a learned tool waits for the reads that it makes before it writes.

    python -m bench reads [--json]

The peer is the same tool, whose reads are made one after the other, in the same run.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

from llmos import LLMOS, LLMOSConfig, Step, Trace, tool
from llmos.cortex.processors import RecordedProcessor
from llmos.evolution.optimize import Optimized

READS = 4
RUNS = 30
PLACES = ("harbour", "quarry", "meadow", "mill", "orchard")


def plugins(takes_s: float) -> list[Any]:
    """A read that takes so long, and a write of all that was read."""

    @tool(effects="read", name="gauge.read")
    def gauge_read(place: str, side: int) -> dict[str, str]:
        """Read one gauge."""
        if takes_s:
            time.sleep(takes_s)
        return {"level": level(place, side)}

    @tool(effects="write", name="report.file", undo=lambda arguments, result: None)
    def report_file(place: str, a: str, b: str, c: str, d: str) -> str:
        """File a report."""
        return "Filed."

    return [gauge_read, report_file]


def level(place: str, side: int) -> str:
    """What a gauge shows."""
    return f"{len(place) * 7 + side * 13 + ord(place[0])} mm"


def goal(place: str) -> str:
    """What is asked for."""
    return f"File a report of the {place} gauges"


def recording(place: str) -> Trace:
    """What a model does for it."""
    looks = [Step("gauge.read", {"place": place, "side": k}) for k in range(READS)]
    levels = {"abcd"[k]: level(place, k) for k in range(READS)}
    return Trace(goal(place), (*looks, Step("report.file", {"place": place, **levels})), "Filed.")


async def one_run(os: LLMOS, number: int) -> float:
    """Milliseconds of one run of the tool, for a place of its own."""
    began = time.perf_counter()
    result = await os.execute(goal(f"place{number}"), mode="CRYSTALLIZED")
    took = (time.perf_counter() - began) * 1e3
    assert result.side_exit is None and len(result.steps) == READS + 1, result
    return took


async def measure(takes_s: float) -> dict[str, Any]:
    """One row: reads of one length."""
    given = {goal(place): recording(place) for place in PLACES}
    processor = RecordedProcessor(given)
    apart = patch.object(Optimized, "stages", ())
    took: dict[bool, list[float]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        cwd = Path(folder, "cwd")
        cwd.mkdir()
        made: dict[str, Any] = {
            "plugins": plugins(takes_s),
            "cwd": cwd,
            "config": LLMOSConfig(audit_rate=0.0),
        }
        async with LLMOS(Path(folder, "home"), processor=processor, **made) as os:
            for wanted in given:
                await os.execute(wanted)
            assert (await os.kernel.run_cron_now()).learnt.created
            await one_run(os, 0)
            for number in range(1, 2 * RUNS + 1):
                together = number % 2 == 0
                with nullcontext() if together else apart:
                    took[together].append(await one_run(os, number))
    return row(takes_s, took[True], took[False])


def row(takes_s: float, together: Sequence[float], apart: Sequence[float]) -> dict[str, Any]:
    """How long it took with the reads at once and apart, medians."""
    return {
        "what": f"CRYSTALLIZED, {READS} reads of {takes_s * 1e3:g} ms and a write",
        "ms": round(statistics.median(together), 2),
        "one_after_the_other_ms": round(statistics.median(apart), 2),
        "target": "about one read's time" if takes_s else "no worse than one after the other",
    }


def main() -> list[dict[str, Any]]:
    """Measure and return the rows."""
    return [asyncio.run(measure(takes_s)) for takes_s in (0.05, 0.0)]
