"""Traces are kept relative to the working directory, the user's home and the temporary folder.

In stored text ``$CWD``, ``$HOME`` and ``$TMP`` stand for those folders, so that a job learnt in one
checkout replays in another. The translation is a bijection: a ``$HOME`` that was in the text all
along is stored as ``$$HOME``.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from llmos.values import Json

_STORED = re.compile(r"(\$+)(CWD|HOME|TMP)(?![A-Za-z0-9_])")


@dataclass(frozen=True)
class Places:
    """The three folders of one run, as absolute resolved paths."""

    cwd: str
    home: str
    tmp: str

    @classmethod
    def of(cls, cwd: Path) -> Places:
        """The folders for a run in ``cwd``."""
        return cls(str(cwd.resolve()), str(Path.home()), str(Path(tempfile.gettempdir()).resolve()))

    def relative(self, value: Json) -> Json:
        """``value`` with the folders replaced by their names, in every text and key."""
        return _map_text(value, self._relative)

    def absolute(self, value: Json) -> Json:
        """The inverse of `relative`, with this run's folders."""
        return _map_text(value, self._absolute)

    @cached_property
    def _folders(self) -> dict[str, str]:
        return {"CWD": self.cwd, "HOME": self.home, "TMP": self.tmp}

    @cached_property
    def _names(self) -> dict[str, str]:
        """Folder to name, the longest first: a project lies in a home."""
        # "/" would match everywhere and mean nothing. Of equal folders the first name is used.
        usable = {path: n for n, path in reversed(self._folders.items()) if len(path) > 1}
        return dict(sorted(usable.items(), key=lambda item: -len(item[0])))

    @cached_property
    def _known(self) -> re.Pattern[str]:
        if not self._names:
            return _STORED
        either = "|".join(map(re.escape, self._names))
        # Whole path prefixes only: "/a/b" is not in "/a/bc", "/x/a/b", "/a/b.old" or "/a/b~", but
        # it is in "-I/a/b". Only what cannot end the name of a folder may stand before it.
        begin = r"(?:(?<![^\s'\"`“‘«=:,;@!(\[{<>|&])|(?<=[\s'\"]-[A-Za-z]))"
        path = rf"{begin}(?:{either})(?![\w~@%+=#-]|\.+[\w~-])"
        return re.compile(rf"{_STORED.pattern}|{path}")

    def _relative(self, text: str) -> str:
        if "$" not in text and not any(folder in text for folder in self._names):
            return text
        # A name that was in the text all along gets one more "$".
        return self._known.sub(lambda m: f"${m[0]}" if m[1] else f"${self._names[m[0]]}", text)

    def _absolute(self, text: str) -> str:
        def one(m: re.Match[str]) -> str:
            if len(m[1]) > 1:
                return m[0][1:]
            folder = self._folders[m[2]]
            return "" if folder == "/" and text.startswith("/", m.end()) else folder

        return _STORED.sub(one, text) if "$" in text else text


def _map_text(value: Json, change: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(k): _map_text(v, change) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_map_text(v, change) for v in value]
    return value
