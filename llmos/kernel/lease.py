"""One writer at a time in a working directory, across runs and processes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from llmos.store import FileLock


class Lease:
    """The right to change what lies in one working directory.

    Held for one call by a learner and for a whole replay by a follower, so that what was checked
    is still so when it is written. The task that holds it may enter again; others wait.
    """

    _within: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Path, asyncio.Lock]]] = (
        WeakKeyDictionary()
    )

    def __init__(self, home: Path, cwd: Path) -> None:
        name = hashlib.sha256(str(cwd).encode("utf-8", "surrogateescape")).hexdigest()[:24]
        self._path = home / "run" / f"cwd-{name}.lock"
        self._holder: asyncio.Task[Any] | None = None

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Wait for the lease and hold it."""
        me = asyncio.current_task()
        if self._holder is not None and self._holder is me:
            yield
            return
        locks = self._within.setdefault(asyncio.get_running_loop(), {})
        async with locks.setdefault(self._path, asyncio.Lock()):
            lock = FileLock(self._path)
            while not lock.try_acquire():
                await asyncio.sleep(0.005)
            self._holder = me
            try:
                yield
            finally:
                self._holder = None
                lock.release()
