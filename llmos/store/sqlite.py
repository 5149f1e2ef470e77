"""SQLite: a file in the home, which needs no server."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool, StaticPool

from llmos.errors import BugError, ConfigError, LLMOSError, StoreError
from llmos.store import dialect
from llmos.store.presence import FilePresence, Presence

OLDEST_SQLITE = (3, 35)
"""The first SQLite with RETURNING, which SQLAlchemy uses."""


class Sqlite(dialect.Dialect):
    """A database file, or one in memory if the URL names no file."""

    @property
    def where(self) -> str:
        """Its path."""
        return self.url.database or "the database in memory"

    @property
    def in_memory(self) -> bool:
        """Whether it is gone when its only connection is closed."""
        return self.url.database is None

    def writer_engine(self) -> Engine:
        """Its transactions take the write lock when they begin.

        The driver opens no transaction by itself (``isolation_level=None``): its own deferred
        BEGIN lets two processes read one value and both write it back increased by one.
        """
        return self._engine(
            StaticPool, "BEGIN IMMEDIATE", ("synchronous=NORMAL", "foreign_keys=ON")
        )

    def reader_engine(self) -> Engine:
        """Its transactions see one moment of the database and cannot write."""
        return self._engine(QueuePool, "BEGIN", ("query_only=ON",))

    def presence(self, process_id: str, home: Path) -> Presence:
        """Lock files beside the database: two homes may share it, on the machine it lies on."""
        if not self.url.database:
            return Presence(process_id)
        return FilePresence(process_id, Path(self.url.database).absolute().parent / "run")

    def prepare(self, engine: Engine) -> None:
        """Let readers and one writer work side by side; the database file remembers it.

        Raises:
            StoreError: The file system has no shared memory for it.
        """
        raw = engine.raw_connection()
        try:
            cursor = raw.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            ((mode,),) = cursor.fetchall()
        finally:
            raw.close()
        if mode != "wal":
            raise StoreError(
                f"{self.where} lies on a file system that cannot share it (journal mode {mode!r})",
                "set LLMOS_HOME to a folder on a local disk",
            )

    def set_durable(self, connection: Connection, durable: bool) -> None:
        """Sync the file at each commit, or only when the log is folded into it."""
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")

    def stored_revision(self, connection: Connection) -> str | None:
        """Name of the newest migration that was run; None for a new database."""
        try:
            revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
        except DBAPIError as e:
            if "no such table" in str(e.orig):
                return None
            raise
        return None if revision is None else str(revision)

    def explain(self, error: BaseException, *, reading: bool = False) -> LLMOSError | None:
        """What a database error means for a person; None if it is about one statement or row."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(cause, "sqlite_errorcode", None)
        if not isinstance(cause, sqlite3.Error) or code is None:
            return None
        if reading and code == sqlite3.SQLITE_READONLY:  # a read-only file has a longer code
            return BugError("a function given to read() tried to write; give it to write()")
        return _explained(cause, self.where)

    def identity(self) -> tuple[int, int] | None:
        """Device and inode of the file; None if there is none."""
        if not self.url.database:
            return None
        try:
            found = os.stat(self.url.database)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def is_spoilt(self, connection: Connection) -> bool:
        """Always: SQLite never looks again at a file it once opened read-only."""
        return True

    def _engine(
        self, pool: type[StaticPool | QueuePool], begin: str, pragmas: Sequence[str]
    ) -> Engine:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise ConfigError(
                f"this Python has SQLite {sqlite3.sqlite_version}, which is too old",
                f"use a Python with SQLite {'.'.join(map(str, OLDEST_SQLITE))} or newer",
            )
        options: dict[str, Any] = {"max_overflow": -1} if pool is QueuePool else {}
        engine = create_engine(
            self.url,
            poolclass=pool,
            connect_args={
                "isolation_level": None,
                "check_same_thread": False,
                "timeout": dialect.BUSY_TIMEOUT_S,
            },
            **options,
        )

        @event.listens_for(engine, "connect")
        def set_up(connection: sqlite3.Connection, record: object) -> None:
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")

        @event.listens_for(engine, "begin")
        def start(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine


def _explained(cause: sqlite3.Error, where: str) -> LLMOSError | None:
    match cause.sqlite_errorcode & 0xFF:  # the low byte is the primary code, the rest says more
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreError(
                f"{where} is locked: another process has been writing for too long",
                f"wait for it or stop it (`fuser {where}` names it), then try again",
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN:
            return StoreError(
                f"{where} cannot be opened for writing",
                "check its owner and mode, and that its disk is not mounted read-only",
            )
        case sqlite3.SQLITE_FULL:
            return StoreError(
                f"the disk of {where} is full: nothing was written",
                "free some space, then try again",
            )
        case sqlite3.SQLITE_IOERR:
            return StoreError(
                f"the disk of {where} gives errors ({cause.sqlite_errorname})",
                "check that the disk is there, healthy and not full, then try again",
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StoreError(
                f"{where} is damaged, or is not a database",
                "put a backup in its place, or move it away to begin anew",
            )
    return None
