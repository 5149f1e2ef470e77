"""Finds what there is to learn from: sessions of Claude Code (JSONL), trajectories (JSON)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmos.errors import UserError
from llmos.kernel.text import plain
from llmos.memory.atif.reading import document_id, is_document

_SUFFIX = ".jsonl"
_SUBAGENT = "agent-"
"""How the files begin that hold what a subagent did; the main session tells its result."""


@dataclass(frozen=True, slots=True)
class Session:
    """One session file."""

    id: str
    """Its name without the ending: the id that the session has in its own records. Of a document:
    `llmos.memory.atif.reading.document_id`."""
    path: Path
    size: int
    document: bool = False
    """It is a trajectory (ATIF)."""


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
    for path, document in _files(paths):
        try:
            status = path.stat()
        except OSError:
            continue  # gone since the folder was read
        name = document_id(path) if document else path.stem
        session = Session(plain(name), path, status.st_size, document)
        if session.id not in found or found[session.id][1].size < session.size:
            found[session.id] = (status.st_mtime, session)
    ordered = sorted(found.values(), key=lambda item: (item[0], item[1].id))
    return [session for _, session in ordered]


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Files, and whether each is a document."""
    for path in paths:
        if path.is_dir():
            for folder, folders, names in os.walk(path):
                folders.sort()
                for file in (Path(folder, name) for name in sorted(names)):
                    if _is_session(file.name):
                        yield file, False
                    elif is_document(file, named=False):
                        yield file, True
        elif path.exists():
            yield path, is_document(path, named=True)
        else:
            raise UserError(
                f"{str(path)!r} does not exist",
                "name transcripts of Claude Code, ATIF documents or folders: llmos learn PATH…",
            )


def _is_session(name: str) -> bool:
    return name.endswith(_SUFFIX) and not name.startswith(_SUBAGENT)
