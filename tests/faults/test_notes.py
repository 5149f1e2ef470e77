"""A process that is killed as soon as a run has ended has noted what its goal says for good."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from llmos import LLMOS, Verdict

GOAL = "My editor is vim."
_WORKER = f"""
import asyncio, os, signal, sys
from llmos import LLMOS, Step, Trace
from llmos.cortex.processors import RecordedProcessor

def die(told):
    if any(event.type == "TASK_COMPLETED" for event in told):
        os.kill(os.getpid(), signal.SIGKILL)

async def main(home, cwd):
    goal = {GOAL!r}
    model = RecordedProcessor({{goal: Trace(goal, (Step("Glob", {{"pattern": "*"}}),), "Good.")}})
    made = await LLMOS(home, "alice", cwd=cwd, processor=model).boot()
    made._kernel.store.on_events(die)
    await made.execute(goal)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_kill_right_after_the_end_of_a_run_loses_no_note_and_makes_none_twice(
    home: Path, cwd: Path
) -> None:
    argv = [sys.executable, "-c", _WORKER, str(home), str(cwd)]
    assert subprocess.run(argv, check=False).returncode == -signal.SIGKILL
    async with LLMOS(home, "alice", cwd=cwd) as os:
        (run,) = os.traces.recent()
        assert run.verdict is Verdict.COMPLETED
        (fact,) = os.facts.listed(everything=True)
        assert fact.sentence == GOAL
        assert [e.source for e in fact.evidence] == [run.id]
