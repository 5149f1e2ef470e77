"""Files of the mirror: everything is reached through open folders, and no link is ever followed.

So nothing outside the mirror is read or written, whatever somebody has put in a file's place.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

DRAFT = ".mirror-"
"""How names of half-written files begin; no artifact's file begins so."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not blocking: a pipe in a file's place must not hold everything up.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Foreign(Exception):
    """What is there is not what the mirror makes, or has just been changed by somebody."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds under one name."""

    size: int
    is_file: bool
    """A regular file; not a link to one."""


@dataclass(frozen=True, slots=True)
class Folder:
    """An open folder. Made by `opened` and `below`.

    Its methods raise `OSError`, and `Foreign` where something else stands in a file's place.
    """

    path: Path
    """For messages."""
    _fd: int

    def names(self) -> dict[str, Found]:
        """What is in the folder."""
        with os.scandir(self._fd) as entries:
            return {
                e.name: Found(
                    e.stat(follow_symlinks=False).st_size, e.is_file(follow_symlinks=False)
                )
                for e in entries
            }

    def read(self, name: str, largest: int | None = None) -> bytes | None:
        """What the file holds; None if there is none.

        Raises:
            Foreign: It is no regular file, or larger than ``largest``.
        """
        try:
            fd = os.open(name, _FILE, dir_fd=self._fd)
        except FileNotFoundError:
            return None
        except OSError as e:
            if e.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
                raise Foreign("it is no regular file") from e
            raise
        with open(fd, "rb") as file:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise Foreign("it is no regular file")
            if largest is not None and status.st_size > largest:
                raise Foreign(f"it is larger than {largest:,} bytes")
            return file.read()

    def digest(self, name: str) -> str | None:
        """SHA-256 hex of the file; None if there is none."""
        data = self.read(name)
        return None if data is None else digest_of(data)

    def write(self, name: str, data: bytes, over: Collection[str]) -> None:
        """Put ``data`` at ``name`` at once or not at all; only its owner can read it.

        Args:
            name: Of the file.
            data: What it will hold.
            over: Digests of what may stand there now; nothing may, too.

        Raises:
            Foreign: Something else stands there.
        """
        draft = f"{DRAFT}{secrets.token_hex(6)}"
        try:
            with open(os.open(draft, _NEW, 0o600, dir_fd=self._fd), "wb") as file:
                file.write(data)
            self._check(name, over)
            os.replace(draft, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        except BaseException:
            with suppress(OSError):
                os.unlink(draft, dir_fd=self._fd)
            raise

    def remove(self, name: str, over: Collection[str]) -> None:
        """Delete the file.

        Raises:
            Foreign: It holds something of which the digest is not in ``over``.
        """
        self._check(name, over)
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._fd)

    def sweep(self) -> None:
        """Delete half-written files that a crash has left."""
        for name, found in self.names().items():
            if name.startswith(DRAFT) and found.is_file:
                os.unlink(name, dir_fd=self._fd)

    @contextmanager
    def below(self, name: str) -> Iterator[Folder]:
        """Open a folder in this one, made if it is not there.

        Raises:
            Foreign: Something else stands in its place.
        """
        path = self.path / name
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=self._fd)
        try:
            fd = os.open(name, _FOLDER, dir_fd=self._fd)
        except OSError as e:
            if e.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
                raise Foreign(f"{path} is no folder") from e
            raise
        try:
            yield Folder(path, fd)
        finally:
            os.close(fd)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other refreshes out, of this process and of others, waiting for them."""
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _check(self, name: str, over: Collection[str]) -> None:
        digest = self.digest(name)
        if digest is not None and digest not in over:
            raise Foreign("somebody has just changed it")


@contextmanager
def opened(home: Path, parts: Sequence[str]) -> Iterator[Folder]:
    """Open the folder ``parts`` below ``home``; folders that are missing are made.

    Raises:
        Foreign: Something else stands in the place of one of them.
        OSError: One cannot be made or opened.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The home itself may be a link: where it leads is its owner's choice.
    fd = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield from _down(Folder(home, fd), parts)
    finally:
        os.close(fd)


def _down(folder: Folder, parts: Sequence[str]) -> Iterator[Folder]:
    if not parts:
        yield folder
        return
    with folder.below(parts[0]) as inner:
        yield from _down(inner, parts[1:])


def digest_of(data: bytes) -> str:
    """SHA-256 hex of a file's content."""
    return hashlib.sha256(data).hexdigest()


NOTHING = digest_of(b"")
"""Of an empty file: in it nobody's work can be lost."""
