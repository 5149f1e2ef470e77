"""Of a report: what was learned, what was shared, and what was noticed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select

from llmos.kernel.ledger import MICRO, dollars
from llmos.observability.harmless import evidence_line
from llmos.observability.outcomes import short
from llmos.observability.rows import among, event_row
from llmos.observability.window import Line, Window, counted, told
from llmos.store import EventRow
from llmos.store.schema import artifacts, events, stamp, traces, versions
from llmos.values import EventType, Json

_MADE = (EventType.ARTIFACT_CREATED, EventType.ARTIFACT_EVOLVED)
_IN_USE = ("active", "shadowing")
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Learned:
    """Tools that came into being or got another version, and still stand."""

    new: int
    evolved: int
    lines: tuple[Line, ...]


def learned(window: Window) -> Learned:
    """What was learned in the reader's own volume, by what its tools are now."""
    made = window.happened(window.mine, *_MADE)
    is_tool = told("artifact") == "tool"
    new_version = told("what").in_(["created", "evolved"])
    changed = select(events.c.subject).where(made, is_tool, new_version).distinct()
    ids = list(window.conn.scalars(changed))
    rows: list[Row[Any]] = []
    for start in range(0, len(ids), _CHUNK):
        some = artifacts.c.id.in_(ids[start : start + _CHUNK])
        query = select(artifacts).where(some, artifacts.c.status.in_(_IN_USE))
        rows += window.conn.execute(query).all()
    since = stamp(window.since)
    rows.sort(key=lambda row: (row.created_at < since, row.updated_at, row.id))
    new = sum(row.created_at >= since for row in rows)
    lines = tuple(_tool_line(window, row) for row in rows[: window.limit])
    return Learned(new, len(rows) - new, lines)


def shared(window: Window) -> tuple[list[Line], int]:
    """What was promoted to the reader's teams and the system, the newest first."""
    return _newest(window, _promoted, window.others, EventType.ARTIFACT_PROMOTED)


def noticed(window: Window) -> tuple[list[Line], int]:
    """Insights of the reader's volume and of those that concern them, the newest first."""
    places = window.reader.places
    return _newest(window, lambda w, row: _insight(row), places, EventType.INSIGHT_GENERATED)


def _newest(
    window: Window, line_of: Any, places: Sequence[tuple[str, str]], type: EventType
) -> tuple[list[Line], int]:
    happened = window.happened(places, type)
    newest = select(events).where(happened).order_by(events.c.seq.desc()).limit(window.limit)
    rows = [event_row(row) for row in window.conn.execute(newest)]
    total = len(rows)
    if total == window.limit:
        total = window.conn.scalar(select(func.count()).where(happened)) or 0
    return [line_of(window, row) for row in rows], total


def _tool_line(window: Window, row: Row[Any]) -> Line:
    found = (versions.c.artifact_id == row.id) & (versions.c.digest == row.current)
    version = window.conn.execute(select(versions).where(found)).one()
    is_new = row.created_at >= stamp(window.since)
    what = "is new" if is_new else f"is now version {version.seq}"
    waits = ", but not in use yet" if row.status != "active" else ""
    proof = _proof(json.loads(version.content))
    text = f"{row.name} {what}{waits}{proof}"
    return Line.of(text, f"llmos tools show {row.name}", _origin(window, version))


def _proof(content: dict[str, Json]) -> str:
    """How many runs prove a learned tool, and what it saves; ``""`` for one that a person wrote."""
    proof = content.get("proof")
    runs = proof.get("runs") if isinstance(proof, dict) else None
    if not isinstance(runs, int) or not runs:
        return ""
    tokens, cost = content.get("tokens") or 0, content.get("cost_usd") or 0.0
    each = f"{round(tokens / runs):,} tokens"
    micro = round(cost / runs * MICRO)
    saves = f", saves about {each}{f' and {dollars(micro)}' if micro else ''} a run"
    return f": proven on {counted(runs, 'run')}{saves if tokens or micro else ''}"


def _origin(window: Window, version: Row[Any]) -> str:
    """The goal of a run that a tool was learned from, or the note of its version."""
    ids = [given for given in json.loads(version.lineage) if len(given) == 26]
    if ids:
        goal = select(traces.c.goal).where(traces.c.id == ids[0])
        found = window.conn.scalar(goal)
        if found:
            return f"learned from runs such as: {found}"
    return str(version.note)


def _promoted(window: Window, row: EventRow) -> Line:
    told = row.payload
    source = _place(told.get("from_volume", ""), told.get("from_owner", ""))
    type, name = told.get("artifact", "artifact"), told.get("name", row.subject)
    mine = among(artifacts, [(row.volume, row.owner)])
    there = select(artifacts.c.status).where(
        mine, artifacts.c.type == type, artifacts.c.name == name
    )
    gone = window.conn.scalar(there) == "archived"
    text = f"{type} {name} went from {source} to {_place(row.volume, row.owner)}"
    why = evidence_line(told.get("evidence")) or str(told.get("why") or "")
    look = f"llmos volumes {row.volume}" + (f" {row.owner}" if row.volume == "team" else "")
    undo = f"llmos undo {short(row.id)}"
    if gone:
        return Line.of(f"{text}, and was taken back since", look, why)
    return Line.of(text, undo if window.reader.decides(row.volume, row.owner) else look, why)


def _insight(row: EventRow) -> Line:
    why = evidence_line(row.payload.get("evidence")) or str(row.payload.get("why") or "")
    return Line.of(row.title or row.subject, "llmos insights", why)


def _place(volume: str, owner: str) -> str:
    return "the system" if volume == "system" else f"{volume} {owner}".strip()
