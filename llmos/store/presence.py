"""Which processes live: a row each, and something that is let go when the process dies."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, select, text, update

from llmos.errors import BugError, StoreError
from llmos.store.lock import FileLock, is_locked
from llmos.store.schema import processes, stamp
from llmos.store.transaction import Transaction


class TakenForDead(StoreError):
    """Another process took this one for dead: what it had open is closed, and it is over."""


class Presence:
    """The row of this process among those of the others; this class for a database in memory.

    Args:
        process_id: Of this process.
    """

    def __init__(self, process_id: str) -> None:
        self.process_id = process_id

    def hold(self) -> None:
        """Show that this process lives. Comes before its row: a row without a holder is dead."""

    def connected(self, connection: Connection) -> None:
        """Called on the writer thread with each connection it makes, before it is used."""

    def check(self, connection: Connection) -> None:
        """Called in each transaction that writes, first.

        Raises:
            TakenForDead: Others have closed what it had open.
        """

    def release(self) -> None:
        """Let go of what `hold` took. Idempotent."""

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

    def dead(self, conn: Connection) -> list[str]:
        """Ids of the other processes that live no more and were not noted as ended."""
        unended = processes.c.ended_at.is_(None) & (processes.c.id != self.process_id)
        others = conn.scalars(select(processes.c.id).where(unended).order_by(processes.c.id)).all()
        living = self._living(conn, list(others)) if others else set()
        return [i for i in others if i not in living]

    def lives(self, conn: Connection, process_id: str) -> bool:
        """Whether a process lives and was not noted as ended; also this one."""
        unended = processes.c.ended_at.is_(None) & (processes.c.id == process_id)
        if conn.scalar(select(processes.c.id).where(unended)) is None:
            return False
        return process_id in self._living(conn, [process_id])

    def _living(self, conn: Connection, others: list[str]) -> set[str]:
        """Those of ``others`` that live: in memory, this process alone."""
        return {self.process_id} & set(others)


class FilePresence(Presence):
    """A lock file for each process, which the operating system unlocks when the process dies.

    Args:
        process_id: Of this process.
        folder: Where the lock files are.
    """

    def __init__(self, process_id: str, folder: Path) -> None:
        super().__init__(process_id)
        self._folder = folder
        self._own = FileLock(self._path(process_id))

    def hold(self) -> None:
        """Take this process's lock."""
        with suppress(OSError):  # what is wrong with the folder, the lock says
            self._folder.mkdir(mode=0o700, exist_ok=True)
        if not self._own.try_acquire():
            raise BugError(f"process id {self.process_id!r} is taken")

    def release(self) -> None:
        """Let this process's lock go. Idempotent."""
        with suppress(OSError):
            self._own.path.unlink(missing_ok=True)
        self._own.release()

    def end(self, tx: Transaction, process_id: str) -> None:
        """Note that a process has ended, and remove its file."""
        super().end(tx, process_id)
        if process_id != self.process_id:
            with suppress(OSError):
                self._path(process_id).unlink(missing_ok=True)

    def _living(self, conn: Connection, others: list[str]) -> set[str]:
        return {i for i in others if is_locked(self._path(i))}

    def _path(self, process_id: str) -> Path:
        return self._folder / f"{process_id}.lock"


class SessionPresence(Presence):
    """An advisory lock of PostgreSQL for each process, wherever it runs.

    It belongs to the session in which the process writes: whoever can write is alive, and when
    the process or its machine dies, the server ends the session and with it the lock. When only
    the connection breaks, others may take this process for dead before it comes back; what it
    had begun is theirs to close then, and it must not go on: from the second connection on, each
    of its transactions looks at its row first.
    """

    def __init__(self, process_id: str, where: str) -> None:
        super().__init__(process_id)
        self._where = where
        self._connections = 0

    def connected(self, connection: Connection) -> None:
        """Take this process's lock in a new session.

        A shared one: the server may not yet know that the session before it is gone.
        """
        lock = text("SELECT pg_advisory_lock_shared(:key)")
        with connection.begin():
            connection.execute(lock, {"key": _key(self.process_id)})
        self._connections += 1

    def check(self, connection: Connection) -> None:
        """Refuse to write for a process that was taken for dead.

        Raises:
            TakenForDead: It was.
        """
        if self._connections < 2:
            return
        mine = select(processes.c.ended_at).where(processes.c.id == self.process_id)
        if connection.scalar(mine) is not None:
            raise TakenForDead(
                f"the connection to {self._where} was lost for so long that another process took "
                "this one for dead and closed what it had open",
                "start this program again",
            )

    def _living(self, conn: Connection, others: list[str]) -> set[str]:
        held = {(high << 32 | low) for high, low in conn.execute(_HELD)}
        return {i for i in others if _key(i) % 2**64 in held}


_HELD = text(
    "SELECT classid::bigint, objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND objsubid = 1 AND database ="  # 1: locks on one number of 64 bits
    " (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def _key(process_id: str) -> int:
    """The number whose lock shows that a process lives; signed, 64 bits."""
    digest = hashlib.sha256(f"llmos process {process_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
