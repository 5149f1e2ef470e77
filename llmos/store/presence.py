"""Which processes live: a row each, and a lock file that is held as long as the process lives."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, select, update

from llmos.errors import BugError
from llmos.store.lock import FileLock, is_locked
from llmos.store.schema import processes, stamp
from llmos.store.transaction import Transaction


class Presence:
    """The locks of one home that tell living processes from dead ones.

    Args:
        process_id: Of this process.
        folder: Where the lock files are; None if nobody else can see the database.
    """

    def __init__(self, process_id: str, folder: Path | None) -> None:
        self.process_id = process_id
        self._folder = folder
        self._own = FileLock(self._path(folder, process_id)) if folder else None

    def hold(self) -> None:
        """Take this process's lock. Must come before its row: a row without a lock is dead."""
        if self._own and not self._own.try_acquire():
            raise BugError(f"process id {self.process_id!r} is taken")

    def release(self) -> None:
        """Let this process's lock go. Idempotent."""
        if self._own:
            with suppress(OSError):
                self._own.path.unlink(missing_ok=True)
            self._own.release()

    def register(self, tx: Transaction) -> None:
        """Add the row of this process."""
        row = {"id": self.process_id, "pid": os.getpid(), "started_at": stamp(tx.now)}
        tx.conn.execute(processes.insert(), row)

    def end(self, tx: Transaction, process_id: str) -> None:
        """Note that a process has ended."""
        tx.conn.execute(
            update(processes)
            .where(processes.c.id == process_id, processes.c.ended_at.is_(None))
            .values(ended_at=stamp(tx.now))
        )
        if self._folder and process_id != self.process_id:
            with suppress(OSError):
                self._path(self._folder, process_id).unlink(missing_ok=True)

    def others(self, conn: Connection) -> list[str]:
        """Ids of all other processes that were not noted as ended."""
        unended = processes.c.ended_at.is_(None) & (processes.c.id != self.process_id)
        return list(conn.scalars(select(processes.c.id).where(unended).order_by(processes.c.id)))

    def lives(self, process_id: str) -> bool:
        """Whether the process that has this id still runs."""
        return self._folder is not None and is_locked(self._path(self._folder, process_id))

    @staticmethod
    def _path(folder: Path, process_id: str) -> Path:
        return folder / f"{process_id}.lock"
