from collections.abc import Iterator
from pathlib import Path

import pytest

from llmos.store import Store


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store.open(home) as opened:
        yield opened


@pytest.fixture(params=["file", "memory"])
def either(request: pytest.FixtureRequest, home: Path) -> Iterator[Store]:
    """The same store on disk and in memory: what holds for one holds for the other."""
    with Store.open(home) if request.param == "file" else Store.memory() as opened:
        yield opened
