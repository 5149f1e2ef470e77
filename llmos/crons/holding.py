"""Who runs the crons of a home: one process, which holds a lock and has written its name in it."""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from llmos.errors import UserError
from llmos.store.lock import FileLock, is_locked
from llmos.store.schema import parse_stamp, stamp

DAEMON, PROGRAM = "daemon", "program"


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that runs the crons."""

    pid: int
    since: datetime | None
    kind: str
    """``daemon``, or ``program``: one that embeds LLM OS."""

    def __str__(self) -> str:
        since = f" since {self.since.astimezone():%Y-%m-%d %H:%M}" if self.since else ""
        return f"{self.kind} {self.pid}{since}"

    @property
    def is_me(self) -> bool:
        """Whether it is this process."""
        return self.pid == os.getpid()


class CronsElsewhere(UserError):
    """Another process runs the crons of this home."""

    def __init__(self, holder: Holder | None) -> None:
        hint = "stop it first: llmos crons stop"
        if holder is not None and holder.kind == PROGRAM:
            hint = "it embeds LLM OS: end it, or let it run them"
        who = str(holder) if holder is not None else "another process"
        super().__init__(f"the crons of this home are run by {who}", hint)
        self.holder = holder


class Holding:
    """The right to run the crons of a home."""

    def __init__(self, home: Path) -> None:
        self._path = lock_path(home)
        self._lock: FileLock | None = None
        self._releasing = threading.Lock()

    @property
    def held(self) -> bool:
        """Whether this object holds it."""
        return self._lock is not None

    def take(self, now: datetime, kind: str = PROGRAM) -> None:
        """Take it.

        Raises:
            CronsElsewhere: Another process has it, or another LLM OS in this one.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(self._path)
        if not lock.try_acquire():
            raise CronsElsewhere(_read(self._path))
        told = {"pid": os.getpid(), "since": stamp(now), "kind": kind}
        self._path.write_text(json.dumps(told), "utf-8")
        self._lock = lock

    def release(self) -> None:
        """Give it back. Idempotent."""
        with self._releasing:
            lock, self._lock = self._lock, None
            if lock is not None:
                # The name goes first: what stands in a free lock must not be taken for somebody.
                with suppress(OSError):
                    self._path.write_text("", "utf-8")
                lock.release()


def lock_path(home: Path) -> Path:
    """The lock file of the crons of a home."""
    return home.expanduser().absolute() / "run" / "crons.lock"


def holder(home: Path) -> Holder | None:
    """Who runs the crons of a home; None if nobody does."""
    path = lock_path(home)
    return _read(path) if is_locked(path) else None


def _read(path: Path) -> Holder:
    try:
        told = json.loads(path.read_text("utf-8"))
        return Holder(told["pid"], parse_stamp(told["since"]), told["kind"])
    except (ValueError, KeyError, TypeError, OSError):
        return Holder(0, None, PROGRAM)  # it has the lock and has not written its name yet
