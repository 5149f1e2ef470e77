"""What differs between databases: one small class each, chosen by `llmos.store.address`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, Float, Table, Text
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from llmos.errors import LLMOSError

if TYPE_CHECKING:
    from llmos.store.presence import Presence

BUSY_TIMEOUT_S = 10.0
"""How long a transaction waits for another process's transaction before it gives up."""


class Dialect(ABC):
    """One database, and what the store asks of it that is not the same everywhere.

    Args:
        url: Where it is. It may hold a password: `where` is what people are told.
    """

    def __init__(self, url: URL) -> None:
        self.url = url

    @property
    @abstractmethod
    def where(self) -> str:
        """What to call it in messages; without user and password."""

    @property
    def in_memory(self) -> bool:
        """Whether it is gone when its only connection is closed."""
        return False

    @abstractmethod
    def writer_engine(self) -> Engine:
        """An engine whose transactions begin alone: no other process's write is under way.

        This holds until they end, and each of them sees all that was committed before it began.
        """

    @abstractmethod
    def reader_engine(self) -> Engine:
        """An engine whose transactions see one moment of the database and cannot write."""

    @abstractmethod
    def presence(self, process_id: str, home: Path) -> Presence:
        """What tells the living processes of this database from the dead ones."""

    @abstractmethod
    def prepare(self, engine: Engine) -> None:
        """Make sure that tables can be made in it. ``engine`` is the writer's.

        Raises:
            StoreError: It lies where it cannot be used.
            ConfigError: It was set up in a way that cannot work.
        """

    @abstractmethod
    def set_durable(self, connection: Connection, durable: bool) -> None:
        """Make the commits that follow survive a power cut, not only the end of the process.

        Must be called between transactions.
        """

    @abstractmethod
    def stored_revision(self, connection: Connection) -> str | None:
        """Name of the newest migration that was run; None for a new database."""

    @abstractmethod
    def explain(self, error: BaseException, *, reading: bool = False) -> LLMOSError | None:
        """What a database error means for a person; None if it is about one statement or row.

        Args:
            error: From the driver, or from SQLAlchemy around it.
            reading: It came out of a transaction of `reader_engine`.
        """

    def identity(self) -> tuple[int, int] | None:
        """Tells one database from another in its place; None if that cannot be told."""
        return None

    def is_lost(self, connection: Connection) -> bool:
        """Whether the connection broke: it can do nothing any more, a new one may."""
        return False

    def is_spoilt(self, connection: Connection) -> bool:
        """Whether a new connection may do what this one could not, after an explained error."""
        return self.is_lost(connection)


def insert_new(connection: Connection, table: Table, row: dict[str, Any], key: list[str]) -> bool:
    """Insert ``row`` unless one with the same values of ``key`` is there; whether it did."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgres_insert

        new: Any = postgres_insert(table)
    else:
        new = sqlite_insert(table)
    statement = new.values(row).on_conflict_do_nothing(index_elements=key)
    # Drivers disagree about the number of rows of such a statement, but not about its rows.
    return connection.execute(statement.returning(table.c[key[0]])).first() is not None


def overwrite_deleted(connection: Connection) -> None:
    """Have what is deleted on this connection from now on overwritten, not only let go.

    What it leaves in the log beside the database is gone with the next checkpoint. PostgreSQL
    gives the space away with its own vacuum; there is nothing to set.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")


class json_text(FunctionElement[str]):  # used like a function of SQL
    """A member of the JSON object that a text column holds, as text; NULL where it is not there.

    Made with the column and the name of the member.
    """

    type = Text()
    inherit_cache = True


class json_number(FunctionElement[float]):
    """The same as a number; true is 1 and false is 0."""

    type = Float()
    inherit_cache = True


@compiles(json_text, "sqlite")
@compiles(json_number, "sqlite")
def _sqlite_member(element: Any, compiler: Any, **more: Any) -> str:
    column, name = (compiler.process(c, **more) for c in element.clauses)
    return f"json_extract({column}, '$.' || {name})"


@compiles(json_text, "postgresql")
def _postgres_text(element: Any, compiler: Any, **more: Any) -> str:
    column, name = (compiler.process(c, **more) for c in element.clauses)
    return f"(({column})::json ->> {name})"


@compiles(json_number, "postgresql")
def _postgres_number(element: Any, compiler: Any, **more: Any) -> str:
    told = _postgres_text(element, compiler, **more)
    return f"(CASE {told} WHEN 'true' THEN 1 WHEN 'false' THEN 0 ELSE {told}::float8 END)"
