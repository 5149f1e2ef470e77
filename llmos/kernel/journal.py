"""What a run changed in the file system, kept so that it can be taken back.

The pre-image of every local write is in the blob store and in the journal before the write
happens. `Journal.undo` puts all of it back, byte for byte, or refuses as a whole where someone
changed a file since.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from sqlalchemy import Row, bindparam, insert, select, update

from llmos.errors import IntegrityError, UserError
from llmos.kernel.restore import Restored, Restorer
from llmos.kernel.snapshot import ABSENT, Entry, Manifest, Snapshots, TooLarge, changed
from llmos.store import Store, Transaction
from llmos.store.schema import dumps, journal, stamp

TREE = "tree:"
"""Prefix of journal rows that hold a folder's manifest while a command works in it."""
CALL = "call:"
"""Prefix of journal rows that stand for a call whose tool brings its own undo."""
_RAW = "raw:"
"""Prefix of stored paths that are no text: file names are bytes, and these no UTF-8."""


@dataclass(frozen=True, slots=True)
class Record:
    """One journal row."""

    id: int
    trace_id: str
    idx: int
    path: str
    before: Entry
    after: Entry | None
    """None while the write runs, or when the process died in it."""
    undone: bool


_AFTER = update(journal).where(
    journal.c.trace_id == bindparam("run"),
    journal.c.idx == bindparam("step"),
    journal.c.path == bindparam("file"),
)
"""Put together once: every write stores it."""


