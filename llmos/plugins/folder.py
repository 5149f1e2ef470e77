"""The plugin files of a home, loaded again where they have changed.

Looking costs a listing of the folder: a file is read only if its time or size says so, and run
only if its bytes do. One that cannot be loaded any more leaves its tools as they were.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from llmos.plugins.loader import LoadProblem, Plugin, load_file, plugin_files
from llmos.plugins.registry import Registry, Source

_SETTLED_NS = 2_000_000_000
"""Age from which on a file's time can be relied on: until then it may be written again in it."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file as it was last looked at."""

    stamp: tuple[int, int, int]
    digest: str
    source: Source


class PluginFolder:
    """The files of one folder in a registry.

    Args:
        folder: Where they lie; one that does not exist holds none.
        registry: Where their tools are offered.
    """

    def __init__(self, folder: Path, registry: Registry) -> None:
        self._folder = folder
        self._registry = registry
        self._seen: dict[Path, _Seen] = {}
        self._lock = threading.Lock()

    def refresh(self, force: bool = False) -> list[Source]:
        """Load what is new or has changed, and drop what is gone.

        Args:
            force: Load every file again.

        Returns:
            What was loaded, or could not be.
        """
        with self._lock:
            there = plugin_files(self._folder)
            for path in set(self._seen) - set(there):
                self._registry.drop(self._seen.pop(path).source)
            done = [self._look(path, force) for path in there]
        return [source for source in done if source is not None]

    def _look(self, path: Path, force: bool) -> Source | None:
        before = self._seen.get(path)
        stamp = _stamp(path)
        settled = time.time_ns() - stamp[0] > _SETTLED_NS
        if before is not None and before.stamp == stamp and settled and not force:
            return None
        digest = _digest(path)
        if before is not None and before.digest == digest and not force:
            self._seen[path] = replace(before, stamp=stamp)
            return None
        source = self._load(path, before.source if before else None)
        self._seen[path] = _Seen(stamp, digest, source)
        return source

    def _load(self, path: Path, before: Source | None) -> Source:
        source = self._registry.put(source_of(load_file(path)))
        if source.tools or before is None or not before.tools:
            return source
        why = source.problems[-1]
        told = f"{why.reason}; the version before is in use until this one can be loaded"
        problem = LoadProblem(why.path, why.line, told)
        return self._registry.put(replace(before, problems=(problem,)))


def source_of(found: Plugin | LoadProblem) -> Source:
    """What a plugin file offers, or why it offers nothing."""
    if isinstance(found, Plugin):
        return Source("file", str(found.path), found.tools)
    return Source("file", str(found.path), problems=(found,))


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        now = path.stat()
    except OSError:
        return (0, 0, 0)
    return (now.st_mtime_ns, now.st_size, now.st_ino)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as e:
        return str(e.errno)
