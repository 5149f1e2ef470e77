"""Who runs the crons: one process of a home, and one of all homes that share the database.

In a home it holds a lock and has written its name in it; in the database a row names it.
"""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from llmos.crons import claim
from llmos.crons.claim import Holder
from llmos.errors import LLMOSError, UserError
from llmos.store import Store
from llmos.store.lock import FileLock, is_locked
from llmos.store.schema import parse_stamp, stamp

DAEMON, PROGRAM = "daemon", "program"


_NOTICED_S = 5.0
"""How long a database may take to notice that a process of this home was killed."""
_POLL_S = 0.05


class CronsElsewhere(UserError):
    """Another process runs the crons of this home, or of the database it shares."""

    def __init__(self, holder: Holder | None) -> None:
        there = " there" if holder is not None and holder.machine else ""
        hint = f"stop it first{there}: llmos crons stop"
        if holder is not None and holder.kind == PROGRAM:
            hint = "it embeds LLM OS: end it, or let it run them"
        who = str(holder) if holder is not None else "another process"
        what = "database" if there else "home"
        super().__init__(f"the crons of this {what} are run by {who}", hint)
        self.holder = holder


class Holding:
    """The right to run the crons.

    Args:
        store: Of whose home and database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._path = lock_path(store.home)
        self._lock: FileLock | None = None
        self._releasing = threading.Lock()

    def take(self, now: datetime, kind: str = PROGRAM) -> None:
        """Take it.

        Raises:
            CronsElsewhere: Another process has it, or another LLM OS in this one.
            StoreError: The database cannot be written now.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(self._path)
        if not lock.try_acquire():
            raise CronsElsewhere(_read(self._path))
        try:
            self._claim(now, kind)
            told = {"pid": os.getpid(), "since": stamp(now), "kind": kind}
            self._path.write_text(json.dumps(told), "utf-8")
        except BaseException:
            lock.release()
            raise
        self._lock = lock

    def keep(self) -> None:
        """Show that this process still lives, where its connection may have been lost meanwhile.

        Raises:
            CronsElsewhere: Another process took this one for dead and took them over.
            TakenForDead: It did only the former.
            StoreError: The database cannot be reached now.
        """
        shown, mine, other = self._store.read(self._look)
        if not mine:
            raise CronsElsewhere(other)
        if not shown:
            self._store.write(lambda tx: None)  # connects anew

    def release(self) -> None:
        """Give it back. Idempotent."""
        with self._releasing:
            lock, self._lock = self._lock, None
            if lock is not None:
                # The names go first: what stands in a free lock must not be taken for somebody.
                # A row that cannot be changed counts no more when this process ends.
                with suppress(LLMOSError):
                    self._store.write(lambda tx: claim.give_up(tx, self._store))
                with suppress(OSError):
                    self._path.write_text("", "utf-8")
                lock.release()

    def _claim(self, now: datetime, kind: str) -> None:
        until = time.monotonic() + _NOTICED_S
        while True:
            other = self._store.write(lambda tx: claim.claim(tx, self._store, now, kind))
            if other is None:
                return
            # The lock of this home was free: its process is dead, and not yet known to be.
            if not claim.is_of(other, self._store) or time.monotonic() > until:
                raise CronsElsewhere(other)
            time.sleep(_POLL_S)

    def _look(self, conn: Connection) -> tuple[bool, bool, Holder | None]:
        store = self._store
        other = claim.claimed(conn, store)
        return store.lives(conn, store.process_id), claim.is_mine(conn, store), other


def lock_path(home: Path) -> Path:
    """The lock file of the crons of a home."""
    return home.expanduser().absolute() / "run" / "crons.lock"


def holder(home: Path) -> Holder | None:
    """Who runs the crons of a home; None if nobody does."""
    path = lock_path(home)
    return _read(path) if is_locked(path) else None


def who(store: Store) -> Holder | None:
    """Who runs the crons of a home, or of the database that it shares; None if nobody does."""
    return holder(store.home) or store.read(lambda c: claim.claimed(c, store))


def _read(path: Path) -> Holder:
    try:
        told = json.loads(path.read_text("utf-8"))
        return Holder(told["pid"], parse_stamp(told["since"]), told["kind"])
    except (ValueError, KeyError, TypeError, OSError):
        return Holder(0, None, PROGRAM)  # it has the lock and has not written its name yet
