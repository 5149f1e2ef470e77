"""What audits cost: drawing them, a run that was drawn, and reading what all of them say.

    python -m bench audits [--json]

All runs are of one learned tool in one home, in turn, each of a goal of its own. The model is a
recording, which takes no time: what is left is what LLM OS itself takes.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

from bench.reads import PLACES, READS, goal, plugins, recording
from llmos import LLMOS, LLMOSConfig, Step, Trace
from llmos.cortex.processors import RecordedProcessor
from llmos.evolution.audits import audit_stats
from llmos.memory.traces import Traces
from llmos.store import Store, new_id
from llmos.store.schema import audits, stamp
from llmos.values import AuditOutcome, Effect, RunResult, utc_now
from llmos.volumes import Place

ROUNDS = 60
STORED = (10, 1_000, 10_000)
READINGS = 30

NAME = "file-report-gauges"
"""Of the tool whose audits are stored; another has as many again."""


class Settled(Random):
    """Chance that is none: every audit of a rate above zero is drawn, or no audit at all."""

    def __init__(self, drawn: bool) -> None:
        super().__init__()
        self._drawn = drawn

    def random(self) -> float:
        return 0.0 if self._drawn else 1.0 - 2.0**-53


# --- runs --------------------------------------------------------------------------------------


Ways = Mapping[str, tuple[LLMOS, str]]
"""How a goal is done, by name: in which LLM OS, and in which mode."""


async def measured() -> dict[str, list[float]]:
    """Milliseconds of each run, by how it was made."""
    places = [*PLACES, *(f"place{k}" for k in range(4 * (ROUNDS + 1)))]
    processor = RecordedProcessor({goal(place): recording(place) for place in places})
    rated, none = LLMOSConfig(), LLMOSConfig(audit_rate=0.0, audit_rate_external=0.0)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "cwd").mkdir()

        async def opened(config: LLMOSConfig, rng: Random | None = None) -> LLMOS:
            given: dict[str, Any] = {"plugins": plugins(0), "cwd": folder / "cwd"}
            home = folder / "home"
            os = LLMOS(home, processor=processor, config=config, rng=rng, **given)
            return await stack.enter_async_context(os)

        first = await opened(none)
        for place in PLACES:
            await first.execute(goal(place))
        assert (await first.kernel.run_cron_now()).learnt.created
        # Each has its own: none finds anything warmer than the others do.
        ways = {
            "rate 0": (await opened(none), "AUTO"),
            "not drawn": (await opened(rated, Settled(drawn=False)), "AUTO"),
            "drawn": (await opened(rated, Settled(drawn=True)), "AUTO"),
            "model": (await opened(none), "LEARNER"),
        }
        return await _in_turn(ways, places[len(PLACES) :])


async def _in_turn(ways: Ways, places: Sequence[str]) -> dict[str, list[float]]:
    """Each way for as many places as the others; the first round only warms up."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    rng = Random(0)
    # In an order of its own each round: nobody always comes after the same.
    order = [
        n for _ in range(len(places) // len(ways)) for n in rng.sample(sorted(ways), len(ways))
    ]
    for name, place in zip(order, places, strict=True):
        os, mode = ways[name]
        began = time.perf_counter()
        result = await os.execute(goal(place), mode=mode)
        took[name].append((time.perf_counter() - began) * 1e3)
        _require(name, result)
    return {name: one[1:] for name, one in took.items()}


def _require(name: str, result: RunResult) -> None:
    """Nothing but what is said to be measured was measured."""
    made = "LEARNER" if name in ("drawn", "model") else "CRYSTALLIZED"
    audited = result.audit is not None and result.audit.outcome is AuditOutcome.AGREED
    assert result.success and result.side_exit is None and len(result.steps) == READS + 1, result
    assert (result.mode, audited) == (made, name == "drawn"), result


def run_rows(took: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    """What drawing costs a free run, and what a drawn run costs on top of a model's."""
    free, undrawn, drawn, model = (
        statistics.median(took[name]) for name in ("rate 0", "not drawn", "drawn", "model")
    )
    return [
        {
            "what": f"free run of {READS} reads and a write, audits on and none drawn",
            "ms": round(undrawn, 2),
            "rate_0_ms": round(free, 2),
            "ratio": round(undrawn / free, 2),
            "target": "no more than with a rate of 0: ratio <= 1.1",
        },
        {
            "what": "the same run audited, without the model's own time",
            "ms": round(drawn, 2),
            "not_audited_ms": round(model, 2),
            "ratio": round(drawn / model, 2),
            "on_top_in_free_runs": round((drawn - model) / free, 2),
            "target": "no more than two free runs on top",
        },
    ]


# --- reading -----------------------------------------------------------------------------------


def fill(store: Store, number: int) -> None:
    """Audits of two tools, ``number`` in all, each of a run of its own."""
    look = Step("look", {}, "Nothing.", effect=Effect.READ)
    run = Trace("Look around", (look,), "Nothing.")
    ids = asyncio.run(Traces(store).learn([run] * number, "alice", None))
    outcomes = [AuditOutcome.AGREED] * 18 + [AuditOutcome.DISAGREED, AuditOutcome.INCOMPARABLE]
    rows = [
        {
            "id": new_id(),
            "trace_id": trace_id,
            "volume": "user",
            "owner": "alice",
            "at": stamp(utc_now()),
            "kind": "tool",
            "subject": NAME if k % 2 else "another",
            "digest": "0" * 64,
            "outcome": outcomes[k // 2 % len(outcomes)].value,
            "detail": "",
        }
        for k, trace_id in enumerate(ids)
    ]
    store.write(lambda tx: tx.conn.execute(audits.insert(), rows))


def reading_rows() -> list[dict[str, Any]]:
    """What reading the claim takes with few audits and many, of all tools and of one."""
    took: dict[tuple[int, str | None], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        stores = {n: Store.open(Path(folder, str(n))) for n in STORED}
        try:
            for number, store in stores.items():
                fill(store, number)
            for _ in range(READINGS):
                for number, store in stores.items():
                    for tool in (None, NAME):
                        taken = _milliseconds(lambda s=store, t=tool: _read(s, t))
                        took.setdefault((number, tool), []).append(taken)
        finally:
            for store in stores.values():
                store.close()
    medians = {key: statistics.median(taken) for key, taken in took.items()}
    return [
        {
            "what": f"reading {number:,} audits",
            "ms": round(medians[number, None], 2),
            "of_one_tool_ms": round(medians[number, NAME], 2),
            "ratio_to_few": round(medians[number, None] / medians[STORED[0], None], 1),
            "target": "<= 50 ms",
        }
        for number in STORED
    ]


def _read(store: Store, tool: str | None) -> None:
    found = store.read(lambda c: audit_stats(c, Place("user", "alice"), tool=tool))
    assert found.audited, found


def _milliseconds(once: Callable[[], None]) -> float:
    began = time.perf_counter()
    once()
    return (time.perf_counter() - began) * 1e3


def main() -> list[dict[str, Any]]:
    """Measure and return the rows."""
    return [*run_rows(asyncio.run(measured())), *reading_rows()]
