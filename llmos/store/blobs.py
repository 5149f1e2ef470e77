"""File contents by their SHA-256, for pre-images and other bytes too big for a table."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

from llmos.errors import IntegrityError, StoreError
from llmos.store.ids import new_id

_CHUNK = 1 << 20
_UNFINISHED = ".llmos-"
"""What the names of files begin with that are not under their own name yet, or no longer."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


class BlobStore:
    """A folder of immutable files named by their digest: ``ab/cdef…``.

    Nothing is synced to the disk: a blob survives the death of the process, and one that a power
    cut has torn is noticed when it is read. Equal contents are kept once.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, data: bytes) -> str:
        """Keep ``data``; its digest.

        Raises:
            StoreError: It cannot be written (full disk, read-only home).
        """
        digest = hashlib.sha256(data).hexdigest()
        if not self.holds(digest, len(data)):
            with self._incoming() as (file, temporary):
                file.write(data)
                self._move_in(file, temporary, digest)
        return digest

    def put_file(self, path: Path) -> str:
        """Keep the content of a file without loading it whole; its digest.

        Raises:
            OSError: ``path`` cannot be read.
            StoreError: The copy cannot be written.
        """
        with path.open("rb") as source:
            digest, size = _read_through(source)
            if self.holds(digest, size):
                return digest
            source.seek(0)
            with self._incoming() as (file, temporary):
                digest, _ = _read_through(source, file)  # it may have changed in between
                self._move_in(file, temporary, digest)
        return digest

    def get(self, digest: str) -> bytes:
        """The content with this digest.

        Raises:
            IntegrityError: It is missing, or is not what was kept.
        """
        with self._open(digest) as file:
            data = file.read()
        _check(hashlib.sha256(data).hexdigest(), digest)
        return data

    def restore(self, digest: str, path: Path) -> None:
        """Make ``path`` a file with this content, or leave it as it is.

        The mode of a file that is replaced is kept; a link is replaced, not followed.

        Raises:
            IntegrityError: The blob is missing or damaged; ``path`` was not touched.
            StoreError: ``path`` cannot be written.
        """
        with self._open(digest) as source, _writing_to(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            with _temporary(path.parent, 0o666) as (file, temporary):
                found, _ = _read_through(source, file)
                _check(found, digest)
                if path.is_file() and not path.is_symlink():
                    temporary.chmod(path.stat().st_mode & 0o7777)
                file.flush()
                temporary.replace(path)

    def holds(self, digest: str, size: int) -> bool:
        """Whether the content is kept; then it counts as kept just now (see `drop`).

        Args:
            digest: Of the content.
            size: Its bytes; a blob that a power cut has torn has another size, and does not count.
        """
        path = self._path(digest)
        try:
            os.utime(path)
            return path.stat().st_size == size
        except OSError:
            return False

    def untouched(self, seconds: float) -> Iterator[str]:
        """Digests of what nobody has put for so long."""
        before = time.time() - seconds
        for folder in self.root.glob("[0-9a-f][0-9a-f]"):
            for path in folder.iterdir():
                digest = folder.name + path.name
                if _DIGEST.fullmatch(digest) and _touched(path) < before:
                    yield digest

    def drop(self, digest: str, seconds: float) -> int:
        """Delete a blob, unless somebody has put that content again in the last ``seconds``.

        Who puts a content that is there touches the blob first, and only then writes down that it
        is needed. So it is taken aside before it is looked at: either its time says that somebody
        has put it, and it goes back, or whoever puts it from now on finds nothing and writes it.

        Returns:
            The bytes that were freed; 0 if it is still there.

        Raises:
            StoreError: Nothing can be deleted there.
        """
        path = self._path(digest)
        aside = self.root / f"{_UNFINISHED}{new_id()}-{digest}"
        with _writing_to(self.root), suppress(FileNotFoundError):  # another process was faster
            path.rename(aside)
            found = aside.stat()
            if found.st_mtime < time.time() - seconds:
                aside.unlink()
                return found.st_size
            aside.rename(path)
        return 0

    def drop_unfinished(self, seconds: float) -> None:
        """Put back what processes that died were dropping, and delete what they were writing.

        What was taken aside may have been put a moment before, and only `drop` may decide on it. If
        its process still lives, it finds nothing to delete, and the blob stays until the next time.

        Args:
            seconds: How long nobody must have written to what is deleted.

        Raises:
            StoreError: Nothing can be changed there.
        """
        before = time.time() - seconds
        with _writing_to(self.root):
            for path in self.root.glob(f"{_UNFINISHED}*"):
                digest = path.name.rpartition("-")[2]
                if _DIGEST.fullmatch(digest):
                    with suppress(FileNotFoundError):
                        # As if put now: over one that was, it must not look older than that.
                        os.utime(path)
                        path.rename(self._path(digest))
                elif _touched(path) < before:
                    path.unlink(missing_ok=True)

    @staticmethod
    def digest(path: Path) -> str:
        """SHA-256, in hex, of a file's content.

        Raises:
            OSError: ``path`` cannot be read.
        """
        with path.open("rb") as source:
            return _read_through(source)[0]

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise IntegrityError(f"{digest[:80]!r} is not a digest")
        return self.root / digest[:2] / digest[2:]

    @contextmanager
    def _incoming(self) -> Iterator[tuple[IO[bytes], Path]]:
        with _writing_to(self.root):
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _temporary(self.root, 0o600) as opened:
                yield opened

    def _move_in(self, file: IO[bytes], temporary: Path, digest: str) -> None:
        file.flush()
        target = self._path(digest)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        temporary.replace(target)

    def _open(self, digest: str) -> BinaryIO:
        try:
            return self._path(digest).open("rb")
        except OSError as e:
            raise IntegrityError(
                f"stored content {digest[:12]}… cannot be read: {e.strerror}",
                "put the blobs folder of a backup in its place",
            ) from e


def _read_through(source: IO[bytes], copy: IO[bytes] | None = None) -> tuple[str, int]:
    """Digest and size of ``source``, written to ``copy`` on the way."""
    h, size = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK):
        h.update(chunk)
        size += len(chunk)
        if copy is not None:
            copy.write(chunk)
    return h.hexdigest(), size


def _touched(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # gone since
        return float("inf")


def _check(found: str, digest: str) -> None:
    if found != digest:
        raise IntegrityError(
            f"stored content {digest[:12]}… has been changed (it is {found[:12]}… now)",
            "put the blobs folder of a backup in its place",
        )


@contextmanager
def _temporary(folder: Path, mode: int) -> Iterator[tuple[IO[bytes], Path]]:
    """A file in ``folder`` to be renamed away; removed if it was not."""
    path = folder / f"{_UNFINISHED}{new_id()}"
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            yield file, path
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


@contextmanager
def _writing_to(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise StoreError(
            f"cannot write to {folder}: {e.strerror}",
            "check that it can be written to and its disk is not full, then try again",
        ) from e
