"""The one thread of a process that writes to the database."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine, RootTransaction

from llmos.errors import BugError, StoreError
from llmos.store.dialect import Dialect
from llmos.store.transaction import Transaction

T = TypeVar("T")
Write = Callable[[Transaction], T]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Job(Generic[T]):
    write: Write[T]
    durable: bool
    outcome: Future[T]


class Writer:
    """Runs write functions one after the other, each in a transaction of its own.

    Args:
        database: Whose writer this is.
        engine: Its transactions take the write lock when they begin.
        connected: Called with each new connection before it is used.
        begin: Makes the `Transaction` for an open connection.
        committed: Called on the writer thread after each commit.
        guard: Entered around each transaction; `Store` keeps nested calls out with it.
    """

    def __init__(
        self,
        database: Dialect,
        engine: Engine,
        *,
        connected: Callable[[Connection], None],
        begin: Callable[[Connection], Transaction],
        committed: Callable[[Transaction], None],
        guard: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._database = database
        self._engine = engine
        self._connected = connected
        self._begin = begin
        self._committed = committed
        self._guard = guard
        self._connection: Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._pid = os.getpid()
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        # A daemon: a program that forgets to close its store must still be able to end.
        self._thread = threading.Thread(target=self._work, name="llmos-writer", daemon=True)
        self._thread.start()

    def submit(self, write: Write[T], durable: bool) -> Future[T]:
        """Queue a transaction; it is run whether or not anybody waits for the outcome."""
        if os.getpid() != self._pid:
            raise BugError("a store cannot be used in a forked process", "open it again there")
        job = _Job(write, durable, Future[T]())
        with self._closing:
            if self._closed:
                raise StoreError(f"{self._database.where} has been closed", "open the store again")
            self._jobs.put(job)
        return job.outcome

    @property
    def is_current_thread(self) -> bool:
        """Whether the caller runs on the writer thread, where waiting for a write never ends."""
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """Finish what is queued, then end the thread. Idempotent."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        if os.getpid() == self._pid:
            self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not job.outcome.set_running_or_notify_cancel():
                continue
            try:
                job.outcome.set_result(self._transact(job))
            except StopIteration as e:
                # A future that holds StopIteration would never wake the coroutine awaiting it.
                job.outcome.set_exception(BugError(f"a write function raised {e!r}"))
            except BaseException as e:
                job.outcome.set_exception(e)
            del job  # what the write function holds must not live until the next one
        self._disconnect()

    def _transact(self, job: _Job[T]) -> T:
        try:
            with self._guard(), self._open(job.durable) as opened:
                transaction = self._begin(opened.connection)
                result = job.write(transaction)
        except Exception as e:
            told = self._database.explain(e)
            if told is None:
                raise
            if self._connection and self._database.is_spoilt(self._connection):
                self._disconnect()
            raise told from e
        finally:
            if job.durable and self._connection:
                self._database.set_durable(self._connection, False)
        self._committed(transaction)
        return result

    def _open(self, durable: bool) -> RootTransaction:
        connection = self._connect()
        try:
            return self._start(connection, durable)
        except Exception:
            if not self._database.is_lost(connection):
                raise
            # It broke while it was idle: nothing was written over it, so this is safe.
            self._disconnect()
            return self._start(self._connect(), durable)

    def _start(self, connection: Connection, durable: bool) -> RootTransaction:
        if durable:
            self._database.set_durable(connection, True)
        return connection.begin()

    def _connect(self) -> Connection:
        if self._identity not in (None, self._database.identity()):
            # SQLite would go on writing to the file that nobody can find any more.
            raise StoreError(
                f"{self._database.where} was moved, deleted or replaced while it was open",
                "put it back, or start this program again",
            )
        if self._connection is None:
            connection = self._engine.connect()
            try:
                self._connected(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            self._identity = self._database.identity()
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is None or self._database.in_memory:
            return  # closing it would throw a database in memory away
        try:
            if self._database.is_lost(self._connection):
                self._connection.invalidate()  # there is nothing to say good-bye to
            self._connection.close()
            self._engine.dispose()
        except Exception:
            where = self._database.where
            _log.warning("closing the connection to %s failed", where, exc_info=True)
        self._connection = None
