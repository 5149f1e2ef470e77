"""Ids: ULIDs that only ever grow within a process, so that ids sort by when they were made."""

from __future__ import annotations

import os
import time
from threading import Lock

from ulid import ULIDGenerator

_lock = Lock()
_last_ms = 0


def _milliseconds() -> int:
    """The wall clock, held still while somebody sets it back."""
    global _last_ms
    _last_ms = max(_last_ms, time.time_ns() // 1_000_000)
    return _last_ms


_generator = ULIDGenerator(clock=_milliseconds)


def new_id() -> str:
    """A fresh ULID, 26 characters; greater than every one this process made before."""
    with _lock:
        return str(_generator.generate())


def _after_fork() -> None:
    # Within one millisecond ids are counted up: parent and child must not count from one number.
    global _generator, _lock
    _lock = Lock()
    _generator = ULIDGenerator(clock=_milliseconds)


os.register_at_fork(after_in_child=_after_fork)
