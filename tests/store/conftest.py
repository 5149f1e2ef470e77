from collections.abc import Iterator
from pathlib import Path

import pytest

from llmos.store import Store
from tests.support.databases import Database, Server


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with database.open() as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
def either(request: pytest.FixtureRequest, home: Path, tmp_path: Path) -> Iterator[Store]:
    """The same store on disk, on a server and in memory: what holds for one holds for all."""
    if request.param == "memory":
        opened = Store.memory()
    elif request.param == "sqlite":
        opened = Store.open(home)
    else:
        server: Server = request.getfixturevalue("postgres")
        opened = Store.open(home, url=server.usual(tmp_path / "first"))
    with opened:
        yield opened
