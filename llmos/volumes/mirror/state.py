"""What the mirror has written in the folder of a volume: how it knows edited files from its own.

It lies with the files that it tells of. Lost, it is made anew, and files that do not look as they
would be written now are taken for edited ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from llmos.values import Json
from llmos.volumes.mirror.files import Folder, Foreign, digest_of
from llmos.volumes.mirror.rendering import FORMAT, is_file

STATE = ".mirror.json"

_DIGEST = re.compile(r"[0-9a-f]{64}")
_LARGEST = 64 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One file as it was last written."""

    key: str = ""
    """Which version, and how it stood; "" where that is not known."""
    ours: frozenset[str] = frozenset()
    """Digests of files that nobody has edited. Two while one takes the other's place."""
    beside: frozenset[str] = frozenset()
    """The same of what was put beside an edited file."""

    @property
    def version(self) -> str | None:
        """Digest of the version that was rendered."""
        digest = self.key.partition(" ")[0]
        return digest if _DIGEST.fullmatch(digest) else None


@dataclass
class State:
    """What has been written in the folder of one volume."""

    edition: int | None = None
    """Of the volume, if since then all its files were as they should be."""
    entries: dict[str, Entry] = field(default_factory=dict)
    """By path within the folder of the volume."""
    _stored: str = ""

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """The state of a volume's folder; an empty one where it cannot be read.

        Raises:
            OSError: The folder cannot be used.
        """
        try:
            data = folder.read(STATE, _LARGEST)
            kept = json.loads(data) if data else {}
            same = kept.get("format") == FORMAT
            files = {p: t for p, t in kept.get("files", {}).items() if is_file(p)}
            entries = {path: _entry(told, same) for path, told in files.items()}
            edition = kept.get("edition") if same else None
        except (Foreign, ValueError, TypeError, AttributeError, KeyError, RecursionError):
            return cls()
        return cls(edition if isinstance(edition, int) else None, entries, digest_of(data or b""))

    def save(self, folder: Folder) -> None:
        """Write the state if it is another one than the stored.

        Raises:
            Foreign: Something else stands in its place.
            OSError: It cannot be written.
        """
        files = {p: _told(e) for p, e in sorted(self.entries.items())}
        kept = {"format": FORMAT, "edition": self.edition, "files": files}
        data = json.dumps(kept, separators=(",", ":")).encode()
        if digest_of(data) == self._stored:
            return
        now = folder.digest(STATE)
        folder.write(STATE, data, over=() if now is None else (now,))
        self._stored = digest_of(data)


def _entry(told: Mapping[str, Any], same_format: bool) -> Entry:
    key = str(told["key"]) if same_format else ""
    return Entry(key, frozenset(map(str, told["ours"])), frozenset(map(str, told["beside"])))


def _told(entry: Entry) -> dict[str, Json]:
    return {"key": entry.key, "ours": sorted(entry.ours), "beside": sorted(entry.beside)}
