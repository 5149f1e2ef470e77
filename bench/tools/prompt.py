"""What a model's first prompt holds of tools, with the search and without, and what that takes.

A home with a generated catalogue and 300 good runs of five calls each; nothing is sent anywhere.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from bench.tools.catalogue import catalogue
from bench.tools.size import tokens_of
from llmos import LLMOS, LLMOSConfig, Step, Trace
from llmos.cortex.tool_search.past import Past
from llmos.cortex.tool_search.ranking import index_of, rank
from llmos.cortex.tool_search.toolbox import Toolbox
from llmos.cortex.tool_search.ways import Ways
from llmos.kernel.places import Places
from llmos.kernel.syscalls import RunCalls
from llmos.kernel.watchdog import Bounds, Watchdog
from llmos.plugins import default_registry
from llmos.plugins.program import ProgramRunner
from llmos.values import Context, ToolSpec

COUNTS = (30, 100, 1000)
GOALS = 50
RUNS, CALLS = 300, 5
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Calls:
    """System calls of which only the tools are asked for."""

    def __init__(self, tools: Sequence[ToolSpec]) -> None:
        self._tools = tools

    def tools(self) -> Sequence[ToolSpec]:
        """All of them."""
        return self._tools


def rows() -> list[dict[str, Any]]:
    """One row for each size of the catalogue."""
    return asyncio.run(_rows())


async def _rows() -> list[dict[str, Any]]:
    rng = random.Random(7)
    built_in = default_registry().specs()
    made = {n: [*built_in, *catalogue(n - len(built_in))] for n in COUNTS}
    most = made[COUNTS[-1]]
    with tempfile.TemporaryDirectory() as folder:
        async with LLMOS(Path(folder, "home"), "alice", config=LLMOSConfig()) as os:
            await os.learn([_run(rng, most) for _ in range(RUNS)])
            past = Past(os._kernel.store, "alice", None, Places.of(Path(folder)))
            return [_row(tools, past, rng) for tools in made.values()]


def _run(rng: random.Random, tools: Sequence[ToolSpec]) -> Trace:
    """A good run that used what its goal names."""
    used = rng.sample(tools[7:], CALLS)
    steps = [
        Step(t.name, {k: "some value" for k in t.parameters["properties"]}, "ok") for t in used
    ]
    return Trace(_goal(used[0]), tuple(steps), "Done.")


def _goal(tool: ToolSpec) -> str:
    return f"Please {tool.name.replace('.', ' ').replace('_', ' ')} for alice by next friday"


def _row(tools: Sequence[ToolSpec], past: Past, rng: random.Random) -> dict[str, Any]:
    goals = [_goal(tool) for tool in rng.choices(tools[7:], k=GOALS)]
    shown: list[int] = []
    took = _timed(goals, lambda goal: shown.append(tokens_of(_toolbox(goal, tools, past).tools())))
    used = past.used()
    index_of(tools)
    return {
        "what": f"tools in the first prompt, {len(tools):,} tools",
        "all_tokens": tokens_of(tools),
        "given_tokens": round(statistics.median(shown)),
        "of_those_examples": round(statistics.median(shown)) - _plain(goals[-1], tools, past),
        "rank_cpu_ms": _timed(goals, lambda goal: rank(goal, tools, used)),
        "open_cpu_ms": took,
    }


def _toolbox(goal: str, tools: Sequence[ToolSpec], past: Past, **config: Any) -> Toolbox:
    return Toolbox(
        cast(RunCalls, Calls(tools)),
        Watchdog(Bounds()),
        LLMOSConfig(**config),
        past,
        goal,
        Context(NOW, Path()),
        Ways(writes_programs=True),
        ProgramRunner,
    )


def _plain(goal: str, tools: Sequence[ToolSpec], past: Past) -> int:
    return tokens_of(_toolbox(goal, tools, past, tool_examples=False).tools())


def _timed(goals: Sequence[str], once: Callable[[str], object]) -> float:
    took = []
    for goal in goals:
        began = time.process_time()
        once(goal)
        took.append((time.process_time() - began) * 1e3)
    return round(statistics.median(took), 1)
