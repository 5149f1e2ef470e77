"""How fast events are appended, and how fast the feed is read when there are many.

    python -m bench events [--json]

The floor is the same row written and committed with the bare driver, in the same file layout.
The same is measured with PostgreSQL where its test server can be started, over a local socket.
"""

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from _pytest.outcomes import Skipped

from llmos.observability.hub import ObservabilityHub
from llmos.store import Store, Transaction, new_id
from llmos.store.schema import dumps, events, stamp
from llmos.values import EventType
from tests.support.databases import running_server

PAYLOAD = {"mode": "FOLLOWER", "steps": 5, "cost_usd": 0.0, "tokens": 0}
COLUMNS = "id, type, at, volume, owner, actor, subject, title, payload"
BATCH = 10_000
ROWS = 1_000_000
APPENDS = 5_000


def append(tx: Transaction) -> None:
    tx.event(
        EventType.TASK_COMPLETED,
        owner="alice",
        actor="alice",
        subject="01HGFXX0000000000000000000",
        title="Summarise the sales of the week",
        payload=PAYLOAD,
    )


def row(i: int, at: datetime) -> dict[str, str]:
    types = list(EventType)
    return {
        "id": new_id(),
        "type": types[i % len(types)].value,
        "at": stamp(at),
        "volume": "user",
        "owner": ("alice", "bob")[i % 2],
        "actor": "UserCron",
        "subject": f"artifact-{i}",
        "title": f"Something worth a line, number {i}",
        "payload": dumps(PAYLOAD),
    }


def rate(times: int, once: Callable[[], object]) -> float:
    begun = time.perf_counter()
    for _ in range(times):
        once()
    return times / (time.perf_counter() - begun)


def floor(home: Path, times: int) -> float:
    """The bare driver, in the calling thread: nothing on top of SQLite."""
    conn = sqlite3.connect(home / "floor.db", isolation_level=None)
    conn.execute("PRAGMA journal_mode=WAL")
    conn.execute("PRAGMA synchronous=NORMAL")
    conn.execute(f"CREATE TABLE events (seq INTEGER PRIMARY KEY, {COLUMNS})")
    conn.execute("CREATE UNIQUE INDEX by_id ON events (id)")
    conn.execute("CREATE INDEX by_owner ON events (volume, owner, seq)")
    conn.execute("CREATE INDEX by_time ON events (at)")
    insert = f"INSERT INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"

    def once() -> None:
        conn.execute("BEGIN IMMEDIATE")
        conn.execute(insert, tuple(row(0, datetime.now(UTC)).values()))
        conn.execute("COMMIT")

    found = rate(times, once)
    conn.close()
    return found


def postgres_floor(url: str, times: int) -> float:
    """The bare driver of PostgreSQL, in the calling thread, without a lock."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SET synchronous_commit = off")
        conn.execute("CREATE TABLE floor (LIKE events INCLUDING ALL)")
        marks = ", ".join(["%s"] * (COLUMNS.count(",") + 1))
        insert = f"INSERT INTO floor ({COLUMNS}) VALUES ({marks})"
        return rate(times, lambda: conn.execute(insert, tuple(row(0, datetime.now(UTC)).values())))


def fill(store: Store, rows: int) -> None:
    """Many events, a second apart, the newest now."""
    begun = datetime.now(UTC) - timedelta(seconds=rows)
    for start in range(0, rows, BATCH):
        many = [
            row(i, begun + timedelta(seconds=i)) for i in range(start, min(start + BATCH, rows))
        ]
        store.write(lambda tx, many=many: tx.conn.execute(events.insert(), many))


def milliseconds(once: Callable[[], object]) -> tuple[float, float]:
    """Median and 99th percentile of 100 calls."""
    taken = []
    for _ in range(100):
        begun = time.perf_counter()
        once()
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98]


def measure(home: Path, rows: int, appends: int) -> list[dict[str, Any]]:
    """All rows of the table, in a new home."""
    found: list[dict[str, Any]] = []
    with Store.open(home) as store:
        bare = floor(home, appends)
        found += appended(store, appends)
        found[0] |= {"bare_driver_per_s": round(bare), "target": ">= 2,000/s"}
        fill(store, rows)
        hub = ObservabilityHub(store, user_id="alice")
        p50, p99 = milliseconds(lambda: hub.get_activity_feed(since_hours=24))
        name = f"activity feed of {rows:,} events"
        times_ms = {"p50_ms": round(p50, 2), "p99_ms": round(p99, 2)}
        found.append({"what": name, **times_ms, "target": "<= 20 ms"})
    return found


def appended(store: Store, appends: int) -> list[dict[str, Any]]:
    """How fast events are appended, one by one; and so that each survives a power cut."""
    found: list[dict[str, Any]] = []
    for what, times, durable in (("append", appends, False), ("durable", appends // 10, True)):
        per_s = rate(times, lambda d=durable: store.write(append, durable=d))
        found.append({"what": f"event {what}", "per_s": round(per_s)})
    return found


def measure_postgres(home: Path, appends: int) -> list[dict[str, Any]]:
    """The same appends, with a server on this machine that keeps its promises."""
    with running_server(safe=True) as server:
        url = server.empty()
        with Store.open(home, url=url) as store:
            bare = postgres_floor(url, appends)
            found = appended(store, appends)
    found[0] |= {"bare_driver_per_s": round(bare)}
    return [row | {"what": f"{row['what']}, PostgreSQL"} for row in found]


def main() -> list[dict[str, Any]]:
    """Measure and return the rows."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder) / "home", ROWS, APPENDS)
        with suppress(Skipped):
            found += measure_postgres(Path(folder) / "other", APPENDS)
        return found
