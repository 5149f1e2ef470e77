"""Finds lines that match a regular expression. Also a program of its own, see `find_apart`.

Python's `re` holds the interpreter while it matches, and some expressions take longer than the
age of the universe on some lines (``(a+)+$``). Nothing inside this process could stop that. So
what may be slow runs in a child, which can be killed. Only the standard library is imported
here: the child starts without anything else.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import TypedDict

MAX_BYTES = 32 * 1024 * 1024
"""Larger files are not searched."""

MAX_LINE = 500
"""Characters of one line that are told."""

_QUICK_LINE = 4096
"""Longest line, in characters, on which one quantifier is quick."""


class Query(TypedDict):
    """What to look for."""

    pattern: str
    ignore_case: bool
    multiline: bool
    """Let matches span lines, and ``.`` match line ends."""
    before: int
    after: int
    """Lines to tell around each hit."""
    files: list[str]


class Found(TypedDict):
    """The matches in one file."""

    file: str
    lines: list[tuple[int, bool, str]]
    """Number from 1, whether it holds a match, and text: the hits and what stands around them."""
    count: int
    """Matches when multiline, else matching lines."""


class TooSlow(Exception):
    """The search did not end in time."""


class _LongLine(Exception):
    pass


def find(query: Query, timeout_s: float) -> tuple[list[Found], list[str]]:
    """Search the files of ``query``.

    Returns:
        What was found, in the order of the files; and the files that are too large.

    Raises:
        TooSlow: It took longer than ``timeout_s``.
        re.error: The pattern is no regular expression.
    """
    flags = re.IGNORECASE if query["ignore_case"] else 0
    compiled = re.compile(query["pattern"], flags)
    if not query["multiline"] and _is_quick(compiled.pattern):
        try:
            return _find(query, _QUICK_LINE)
        except _LongLine:
            pass
    return find_apart(query, timeout_s)


def find_apart(query: Query, timeout_s: float) -> tuple[list[Found], list[str]]:
    """As `find`, in a child process that is killed when the time is over."""
    argv = [sys.executable, "-I", "-S", __file__]
    try:
        ran = subprocess.run(
            argv, input=json.dumps(query).encode(), capture_output=True, timeout=timeout_s
        )
    except subprocess.TimeoutExpired as e:
        raise TooSlow from e
    if ran.returncode != 0:
        raise RuntimeError(ran.stderr.decode("utf-8", "replace").strip()[-300:])
    found, too_large = json.loads(ran.stdout)
    return found, too_large


def _is_quick(pattern: str) -> bool:
    """Whether no line of ordinary length can take long: one quantifier on one atom, few choices."""
    bare = re.sub(r"\\.", "x", pattern)
    if re.search(r"\)[*+?{]|\(\?P=", bare) or re.search(r"\\[1-9]", pattern):
        return False
    choices = bare.count("?") + bare.count("|")
    return len(re.findall(r"[*+{]", bare)) <= 1 and choices <= 8


def _find(query: Query, longest_line: int | None) -> tuple[list[Found], list[str]]:
    flags = re.IGNORECASE if query["ignore_case"] else 0
    if query["multiline"]:
        flags |= re.DOTALL | re.MULTILINE
    compiled = re.compile(query["pattern"], flags)
    found: list[Found] = []
    too_large: list[str] = []
    for file in query["files"]:
        data = _read(file)
        if data is None:
            too_large.append(file)
            continue
        if b"\0" in data[:8192]:  # binary, as grep and git see it
            continue
        text = data.decode("utf-8", "replace")
        lines = _lines(text)
        if longest_line is not None and any(len(line) > longest_line for line in lines):
            raise _LongLine
        hits, count = _spanning(compiled, text) if query["multiline"] else _by_line(compiled, lines)
        if hits:
            found.append({"file": file, "lines": [*_around(hits, lines, query)], "count": count})
    return found, too_large


def _around(
    hits: Sequence[int], lines: Sequence[str], query: Query
) -> Iterator[tuple[int, bool, str]]:
    upto, matched = 0, set(hits)
    for hit in hits:
        start, end = max(upto, hit - query["before"]), min(len(lines), hit + query["after"] + 1)
        for i in range(start, end):
            yield i + 1, i in matched, _cut(lines[i])
        upto = max(upto, end)


def _cut(line: str) -> str:
    if len(line) <= MAX_LINE:
        return line
    return f"{line[:MAX_LINE]}… ({len(line) - MAX_LINE} more characters)"


def _by_line(compiled: re.Pattern[str], lines: Sequence[str]) -> tuple[list[int], int]:
    hits = [i for i, line in enumerate(lines) if compiled.search(line)]
    return hits, len(hits)


def _spanning(compiled: re.Pattern[str], text: str) -> tuple[list[int], int]:
    starts = [0, *(m.end() for m in re.finditer("\n", text))]
    hits: set[int] = set()
    count = 0
    for m in compiled.finditer(text):
        count += 1
        first = bisect_right(starts, m.start()) - 1
        last = bisect_right(starts, max(m.start(), m.end() - 1)) - 1
        hits.update(range(first, last + 1))
    return sorted(hits), count


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def _read(file: str) -> bytes | None:
    try:
        with open(file, "rb") as f:
            data = f.read(MAX_BYTES + 1)
    except OSError:
        return b""
    return None if len(data) > MAX_BYTES else data


def _main(arguments: Iterable[bytes]) -> None:
    query: Query = json.loads(b"".join(arguments))
    sys.stdout.buffer.write(json.dumps(_find(query, None)).encode())


if __name__ == "__main__":
    _main(sys.stdin.buffer)
