"""Finds and reads trajectory documents. They are data: no path in them is followed."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from pathlib import Path
from typing import Any, NoReturn

from llmos.memory.atif.checking import Malformed, checked

LARGEST = 64 * 1024 * 1024
"""Bytes. A larger file is not read: a document has to be in memory as a whole."""
HEAD = 64 * 1024
"""Bytes at the begin of a file in which a folder's documents must say what they are."""

_SAYS = re.compile(rb'"schema_version"\s*:\s*"ATIF-')
_AGENT = re.compile(rb'"agent"\s*:\s*\{\s*"name"\s*:\s*"(?P<it>[\w .@-]{1,40})"')
_SESSION = re.compile(rb'"session_id"\s*:\s*"(?P<it>[\w.@-]{1,64})"')
_FIRST = re.compile(rb'\s*\{"(?:type|parentUuid)":')
"""Begin of a session of Claude Code, whatever its file is called."""


def is_document(path: Path, *, named: bool) -> bool:
    """Whether a ``.json`` file is to be read as a trajectory.

    Args:
        path: A file.
        named: The user named it: it is one unless it is plainly something else that is known.
    """
    if path.suffix.lower() != ".json" or (path.is_symlink() and not named):
        return False
    head = _head(path)
    if _SAYS.search(head):
        return True
    return named and not _FIRST.match(head)


def document_id(path: Path) -> str:
    """What a document is known by: who it says it is from, and a digest of what is in it.

    Two runs may both lie in a ``trajectory.json``, and one file may be copied.
    """
    head = _head(path)
    agent, session = _AGENT.search(head), _SESSION.search(head)
    names = [m["it"].decode("ascii", "replace") for m in (agent, session) if m is not None]
    try:
        if path.stat().st_size > LARGEST:
            return f"atif:{path.name}"
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return f"atif:{path.name}"
    return ":".join(("atif", *names, digest[:16]))


def read_document(path: Path) -> dict[str, Any]:
    """A trajectory, checked.

    Raises:
        Malformed: It is none.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise Malformed("", f"larger than {LARGEST // 1024**2} MiB")
    try:
        data = json.loads(content.decode("utf-8-sig"), parse_constant=no_number)
    except json.JSONDecodeError as e:
        raise Malformed(f"line {e.lineno}, column {e.colno}", f"no JSON: {e.msg}") from None
    except UnicodeDecodeError as e:
        raise Malformed(f"byte {e.start}", "no UTF-8") from None
    except RecursionError:
        raise Malformed("", "nested too deeply") from None
    except ValueError as e:
        raise Malformed("", f"no JSON: {e}") from None
    return checked(data)


def no_number(name: str) -> NoReturn:
    """What `json.loads` is to do with ``NaN`` and the like, which are no JSON."""
    raise ValueError(f"{name} is no number")


def _head(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return b""  # reading a pipe might never end
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""
