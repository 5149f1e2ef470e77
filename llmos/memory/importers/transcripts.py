"""Finds the sessions of Claude Code: one JSONL file each, in a folder for each project."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmos.errors import UserError
from llmos.kernel.text import plain

_SUFFIX = ".jsonl"
_SUBAGENT = "agent-"
"""How the files begin that hold what a subagent did; the main session tells its result."""


@dataclass(frozen=True, slots=True)
class Session:
    """One session file."""

    id: str
    """Its name without the ending: the id that the session has in its own records."""
    path: Path
    size: int


def default_folder() -> Path:
    """Where Claude Code keeps its transcripts."""
    return Path(os.environ.get("CLAUDE_CONFIG_DIR") or "~/.claude").expanduser() / "projects"


def find_sessions(paths: Sequence[Path]) -> list[Session]:
    """The sessions in files and folders, each once, the oldest file first.

    Of several files of one session (a backup, for instance) the largest is taken.

    Args:
        paths: Files, and folders that are searched with what is below them.

    Raises:
        UserError: A path does not exist.
    """
    found: dict[str, tuple[float, Session]] = {}
    for path in _files(paths):
        try:
            status = path.stat()
        except OSError:
            continue  # gone since the folder was read
        session = Session(plain(path.stem), path, status.st_size)
        if session.id not in found or found[session.id][1].size < session.size:
            found[session.id] = (status.st_mtime, session)
    ordered = sorted(found.values(), key=lambda item: (item[0], item[1].id))
    return [session for _, session in ordered]


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            for folder, folders, names in os.walk(path):
                folders.sort()
                yield from (Path(folder, n) for n in sorted(names) if _is_session(n))
        elif path.exists():
            yield path
        else:
            raise UserError(
                f"{str(path)!r} does not exist",
                "name transcripts of Claude Code, or a folder of them: llmos learn PATH…",
            )


def _is_session(name: str) -> bool:
    return name.endswith(_SUFFIX) and not name.startswith(_SUBAGENT)
