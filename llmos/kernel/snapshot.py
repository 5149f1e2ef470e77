"""What a file or a folder is like right now, as digests, and its content in the blob store.

A manifest lists everything below a folder; two manifests tell what a command changed. Unchanged
files are recognised by size, times and inode, so that a second look costs a walk and no reading.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from llmos.store import BlobStore

DERIVED = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"})
"""Caches that tools rebuild from sources: they say nothing about the world and are left out."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, link or folder. ``digest`` is SHA-256 hex; a folder's is ``"dir"``."""

    kind: str
    """``file``, ``link``, ``dir``, ``absent``; ``fifo`` and ``special`` (sockets, devices);
    ``hidden``: there, but it cannot be read."""
    digest: str | None = None
    mode: int | None = None

    @property
    def seen(self) -> str | None:
        """What counts as this entry's state: content and the executable bits; None when absent."""
        if self.kind == "absent":
            return None
        if self.kind == "file" and self.mode is not None and self.mode & 0o111:
            return f"{self.digest}+x"
        return self.digest if self.kind == "file" else f"{self.kind}:{self.digest}"


ABSENT = Entry("absent")

Manifest = Mapping[str, Entry]
"""Absolute path to entry, for everything below one folder."""


class TooLarge(Exception):
    """The folder has more files or bytes than a snapshot may hold."""


_REMEMBERED = 20_000
"""Digests that are remembered, or twice as many as a folder may have files: what a process that
lives for months has seen since it began would be more and more."""


@dataclass(frozen=True, slots=True)
class Cap:
    """Largest folder that is snapshotted."""

    files: int = 5000
    bytes: int = 64 << 20


class Snapshots:
    """Looks at files; remembers digests of files whose stat did not change."""

    def __init__(self, blobs: BlobStore, cap: Cap | None = None) -> None:
        self._blobs = blobs
        self._cap = cap or Cap()
        self._known: dict[tuple[int, int, int, int, int], str] = {}
        """The latest asked for stand last; the first are forgotten."""
        self._most = max(_REMEMBERED, 2 * self._cap.files)
        self._lock = threading.Lock()

    def entry(self, path: str, *, keep: bool = False) -> Entry:
        """The state of ``path`` itself (a link is not followed).

        Args:
            path: Absolute path.
            keep: Also put the content into the blob store, so that it can be restored.
        """
        try:
            found = os.lstat(path)
        except PermissionError:
            return Entry("hidden", "hidden")
        except OSError:  # not there, and names that nothing can have: too long, a loop of links
            return ABSENT
        mode = stat.S_IMODE(found.st_mode)
        if stat.S_ISDIR(found.st_mode):
            return Entry("dir", "dir", mode)
        if stat.S_ISLNK(found.st_mode):
            target = os.readlink(path).encode("utf-8", "surrogateescape")
            digest = self._blobs.put(target) if keep else hashlib.sha256(target).hexdigest()
            return Entry("link", digest, None)
        if stat.S_ISFIFO(found.st_mode):
            return Entry("fifo", "fifo", mode)
        if not stat.S_ISREG(found.st_mode):
            return Entry("special", str(stat.S_IFMT(found.st_mode)), mode)
        try:
            return Entry("file", self._digest(path, found, keep), mode)
        except FileNotFoundError:  # gone since
            return ABSENT
        except OSError:
            return Entry("hidden", f"{found.st_size}/{found.st_mtime_ns}", mode)

    def manifest(self, root: str, *, keep: bool = False, skip: Iterable[str] = ()) -> Manifest:
        """Everything below ``root``, without `DERIVED` folders.

        Args:
            root: Absolute path of a folder.
            keep: Also put every file's content into the blob store.
            skip: Absolute paths of folders to leave out (the home of LLM OS).

        Raises:
            TooLarge: More than the cap allows.
        """
        entries: dict[str, Entry] = {}
        skipped = frozenset(skip)
        size = 0
        for folder, names, files in os.walk(root):
            names[:] = sorted(
                n for n in names if n not in DERIVED and os.path.join(folder, n) not in skipped
            )
            for name in [*names, *sorted(files)]:
                path = os.path.join(folder, name)
                if len(entries) >= self._cap.files:
                    raise TooLarge(f"more than {self._cap.files} files below {root}")
                size += _size(path)
                if size > self._cap.bytes:
                    raise TooLarge(f"more than {self._cap.bytes >> 20} MiB below {root}")
                entry = self.entry(path, keep=keep)
                if entry.kind != "absent":
                    entries[path] = entry
        return entries

    def _digest(self, path: str, found: os.stat_result, keep: bool) -> str:
        key = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        with self._lock:
            known = self._known.pop(key, None)
            if known is not None:
                self._known[key] = known
        if known is not None and (not keep or self._blobs.holds(known, found.st_size)):
            return known
        # A file written a moment ago may change again within the clock's grain: not remembered.
        # Asked before it is read, which may take longer than that.
        fresh = _fresh(found)
        digest = self._blobs.put_file(Path(path)) if keep else self._blobs.digest(Path(path))
        if not fresh:
            with self._lock:
                self._known[key] = digest
                if len(self._known) > self._most:
                    del self._known[next(iter(self._known))]
        return digest


def changed(before: Manifest, after: Manifest) -> list[str]:
    """Paths whose entry differs, sorted; folders before what lies in them."""
    paths = before.keys() | after.keys()
    return sorted(p for p in paths if before.get(p, ABSENT) != after.get(p, ABSENT))


def render(manifest: Manifest, root: str, without: Iterable[str]) -> bytes:
    """A manifest as text to be digested and, later, compared line by line.

    Args:
        manifest: What `Snapshots.manifest` returned.
        root: Paths are given relative to it.
        without: Absolute paths to leave out, with the folders above them: what the run wrote.
    """
    left_out = frozenset(without)
    # A run makes the folders on the way to what it writes, where they are missing.
    above = _above(left_out)
    lines = [
        f"{os.path.relpath(path, root)}\t{entry.seen}\n"
        for path, entry in sorted(manifest.items())
        if path not in left_out and not (path in above and entry.kind == "dir")
    ]
    return "".join(lines).encode("utf-8", "surrogateescape")


def _above(paths: Iterable[str]) -> set[str]:
    above: set[str] = set()
    for path in paths:
        folder = os.path.dirname(path)
        while folder not in above and len(folder) > 1:
            above.add(folder)
            folder = os.path.dirname(folder)
    return above


def _size(path: str) -> int:
    try:
        found = os.lstat(path)
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


def _fresh(found: os.stat_result, grain_ns: int = 50_000_000) -> bool:
    import time

    return time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) < grain_ns
