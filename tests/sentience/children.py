"""What the other processes of the tests do."""

from __future__ import annotations

from pathlib import Path

from llmos.sentience import take_in
from llmos.store import Store


def take_in_often(home: Path, times: int) -> None:
    with Store.open(home) as store:
        for _ in range(times):
            take_in(store, "alice")
