"""PostgreSQL: one database for several homes and machines."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.pool import NullPool, Pool, QueuePool

from llmos.errors import ConfigError, LLMOSError
from llmos.store import dialect
from llmos.store.presence import Presence, SessionPresence

# Two numbers for the one advisory lock that all writers of a database share: "llmo", 1.
_WRITE_LOCK = (0x6C6C6D6F, 1)

_BEGIN_WRITING = (
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
    "SET LOCAL synchronous_commit = {commit};"
    "SELECT pg_advisory_xact_lock({0}, {1})"
)
"""What BEGIN IMMEDIATE is to SQLite: the transaction begins once no other one is writing.

READ COMMITTED, because a stricter level would look at the database as it was when the waiting
began. As the lock is let go only after the commit, writers see all that the one before them did,
nothing they read is changed by others, and the numbers of events are committed in their order:
who has seen number n will never find a smaller one that is new. Watermarks rely on that. A number
that was drawn by a transaction which failed is left out; none is used twice.
"""

_BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

_CONNECT = {
    "connect_timeout": "10",
    "application_name": "llmos",
    # A connection that the network has forgotten is noticed within a minute, on this side …
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
_SESSION = (
    # … and on the other: until then it would keep its locks.
    "SET tcp_keepalives_idle = 30;SET tcp_keepalives_interval = 10;SET tcp_keepalives_count = 3;"
    "SET lock_timeout = {busy_ms}"
)


class Postgres(dialect.Dialect):
    """A database of a PostgreSQL server."""

    @property
    def where(self) -> str:
        """Its name and the host."""
        host = self.url.host or self.url.query.get("host") or "this machine"
        return f"the PostgreSQL database {self.url.database or 'of your name'!r} on {host}"

    def writer_engine(self) -> Engine:
        """Its transactions wait for the write lock when they begin.

        ``synchronous_commit`` is off unless a commit must be durable: a crash of the server may
        undo the commits of the last fraction of a second (as a power cut may with SQLite), the
        death of this process none.
        """

        def begin(connection: Connection) -> None:
            commit = "on" if connection.info.get("durable") else "off"
            _execute(connection, _BEGIN_WRITING.format(*_WRITE_LOCK, commit=commit))

        engine = self._engine(NullPool, begin)

        @event.listens_for(engine, "close")
        def let_go(connection: Any, record: object) -> None:
            # The server takes its time to notice a closed connection; this it does at once.
            with suppress(Exception):
                connection.execute("SELECT pg_advisory_unlock_all()")

        return engine

    def reader_engine(self) -> Engine:
        """Its transactions see one moment of the database and cannot write."""
        return self._engine(QueuePool, lambda c: _execute(c, _BEGIN_READING), max_overflow=-1)

    def presence(self, process_id: str, home: Path) -> Presence:
        """Advisory locks: other processes may be on other machines."""
        return SessionPresence(process_id, self.where)

    def prepare(self, engine: Engine) -> None:
        """Make sure that the database takes every character.

        Raises:
            ConfigError: It is not in UTF-8.
        """
        with engine.connect() as connection:
            encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
        if encoding != "UTF8":
            raise ConfigError(
                f"{self.where} keeps text as {encoding}, not as UTF-8",
                "make one that does: createdb --template=template0 --encoding=UTF8 NAME",
            )

    def set_durable(self, connection: Connection, durable: bool) -> None:
        """Have the next BEGIN wait for the disk at its commit, or not: costs no round trip."""
        connection.info["durable"] = durable

    def stored_revision(self, connection: Connection) -> str | None:
        """Name of the newest migration that was run; None for a new database."""
        # Asked first, as an error would end the transaction.
        if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
            return None
        revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return None if revision is None else str(revision)

    def explain(self, error: BaseException, *, reading: bool = False) -> LLMOSError | None:
        """What a database error means for a person; None if it is about one statement or row."""
        from llmos.store.postgres_errors import explain

        return explain(error, self.where, reading=reading)

    def is_lost(self, connection: Connection) -> bool:
        """Whether the session ended: the server restarted, or the network broke."""
        if connection.closed or connection.invalidated:
            return True
        raw: Any = connection.connection.driver_connection
        return raw is None or bool(raw.closed)

    def _engine(self, pool: type[Pool], begin: Any, **options: Any) -> Engine:
        given = {k: v for k, v in _CONNECT.items() if k not in self.url.query}
        try:
            engine = create_engine(self.url, poolclass=pool, connect_args=given, **options)
            from llmos.store.postgres_text import adapt
        except ImportError as e:
            raise ConfigError(
                f"the driver of PostgreSQL is not installed ({e})", "pip install 'llmos[postgres]'"
            ) from e
        busy_ms = round(dialect.BUSY_TIMEOUT_S * 1000)

        @event.listens_for(engine, "connect")
        def set_up(connection: Any, record: object) -> None:
            # The driver begins nothing by itself: one message begins and takes the lock.
            connection.autocommit = True
            connection.execute(_SESSION.format(busy_ms=busy_ms), prepare=False)
            adapt(connection)

        event.listen(engine, "begin", begin)
        return engine


def _execute(connection: Connection, statements: str) -> None:
    """Run several statements in one message, which the driver must not try to prepare."""
    raw: Any = connection.connection.driver_connection
    try:
        raw.execute(statements, prepare=False)
    except BaseException:
        if not raw.closed:
            raw.rollback()  # BEGIN may have worked, and what came after it not
        raise
