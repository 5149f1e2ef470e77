"""The store: one database, one writer, and the fact that this process lives."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import URL, Connection, create_mock_engine
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from llmos.errors import BugError, ConfigError, StoreError
from llmos.store.address import database_of
from llmos.store.blobs import BlobStore
from llmos.store.dialect import Dialect
from llmos.store.ids import new_id
from llmos.store.migrate import bring_up_to_date
from llmos.store.schema import metadata
from llmos.store.sqlite import Sqlite
from llmos.store.transaction import EventRow, Transaction
from llmos.store.writer import Writer
from llmos.values import Clock, utc_now

T = TypeVar("T")
Subscriber = Callable[[Sequence[EventRow]], None]

_log = logging.getLogger(__name__)


class Store:
    """The database and the blobs of one home. Made by `open` or `memory`; a context manager.

    The database may be shared by several homes; blobs and lock files are the home's own.

    Functions handed to `write` and `read` use the connection they are given and do not call the
    store again: that would wait for itself, and is refused.
    """

    def __init__(self, home: Path, database: Dialect, clock: Clock) -> None:
        self.home = home
        self.database = database
        self.process_id = new_id()
        """Row of this opened store in the table ``processes``."""
        in_memory = database.in_memory
        self.blobs = BlobStore(home if in_memory else home / "blobs")
        self._clock = clock
        self._presence = database.presence(self.process_id, home)
        self._subscribers: tuple[Subscriber, ...] = ()
        self._local = threading.local()
        self._closed = False
        # A database in memory is one connection: reader and writer take turns with it.
        self._turn = threading.Lock() if in_memory else nullcontext()
        self._writing = database.writer_engine()
        self._reading = self._writing if in_memory else database.reader_engine()
        self._writer = Writer(
            database,
            self._writing,
            connected=self._presence.connected,
            begin=self._begin,
            committed=self._tell,
            guard=self._inside,
        )

    @classmethod
    def open(cls, home: Path, *, url: str | None = None, clock: Clock = utc_now) -> Store:
        """Open the store of ``home``, making or upgrading it when needed.

        Args:
            home: The folder; made with mode 0700 if it is not there.
            url: Where the database is, if not at ``<home>/llmos.db``: a URL of SQLite or
                PostgreSQL.
            clock: Gives `Transaction.now`.

        Raises:
            StoreError: The home cannot be used now; nothing was changed.
            ConfigError: It was made by a newer version, or a setting cannot work.
        """
        home = home.expanduser().absolute()
        database = database_of(home, url)
        _make_home(home)
        store = cls(home, database, clock)
        try:
            with store._explained():
                bring_up_to_date(database, store._reading, store._writing, home)
            store._presence.hold()
            store.write(store._presence.register)
        except BaseException:
            store._shut_down()
            raise
        return store

    @classmethod
    def memory(cls, clock: Clock = utc_now) -> Store:
        """A store that is gone when it is closed; its home is a folder that may not exist."""
        home = Path(tempfile.gettempdir(), f"llmos-{new_id()}")
        store = cls(home, Sqlite(URL.create("sqlite")), clock)
        with store._writing.begin() as connection:
            for statement in _statements():
                connection.exec_driver_sql(statement)
        store.write(store._presence.register)
        return store

    @property
    def url(self) -> URL | None:
        """Where the database is; None if it is in memory. It may hold a password."""
        return None if self._reading is self._writing else self._reading.url

    def write(self, fn: Callable[[Transaction], T], *, durable: bool = False) -> T:
        """Run ``fn`` in a transaction on the writer thread and return what it returns.

        Args:
            fn: What it raises rolls the transaction back and is raised here.
            durable: The commit survives a power cut, not only the death of the process.

        Raises:
            StoreError: The database cannot be written now; nothing was.
        """
        if self._writer.is_current_thread:
            raise BugError("a write inside a write, or inside a subscriber, would wait for itself")
        self._check_outside()
        return self._writer.submit(fn, durable).result()

    def submit(self, fn: Callable[[Transaction], T], *, durable: bool = False) -> Future[T]:
        """Queue a write without waiting for it. Writes run in the order they were queued."""
        return self._writer.submit(fn, durable)

    async def awrite(self, fn: Callable[[Transaction], T], *, durable: bool = False) -> T:
        """`write` without blocking the event loop.

        Once called, the transaction runs as a whole: cancelling the caller ends the waiting, not
        the write. What was paid must be written down all the same.
        """
        outcome = self._writer.submit(fn, durable)
        waiting = asyncio.wrap_future(outcome)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            waiting.add_done_callback(lambda f: f.exception())  # or asyncio complains as well
            outcome.add_done_callback(_log_failure)
            raise

    def read(self, fn: Callable[[Connection], T]) -> T:
        """Run ``fn`` in the calling thread, on one unchanging view of what is committed.

        Raises:
            StoreError: The database cannot be read now.
        """
        with self._inside(), self._explained(), self._view() as connection:
            return fn(connection)

    async def aread(self, fn: Callable[[Connection], T]) -> T:
        """`read` in a thread of its own."""
        return await asyncio.to_thread(self.read, fn)

    def on_events(self, callback: Subscriber) -> Callable[[], None]:
        """Have ``callback`` told the events of every transaction of this process, once committed.

        It is called on the writer thread, before `write` returns: it must be quick and cannot
        write. What it raises is logged and ignored. Events of other processes are only in the
        table.

        Returns:
            Call it to end the subscription.
        """
        self._subscribers += (callback,)

        def unsubscribe() -> None:
            self._subscribers = tuple(s for s in self._subscribers if s is not callback)

        return unsubscribe

    def dead_processes(self) -> list[str]:
        """Ids of processes that ended without closing their store; never this one."""
        return self.read(self._presence.dead)

    def lives(self, conn: Connection, process_id: str) -> bool:
        """Whether a process has the database open, wherever it runs; also this one."""
        return self._presence.lives(conn, process_id)

    def end_process(self, tx: Transaction, process_id: str) -> None:
        """Note that a process has ended, so that it is not found dead again."""
        self._presence.end(tx, process_id)

    def close(self) -> None:
        """Finish queued writes, note that this process ended, let everything go. Idempotent."""
        if self._closed:
            return
        if self._writer.is_current_thread:
            raise BugError("a store cannot be closed from a write or a subscriber")
        self._closed = True
        try:
            self.write(lambda tx: self.end_process(tx, self.process_id))
        except StoreError as e:
            # The lock is let go all the same, so that the next process finds this one dead.
            _log.warning("the end of process %s was not noted: %s", self.process_id, e)
        finally:
            self._shut_down()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _begin(self, connection: Connection) -> Transaction:
        self._presence.check(connection)
        return Transaction(connection, self._clock(), self.process_id)

    def _tell(self, transaction: Transaction) -> None:
        if not transaction.events:
            return
        for callback in self._subscribers:
            try:
                callback(tuple(transaction.events))
            except Exception:
                _log.exception("a subscriber of the store failed")

    def _check_outside(self) -> None:
        if getattr(self._local, "inside", False):
            raise BugError("the store was called from a read or a write; use its connection")

    @contextmanager
    def _inside(self) -> Iterator[None]:
        self._check_outside()
        self._local.inside = True
        try:
            with self._turn:
                yield
        finally:
            self._local.inside = False

    def _view(self) -> Connection:
        """A connection with a transaction to read in; begun anew where the old one broke."""
        connection = self._reading.connect()
        try:
            connection.begin()
        except BaseException:
            lost = self.database.is_lost(connection)
            connection.invalidate() if lost else connection.close()
            if not lost:
                raise
            self._reading.dispose()  # the server was gone: the others of the pool broke as well
            connection = self._reading.connect()
            connection.begin()
        return connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except Exception as e:
            told = self.database.explain(e, reading=True)
            if told is None:
                raise
            raise told from e

    def _shut_down(self) -> None:
        self._writer.close()
        self._reading.dispose()
        self._writing.dispose()
        self._presence.release()
        if self._reading is self._writing:
            shutil.rmtree(self.home, ignore_errors=True)


def _log_failure(outcome: Future[T]) -> None:
    if error := outcome.exception():
        _log.warning("a write failed after its caller was cancelled: %s", error)


@cache
def _statements() -> tuple[str, ...]:
    """What makes all tables in SQLite: to work that out takes ten times as long as to run it."""
    found: list[str] = []
    dialect = SQLiteDialect()
    engine = create_mock_engine(
        "sqlite://", lambda made, *_: found.append(str(made.compile(dialect=dialect)))
    )
    metadata.create_all(engine, checkfirst=False)
    return tuple(found)


def _make_home(home: Path) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "run").mkdir(mode=0o700, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as e:
        raise ConfigError(f"{home} is not a folder", "set LLMOS_HOME to a folder") from e
    except OSError as e:
        raise StoreError(
            f"cannot make the home folder {home}: {e.strerror}",
            "check the owner and mode of the folder above, or set LLMOS_HOME to another folder",
        ) from e
