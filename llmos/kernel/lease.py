"""One writer at a time in a working directory, across runs and processes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

from llmos.store import FileLock


class Lease:
    """The right to change what lies in one working directory.

    Held for one call by a learner and for a whole replay by a follower, so that what was checked
    is still so when it is written. The holder may enter again.
    """

    _within: ClassVar[dict[tuple[int, str], asyncio.Lock]] = {}

    def __init__(self, home: Path, cwd: Path) -> None:
        name = hashlib.sha256(str(cwd).encode("utf-8", "surrogateescape")).hexdigest()[:24]
        self._path = home / "run" / f"cwd-{name}.lock"
        self._key = str(self._path)
        self._held = 0

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Wait for the lease and hold it."""
        if self._held:
            self._held += 1
            try:
                yield
            finally:
                self._held -= 1
            return
        within = self._within.setdefault(
            (id(asyncio.get_running_loop()), self._key), asyncio.Lock()
        )
        async with within:
            lock = FileLock(self._path)
            while not lock.try_acquire():
                await asyncio.sleep(0.005)
            self._held = 1
            try:
                yield
            finally:
                self._held = 0
                lock.release()
