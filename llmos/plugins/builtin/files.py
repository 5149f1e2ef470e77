"""``Read``, ``Write`` and ``Edit``."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from llmos.plugins.invoke import ToolError
from llmos.plugins.paths import resolve
from llmos.plugins.tool import ToolContext, tool
from llmos.values import Json

MAX_LINES = 2000
"""Lines that ``Read`` returns when no limit is given, as agents know it."""

MAX_LINE = 2000
"""Characters of one line that ``Read`` returns."""

MAX_BYTES = 64 * 1024 * 1024
"""Largest file that is read or edited as a whole."""


def located(context: ToolContext, text: str) -> Path:
    """The path that an argument names.

    Raises:
        ToolError: It names none.
    """
    try:
        return resolve(context.cwd, text)
    except ValueError as e:
        raise ToolError(str(e)) from e


def file_resource(
    argument: str,
) -> Callable[[ToolContext, Mapping[str, Json]], tuple[str, ...]]:
    """Declares the file that ``argument`` names, at its real place."""
    return lambda context, arguments: (f"file:{located(context, arguments[argument])}",)


@tool(name="Read", effects="read", reads=file_resource("file_path"), version="1")
def read(
    file_path: str,
    context: ToolContext,
    offset: int | None = None,
    limit: int | None = None,
) -> str:
    """Read a text file. Lines come numbered, as ``cat -n`` prints them.

    Args:
        file_path: Path of the file; a relative one starts at the working directory.
        offset: Number of the first line to read, counted from 1.
        limit: How many lines to read; 2000 when left out.
        context: Handed in by the kernel.
    """
    path = located(context, file_path)
    first, count = max(1, offset or 1), MAX_LINES if limit is None else max(1, limit)
    text = _text(path, file_path)
    if not text:
        return f"(the file {file_path} is empty)"
    lines = text.removeprefix("\ufeff").split("\n")
    if lines[-1] == "":
        lines.pop()
    if first > len(lines):
        return f"(the file {file_path} has {len(lines)} lines: none at {first})"
    chosen = lines[first - 1 : first - 1 + count]
    shown = [f"{n:6d}\t{_cut(line)}" for n, line in enumerate(chosen, first)]
    if (rest := len(lines) - (first - 1 + len(chosen))) > 0:
        shown.append(f"(… {rest} more lines: go on with offset={first + len(chosen)})")
    return "\n".join(shown)


@tool(name="Write", effects="write", writes=file_resource("file_path"), version="1")
def write(file_path: str, content: str, context: ToolContext) -> str:
    """Write a text file as a whole; missing folders are made, an existing file is replaced.

    Args:
        file_path: Path of the file; a relative one starts at the working directory.
        content: Everything the file is to hold.
        context: Handed in by the kernel.
    """
    path = located(context, file_path)
    existed = os.path.lexists(path)
    _replace(path, file_path, content)
    return f"The file {file_path} has been {'replaced' if existed else 'created'}."


@tool(
    name="Edit",
    effects="write",
    reads=file_resource("file_path"),
    writes=file_resource("file_path"),
    version="1",
)
def edit(
    file_path: str,
    old_string: str,
    new_string: str,
    context: ToolContext,
    replace_all: bool = False,
) -> str:
    """Replace a piece of text in a file. It must occur exactly once, or say ``replace_all``.

    Args:
        file_path: Path of the file; a relative one starts at the working directory.
        old_string: The text to replace, exactly as it is in the file, without line numbers;
            empty to create the file.
        new_string: The text to put there.
        replace_all: Replace every occurrence.
        context: Handed in by the kernel.
    """
    path = located(context, file_path)
    if old_string == new_string:
        raise ToolError("old_string and new_string are the same: nothing to do")
    if old_string == "":
        return _create(path, file_path, new_string)
    text = _text(path, file_path)
    if old_string not in text and "\r\n" in text:
        # Read shows lines without their ends, so a model cannot know that they are CRLF.
        old_string, new_string = (
            s.replace("\r\n", "\n").replace("\n", "\r\n") for s in (old_string, new_string)
        )
    found = text.count(old_string)
    if found == 0:
        raise ToolError(f"old_string was not found in {file_path}: read the file again")
    if found > 1 and not replace_all:
        raise ToolError(
            f"old_string occurs {found} times in {file_path}: "
            "add lines around it until it is unique, or set replace_all"
        )
    _replace(path, file_path, text.replace(old_string, new_string))
    times = f": {found} times" if found > 1 else ""
    return f"The file {file_path} has been edited{times}."


def _create(path: Path, name: str, text: str) -> str:
    if os.path.lexists(path):
        raise ToolError(f"old_string is empty, but {name} exists: use Write to replace all of it")
    _replace(path, name, text)
    return f"The file {name} has been created."


def _cut(line: str) -> str:
    line = line.removesuffix("\r")
    if len(line) <= MAX_LINE:
        return line
    return f"{line[:MAX_LINE]}… ({len(line) - MAX_LINE} more characters)"


def _text(path: Path, name: str) -> str:
    with _errors("read", name):
        # Not blocking: opening a pipe would wait for somebody to write into it.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            _check_regular(os.fstat(fd), name)
            with open(fd, "rb", closefd=False) as f:
                data = f.read(MAX_BYTES + 1)
        finally:
            os.close(fd)
    if len(data) > MAX_BYTES:
        raise ToolError(f"{name} is larger than {MAX_BYTES >> 20} MiB: use Grep or Bash")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as e:
        raise ToolError(
            f"{name} is not UTF-8 text (byte 0x{data[e.start]:02x} at {e.start})"
        ) from e


def _check_regular(status: os.stat_result, name: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise ToolError(f"{name} is a folder: Glob lists what is in it")
    if not stat.S_ISREG(status.st_mode):
        raise ToolError(f"{name} is no regular file")


def _replace(path: Path, name: str, text: str) -> None:
    """Put ``text`` at ``path`` at once or not at all; an existing file keeps its mode bits."""
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as e:
        raise ToolError(f"the text cannot be written as UTF-8: {e.reason} at {e.start}") from e
    with _errors("write", name):
        status = os.stat(path) if os.path.lexists(path) else None
        if status is not None:
            _check_regular(status, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.parent / f".llmos-{secrets.token_hex(6)}"
        try:
            # 0o666 less the umask, as any program makes a file.
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as f:
                if status is not None:
                    os.fchmod(f.fileno(), stat.S_IMODE(status.st_mode))
                f.write(data)
            os.replace(draft, path)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise


@contextmanager
def _errors(doing: str, name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as e:
        raise ToolError(f"{name} does not exist") from e
    except IsADirectoryError as e:
        raise ToolError(f"{name} is a folder: Glob lists what is in it") from e
    except OSError as e:
        reason = "too many symlinks" if e.errno == errno.ELOOP else e.strerror
        raise ToolError(f"cannot {doing} {name}: {reason}") from e
