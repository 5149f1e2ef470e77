"""Goals as they are typed: on the line, from standard input, or from a file."""

from __future__ import annotations

import sys
from pathlib import Path

from llmos.errors import UserError


def read_goal(argument: str) -> str:
    """The goal that an argument stands for.

    Args:
        argument: The goal itself; ``-`` for standard input; ``@FILE`` for a file.

    Raises:
        UserError: The file cannot be read, or is not UTF-8.
    """
    if argument == "-":
        return decoded(sys.stdin.buffer.read(), "standard input")
    if not argument.startswith("@"):
        return argument
    path = Path(argument[1:]).expanduser()
    try:
        return decoded(path.read_bytes(), str(path))
    except OSError as e:
        why = (e.strerror or "it cannot be read").lower()
        raise UserError(f"cannot read the goal from {str(path)!r}: {why}", "name a file") from e


def decoded(data: bytes, where: str) -> str:
    """Bytes as text.

    Raises:
        UserError: They are not UTF-8.
    """
    try:
        return data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as e:
        line = data[: e.start].count(b"\n") + 1
        raise UserError(
            f"{where} is not UTF-8 text: byte 0x{data[e.start]:02x} in line {line}",
            "convert it first: iconv -t UTF-8",
        ) from e
