"""Processes that are killed at random moments lose nothing that they had reported."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from llmos import LLMOS, LLMOSConfig, Verdict
from llmos.store.schema import events, journal, ledger, reservations, traces
from tests.faults.worker import COST

NAMES = ("alice", "bob")


class Child:
    """A worker process and the ids that it has reported."""

    def __init__(self, home: Path, cwd: Path, name: str) -> None:
        self.told: list[str] = []
        self.ready = threading.Event()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker", str(home), str(cwd), name],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() == "ready":
                self.ready.set()
            elif line.endswith("\n"):  # a torn line was not told
                self.told.append(line.strip())

    def kill(self) -> None:
        self.process.kill()
        self._reader.join()
        self.process.wait()
        assert self.process.stderr is not None
        error = self.process.stderr.read()
        assert "Traceback" not in error, error


async def lost_after_kills(home: Path, cwd: Path, rounds: int) -> tuple[int, int]:
    """Kill two working processes ``rounds`` times; returns (told, lost)."""
    told: list[str] = []
    chance = random.Random(rounds)
    for _ in range(rounds):
        children = [Child(home, cwd, name) for name in NAMES]
        for child in children:
            assert child.ready.wait(30)
        enough, until = chance.randint(0, 4), time.monotonic() + 10
        while len(children[0].told) < enough and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(chance.uniform(0.0, 0.05))
        for child in chance.sample(children, 2):
            child.kill()
            told += child.told
        await check_home(home, cwd, told)
    async with LLMOS(home, cwd=cwd, config=LLMOSConfig()) as os:
        store = os._kernel.store
        done = store.read(
            lambda c: set(
                c.execute(select(traces.c.id).where(traces.c.verdict == "completed")).scalars()
            )
        )
        return len(told), len(set(told) - done)


async def check_home(home: Path, cwd: Path, told: list[str]) -> None:
    async with LLMOS(home, user_id="alice", cwd=cwd, config=LLMOSConfig()) as os:
        store = os._kernel.store
        counted = {
            "running": select(func.count()).where(traces.c.status == "running"),
            "open": select(func.count()).where(reservations.c.status == "open"),
            "unsettled": select(func.count()).where(journal.c.after_kind == "unknown"),
        }
        left = {k: store.read(lambda c, q=q: c.execute(q).scalar()) for k, q in counted.items()}
        assert left == {"running": 0, "open": 0, "unsettled": 0}
        paid = store.read(
            lambda c: c.execute(
                select(func.sum(ledger.c.amount_micro)).where(ledger.c.kind == "spend")
            ).scalar()
        )
        assert (paid or 0) >= round(len(told) * COST * 1_000_000), "every reported cent is there"
        started, ended = (
            store.read(
                lambda c, t=t: c.execute(select(func.count()).where(events.c.type.in_(t))).scalar()
            )
            for t in (["TASK_STARTED"], ["TASK_COMPLETED", "TASK_FAILED"])
        )
        assert started == ended, "every run that began has an end"
        for trace in os.traces.recent(limit=4):
            if trace.verdict is Verdict.FAILED and trace.user_id == "alice":
                await undo_interrupted(os, trace.id, cwd)


async def undo_interrupted(os: LLMOS, trace_id: str, cwd: Path) -> None:
    written = {r.path for r in os._kernel.machine.journal.records(trace_id) if not r.undone}
    if written:
        await os.undo(trace_id)
        assert not [p for p in written if p.endswith(".txt") and Path(p).exists()]


async def test_killed_processes_lose_nothing_they_reported(tmp_path: Path) -> None:
    cwd = tmp_path / "work"
    cwd.mkdir()
    told, lost = await lost_after_kills(tmp_path / "home", cwd, rounds=4)
    assert (lost, told > 0) == (0, True)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_two_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    cwd = tmp_path / "work"
    cwd.mkdir()
    told, lost = await lost_after_kills(tmp_path / "home", cwd, rounds=100)
    print(f"200 kills, {told} runs reported, {lost} lost")
    assert lost == 0
