"""Brings the tables of a home up to date, once, whoever comes first."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from llmos.errors import ConfigError
from llmos.store import dialect
from llmos.store.lock import FileLock

REVISIONS = ("0001_first", "0002_volumes", "0003_audits", "0004_nights", "0005_sentience")
"""Names of all migrations, oldest first; append only. Kept here so that opening a home that is
up to date, which is nearly always, needs one SELECT and not Alembic."""


def bring_up_to_date(reader: Engine, writer: Engine, home: Path) -> None:
    """Run the migrations that the database has not seen.

    Raises:
        ConfigError: The database was made by a newer version.
    """
    if _stored(reader, home) == REVISIONS[-1]:
        return
    with FileLock(home / "run" / "migrate.lock", timeout_s=120.0):
        if _stored(reader, home) != REVISIONS[-1]:
            dialect.use_wal(writer, str(writer.url.database))
            _upgrade(writer)


def _stored(reader: Engine, home: Path) -> str | None:
    with reader.connect() as connection:
        revision = dialect.stored_revision(connection)
    if revision is not None and revision not in REVISIONS:
        raise ConfigError(
            f"the home {home} was made by a newer version of llmos "
            f"(its tables are {revision!r}, this version knows {REVISIONS[-1]!r})",
            "upgrade this one (`pip install -U llmos`), or set LLMOS_HOME to another folder",
        )
    return revision


def _upgrade(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config

    folder = Path(__file__).with_name("migrations")
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    # One transaction for all of them: a home is never seen, and never left, half migrated.
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
