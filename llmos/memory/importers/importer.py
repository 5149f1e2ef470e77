"""Imports sessions: what is new in each becomes traces, committed in batches."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

from llmos.memory.atif import Malformed
from llmos.memory.goals import LONGEST_GOAL
from llmos.memory.importers.build import Builder, Price
from llmos.memory.importers.documents import heard_in
from llmos.memory.importers.goals import Goals
from llmos.memory.importers.heard import Heard
from llmos.memory.importers.known import Known
from llmos.memory.importers.records import read_records
from llmos.memory.importers.report import Report
from llmos.memory.importers.transcripts import Session
from llmos.values import Trace

BATCH = 50
"""Traces of a session that are committed together."""

KNOWN = "known already"
"""Why a goal becomes no trace that became one at an earlier import."""

Learn = Callable[[Sequence[Trace]], Awaitable[object]]
"""Stores traces for good before it returns; `LLMOS.learn`."""

Progress = Callable[[int], None]
"""Told how many more bytes have been dealt with."""


class Importer:
    """One import. What it has committed stays when it is interrupted; the next one goes on.

    Args:
        known: What was imported before.
        learn: Stores traces; None stores nothing (a dry run).
        price: What tokens cost; by default nothing is known of that.
        progress: Told of every piece of the way.
    """

    def __init__(
        self,
        known: Known,
        learn: Learn | None,
        *,
        price: Price = lambda model, usage: None,
        progress: Progress = lambda size: None,
    ) -> None:
        self.report = Report(dry_run=learn is None)
        self._known = known
        self._learn = learn
        self._price = price
        self._progress = progress

    async def run(self, sessions: Sequence[Session]) -> Report:
        """Import sessions, one after the other."""
        begun = time.perf_counter()
        try:
            for session in sessions:
                await self._session(session)
        finally:
            self.report.seconds = time.perf_counter() - begun
        return self.report

    async def _session(self, session: Session) -> None:
        report, before = self.report, self.report.traces
        report.sessions += 1
        was_known = session.id in self._known.goals
        if self._known.ends.get(session.id) == session.size:
            report.known += 1
            self._progress(session.size)
            return
        report.bytes += session.size
        reader = _Reader(session, self._known, self._price, report, self._progress)
        readable = True
        batch: list[Trace] = []
        try:
            for trace in reader.traces():
                batch.append(trace)
                if len(batch) == BATCH:
                    await self._store(batch)
                    batch = []
        except OSError as e:
            readable = False
            report.not_understood[f"file: {e.strerror or e}"] += 1
        except Malformed as e:
            readable = False
            report.refused.append(f"{session.path}: {e}")
            report.not_understood["file: no trajectory"] += 1
        await self._store(batch)
        self._class(readable, was_known, report.traces > before)

    def _class(self, readable: bool, was_known: bool, gave: bool) -> None:
        if not readable:
            self.report.unreadable += 1
        elif was_known:
            self.report.continued += gave
            self.report.known += not gave
        else:
            self.report.new += gave
            self.report.empty += not gave

    async def _store(self, batch: Sequence[Trace]) -> None:
        if not batch:
            return
        if self._learn is not None:
            await self._learn(batch)
        for trace in batch:
            self.report.traces += 1
            self.report.failed += not trace.verdict.good
            self.report.incomplete += bool(trace.tools)
            self.report.steps.update(step.tool for step in trace.steps)


class _Reader:
    """Reads one session and keeps what is new and can be stored."""

    def __init__(
        self, session: Session, known: Known, price: Price, report: Report, progress: Progress
    ) -> None:
        self._session = session
        self._known = known
        self._stored = frozenset(known.goals.get(session.id, ()))
        self._report = report
        self._progress = progress
        self._builder = Builder(session.id, price)

    def traces(self) -> Iterator[Trace]:
        """The new traces, as they are read."""
        if self._session.document:
            yield from self._document()
            return
        goals, told = Goals(self._report), 0
        for record in read_records(self._session.path, self._report):
            if heard := goals.hear(record):
                yield from self._closed(heard)
            if record.begin - told >= 1 << 20:
                self._progress(record.begin - told)
                told = record.begin
        if last := goals.close(self._session.size):
            if last.finished or last.index in self._stored:
                yield from self._closed(last)
            else:
                # It may be going on just now; the next import looks again.
                self._leave_out("not finished yet")
        self._progress(self._session.size - told)

    def _document(self) -> Iterator[Trace]:
        for heard in heard_in(self._session.path, self._report):
            yield from self._closed(heard)
        self._progress(self._session.size)

    def _closed(self, heard: Heard) -> Iterator[Trace]:
        reason = KNOWN if heard.index in self._stored else _unusable(heard)
        if reason:
            self._builder.skip(heard)
            self._leave_out(reason)
            return
        try:
            trace = self._builder.trace(heard)
        except RecursionError:
            self._leave_out("nested too deeply")
            return
        if len(trace.goal) > LONGEST_GOAL:
            self._leave_out("too long for a goal")
            return
        if self._known.elsewhere(trace):
            self._leave_out("known from another session")
            return
        self._known.note(trace)
        self._report.goals += 1
        self._report.redactions.update(self._builder.redactions)
        yield trace

    def _leave_out(self, reason: str) -> None:
        self._report.goals += 1
        self._report.left_out[reason] += 1


def _unusable(heard: Heard) -> str:
    if not heard.heard and not heard.interrupted:
        return "no answer"
    if not heard.goal.replace("\0", "").strip():
        return "no text"
    if heard.free:
        return "a replay or a learned tool did it"  # that is no evidence of its own, here as there
    return "no time" if heard.now is None else ""
