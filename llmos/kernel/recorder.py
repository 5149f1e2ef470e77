"""Writes a run's calls into the store: pre-images and intents before, the step after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import asdict

from sqlalchemy import bindparam, insert, update

from llmos.kernel.admission import complete
from llmos.kernel.intents import Intent, Intents, Outcome, announce_doubt
from llmos.kernel.journal import Journal
from llmos.kernel.observe import Look
from llmos.kernel.places import Places
from llmos.kernel.snapshot import Entry
from llmos.kernel.text import json_text
from llmos.plugins import Tool
from llmos.store import Store, Transaction
from llmos.store.schema import steps
from llmos.values import Change, Effect, Footprint, Json, Step

Changes = Mapping[str, tuple[Entry, Entry]]
"""Absolute path to its entry before and after."""


# Put together once: every call of every run stores them.
_INSERT = insert(steps)
_AMEND = update(steps).where(steps.c.trace_id == bindparam("run"), steps.c.idx == bindparam("step"))


class Recorder:
    """Records the calls of one run."""

    def __init__(
        self, store: Store, journal: Journal, intents: Intents, run_id: str, places: Places
    ) -> None:
        self._store = store
        self._journal = journal
        self._intents = intents
        self._run_id = run_id
        self._places = places
        self._queued: list[Future[None]] = []

    async def begin(
        self, idx: int, tool: Tool, arguments: Mapping[str, Json], look: Look, key: str | None
    ) -> str | None:
        """Write down what is about to happen; returns the intent's id for an external write."""
        trees = [r for r in look.resources.writes if r in look.trees]
        if tool.effect.writes and (look.files or look.parents or trees):

            def write(tx: Transaction) -> None:
                self._journal.before(tx, self._run_id, idx, look.parents | look.files)
                for resource in trees:
                    manifest = look.trees[resource]
                    self._journal.before_tree(tx, self._run_id, idx, resource, manifest)

            await self._store.awrite(write)
        if tool.effect is not Effect.EXTERNAL:
            return None
        stored = self._places.relative(complete(tool, arguments))
        return await self._intents.intend(self._run_id, idx, tool.name, stored, key)

    async def end(
        self,
        idx: int,
        tool: Tool,
        step: Step,
        look: Look,
        changes: Changes,
        intent: str | None,
        outcome: Outcome,
    ) -> None:
        """Write down what happened: step, journal and intent in one transaction.

        An external write's outcome is on the disk when this returns. Anything else is queued and
        committed in order meanwhile; a crash before that is settled from the pre-images.
        """
        row = self._row(idx, step)
        named = look.parents.keys() | look.files.keys()

        def write(tx: Transaction) -> None:
            tx.conn.execute(_INSERT, row)
            if step.effect.writes:
                self._after(tx, idx, look, {p: c for p, c in changes.items() if p in named})
                rest = {p: c for p, c in changes.items() if p not in named}
                self._journal.changes(tx, self._run_id, idx, rest)
                if tool.undo is not None and outcome == "done":
                    self._journal.call(tx, self._run_id, idx, tool.name)
            if intent is not None:
                self._intents.settle(tx, intent, outcome, self._places.relative(step.observation))
                if outcome == "in_doubt":
                    self._doubt(tx, intent, idx, step)

        if intent is not None:
            await self._store.awrite(write, durable=True)
        else:
            self._queue(write)

    def note(self, idx: int, step: Step) -> None:
        """Write down what was not done by a call of this run."""
        row = self._row(idx, step)
        self._queue(lambda tx: _insert(tx, row))

    def amend(self, idx: int, step: Step) -> None:
        """Store a step's footprint again, now complete."""
        footprint = json_text(self._places.relative(asdict(step.footprint)))

        def write(tx: Transaction) -> None:
            meant = {"run": self._run_id, "step": idx, "footprint": footprint}
            tx.conn.execute(_AMEND, meant)

        self._queue(write)

    async def flush(self) -> None:
        """Wait until everything is committed.

        Raises:
            StoreError: Something could not be: the disk is full, for instance.
        """
        queued, self._queued = self._queued, []
        for one in queued:
            await asyncio.wrap_future(one)

    def _queue(self, write: Callable[[Transaction], None]) -> None:
        done = [one for one in self._queued if one.done()]
        self._queued = [one for one in self._queued if not one.done()]
        for one in done:
            one.result()
        self._queued.append(self._store.submit(write))

    def _after(self, tx: Transaction, idx: int, look: Look, changes: Changes) -> None:
        before = look.parents | look.files
        after = {path: changes[path][1] if path in changes else e for path, e in before.items()}
        after |= {r: Entry("tree") for r in look.resources.writes if r in look.trees}
        self._journal.after(tx, self._run_id, idx, after)

    def _doubt(self, tx: Transaction, intent: str, idx: int, step: Step) -> None:
        arguments = json_text(self._places.relative(dict(step.arguments)))
        doubt = Intent(intent, self._run_id, idx, step.tool, arguments, None, "in_doubt", "")
        announce_doubt(tx, doubt, f"the call came back with: {step.observation}")

    def _row(self, idx: int, step: Step) -> dict[str, object]:
        relative = self._places.relative
        return {
            "trace_id": self._run_id,
            "idx": idx,
            "tool": step.tool,
            "arguments": json_text(relative(dict(step.arguments))),
            "observation": json_text(relative(step.observation)),
            "is_error": step.is_error,
            "effect": step.effect.value,
            "footprint": json_text(relative(asdict(step.footprint))),
            "duration_s": repr(round(step.duration_s, 6)),
        }


def _insert(tx: Transaction, row: Mapping[str, object]) -> None:
    tx.conn.execute(_INSERT, row)


def footprint_from(stored: Mapping[str, Json]) -> Footprint:
    """The footprint that `Recorder` wrote as JSON."""
    return Footprint(
        reads=dict(stored["reads"]),
        writes=tuple(Change(**change) for change in stored["writes"]),
        undoable=stored["undoable"],
    )
