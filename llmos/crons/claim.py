"""Which of all processes that share a database runs the crons: a row names it.

A lock file is of one home; homes on several machines can share a database. The row counts as
long as its process lives, and what tells that is what tells it everywhere: `Store.lives`.
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from llmos.store import Store, Transaction
from llmos.store.schema import dumps, parse_stamp, stamp
from llmos.values import Json
from llmos.volumes import Place, get_watermark, set_watermark

_SYSTEM = Place("system", "system")

NAME = "cron-holder"
"""Of the watermark of the system that is the row."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that runs the crons."""

    pid: int
    since: datetime | None
    kind: str
    """``daemon``, or ``program``: one that embeds LLM OS."""
    machine: str = ""
    """Where it runs; empty: here, in this home."""
    home: str = ""
    """Its home; empty: this one."""

    def __str__(self) -> str:
        since = f" since {self.since.astimezone():%Y-%m-%d %H:%M}" if self.since else ""
        where = f" on {self.machine} ({self.home})" if self.machine else ""
        return f"{self.kind} {self.pid}{where}{since}"


def claim(tx: Transaction, store: Store, now: datetime, kind: str) -> Holder | None:
    """Name this process, if no other that lives is named; else who that is."""
    named = _named(tx.conn)
    if named is not None and named["process"] != store.process_id:
        if store.lives(tx.conn, str(named["process"])):
            return _holder(named)
        # Cut off rather than dead, it must find out before it writes again.
        store.end_process(tx, str(named["process"]))
    row: dict[str, Json] = {
        "process": store.process_id,
        "pid": os.getpid(),
        "since": stamp(now),
        "kind": kind,
        "machine": platform.node(),
        "home": str(store.home),
    }
    set_watermark(tx, NAME, _SYSTEM, dumps(row))
    return None


def give_up(tx: Transaction, store: Store) -> None:
    """Name nobody, if this process is named."""
    if is_mine(tx.conn, store):
        set_watermark(tx, NAME, _SYSTEM, "")


def claimed(conn: Connection, store: Store) -> Holder | None:
    """The living process that is named, this one too; None if there is none."""
    named = _named(conn)
    if named is None or not store.lives(conn, str(named["process"])):
        return None
    return _holder(named)


def is_mine(conn: Connection, store: Store) -> bool:
    """Whether this process is named."""
    named = _named(conn)
    return named is not None and named["process"] == store.process_id


def is_of(holder: Holder, store: Store) -> bool:
    """Whether a process is one of this very home."""
    return (holder.machine, holder.home) == (platform.node(), str(store.home))


def _named(conn: Connection) -> dict[str, Json] | None:
    told = get_watermark(conn, NAME, _SYSTEM)
    row: dict[str, Json] | None = json.loads(told) if told else None
    return row


def _holder(row: dict[str, Json]) -> Holder:
    since = parse_stamp(str(row["since"]))
    return Holder(
        int(str(row["pid"])), since, str(row["kind"]), str(row["machine"]), str(row["home"])
    )
