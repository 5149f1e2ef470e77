"""A daemon of crons whose cycles do countable work, until it is killed.

python -m tests.crons.worker HOME

Where the database is, LLMOS_DATABASE_URL says.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from llmos.crons import CronLevel, CycleReport, CycleTask
from llmos.crons.engine import CronEngine
from llmos.crons.holding import CronsElsewhere
from llmos.store import Store, Transaction
from llmos.values import ArtifactType
from llmos.volumes import Caller, Volume, get_watermark, set_watermark

MARK = "counting"

CALLERS = {
    CronLevel.USER: Caller.user_cron,
    CronLevel.TEAM: Caller.team_cron,
    CronLevel.SYSTEM: lambda owner: Caller.system_cron(),
}


def counting(store: Store) -> CronEngine:
    """An engine whose cycles append the next number, and move their watermark with it.

    Two engines at work on one volume at the same time would each write a number.
    """

    def run_cycle(level: CronLevel, owner: str) -> CycleReport:
        volume = Volume(store, level.value, owner, caller=CALLERS[level](owner))
        tasks = []
        for _ in range(3):

            def write(tx: Transaction) -> str:
                n = int(get_watermark(tx, MARK, volume.place) or 0) + 1
                name, content = f"n{n:05}", {"n": n, "by": store.process_id}
                volume.put(tx, ArtifactType.INSIGHT, name, content, author=level.author)
                set_watermark(tx, MARK, volume.place, str(n))
                return name

            name = store.write(write)
            tasks.append(CycleTask("insight", name, name))
        return CycleReport(level, owner, tasks=tuple(tasks))

    interval = 0.02
    return CronEngine(store, run_cycle, intervals=dict.fromkeys(CronLevel, interval), poll_s=0.005)


async def main(home: str) -> None:
    store = Store.open(Path(home), url=os.environ.get("LLMOS_DATABASE_URL"))
    engine = counting(store)
    engine.on_cycle = lambda report: print(report.level.value, len(report), flush=True)
    engine.register("alice", "engineering")
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    engine.on_end = lambda: loop.call_soon_threadsafe(ended.set)
    try:
        await engine.start()
    except CronsElsewhere as e:
        print(e, flush=True)
        return
    print("ready", flush=True)
    await ended.wait()
    print(f"ended: {engine.failed}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
