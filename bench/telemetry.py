"""What it costs a free run that it is told to OpenTelemetry.

    python -m bench telemetry [--json]

The same five calls, replayed with and without, one after the other in one process; the collector
is another process on this machine, as it is where it matters.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.kernel import read_table, steps, write_log
from llmos import LLMOS, LLMOSConfig, Trace
from llmos.cortex.processors import RecordedProcessor

RUNS = 200
COLLECTOR = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
    def log_message(self, *told): pass
server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


async def once(os: LLMOS, goal: str) -> float:
    """Milliseconds of one free run."""
    began = time.perf_counter()
    result = await os.execute(goal)
    assert result.mode == "FOLLOWER" and result.side_exit is None, result
    return (time.perf_counter() - began) * 1e3


async def measure(folder: Path, endpoint: str) -> list[dict[str, Any]]:
    """Medians with and without, and their ratio."""
    trace = Trace("five plugin calls", (*steps("read", 3), *steps("write", 2)), "done")
    opened = []
    for on in (False, True):
        cwd = folder / f"cwd-{on}"
        cwd.mkdir()
        config = LLMOSConfig(telemetry=on, telemetry_endpoint=endpoint, audit_rate=0.0)
        made = LLMOS(
            folder / f"home-{on}",
            processor=RecordedProcessor({trace.goal: trace}),
            plugins=[read_table, write_log],
            cwd=cwd,
            config=config,
        )
        await made.boot()
        await made.execute(trace.goal)
        opened.append(made)
    await asyncio.sleep(2)  # until the packages are there: they are imported once
    took: list[list[float]] = [[], []]
    for i in range(RUNS):
        for which in (0, 1) if i % 2 else (1, 0):
            took[which].append(await once(opened[which], trace.goal))
    for made in opened:
        await made.shutdown()
    off, on_ = map(statistics.median, took)
    ratio = statistics.median(b / a for a, b in zip(*took, strict=True))
    name = f"free run of five calls, {RUNS} with and {RUNS} without telemetry"
    figures = {"off_ms": round(off, 2), "on_ms": round(on_, 2), "ratio": round(ratio, 2)}
    return [{"what": name, **figures}]


def main() -> list[dict[str, Any]]:
    """Measure and return the rows."""
    collector = subprocess.Popen(
        [sys.executable, "-c", COLLECTOR], stdout=subprocess.PIPE, text=True
    )
    try:
        assert collector.stdout is not None
        endpoint = f"http://127.0.0.1:{int(collector.stdout.readline())}"
        with tempfile.TemporaryDirectory() as folder:
            return asyncio.run(measure(Path(folder), endpoint))
    finally:
        collector.terminate()
        collector.wait()
