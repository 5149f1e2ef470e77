"""Kernel overhead per system call, and what a zero-token run costs.

    python -m bench kernel [--json]

Ratios and differences are taken within one process and one run, since machines are noisy.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from llmos import LLMOS, LLMOSConfig, Step, Trace, tool
from llmos.cortex.processors import RecordedProcessor
from llmos.plugins import ToolContext, invoke, tool_of
from llmos.values import utc_now

CALLS = 300
RUNS = 60


@tool(effects="read", name="bench.read", reads=["bench:table"])
def read_table(key: str = "") -> dict[str, str]:
    """Read one row."""
    return {"key": key, "value": "x" * 100}


@tool(
    effects="write", name="bench.write", writes=["bench:log"], undo=lambda arguments, result: None
)
def write_log(text: str) -> str:
    """Write one line."""
    return "ok"


def steps(kind: str, n: int) -> tuple[Step, ...]:
    """``n`` calls, each a little different, so that no loop is suspected."""
    if kind == "read":
        return tuple(Step("bench.read", {"key": str(i)}) for i in range(n))
    return tuple(Step("bench.write", {"text": str(i)}) for i in range(n))


async def overhead(home: Path, cwd: Path, kind: str) -> dict[str, Any]:
    """Seconds per call through the kernel and bare, and their difference."""
    trace = Trace(f"make {kind} calls", steps(kind, CALLS), "done")
    took: list[float] = []
    bare: list[float] = []
    config = LLMOSConfig(max_calls=CALLS + 1, max_turns=CALLS + 1, audit_rate=0.0)
    processor = RecordedProcessor({trace.goal: trace})
    plugins = [read_table, write_log]
    async with LLMOS(home, processor=processor, plugins=plugins, cwd=cwd, config=config) as os:
        await os.execute(trace.goal, mode="LEARNER")
        began = time.perf_counter()
        result = await os.execute(trace.goal, mode="LEARNER")
        took = [(time.perf_counter() - began) / CALLS]
        assert len(result.steps) == CALLS
    one = tool_of(read_table if kind == "read" else write_log)
    context = ToolContext(cwd, home, utc_now())
    for step in trace.steps:
        began = time.perf_counter()
        await invoke(one, context, one.validate(step.arguments), 10)
        bare.append(time.perf_counter() - began)
    through, alone = took[0] * 1e3, statistics.median(bare) * 1e3
    return {
        "what": f"system call ({kind})",
        "ms": round(through, 3),
        "bare_ms": round(alone, 3),
        "overhead_ms": round(through - alone, 3),
        "target": "overhead <= 1 ms",
    }


async def follower(home: Path, cwd: Path) -> list[dict[str, Any]]:
    """Seconds of a FOLLOWER run of five steps, plugins and files."""
    rows = []
    (cwd / "in.txt").write_text("1 2 3\n")
    plugin_steps = (*steps("read", 3), *steps("write", 2))
    files = (
        Step("Read", {"file_path": "in.txt"}),
        Step("Glob", {"pattern": "*.txt"}),
        Step("Write", {"file_path": "out.txt", "content": "6\n"}),
        Step("Read", {"file_path": "out.txt"}),
        Step("Edit", {"file_path": "out.txt", "old_string": "6", "new_string": "7"}),
    )
    for name, made in (("five plugin calls", plugin_steps), ("five file calls", files)):
        trace = Trace(name, made, "done")
        processor = RecordedProcessor({name: trace})
        plugins = [read_table, write_log]
        # A run that chance has a model make instead would be none of those that are measured.
        config = LLMOSConfig(audit_rate=0.0)
        made: dict[str, Any] = {"plugins": plugins, "cwd": cwd, "config": config}
        async with LLMOS(home, processor=processor, **made) as os:
            first = await os.execute(name)
            assert first.success, first.error
            took = []
            for _ in range(RUNS):
                (cwd / "out.txt").unlink(missing_ok=True)
                began = time.perf_counter()
                result = await os.execute(name)
                took.append((time.perf_counter() - began) * 1e3)
                assert result.mode == "FOLLOWER" and result.side_exit is None, result
                assert not result.already_done
        took.sort()
        rows.append(
            {
                "what": f"FOLLOWER, {name}",
                "ms": round(statistics.median(took), 2),
                "p90_ms": round(took[int(len(took) * 0.9)], 2),
                "target": "<= 10 ms plus the tools",
            }
        )
    return rows


async def measure() -> list[dict[str, Any]]:
    """All rows of the table."""
    rows: list[dict[str, Any]] = []
    for kind in ("read", "write"):
        with tempfile.TemporaryDirectory() as folder:
            cwd = Path(folder, "cwd")
            cwd.mkdir()
            rows.append(await overhead(Path(folder, "home"), cwd, kind))
    with tempfile.TemporaryDirectory() as folder:
        cwd = Path(folder, "cwd")
        cwd.mkdir()
        rows += await follower(Path(folder, "home"), cwd)
    return rows


def main() -> list[dict[str, Any]]:
    """Measure and return the rows."""
    return asyncio.run(measure())
