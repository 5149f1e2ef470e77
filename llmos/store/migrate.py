"""Brings the tables of a home up to date, once, whoever comes first."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine

from llmos.errors import ConfigError
from llmos.store.dialect import Dialect
from llmos.store.lock import FileLock

REVISIONS = (
    "0001_first",
    "0002_volumes",
    "0003_audits",
    "0004_nights",
    "0005_sentience",
    "0006_plans",
    "0007_memory",
    "0008_projects",
    "0009_worked",
)
"""Names of all migrations, oldest first; append only. Kept here so that opening a home that is
up to date, which is nearly always, needs one SELECT and not Alembic."""


def bring_up_to_date(database: Dialect, reader: Engine, writer: Engine, home: Path) -> None:
    """Run the migrations that the database has not seen.

    Raises:
        ConfigError: The database was made by a newer version.
    """
    with reader.connect() as connection:
        if _stored(database, connection) == REVISIONS[-1]:
            return
    with FileLock(home / "run" / "migrate.lock", timeout_s=120.0):
        database.prepare(writer)
        # One transaction for all of them: a home is never seen, and never left, half migrated.
        # It begins alone, so processes of other homes that share the database wait here.
        with writer.begin() as connection:
            if _stored(database, connection) != REVISIONS[-1]:
                _upgrade(connection)


def _stored(database: Dialect, connection: Connection) -> str | None:
    revision = database.stored_revision(connection)
    if revision is not None and revision not in REVISIONS:
        raise ConfigError(
            f"{database.where} was made by a newer version of llmos "
            f"(its tables are {revision!r}, this version knows {REVISIONS[-1]!r})",
            "upgrade this one (`pip install -U llmos`), or set LLMOS_HOME to another folder",
        )
    return revision


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    folder = Path(__file__).with_name("migrations")
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
