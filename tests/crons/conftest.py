"""A store, a clock that stands still, and cycles that do what the test says."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from llmos.crons import CronLevel, CycleReport, CycleTask
from llmos.crons.carriers import PlainCarrier
from llmos.crons.engine import CronEngine
from llmos.store import Store
from llmos.store.schema import events
from tests.conftest import TestClock


@pytest.fixture
def store(home: Path, clock: TestClock) -> Iterator[Store]:
    with Store.open(home, clock=clock) as opened:
        yield opened


class Cycles:
    """What cycles do: nothing, until a test says otherwise."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, str]] = []
        self.does: dict[tuple[str, str], Callable[[], CycleReport | None]] = {}
        self._lock = threading.Lock()

    def __call__(self, level: CronLevel, owner: str) -> CycleReport:
        with self._lock:
            self.ran.append((level.value, owner))
        done = self.does.get((level.value, owner), lambda: None)()
        return done or CycleReport(level, owner, why="nothing new")

    def taken(self) -> list[tuple[str, str]]:
        """What ran since the last call."""
        with self._lock:
            ran, self.ran = self.ran, []
        return ran


class Hanging:
    """A cycle that hangs until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        assert self.go.wait(30)


def did(level: str, owner: str, *titles: str, **more: Any) -> CycleReport:
    tasks = tuple(CycleTask("tool", title, title) for title in titles)
    return CycleReport(CronLevel(level), owner, tasks=tasks, **more)


def told(store: Store, *types: str) -> list[dict[str, Any]]:
    """The events of these types, the oldest first, with their payloads parsed."""
    import json

    found = select(events).where(events.c.type.in_(types)).order_by(events.c.seq)
    rows = store.read(lambda c: c.execute(found).mappings().all())
    return [{**row, "payload": json.loads(row["payload"])} for row in rows]


@pytest.fixture
def cycles() -> Cycles:
    return Cycles()


MakeEngine = Callable[..., Awaitable[CronEngine]]


@pytest.fixture
async def make_engine(store: Store, clock: TestClock, cycles: Cycles) -> AsyncIterator[MakeEngine]:
    """Returns a function that starts an engine; it looks at the table only when it is told to."""
    made: list[CronEngine] = []

    async def make(start: bool = True, **more: Any) -> CronEngine:
        settings: dict[str, Any] = {
            "clock": clock,
            "carrier": PlainCarrier(),
            "poll_s": None,
            "grace_s": 0.01,
        }
        engine = CronEngine(more.pop("store", store), cycles, **(settings | more))
        made.append(engine)
        if start:
            await engine.start()
        return engine

    yield make
    for engine in made:
        await engine.stop()
