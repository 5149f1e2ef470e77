"""Locks that the operating system releases when their holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from llmos.errors import BugError, StoreError

_POLL_S = 0.02


class FileLock:
    """An exclusive lock on a file, between processes and between instances in one process.

    ``with FileLock(path):`` waits up to ``timeout_s``. An instance is not reentrant. The file
    stays when the lock is released: deleting it would let two holders in.
    """

    def __init__(self, path: Path, timeout_s: float = 30.0) -> None:
        self.path = path
        self.timeout_s = timeout_s
        self._descriptor: int | None = None

    def try_acquire(self) -> bool:
        """Take the lock if it is free; whether that worked.

        Raises:
            StoreError: The lock file cannot be used.
        """
        if self._descriptor is not None:
            raise BugError(f"lock {str(self.path)!r} is taken twice through one instance")
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as e:
            raise _unusable(self.path, e) from e
        self._descriptor = _flock(self.path, descriptor, fcntl.LOCK_EX)
        return self._descriptor is not None

    def acquire(self) -> None:
        """Take the lock, waiting for it.

        Raises:
            StoreError: It stayed taken for ``timeout_s`` seconds, or its file cannot be used.
        """
        end = time.monotonic() + self.timeout_s
        while not self.try_acquire():
            if time.monotonic() >= end:
                raise StoreError(
                    f"{self.path} has been locked by another process for {self.timeout_s:g} s",
                    f"wait for it or stop it (`fuser {self.path}` names it), then try again",
                )
            time.sleep(_POLL_S)

    def release(self) -> None:
        """Give the lock back. Without effect when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def is_locked(path: Path) -> bool:
    """Whether anybody holds the `FileLock` on ``path``. A missing file is not locked.

    Raises:
        StoreError: The file cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError as e:
        raise _unusable(path, e) from e
    # A shared lock, so that two who look at the same time do not take each other for the holder.
    locked = _flock(path, descriptor, fcntl.LOCK_SH)
    if locked is not None:
        os.close(locked)
    return locked is None


def _flock(path: Path, descriptor: int, kind: int) -> int | None:
    """Lock an open file without waiting; None, and the file closed, if that did not work."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError as e:
        os.close(descriptor)
        raise _unusable(path, e) from e
    return descriptor


def _unusable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"cannot use the lock file {path}: {error.strerror}",
        "check that it can be written to, lies on a local disk, and the disk is not full",
    )
