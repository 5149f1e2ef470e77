"""Reads the lines of a transcript, one at a time: files may be larger than memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from llmos.memory.importers.report import Report

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes. A longer line is not read: no tool result that a model was shown is that long."""

_IGNORED = frozenset(
    {"ai-title", "api-request", "api-request-blob", "api-request-shape", "atis-latch"}
    | {"cost-state", "custom-title", "file-history-snapshot", "last-prompt", "mode", "pr-link"}
    | {"progress", "queue-operation", "summary", "system", "tools-used", "agent-name"}
    | {"permission-mode", "tag", "attribution-snapshot", "content-replacement", "worktree-state"}
)
"""Types of records that tell nothing of what was asked, done or answered."""

_HEAD = re.compile(
    rb'\{"type":"(?P<type>[a-z-]+)"'
    rb'|\{"parentUuid":(?:null|"[\w-]*"),"isSidechain":(?:true|false)(?:,"agentId":"[\w-]*")?'
    rb',"attachment":\{"type":"(?P<attachment>[\w-]+)"'
)
"""Begin of a line that tells its type; most bytes of a transcript need not be parsed."""


class Record(NamedTuple):
    """One line that may matter."""

    data: dict[str, Any]
    begin: int
    """Offset of the line in the file, in bytes."""


def read_records(path: Path, report: Report) -> Iterator[Record]:
    """The records of a transcript; broken lines are counted and left out.

    Args:
        path: The file.
        report: Counts what is left out.

    Raises:
        OSError: The file cannot be read.
    """
    begin = 0
    with path.open("rb", buffering=1 << 20) as file:
        while line := file.readline(LONGEST_LINE):
            size = len(line)
            if size == LONGEST_LINE and not line.endswith(b"\n"):
                size += _skip_line(file)
                report.not_understood["line: longer than 64 MiB"] += 1
            elif not _known_not_to_matter(line, report):
                record = _parsed(line, report)
                if record is not None:
                    yield Record(record, begin)
            begin += size


def _skip_line(file: Any) -> int:
    skipped = 0
    while rest := file.readline(LONGEST_LINE):
        skipped += len(rest)
        if rest.endswith(b"\n"):
            break
    return skipped


def _known_not_to_matter(line: bytes, report: Report) -> bool:
    head = _HEAD.match(line)
    if head is None:
        return False
    kind = head["type"]
    if kind is not None:
        name = kind.decode()
        if name in _IGNORED:
            report.ignored[name] += 1
            return True
    elif head["attachment"] != b"queued_command":
        report.ignored["attachment"] += 1
        return True
    return False


def _parsed(line: bytes, report: Report) -> dict[str, Any] | None:
    if not line.strip():
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        whole = line.endswith(b"\n")
        report.not_understood[f"line: {'no JSON' if whole else 'cut off at the end'}"] += 1
        return None
    if not isinstance(record, dict) or not isinstance(record.get("type"), str):
        report.not_understood["line: no record with a type"] += 1
        return None
    kind = record["type"]
    if kind in _IGNORED:
        report.ignored[kind] += 1
        return None
    if kind not in ("user", "assistant", "attachment"):
        report.not_understood[f"{kind[:40]}: unknown type of record"] += 1
        return None
    return record
