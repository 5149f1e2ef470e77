"""Takes a run back: files from the journal, calls by their tools' own undo, in reverse order."""

from __future__ import annotations

import asyncio
import inspect
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Row, select

from llmos.errors import UserError
from llmos.kernel.journal import CALL, Journal
from llmos.kernel.lease import Lease
from llmos.kernel.places import Places
from llmos.plugins import Registry
from llmos.store import Store, Transaction
from llmos.store.schema import steps, traces
from llmos.values import Effect, EventType


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo did and what it could not do."""

    restored: tuple[str, ...] = ()
    """Files that have their old content again."""
    removed: tuple[str, ...] = ()
    """Files that the run had made and that are gone."""
    called: tuple[str, ...] = ()
    """Tool calls that their tool took back."""
    left: tuple[str, ...] = ()
    """What could not be taken back, and why."""


class Undo:
    """Undoes runs of one store."""

    def __init__(self, store: Store, registry: Registry, journal: Journal) -> None:
        self._store = store
        self._registry = registry
        self._journal = journal

    def cannot(self, run_id: str) -> list[str]:
        """What of a run cannot be taken back, one line each."""
        return [
            f"step {row.idx}: {row.tool} ({row.effect})"
            for row in self._steps(run_id)
            if Effect(row.effect).writes and not json.loads(row.footprint)["undoable"]
        ]

    async def undo(self, run_id: str, *, actor: str) -> Undone:
        """Take everything back that can be.

        Args:
            run_id: The run's full id.
            actor: Who asks.

        Raises:
            UserError: The run is not over, nothing is left to undo, or a file was changed since.
                Nothing is done then.
        """
        self._refuse_running(run_id)
        cwd = self._store.read(
            lambda c: c.execute(select(traces.c.cwd).where(traces.c.id == run_id)).scalar_one()
        )
        # Not while a command works there: what is put back would count as that command's doing.
        async with Lease(self._store.home, Path(cwd)).held():
            return await self._take_back(run_id, actor)

    async def _take_back(self, run_id: str, actor: str) -> Undone:
        records = [r for r in self._journal.records(run_id) if not r.undone]
        left = self.cannot(run_id)
        if not records:
            imported = "it was imported, so LLM OS itself did nothing"
            told = [*([imported] if self._was_imported(run_id) else []), *left]
            why = f": {'; '.join(told)}" if told else ""
            raise UserError(f"there is nothing to undo in run {run_id[-6:]}{why}")
        self._journal.refuse_conflicts(run_id)
        called: list[str] = []
        stuck: set[int] = set()
        for record in reversed(records):
            if record.path.startswith(CALL):
                name = record.path.removeprefix(CALL)
                problem = await self._call_back(run_id, record.idx, name)
                if problem:
                    stuck.add(record.id)
                    left.append(problem)
                else:
                    # At once: a call is not taken back twice when the rest is cut short.
                    await self._store.awrite(partial(self._journal.mark_one_undone, id=record.id))
                    called.append(f"step {record.idx}: {name}")
        files = await asyncio.to_thread(self._journal.undo, run_id)
        left += [f"{path} is not empty" for path in files.kept]
        left += [f"{path} cannot be made again" for path in files.lost]
        done = Undone(files.restored, files.removed, tuple(called), tuple(left))
        await self._store.awrite(lambda tx: self._tell(tx, run_id, actor, done, stuck))
        return done

    async def _call_back(self, run_id: str, idx: int, name: str) -> str:
        """Call a tool's undo; returns what went wrong, or nothing."""
        undo = self._registry.get(name).undo if name in self._registry else None
        if undo is None:
            return f"step {idx}: the tool {name!r} is not here to take it back"
        row = next(r for r in self._steps(run_id) if r.idx == idx)
        places = await asyncio.to_thread(self._places, run_id)
        try:
            result = undo(
                places.absolute(json.loads(row.arguments)),
                places.absolute(json.loads(row.observation)),
            )
            if inspect.isawaitable(result):
                await result
        except Exception as e:
            return f"step {idx}: {name} could not take it back: {type(e).__name__}: {e}"
        return ""

    def _tell(
        self, tx: Transaction, run_id: str, actor: str, done: Undone, stuck: set[int]
    ) -> None:
        self._journal.mark_undone(tx, run_id, but=stuck)
        owner = tx.conn.execute(
            select(traces.c.volume, traces.c.owner).where(traces.c.id == run_id)
        ).one()
        count = len(done.restored) + len(done.removed) + len(done.called)
        tx.event(
            EventType.ARTIFACT_EVOLVED,
            volume=owner.volume,
            owner=owner.owner,
            actor=actor,
            subject=run_id,
            title=f"run {run_id[-6:]} was undone: {count} change{'s' * (count != 1)} taken back",
            payload={"undo": True, "left": list(done.left)},
        )

    def _refuse_running(self, run_id: str) -> None:
        query = select(traces.c.status).where(traces.c.id == run_id)
        if self._store.read(lambda c: c.execute(query).scalar()) == "running":
            raise UserError(
                f"run {run_id[-6:]} is not over, so it cannot be undone",
                "wait for it or cancel it, then undo again",
            )

    def _was_imported(self, run_id: str) -> bool:
        query = select(traces.c.process_id).where(traces.c.id == run_id)
        return self._store.read(lambda c: c.execute(query).scalar_one()) is None

    def _steps(self, run_id: str) -> list[Row[Any]]:
        query = select(steps).where(steps.c.trace_id == run_id).order_by(steps.c.idx)
        return list(self._store.read(lambda c: c.execute(query).all()))

    def _places(self, run_id: str) -> Places:
        query = select(traces.c.cwd).where(traces.c.id == run_id)
        return Places.of(Path(self._store.read(lambda c: c.execute(query).scalar_one())))
