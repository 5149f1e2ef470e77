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

from sqlalchemy import Connection, Engine

from llmos.errors import BugError, StoreError
from llmos.store import dialect
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
        engine: Its transactions take the write lock when they begin.
        begin: Makes the `Transaction` for an open connection.
        committed: Called on the writer thread after each commit.
        guard: Entered around each transaction; `Store` keeps nested calls out with it.
    """

    def __init__(
        self,
        engine: Engine,
        begin: Callable[[Connection], Transaction],
        committed: Callable[[Transaction], None],
        guard: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._engine = engine
        self._begin = begin
        self._committed = committed
        self._guard = guard
        self._where = engine.url.database or "the database in memory"
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
                raise StoreError(f"{self._where} has been closed", "open the store again")
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
            with self._guard():
                connection = self._connect()
                if job.durable:
                    dialect.set_durable(connection, True)
                try:
                    with connection.begin():
                        transaction = self._begin(connection)
                        result = job.write(transaction)
                finally:
                    if job.durable:
                        dialect.set_durable(connection, False)
        except Exception as e:
            told = dialect.explain(e, self._where)
            if told is None:
                raise
            # SQLite never looks again at a file it once opened read-only: begin anew next time.
            self._disconnect()
            raise told from e
        self._committed(transaction)
        return result

    def _connect(self) -> Connection:
        if self._identity not in (None, dialect.identity(self._engine.url)):
            # SQLite would go on writing to the file that nobody can find any more.
            raise StoreError(
                f"{self._where} was moved, deleted or replaced while it was open",
                "put it back, or start this program again",
            )
        if self._connection is None:
            self._connection = self._engine.connect()
            self._identity = dialect.identity(self._engine.url)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is None or self._connection.engine.url.database is None:
            return  # closing it would throw a database in memory away
        try:
            self._connection.close()
            self._engine.dispose()
        except Exception:
            _log.warning("closing the connection to %s failed", self._where, exc_info=True)
        self._connection = None
