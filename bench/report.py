"""How fast the morning report and the feed are, where many events and runs are stored.

python -m bench report [--json]
"""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.events import BATCH, milliseconds
from llmos.observability import ObservabilityHub, activity_report
from llmos.observability.report_text import as_text
from llmos.store import Store, new_id
from llmos.store.schema import dumps, events, ledger, stamp, traces
from llmos.values import EventType, Mode

EVENTS = 100_000
DAYS = 30
KINDS = (EventType.TASK_COMPLETED, EventType.TASK_FAILED, EventType.CYCLE_END)
TOOLS = (EventType.ARTIFACT_CREATED, EventType.INSIGHT_GENERATED, EventType.SUGGESTION_CREATED)


def event(i: int, run: str, at: datetime) -> dict[str, Any]:
    """Mostly runs, of two users; every tenth is a cycle, every fiftieth one of an artifact."""
    owner, type_ = ("alice", "bob")[i % 2], KINDS[0]
    if i % 50 < 2:
        type_ = TOOLS[i // 50 % len(TOOLS)]
    elif i % 10 < 2:
        type_ = KINDS[2]
    elif i % 25 == 4:
        type_ = KINDS[1]
    payload = {
        "mode": (Mode.FOLLOWER, Mode.LEARNER)[i % 4 < 2].value,
        "tokens": 900,
        "cost_usd": 0.01,
        "side_exit": None,
        "error": "the disk is full" if type_ is KINDS[1] else "",
        "why": "nothing new",
        "tasks": 0,
        "artifact": "tool",
        "what": "created",
    }
    told = {"type": type_.value, "payload": dumps(payload), "title": f"Goal number {i % 97}"}
    where = {"volume": "user", "owner": owner, "actor": owner, "subject": run}
    return {"id": new_id(), "at": stamp(at), **where, **told}


def run(i: int, run_id: str, source: str, at: datetime) -> dict[str, Any]:
    """The trace of such a run, as large as one is."""
    owner = ("alice", "bob")[i % 2]
    row: dict[str, Any] = {column.name: "" for column in traces.c}
    free = i % 4 >= 2
    return row | {
        **{"id": run_id, "volume": "user", "owner": owner, "user_id": owner, "status": "done"},
        **{"mode": "FOLLOWER" if free else "LEARNER", "verdict": "completed", "cost_micro": 10_000},
        **{"source": f"replay:{source}" if free else "run", "usage": '{"input_tokens":900}'},
        **{"output": "x" * 400, "decision": "y" * 400, "started_at": stamp(at), "ended_at": None},
        **{"quarantined": False, "standing": 0},
    }


def paid(i: int, run_id: str, at: datetime) -> dict[str, Any]:
    """What a model's run cost."""
    scopes = dumps(["system", f"user:{('alice', 'bob')[i % 2]}", f"run:{run_id}"])
    row = {"kind": "spend", "scopes": scopes, "amount_micro": 10_000, "note": "", "at": stamp(at)}
    return row | {"reservation_id": None}


def fill(store: Store, days: float) -> None:
    """Events, runs and payments over some days, the newest now."""
    begun, step = datetime.now(UTC) - timedelta(days=days), timedelta(days=days) / EVENTS
    ids = [new_id() for _ in range(EVENTS)]
    for start in range(0, EVENTS, BATCH):
        some = range(start, min(start + BATCH, EVENTS))
        made = [(i, ids[i], begun + step * i) for i in some]
        rows = {
            events: [event(*one) for one in made],
            traces: [run(i, id, ids[i % 500], at) for i, id, at in made],
            ledger: [paid(*one) for one in made if one[0] % 4 < 2],
        }
        for table, many in rows.items():
            store.write(lambda tx, t=table, many=many: tx.conn.execute(t.insert(), many))


def measure(home: Path, days: float) -> list[dict[str, Any]]:
    """The report and the feed of the last 24 hours."""
    found = []
    with Store.open(home) as store:
        fill(store, days)
        now = datetime.now(UTC)
        since = now - timedelta(hours=24)

        def report() -> str:
            return as_text(store.read(lambda c: activity_report(c, "alice", since, now)))

        hub = ObservabilityHub(store, user_id="alice")
        jobs = (("report", report, 50), ("activity feed", hub.get_activity_feed, 20))
        for what, once, most in jobs:
            p50, p99 = milliseconds(once)
            name = f"{what} of 24 h among {EVENTS:,} events of {days:g} days"
            times = {"p50_ms": round(p50, 1), "p99_ms": round(p99, 1)}
            found.append({"what": name, **times, "target": f"<= {most} ms"})
    return found


def main() -> list[dict[str, Any]]:
    """Measure and return the rows."""
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder) / "home", DAYS)
