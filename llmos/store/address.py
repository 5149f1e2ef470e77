"""Which database a URL means."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from llmos.errors import ConfigError
from llmos.store.dialect import Dialect
from llmos.store.sqlite import Sqlite

SETTING = "database_url"

_EXAMPLES = "such as postgresql://alice@db.example.org/llmos, or sqlite:////path/to.db"


def database_of(home: Path, url: str | None) -> Dialect:
    """The database of ``home``: the one that ``url`` names, else the file in it.

    Raises:
        ConfigError: ``url`` names none, or one of a kind that is not supported.
    """
    if not url:
        return Sqlite(URL.create("sqlite", database=str(home / "llmos.db")))
    # The URL may hold a password: it is in no message, also not as the cause of one.
    try:
        made = make_url(url)
    except (ArgumentError, ValueError):
        made = None
    if made is None:
        raise ConfigError(f"{SETTING} is not the URL of a database", _EXAMPLES)
    match made.get_backend_name():
        case "sqlite":
            if not made.database or made.database == ":memory:":
                raise ConfigError(f"{SETTING} names no file", "such as sqlite:////path/to.db")
            return Sqlite(made.set(drivername="sqlite"))
        case "postgresql" | "postgres":
            from llmos.store.postgres import Postgres

            return Postgres(made.set(drivername="postgresql+psycopg"))
        case other:
            raise ConfigError(
                f"{SETTING} names a database of the kind {other!r}, which is not supported",
                _EXAMPLES,
            )
