"""What a cycle costs among how many runs, and what fifty people are told in ten days.

python -m bench.cycles [--people]
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from llmos import LLMOS, LLMOSConfig
from llmos.cortex.processors import RecordedProcessor
from llmos.crons.user import WATERMARK as COUNTED
from llmos.evolution.compiler import FORMAT
from llmos.evolution.compiler import WATERMARK as LEARNT
from llmos.evolution.learner import Learner
from llmos.evolution.state import rest_json
from llmos.store import Transaction
from llmos.store.schema import dumps, events
from llmos.values import Effect, Footprint, Mode, Step, Trace, Usage, Verdict
from llmos.volumes import Place, set_watermark

NEW = 1_000
AMONG = (1_000, 10_000, 100_000)
KINDS = 20
"""Wordings of one job that the people use."""
MIXED = 3
"""Wordings of it among the new runs of a cycle. With very many, learning tries to unite each with
each, and takes most of a cycle."""
WORDS = [
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "heath",
    "inlet",
    "jetty",
    "knoll",
    "lagoon",
    "marsh",
]
BEGINS = datetime(2026, 6, 1, 8, tzinfo=UTC)


def note(kind: int, number: int, verdict: Verdict = Verdict.CONFIRMED) -> Trace:
    """One run of one of the kinds of jobs."""
    word, file = WORDS[number % len(WORDS)], f"n{number}.txt"
    goal = (
        f"Write note {WORDS[kind % 13]}-{'x' * (kind // 13 + 1)} saying '{word} {number}' to {file}"
    )
    arguments = {"file_path": file, "content": f"{word} {number}"}
    step = Step(
        "Write", arguments, "written", effect=Effect.WRITE, footprint=Footprint(undoable=True)
    )
    return Trace(goal, (step,), "Done.", verdict, usage=Usage(900, 100), cost_usd=0.01, now=BEGINS)


async def cycle_among(old: int) -> dict[str, float]:
    """A user's cycle over new runs in a home that has worked through older ones."""
    with tempfile.TemporaryDirectory() as folder:
        config = LLMOSConfig(mirror=False)
        async with LLMOS(Path(folder, "home"), "alice", config=config, cwd=folder) as os:
            for k in range(0, old, 5_000):
                size = min(5_000, old - k)
                await os.learn([note(i % MIXED, k + i, Verdict.FAILED) for i in range(size)])
            place, store = Place("user", "alice"), os.kernel.traces._store

            def passed(tx: Transaction) -> None:
                upto = tx.conn.scalar(select(func.max(events.c.seq)))
                rest = {"format": FORMAT, "seq": upto, "families": {}, "held": []}
                set_watermark(tx, LEARNT, place, dumps(rest | rest_json(Learner())))
                set_watermark(tx, COUNTED, place, str(upto))

            store.write(passed)
            began = time.perf_counter()
            quiet = await os.kernel.run_cron_now()
            idle = time.perf_counter() - began
            assert not quiet.tasks, quiet
            await os.learn([note(i % MIXED, old + i) for i in range(NEW)])
            began = time.perf_counter()
            report = await os.kernel.run_cron_now()
            whole = time.perf_counter() - began
            assert report.looked_at == NEW and report.learnt.created
            return {"quiet_ms": idle * 1e3, "s": whole, "learning_s": report.learnt.seconds}


async def people(users: int = 50, teams: int = 5, days: int = 10) -> dict[str, object]:
    """Days of many people on one home, by a clock of its own: what each of them is told."""
    rng, now = random.Random(1), [BEGINS]
    told: Counter[tuple[str, int]] = Counter()
    totals: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        opened: list[LLMOS] = []
        config = LLMOSConfig(trust_users=True, audit_rate=0.0, mirror=False)
        goals = {t.goal: t for k in range(KINDS) for t in (note(k, n) for n in range(400))}
        for u in range(users):
            os = LLMOS(
                *(Path(folder, "home"), f"user-{u}", f"team-{u % teams}"),
                RecordedProcessor(goals),
                clock=lambda: now[0],
                config=config,
                cwd=folder,
            )
            opened.append(await os.boot())
        for day in range(days):
            for u, os in enumerate(opened):
                for goal in _todo(rng, u):
                    result = await os.execute(goal)
                    free = result.mode in (Mode.CRYSTALLIZED, Mode.FOLLOWER)
                    totals["free runs" if free else "model runs"] += 1
                    now[0] += timedelta(seconds=20)
            for os in opened:
                await _cycle(os, "user", totals)
            for t in range(teams):
                await _cycle(opened[t], "team", totals)
            await _cycle(opened[0], "system", totals)
            for u, os in enumerate(opened):
                pending = os.kernel.get_cron_notifications()
                told[f"user-{u}", day] = len(pending)
                for n in pending:
                    os.kernel.acknowledge_notification(str(n["event_id"]))
            now[0] = BEGINS + timedelta(days=day + 1)
        for os in opened:
            await os.shutdown()
    most = max(told.values())
    return {
        **totals,
        "told_per_user_and_day": round(sum(told.values()) / len(told), 2),
        "told_at_most": most,
    }


def _todo(rng: random.Random, user: int) -> Iterator[str]:
    for _ in range(3):
        kind = (user + rng.randrange(3)) % KINDS
        yield note(kind, rng.randrange(400)).goal


async def _cycle(os: LLMOS, level: str, totals: Counter[str]) -> None:
    report = await os.kernel.run_cron_now(level)
    totals[f"{level} cycles"] += 1
    totals["tokens of cycles"] += report.tokens
    totals.update(task.kind for task in report)


def main() -> None:
    if "--people" in sys.argv:
        began = time.perf_counter()
        print(json.dumps(asyncio.run(people()) | {"s": round(time.perf_counter() - began)}))
        return
    print(f"| {NEW:,} new runs among | cycle | of it learning | the rest | a quiet cycle |")
    print("| --- | --- | --- | --- | --- |")
    for old in AMONG:
        took = asyncio.run(cycle_among(old))
        rest = took["s"] - took["learning_s"]
        print(
            f"| {old:,} | {took['s']:.2f} s | {took['learning_s']:.2f} s | {rest:.2f} s "
            f"| {took['quiet_ms']:.0f} ms |",
            flush=True,
        )


if __name__ == "__main__":
    main()
