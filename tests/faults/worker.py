"""A child process that works until it is killed, and prints what it has been told is done.

python -m tests.faults.worker HOME CWD NAME
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator
from os import getpid
from pathlib import Path

from llmos import LLMOS, LLMOSConfig
from llmos.values import Context, Done, Event, Limits, Syscalls, Usage

COST = 0.01


class Worker:
    """Writes a file per goal; costs a cent."""

    name = "worker"

    def __init__(self, name: str) -> None:
        self.who = name

    async def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        n = goal.rsplit(" ", 1)[1]
        for part in ("a", "b"):
            path = f"{self.who}/{n}-{part}.txt"
            await syscalls.call("Write", {"file_path": path, "content": f"{n} {part}\n" * 50})
        yield Done("written", Usage(10, 1), COST)

    async def aclose(self) -> None:
        pass


async def main(home: str, cwd: str, name: str) -> None:
    config = LLMOSConfig(budget_usd=1000.0)
    os = LLMOS(Path(home), user_id=name, processor=Worker(name), cwd=cwd, config=config)
    await os.boot()
    print("ready", flush=True)
    for n in itertools.count():
        result = await os.execute(f"Write the files of {getpid()}-{n}")
        assert result.success, result.error
        print(result.trace_id, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
