"""Whether the tools that a goal needs are among the few that the model is given.

The tasks and the careful runs of the office benchmark, their tools hidden among generated ones. A
task's needed tools are those that its careful run used. Past use is prequential: what is known for
a task are the runs of those before it, in a shuffled order.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.tools.catalogue import catalogue
from bench.workbench.data import load_expert_traces, load_tasks
from bench.workbench.plugins import WorldRef, make_plugins
from llmos.cortex.tool_search.ranking import Used, rank
from llmos.plugins.tool import tool_of
from llmos.values import ToolSpec, Trace

ALL = 1000
"""Tools in all."""
SHOWN = (5, 10, 15, 20, 30)
SEEDS = 3
KNOWN = 300
"""Newest runs that are looked at, as in a run of a home."""
PAST: dict[str, Callable[[str, str], bool]] = {
    "by words alone": lambda kind, other: False,
    "with runs of other kinds of goals": lambda kind, other: kind != other,
    "with all runs before": lambda kind, other: True,
}
"""Which earlier runs are known, by the kinds (templates) of the goal and of theirs."""


def rows(path: Path) -> list[dict[str, Any]]:
    """Recall from words alone, with past use of other kinds of goals, and with all past use."""
    runs = load_expert_traces(path)
    kinds = {task.id: task.template for task in load_tasks(path)}
    tasks = [(kinds[task], run) for task, run in runs.items() if run.steps]
    given = WorldRef(None)  # type: ignore[arg-type]
    own = [tool_of(plugin).spec for plugin in make_plugins(given)]
    tools = [*own, *catalogue(ALL - len(own), taken=frozenset(t.name for t in own))]
    random.Random(1).shuffle(tools)
    return [_row(what, tasks, tools) for what in PAST]


def _row(
    what: str, tasks: Sequence[tuple[str, Trace]], tools: Sequence[ToolSpec]
) -> dict[str, Any]:
    found: dict[int, list[float]] = {k: [] for k in SHOWN}
    took: list[float] = []
    for seed in range(SEEDS):
        order = list(tasks)
        random.Random(seed).shuffle(order)
        before: list[tuple[str, Used]] = []
        for kind, run in order:
            needed = {step.tool for step in run.steps}
            past = [used for other, used in before[-KNOWN:] if PAST[what](kind, other)]
            began = time.process_time()
            ranked = [r.name for r in rank(run.goal, tools, past)]
            took.append((time.process_time() - began) * 1e3)
            before.append((kind, Used(run.goal, tuple(needed))))
            for k in SHOWN:
                found[k].append(len(needed & set(ranked[:k])) / len(needed))
    return {
        "what": f"needed tools found among {len(tools):,}, {what}; {len(tasks)} tasks",
        **{f"at_{k}": _share(found[k]) for k in SHOWN},
        **{f"all_at_{k}": _share([f == 1 for f in found[k]]) for k in (15, 30)},
        "rank_cpu_ms": round(statistics.median(took), 1),
    }


def _share(of: Sequence[float]) -> str:
    return f"{100 * statistics.fmean(of):.1f} %"
