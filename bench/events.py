"""How fast events are appended, and how fast the feed is read when there are many.

    python bench/events.py [--rows N] [--appends N] [--json]

The floor is the same row written and committed with the bare driver, in the same file layout.
"""

import argparse
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from sqlalchemy import Connection, select

from llmos.store import Store, Transaction, new_id
from llmos.store.schema import dumps, events, stamp
from llmos.values import EventType

PAYLOAD = {"mode": "FOLLOWER", "steps": 5, "cost_usd": 0.0, "tokens": 0}
COLUMNS = "id, type, at, volume, owner, actor, subject, title, payload"
BATCH = 10_000


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


def fill(store: Store, rows: int) -> None:
    """Many events, a second apart, the newest now."""
    begun = datetime.now(UTC) - timedelta(seconds=rows)
    for start in range(0, rows, BATCH):
        many = [
            row(i, begun + timedelta(seconds=i)) for i in range(start, min(start + BATCH, rows))
        ]
        store.write(lambda tx, many=many: tx.conn.execute(events.insert(), many))


def feed(owner: str | None, since: datetime | None) -> Callable[[Connection], int]:
    query = select(events).order_by(events.c.seq.desc()).limit(50)
    if owner is not None:
        query = query.where(events.c.volume == "user", events.c.owner == owner)
    if since is not None:
        query = query.where(events.c.at >= stamp(since))
    return lambda conn: len(conn.execute(query).all())


def milliseconds(store: Store, query: Callable[[Connection], int]) -> tuple[float, float]:
    """Median and 99th percentile of 200 reads; the first, which plans the query, left out."""
    assert store.read(query) > 0
    taken = []
    for _ in range(200):
        begun = time.perf_counter()
        store.read(query)
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98]


def measure(home: Path, rows: int, appends: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    with Store.open(home) as store:
        bare = floor(home, appends)
        for what, times, durable in (("append", appends, False), ("durable", appends // 10, True)):
            per_s = rate(times, lambda d=durable: store.write(append, durable=d))
            found.append({"what": f"{what}, events/s", "value": per_s, "target": None})
        found[0] |= {"target": ">= 2000", "floor": bare}
        fill(store, rows)
        day = datetime.now(UTC) - timedelta(hours=24)
        for what, owner, since in (
            ("newest 50 of all", None, None),
            ("newest 50 of one owner", "alice", None),
            ("newest 50 of one owner in 24 h", "alice", day),
        ):
            p50, p99 = milliseconds(store, feed(owner, since))
            name = f"feed of {rows:,} events, {what}, ms p50"
            found.append({"what": name, "value": p50, "p99": p99, "target": "<= 20"})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000, help="events to read the feed from")
    parser.add_argument("--appends", type=int, default=5_000, help="events to append one by one")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder) / "home", args.rows, args.appends)
    if args.json:
        print(json.dumps(found))
        return
    for line in found:
        more = [f"{k} {line[k]:,.2f}" for k in ("p99", "floor") if k in line]
        more += [f"target {line['target']}"] if line["target"] else []
        print(f"{line['what']:<64} {line['value']:>10,.2f}   {', '.join(more)}")


if __name__ == "__main__":
    main()
