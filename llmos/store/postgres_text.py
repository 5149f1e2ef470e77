"""Text as PostgreSQL keeps it: all that Python and SQLite hold but the character NUL.

What a tool prints may hold one. It is written as U+001A ``0`` and comes back as it was; so that
this is never taken for what it is not, U+001A itself is written as U+001A ``1``.
"""

from __future__ import annotations

from psycopg import Connection
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader

_MARK = "\x1a"
_MARK_BYTE = b"\x1a"


def escape(text: str) -> str:
    """``text`` without NUL."""
    if _MARK in text or "\0" in text:
        return text.replace(_MARK, _MARK + "1").replace("\0", _MARK + "0")
    return text


def unescape(text: str) -> str:
    """What `escape` was given."""
    return text.replace(_MARK + "0", "\0").replace(_MARK + "1", _MARK)


class _TextDumper(Dumper):
    def dump(self, obj: str) -> Buffer:
        return escape(obj).encode("utf-8")


class _TextLoader(Loader):
    def load(self, data: Buffer) -> str:
        raw = bytes(data)
        text = raw.decode("utf-8")
        return unescape(text) if _MARK_BYTE in raw else text


class _NumericLoader(Loader):
    """Sums of 64-bit integers come as numbers without bounds; SQLite gives an ``int``."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data).decode("ascii")
        return float(text) if set(text) - set("-0123456789") else int(text)


def adapt(connection: Connection[tuple[object, ...]]) -> None:
    """Have ``connection`` take and give values as the store does with SQLite."""
    connection.adapters.register_dumper(str, _TextDumper)
    for name in ("text", "varchar", "bpchar"):
        connection.adapters.register_loader(name, _TextLoader)
    connection.adapters.register_loader("numeric", _NumericLoader)
