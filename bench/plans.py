"""What a plan costs: a job of six parts, none, four or all of which are known.

    python -m bench plans [--json]

The model is scripted and takes no time: tokens are its calls times what one is taken to be.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from llmos import LLMOS, LLMOSConfig
from llmos.cortex.plans import Part, Plan
from tests.support.planner import Parts, Planner, part

ROUNDS = 20
NAMES = "abcdef"


def goal_of(name: str, k: int) -> str:
    return f"Write '{name} {k}' to {name}{k}.txt"


def parts(k: int) -> list[Part]:
    """The first four at once, then one for all of them, then the last."""
    four = tuple(NAMES[:4])
    after = {"e": four, "f": ("e",)}
    return [Part(name, goal_of(name, k), after.get(name, ())) for name in NAMES]


def asked(goal: str) -> Parts:
    return [part(p.id, p.goal, *p.after) for p in parts(int(goal.split()[-1]))]


async def measured(folder: Path) -> list[dict[str, Any]]:
    config = LLMOSConfig(audit_rate=0.0)
    os = LLMOS(folder / "home", "alice", processor=Planner(asked), config=config, cwd=folder)
    tokens: dict[str, list[int]] = {"none": [], "four": [], "all": []}
    plans, alone = list[float](), list[float]()
    async with os:
        for k in range(3 * ROUNDS):
            which = ("none", "four", "all")[k % 3]
            known = {"none": "", "four": NAMES[:4], "all": NAMES}[which]
            for name in known:
                await os.undo((await os.execute(goal_of(name, k))).trace_id)
            result = await os.execute(f"Prepare the week {k}", mode="ORCHESTRATOR")
            assert result.success, result.error
            tokens[which].append(result.usage.total_tokens)
            if which != "all":
                continue
            await os.undo(result.trace_id)
            began = time.perf_counter()
            again = await os.execute(f"Prepare the week {k}")
            plans.append((time.perf_counter() - began) * 1e3)
            assert again.usage.total_tokens == 0 and again.success
            await os.undo(again.trace_id)
            began = time.perf_counter()
            for one in parts(k):
                await os.execute(one.goal)
            alone.append((time.perf_counter() - began) * 1e3)
            assert Plan.of(parts(k)).parts
    means = {f"{name}_known": round(statistics.mean(t)) for name, t in tokens.items()}
    ratio = means["four_known"] / means["none_known"]
    ms, sum_ms = statistics.median(plans), statistics.median(alone)
    return [
        {"what": "six parts: tokens", **means, "four_to_none": round(ratio, 2)},
        {
            "what": "six free parts",
            "plan_ms": round(ms, 1),
            "one_by_one_ms": round(sum_ms, 1),
            "ratio": round(ms / sum_ms, 2),
        },
    ]


def main() -> list[dict[str, Any]]:
    """Measure both."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(measured(Path(folder)))
