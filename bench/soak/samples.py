"""What the process and the store take at one moment. Linux only: it reads ``/proc``."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select, text

from llmos.store import Store
from llmos.store.schema import metadata

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Sample:
    """One moment."""

    goals: int
    """Goals that were executed so far."""
    rss_kb: int
    """Resident memory of the process, after the garbage was collected."""
    children_kb: int
    """That of the processes that it has started."""
    objects: int
    """Python objects that the garbage collector knows."""
    blocks: int
    """Pieces of memory that Python has given out, for objects of all kinds."""
    malloc_kb: int
    """What is in use of what the C library has given out, as SQLite's pages are; 0: unknown."""
    malloc_free_kb: int
    """What it keeps of memory that nobody uses any more, in pieces between what is used."""
    threads: int
    connections: int
    """To the database file; each may hold 2 MB of its pages."""
    files: int
    """Open file descriptors."""
    tasks: int
    """asyncio tasks, the one that samples among them."""
    database_kb: int
    """The database with its log; crons.db is another one."""
    crons_kb: int
    """What the engine of the crons keeps beside it."""
    blobs_kb: int
    blobs: int
    mirror_kb: int
    rows: dict[str, int]
    """Rows of each table."""

    @property
    def store_kb(self) -> int:
        """All that is kept in the home, without the mirror, which is a rendering."""
        return self.database_kb + self.crons_kb + self.blobs_kb


def sample(store: Store, goals: int) -> Sample:
    """Look at this process and at a store."""
    gc.collect()
    home, (in_use, free) = store.home, _malloc_kb()
    return Sample(
        goals=goals,
        rss_kb=_resident_kb(os.getpid()),
        children_kb=sum(map(_resident_kb, _children())),
        objects=len(gc.get_objects()),
        blocks=sys.getallocatedblocks(),
        malloc_kb=in_use,
        malloc_free_kb=free,
        threads=threading.active_count(),
        connections=sum(name.endswith("/llmos.db") for name in _open_files()),
        files=len(os.listdir("/proc/self/fd")),
        tasks=len(asyncio.all_tasks()),
        database_kb=store.read(_database_kb),
        crons_kb=_size_kb(home.glob("crons.db*")),
        blobs_kb=_size_kb((home / "blobs").rglob("*")),
        blobs=sum(path.is_file() for path in (home / "blobs").rglob("*")),
        mirror_kb=_size_kb((home / "workspace").rglob("*")),
        rows=store.read(_rows),
    )


def bytes_by_table(store: Store) -> dict[str, int]:
    """Bytes that each table takes with its indexes, the largest first."""
    taken = store.read(_taken)
    return dict(sorted(taken.items(), key=lambda item: -item[1]))


def _taken(conn: Connection) -> Counter[str]:
    taken: Counter[str] = Counter()
    if conn.dialect.name == "postgresql":
        for name in metadata.tables:
            size = conn.scalar(text("SELECT pg_total_relation_size(:name)"), {"name": name})
            taken[name] = int(size or 0)
        return taken
    whose = {
        row[0]: row[1] for row in conn.execute(text("SELECT name, tbl_name FROM sqlite_master"))
    }
    found = conn.execute(text("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))
    for name, size in found:
        taken[str(whose.get(name, name))] += int(size)
    return taken


def _database_kb(conn: Connection) -> int:
    if conn.dialect.name == "postgresql":
        return int(conn.scalar(text("SELECT pg_database_size(current_database())")) or 0) // 1024
    file = Path(str(conn.engine.url.database))
    return _size_kb([file, file.with_name(f"{file.name}-wal")])


def _rows(conn: Connection) -> dict[str, int]:
    counted = {
        name: int(conn.scalar(select(func.count()).select_from(table)) or 0)
        for name, table in metadata.tables.items()
    }
    return {name: number for name, number in counted.items() if number}


def _size_kb(paths: Iterable[Path]) -> int:
    size = 0
    for path in paths:
        try:
            size += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return size // 1024


def _resident_kb(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE // 1024
    except FileNotFoundError:
        return 0


class _MallInfo(ctypes.Structure):
    """``struct mallinfo2`` of glibc 2.33 and newer."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks"),
            *("uordblks", "fordblks", "keepcost"),
        )
    )


def _malloc_kb() -> tuple[int, int]:
    """What is in use, and what is free; zeros where nobody tells."""
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return 0, 0
    ask.restype = _MallInfo
    told = ask()
    return (told.uordblks + told.hblkhd) // 1024, told.fordblks // 1024


def _open_files() -> Iterator[str]:
    for fd in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the listing itself
            yield os.readlink(f"/proc/self/fd/{fd}")


def _children() -> list[int]:
    found = Path("/proc/self/task").glob("*/children")
    return [int(pid) for path in found for pid in path.read_text().split()]
