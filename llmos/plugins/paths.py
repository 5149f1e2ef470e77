"""Paths as tools and rules see them: resolved, compared, matched, and told apart from secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from fnmatch import translate
from functools import lru_cache
from pathlib import Path

SECRET_FOLDERS = (
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".config",
    ".kube",
    ".docker",
    ".claude",
    ".codex",
    ".password-store",
    ".mozilla",
    ".local/share/keyrings",
    "Library/Keychains",
)
"""Folders below the person's home that hold keys, tokens or sessions."""

SECRET_FILES = (
    ".netrc",
    ".pgpass",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".claude.json",
    ".bash_history",
    ".zsh_history",
    ".python_history",
)
"""Files below the person's home that hold keys, tokens or what was typed."""

_SECRET_STARTS = tuple(f"{name}/" for name in (*SECRET_FOLDERS, *SECRET_FILES))
_SECRET_NAME = re.compile(r"\.env(\.(?!example$|sample$|template$).*)?|id_(rsa|dsa|ecdsa|ed25519)")
_SECRET_SYSTEM = re.compile(r"/etc/g?shadow-?|/proc/(\d+|self|thread-self)/.*")


def user_home() -> Path:
    """The person's home folder (not the home of LLM OS), resolved."""
    return _real(os.path.expanduser("~"))


def spelled(cwd: Path, text: str) -> Path:
    """The absolute path that ``text`` spells, with its symlinks as they are.

    Raises:
        ValueError: The text is empty or holds a NUL.
    """
    if not text or "\0" in text:
        raise ValueError(f"{text!r} is not a path")
    return Path(os.path.abspath(os.path.join(cwd, os.path.expanduser(text))))


def resolve(cwd: Path, text: str) -> Path:
    """The path that ``text`` really names: absolute, without ``..`` and symlinks.

    Raises:
        ValueError: The text is empty or holds a NUL, or its links have no end.
    """
    if not text or "\0" in text:
        raise ValueError(f"{text!r} is not a path")
    # Not through `spelled`: "link/.." is the parent of what the link points to.
    real = os.path.realpath(os.path.join(cwd, os.path.expanduser(text)))
    # What comes after a link that leads in a circle is left as it is: once more, until it stays.
    for _ in range(40):
        again, real = real, os.path.realpath(real)
        if again == real:
            return Path(real)
    raise ValueError(f"{text!r} leads in a circle")


def inside(path: Path, folder: Path) -> bool:
    """Whether ``path`` is ``folder`` or lies below it, by name."""
    # As text: this is asked for every file of a walk, and `Path.parents` is slow.
    name, start = str(path), str(folder)
    return name == start or name.startswith(start if start.endswith("/") else f"{start}/")


def really_inside(path: Path, folder: Path) -> bool:
    """As `inside`, but also when the file system knows the folder by another spelling.

    Case-insensitive file systems and bind mounts give one folder several names.
    """
    if inside(path, folder):
        return True
    try:
        wanted = os.stat(folder)
    except OSError:
        return False
    for candidate in (path, *path.parents):
        try:
            if os.path.samestat(os.stat(candidate), wanted):
                return True
        except OSError:
            continue
    return False


def is_secret(path: Path, cwd: Path) -> bool:
    """Whether a resolved path is a well-known place of keys, tokens or passwords.

    Inside a secret folder that a person chose as working directory only the names count.
    """
    if _SECRET_NAME.fullmatch(path.name) or _SECRET_SYSTEM.fullmatch(str(path)):
        return True
    home = user_home()
    if not inside(path, home):
        return False
    name = f"{str(path)[len(str(home)) :].lstrip('/')}/"
    if not name.startswith(_SECRET_STARTS):
        return False
    chosen = inside(path, cwd) and any(inside(cwd, home / folder) for folder in SECRET_FOLDERS)
    return name[:-1] in SECRET_FILES or not chosen


@lru_cache(maxsize=8)
def _real(path: str) -> Path:
    return Path(os.path.realpath(path))


def shown(path: Path | str, cwd: Path) -> str:
    """A path for people and models: relative below ``cwd``, and always valid text."""
    name = os.fspath(path)
    if inside(Path(name), cwd):
        name = os.path.relpath(name, cwd)
    return os.fsencode(name).decode("utf-8", "replace")


class Glob:
    """A path pattern: ``*`` and ``?`` within one name, ``**`` across folders, ``[…]``, ``{a,b}``.

    Matching takes time linear in pattern times path, whatever the pattern is.

    Args:
        pattern: The pattern, with ``/`` between names.
        start: Names that come before it and stand for themselves.
    """

    def __init__(self, pattern: str, start: Sequence[str] = ()) -> None:
        self._start = tuple(start)
        self._alternatives = [
            tuple(None if name == "**" else _name(name) for name in p.split("/") if name)
            for p in _expand(pattern)
        ]

    def matches(self, parts: Sequence[str]) -> bool:
        """Whether the path with these names matches as a whole."""
        rest = self._after_start(parts)
        if rest is None:
            return False
        for a in self._alternatives:
            # Most paths of a walk fail at their last name already.
            if a and a[-1] is not None and not (rest and a[-1].match(rest[-1])):
                continue
            if len(a) in self._states(a, rest)[-1]:
                return True
        return False

    def covers(self, parts: Sequence[str]) -> bool:
        """Whether the path, or a folder it lies in, matches."""
        rest = self._after_start(parts)
        if rest is None:
            return False
        for a in self._alternatives:
            if len(a) == 2 and a[0] is None and (name := a[1]) is not None:
                if any(map(name.match, rest)):  # "**/name", the usual case
                    return True
            elif any(len(a) in states for states in self._states(a, rest)):
                return True
        return False

    def reaches_below(self, parts: Sequence[str]) -> bool:
        """Whether something at or below the folder with these names may be covered."""
        rest = self._after_start(parts)
        if rest is None:
            return self._start[: len(parts)] == tuple(parts)
        return self.covers(parts) or any(self._states(a, rest)[-1] for a in self._alternatives)

    def _after_start(self, parts: Sequence[str]) -> Sequence[str] | None:
        count = len(self._start)
        return parts[count:] if tuple(parts[:count]) == self._start else None

    @staticmethod
    def _states(
        pattern: tuple[re.Pattern[str] | None, ...], parts: Sequence[str]
    ) -> list[set[int]]:
        # A non-deterministic automaton: for every prefix of the path, how far the pattern may be.
        now = _through_stars(pattern, {0})
        history = [now]
        for part in parts:
            after: set[int] = set()
            for i in now:
                if i == len(pattern):
                    continue
                name = pattern[i]
                if name is None:
                    after.add(i)
                elif name.match(part):
                    after.add(i + 1)
            now = _through_stars(pattern, after)
            history.append(now)
        return history


def _through_stars(pattern: tuple[re.Pattern[str] | None, ...], states: set[int]) -> set[int]:
    found = set(states)
    for i in states:
        while i < len(pattern) and pattern[i] is None:
            i += 1
            found.add(i)
    return found


@lru_cache(maxsize=512)
def _name(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))


def _expand(pattern: str, limit: int = 64) -> list[str]:
    # One brace group at a time, innermost first; what is no group stays as it is.
    done: list[str] = []
    todo = [pattern]
    while todo and len(done) + len(todo) <= limit:
        p = todo.pop(0)
        group = re.search(r"\{([^{}]*,[^{}]*)\}", p)
        if group is None:
            done.append(p)
        else:
            head, tail = p[: group.start()], p[group.end() :]
            todo += [head + choice + tail for choice in group.group(1).split(",")]
    return done + todo
