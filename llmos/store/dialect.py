"""What differs between databases, in one place. SQLite is the one that is supported now."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    CursorResult,
    Engine,
    Table,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import QueuePool, StaticPool

from llmos.errors import BugError, ConfigError, LLMOSError, StoreError

BUSY_TIMEOUT_S = 10.0
"""How long a statement waits for another process's transaction before it gives up."""

OLDEST_SQLITE = (3, 35)
"""The first SQLite with RETURNING, which SQLAlchemy uses."""


def database_url(home: Path, url: str | None) -> URL:
    """Where the database of ``home`` is.

    Raises:
        ConfigError: ``url`` names a database that is not supported.
    """
    if url is None:
        return URL.create("sqlite", database=str(home / "llmos.db"))
    try:
        made = make_url(url)
    except ArgumentError as e:
        raise ConfigError(f"{url!r} is not a database URL", "such as sqlite:////path/to.db") from e
    if made.get_backend_name() != "sqlite":
        # The URL may hold a password: only its kind is told.
        raise ConfigError(
            f"databases of the kind {made.get_backend_name()!r} are not supported",
            "leave the URL out to use SQLite in the home folder",
        )
    if not made.database or made.database == ":memory:":
        raise ConfigError(f"{url!r} names no file", "such as sqlite:////path/to.db")
    return made.set(drivername="sqlite")


def writer_engine(url: URL) -> Engine:
    """An engine whose transactions take the write lock when they begin.

    The driver opens no transaction by itself (``isolation_level=None``): its own deferred BEGIN
    lets two processes read one value and both write it back increased by one.
    """
    return _engine(url, StaticPool, "BEGIN IMMEDIATE", ("synchronous=NORMAL", "foreign_keys=ON"))


def reader_engine(url: URL) -> Engine:
    """An engine whose transactions see one moment of the database and cannot write."""
    return _engine(url, QueuePool, "BEGIN", ("query_only=ON",))


def _engine(
    url: URL, pool: type[StaticPool | QueuePool], begin: str, pragmas: Sequence[str]
) -> Engine:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise ConfigError(
            f"this Python has SQLite {sqlite3.sqlite_version}, which is too old",
            f"use a Python with SQLite {'.'.join(map(str, OLDEST_SQLITE))} or newer",
        )
    options: dict[str, Any] = {"max_overflow": -1} if pool is QueuePool else {}
    engine = create_engine(
        url,
        poolclass=pool,
        connect_args={
            "isolation_level": None,
            "check_same_thread": False,
            "timeout": BUSY_TIMEOUT_S,
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


def identity(url: URL) -> tuple[int, int] | None:
    """Tells one database file from another in its place; None if there is none."""
    if not url.database:
        return None
    try:
        found = os.stat(url.database)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def set_durable(connection: Connection, durable: bool) -> None:
    """Make the commits that follow survive a power cut, not only the end of the process.

    Must be called between transactions.
    """
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    raw.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")


def use_wal(engine: Engine, where: str) -> None:
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
            f"{where} lies on a file system that cannot share it (journal mode {mode!r})",
            "set LLMOS_HOME to a folder on a local disk",
        )


def insert_new(connection: Connection, table: Table, row: dict[str, Any], key: list[str]) -> bool:
    """Insert ``row`` unless one with the same values of ``key`` is there; whether it did."""
    statement = sqlite_insert(table).values(row).on_conflict_do_nothing(index_elements=key)
    result: CursorResult[Any] = connection.execute(statement)
    return result.rowcount == 1


def stored_revision(connection: Connection) -> str | None:
    """Name of the newest migration that was run; None for a new database."""
    try:
        revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    except DBAPIError as e:
        if "no such table" in str(e.orig):
            return None
        raise
    return None if revision is None else str(revision)


def explain(error: BaseException, where: str, *, reading: bool = False) -> LLMOSError | None:
    """What a database error means for a person; None if it is about one statement or row.

    Args:
        error: From the driver, or from SQLAlchemy around it.
        where: What to call the database, for the message.
        reading: It came out of a transaction of `reader_engine`.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    if not isinstance(cause, sqlite3.Error) or code is None:
        return None
    if reading and code == sqlite3.SQLITE_READONLY:  # a read-only file has a longer code
        return BugError("a function given to read() tried to write; give it to write()")
    match code & 0xFF:  # the low byte is the primary code, the rest says more
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
