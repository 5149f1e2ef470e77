import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, make_url, text
from sqlalchemy.pool import NullPool

import llmos.store.migrate
from llmos.errors import ConfigError
from llmos.store import Store
from llmos.store.address import database_of
from llmos.store.migrate import REVISIONS
from llmos.store.schema import metadata
from tests.support.databases import Database, Server


def described(engine: Engine) -> dict[str, Any]:
    """Everything the database says about its tables."""
    seen = inspect(engine)
    return {
        name: {
            "columns": [
                (
                    c["name"],
                    kind_of(engine, c["type"]),
                    c["nullable"],
                    c["default"],
                    c.get("primary_key"),
                )
                for c in seen.get_columns(name)
            ],
            "key": seen.get_pk_constraint(name)["constrained_columns"],
            "indexes": sorted(
                (str(i["name"]), i["column_names"], i["unique"]) for i in seen.get_indexes(name)
            ),
            "unique": sorted(
                (str(u["name"]), u["column_names"]) for u in seen.get_unique_constraints(name)
            ),
            "references": sorted(
                (f["constrained_columns"], f["referred_table"], f["referred_columns"])
                for f in seen.get_foreign_keys(name)
            ),
        }
        for name in seen.get_table_names()
        if name != "alembic_version"
    }


def kind_of(engine: Engine, type_: Any) -> str:
    """A type, but for what the migrations change in text of PostgreSQL; that has a test below."""
    said = str(type_)
    is_text = said.startswith("VARCHAR") or said == 'TEXT COLLATE "C"'
    return "TEXT" if engine.dialect.name == "postgresql" and is_text else said


def engine_of(database: Database) -> Engine:
    return create_engine(database_of(database.home, database.url).url, poolclass=NullPool)


@pytest.fixture
def other_database(new_database: Database, tmp_path: Path, request: pytest.FixtureRequest):
    """A second new one of the same kind."""
    if new_database.url is None:
        (tmp_path / "other").mkdir()
        return Database(tmp_path / "other")
    return Database(tmp_path / "other", request.getfixturevalue("postgres").empty())


def test_migrations_make_exactly_the_schema(
    new_database: Database, other_database: Database
) -> None:
    new_database.open().close()
    migrated, direct = engine_of(new_database), engine_of(other_database)
    metadata.create_all(direct)
    assert described(migrated) == described(direct)
    assert set(described(migrated)) == set(metadata.tables)
    with migrated.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": new_database.url is None, "compare_server_default": True},
        )
        assert compare_metadata(context, metadata) == []


def test_the_list_of_revisions_is_the_chain_of_migrations() -> None:
    config = Config()
    folder = Path(llmos.store.migrate.__file__).with_name("migrations")
    config.set_main_option("script_location", str(folder))
    chain = [s.revision for s in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(chain)) == REVISIONS
    assert {p.stem for p in (folder / "versions").glob("*.py")} == set(REVISIONS)


def test_text_of_every_column_is_unbounded_and_sorts_by_code_points_in_postgresql(
    postgres: Server, home: Path
) -> None:
    # A name of 65 characters that SQLite takes must not be an error there, and "Z" < "a" in both.
    url = postgres.empty()
    Store.open(home, url=url).close()
    query = (
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name <> 'alembic_version'"
        " AND (data_type LIKE 'char%' OR data_type = 'text' AND collation_name IS DISTINCT FROM"
        " 'C')"
    )
    assert postgres.execute(query, make_url(url).database or "") == []


def test_a_database_of_a_newer_version_is_refused_and_left_alone(new_database: Database) -> None:
    new_database.open().close()
    newer = "UPDATE alembic_version SET version_num = '9999_future'"
    with engine_of(new_database).begin() as connection:
        connection.execute(text(newer))
    with pytest.raises(ConfigError, match=r"newer version.*9999_future"):
        new_database.open()
    with engine_of(new_database).begin() as connection:
        stored = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    assert stored == "9999_future"


def test_a_home_of_a_newer_version_is_refused_and_left_alone(home: Path) -> None:
    Store.open(home).close()
    engine = create_engine(f"sqlite:///{home / 'llmos.db'}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999_future'"))
    before = (home / "llmos.db").read_bytes()
    with pytest.raises(ConfigError, match=r"newer version.*9999_future") as caught:
        Store.open(home)
    assert "pip install -U llmos" in caught.value.hint
    assert (home / "llmos.db").read_bytes() == before
    assert [p.name for p in (home / "run").iterdir()] == ["migrate.lock"]


def test_a_migration_that_fails_leaves_nothing_half_made(
    new_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic.operations import Operations

    made = Operations.create_index

    def fail(self: Operations, name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "intents_by_status":
            raise RuntimeError("power cut")
        return made(self, name, *args, **kwargs)

    with monkeypatch.context() as m:
        m.setattr(Operations, "create_index", fail)
        with pytest.raises(RuntimeError, match="power cut"):
            new_database.open()
    assert inspect(engine_of(new_database)).get_table_names() == []
    with new_database.open() as store:
        assert store.write(lambda tx: 1) == 1


def test_a_home_with_odd_characters_in_its_path_can_be_opened(tmp_path: Path) -> None:
    home = tmp_path / "50%(x)s ü?#&;" / "home"
    Store.open(home).close()
    assert (home / "llmos.db").stat().st_size > 0
    assert [p.name for p in home.parent.iterdir()] == ["home"]


def test_opening_a_current_home_does_not_load_alembic(home: Path) -> None:
    Store.open(home).close()
    code = (
        "import sys; from pathlib import Path; from llmos.store import Store;"
        "Store.open(Path(sys.argv[1])).close(); print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, home],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"False\n"