class Journal:
    """Reads and writes journal rows, and undoes them."""

    def __init__(self, store: Store, snapshots: Snapshots) -> None:
        self._store = store
        self._snapshots = snapshots

    def before(
        self, tx: Transaction, trace_id: str, idx: int, entries: Mapping[str, Entry]
    ) -> None:
        """Write down what is about to be written. Commits before the write starts.

        Args:
            tx: The transaction to write in.
            trace_id: The run.
            idx: The step.
            entries: Absolute path to its present state, its content kept in the blob store.
        """
        if entries:
            tx.conn.execute(
                insert(journal), [_row(trace_id, idx, p, e) for p, e in entries.items()]
            )

    def before_tree(
        self, tx: Transaction, trace_id: str, idx: int, resource: str, manifest: Manifest
    ) -> None:
        """Write down a whole folder before a command works in it.

        If the process dies meanwhile, `settle_interrupted` finds by it what the command did.
        """
        listing = {path: [e.kind, e.digest, e.mode] for path, e in manifest.items()}
        kept = self._store.blobs.put(dumps(listing).encode("utf-8", "surrogateescape"))
        self.before(tx, trace_id, idx, {resource: Entry("tree", kept)})

    def after(self, tx: Transaction, trace_id: str, idx: int, entries: Mapping[str, Entry]) -> None:
        """Write down what became of the paths that `before` named."""
        for path, entry in entries.items():
            now = {"after": entry.digest, "after_mode": entry.mode, "after_kind": entry.kind}
            meant = {"run": trace_id, "step": idx, "file": _to_text(path)}
            tx.conn.execute(_AFTER, {**now, **meant})

    def changes(
        self,
        tx: Transaction,
        trace_id: str,
        idx: int,
        entries: Mapping[str, tuple[Entry, Entry]],
    ) -> None:
        """Write down finished changes, path to (before, after): what a command did to a folder."""
        if entries:
            tx.conn.execute(
                insert(journal),
                [_row(trace_id, idx, p, before, after) for p, (before, after) in entries.items()],
            )

    def call(self, tx: Transaction, trace_id: str, idx: int, tool: str) -> None:
        """Write down a finished call that its tool's own ``undo`` can take back."""
        self.changes(tx, trace_id, idx, {CALL + tool: (ABSENT, Entry("call"))})

    def records(self, trace_id: str) -> list[Record]:
        """All rows of a run, in order."""
        rows = self._store.read(
            lambda c: c.execute(
                select(journal).where(journal.c.trace_id == trace_id).order_by(journal.c.id)
            ).all()
        )
        return [_record(row) for row in rows]

    def settle_interrupted(self, tx: Transaction, trace_ids: Iterable[str]) -> None:
        """After a crash: what a write that never reported back left behind is its result."""
        rows = tx.conn.execute(
            select(journal).where(
                journal.c.trace_id.in_(list(trace_ids)), journal.c.after_kind == "unknown"
            )
        ).all()
        for row in rows:
            path = _from_text(row.path)
            if path.startswith(TREE):
                self._settle_tree(tx, row, path)
            else:
                self.after(tx, row.trace_id, row.idx, {path: self._snapshots.entry(path)})

    def conflicts(self, trace_id: str) -> list[str]:
        """Paths that are not as the run left them: someone changed them since."""
        open_ = self._open(trace_id)
        restorer = self._restorer(open_)
        last = {record.path: record for record in open_}
        return [
            path
            for path, record in last.items()
            if restorer.blocked(path) or restorer.foreign(path, record.after)
        ]

    def refuse_conflicts(self, trace_id: str) -> None:
        """Check that nobody changed what the run left.

        Raises:
            UserError: Somebody did; the error names the files.
        """
        touched = self.conflicts(trace_id)
        if touched:
            names = os.fsencode(", ".join(sorted(touched)[:5])).decode("utf-8", "replace")
            raise UserError(
                f"changed since the run, so nothing was undone: {names}",
                "save or restore those files, then undo again",
            )

    def undo(self, trace_id: str) -> Restored:
        """Put every file back as it was before the run.

        Raises:
            UserError: A file was changed since; nothing was restored.
        """
        self.refuse_conflicts(trace_id)
        return self._restorer(self._open(trace_id)).run()

    def mark_undone(self, tx: Transaction, trace_id: str, *, but: Iterable[int] = ()) -> None:
        """Note that the run's rows have been taken back, ``but`` for those with these ids."""
        tx.conn.execute(
            update(journal)
            .where(
                journal.c.trace_id == trace_id,
                journal.c.undone_at.is_(None),
                journal.c.id.not_in(list(but)),
            )
            .values(undone_at=stamp(tx.now))
        )

    def mark_one_undone(self, tx: Transaction, id: int) -> None:
        """Note that one row has been taken back."""
        tx.conn.execute(update(journal).where(journal.c.id == id).values(undone_at=stamp(tx.now)))

    def _settle_tree(self, tx: Transaction, row: Row[tuple[Any, ...]], resource: str) -> None:
        root, skip = resource[len(TREE) :], (os.path.realpath(self._store.home),)
        now: Manifest
        try:
            before = self._listing(row.before)
            now = self._snapshots.manifest(root, skip=skip)
        except TooLarge:
            now = {path: self._snapshots.entry(path) for path in before}
        except IntegrityError:
            before = now = {}  # its content is gone: nothing can be said or taken back
        changes = {p: (before.get(p, ABSENT), now.get(p, ABSENT)) for p in changed(before, now)}
        self.changes(tx, row.trace_id, row.idx, changes)
        self.after(tx, row.trace_id, row.idx, {resource: Entry("tree")})

    def _listing(self, digest: str) -> Manifest:
        listing = json.loads(self._store.blobs.get(digest).decode("utf-8", "surrogateescape"))
        return {path: Entry(*entry) for path, entry in listing.items()}

    def _open(self, trace_id: str) -> list[Record]:
        return [
            r
            for r in self.records(trace_id)
            if not r.undone and not r.path.startswith((TREE, CALL)) and r.before != r.after
        ]

    def _restorer(self, records: Iterable[Record]) -> Restorer:
        first: dict[str, Entry] = {}
        for record in records:
            first.setdefault(record.path, record.before)
        return Restorer(first, self._snapshots, self._store.blobs)


def _to_text(path: str) -> str:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return _RAW + quote_from_bytes(path.encode("utf-8", "surrogateescape"))
    return path


def _from_text(text: str) -> str:
    if not text.startswith(_RAW):
        return text
    return unquote_to_bytes(text.removeprefix(_RAW)).decode("utf-8", "surrogateescape")


def _row(
    trace_id: str, idx: int, path: str, before: Entry, after: Entry | None = None
) -> dict[str, object]:
    return {
        "trace_id": trace_id,
        "idx": idx,
        "path": _to_text(path),
        "before": before.digest,
        "before_mode": before.mode,
        "before_kind": before.kind,
        "after": after.digest if after else None,
        "after_mode": after.mode if after else None,
        "after_kind": after.kind if after else "unknown",
    }


def _record(row: Row[tuple[Any, ...]]) -> Record:
    before = Entry(row.before_kind, row.before, row.before_mode)
    after = (
        None if row.after_kind == "unknown" else Entry(row.after_kind, row.after, row.after_mode)
    )
    if after is not None and after.kind == "absent":
        after = ABSENT
    path = _from_text(row.path)
    return Record(row.id, row.trace_id, row.idx, path, before, after, row.undone_at is not None)
