"""Puts files back: what is in the way goes first, then come folders, files and links."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from llmos.errors import StoreError
from llmos.kernel.snapshot import ABSENT, DERIVED, Entry, Snapshots
from llmos.store import BlobStore, new_id


@dataclass(frozen=True, slots=True)
class Restored:
    """What an undo did."""

    restored: tuple[str, ...] = ()
    """Paths that are as they were again."""
    removed: tuple[str, ...] = ()
    """Paths that the run had made and that are gone."""
    kept: tuple[str, ...] = ()
    """Folders that the run had made and that now hold something else."""
    lost: tuple[str, ...] = ()
    """Paths that cannot be made again: sockets, devices, and what could not be read then."""


class Restorer:
    """Takes paths back to what they were. What was cut short can simply be done again.

    Args:
        wanted: Absolute path, without links in it, to what is to be there.
        snapshots: Tells what is there.
        blobs: Hold the contents.
    """

    def __init__(self, wanted: Mapping[str, Entry], snapshots: Snapshots, blobs: BlobStore) -> None:
        self.wanted = wanted
        self._snapshots = snapshots
        self._blobs = blobs
        self._modes: dict[str, int] = {}
        """Of folders that are open for writing meanwhile, and of restored ones."""

    def present(self, path: str) -> Entry:
        """What is at ``path``; nothing, where it is reached only through a link."""
        folder = os.path.dirname(path)
        return self._snapshots.entry(path) if os.path.realpath(folder) == folder else ABSENT

    def foreign(self, path: str, after: Entry | None) -> bool:
        """Whether somebody else changed ``path``, which the run left as ``after``; None: unknown.

        As it is to be is fine too, and so is a gap where one kind of thing is to replace another:
        that is how an undo that was cut short leaves it.
        """
        now, want = self.present(path), self.wanted[path]
        if after is None or now.seen == after.seen:
            return False
        gap = now.kind == "absent" and want.kind != after.kind
        return not gap and (now.kind, now.digest) != (want.kind, want.digest)

    def blocked(self, path: str) -> bool:
        """Whether something that is none of the run's business is in the way of ``path``."""
        want = self.wanted[path].kind
        if want == "absent":
            return False
        if want != "dir" and self.present(path).kind == "dir":
            within = set(os.listdir(path)) - DERIVED
            if any(os.path.join(path, name) not in self.wanted for name in within):
                return True
        folder = os.path.dirname(path)
        while self.wanted.get(folder, ABSENT).kind != "dir":
            kind = self._snapshots.entry(folder).kind
            if kind != "absent":
                return kind != "dir" or os.path.realpath(folder) != folder
            folder = os.path.dirname(folder)
        return False

    def run(self) -> Restored:
        """Put everything back.

        Raises:
            StoreError: A folder cannot be written to. What was put back by then stays.
            IntegrityError: A kept content is missing or damaged.
        """
        removed: list[str] = []
        kept: list[str] = []
        restored: list[str] = []
        lost: list[str] = []
        try:
            for path in sorted(self.wanted, reverse=True):
                if self._in_the_way(path):
                    (removed if self._remove(path) else kept).append(path)
            for path in sorted(self.wanted):
                if self.wanted[path].kind != "absent" and path not in kept:
                    (restored if self._make(path) else lost).append(path)
        finally:
            for folder in sorted(self._modes, reverse=True):
                with suppress(OSError):
                    os.chmod(folder, self._modes[folder])
        gone = [path for path in removed if self.wanted[path].kind == "absent"]
        return Restored(tuple(restored), tuple(sorted(gone)), tuple(sorted(kept)), tuple(lost))

    def _in_the_way(self, path: str) -> bool:
        now, want = self.present(path).kind, self.wanted[path].kind
        return now not in ("absent", want)

    def _remove(self, path: str) -> bool:
        with self._open(os.path.dirname(path)):
            return _remove(path)

    def _make(self, path: str) -> bool:
        want, now = self.wanted[path], self.present(path)
        if want.kind in ("special", "hidden"):
            return now == want
        if now != want:
            folder = os.path.dirname(path)
            with _told(path):
                os.makedirs(folder, exist_ok=True)
            with self._open(folder), _told(path):
                self._put(Path(path), want)
        if want.mode is not None and want.kind == "dir":
            self._modes[path] = want.mode
        elif want.mode is not None:
            os.chmod(path, want.mode)
        return True

    def _put(self, path: Path, want: Entry) -> None:
        if want.kind == "dir":
            path.mkdir(exist_ok=True)
        elif want.kind == "fifo":
            path.unlink(missing_ok=True)
            os.mkfifo(path)
        elif want.digest is not None and want.kind == "link":
            target = self._blobs.get(want.digest).decode("utf-8", "surrogateescape")
            draft = path.with_name(f".llmos-{new_id()}")
            draft.symlink_to(target)
            draft.replace(path)
        elif want.digest is not None:
            self._blobs.restore(want.digest, path)

    @contextmanager
    def _open(self, folder: str) -> Iterator[None]:
        """Let names in ``folder`` change; its mode is put back at the end."""
        effective = os.access in os.supports_effective_ids
        free = os.access(folder, os.W_OK | os.X_OK, effective_ids=effective)
        if os.path.isdir(folder) and not free:
            with suppress(OSError):
                mode = stat.S_IMODE(os.stat(folder).st_mode)
                os.chmod(folder, mode | stat.S_IRWXU)
                self._modes.setdefault(folder, mode)
        yield


def _remove(path: str) -> bool:
    try:
        if not os.path.isdir(path) or os.path.islink(path):
            os.unlink(path)
            return True
        names = os.listdir(path)
        if DERIVED.issuperset(names):  # caches of what the run made there
            for name in names:
                shutil.rmtree(os.path.join(path, name))
        os.rmdir(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise StoreError(
            f"cannot restore {path}: {e.strerror}",
            "make its folder writable, then undo again: it goes on where it stopped",
        ) from e
