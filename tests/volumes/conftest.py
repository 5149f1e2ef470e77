from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from llmos.store import Store
from llmos.volumes import Volume
from tests.conftest import OpenStore
from tests.volumes.people import of_alice


class Wall:
    """A clock that goes on by a second whenever it is looked at."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 9, 7, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def store(open_store: OpenStore) -> Iterator[Store]:
    with open_store(Wall()) as opened:
        yield opened


@pytest.fixture
def volume(store: Store) -> Volume:
    return of_alice(store)
