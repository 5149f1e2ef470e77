"""Of a report: what was learned, what was shared, and what was noticed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Row, Select, and_, select

from llmos.kernel.ledger import MICRO, dollars
from llmos.observability.harmless import evidence_line
from llmos.observability.outcomes import short
from llmos.observability.rows import Reader, among, event_row
from llmos.observability.tally import Tally
from llmos.observability.window import LIMIT, Line, Window, counted, happened, told
from llmos.store import EventRow
from llmos.store.schema import artifacts, events, stamp, traces, versions
from llmos.values import EventType, Json

_MADE = (EventType.ARTIFACT_CREATED, EventType.ARTIFACT_EVOLVED)
_IN_USE = ("active", "shadowing")


@dataclass(frozen=True, slots=True)
class Learned:
    """Tools that came into being or got another version, and still stand."""

    new: int
    evolved: int
    lines: tuple[Line, ...]


def learned(window: Window, tally: Tally) -> Learned:
    """What was learned in the reader's own volume, by what its tools are now."""
    if not tally.times(window.mine, *_MADE):
        return Learned(0, 0, ())
    rows = list(window.rows(_learned_query(window.reader)))
    since = stamp(window.since)
    rows.sort(key=lambda row: (row.created_at < since, row.updated_at, row.id))
    new = sum(row.created_at >= since for row in rows)
    return Learned(new, len(rows) - new, _tool_lines(window, rows[: window.limit]))


@lru_cache
def _learned_query(reader: Reader) -> Select[Any]:
    made = happened(reader.mine, *_MADE)
    is_tool = told("artifact") == "tool"
    new_version = told("what").in_(["created", "evolved"])
    changed = select(events.c.subject).where(made, is_tool, new_version)
    stands = and_(artifacts.c.id.in_(changed), artifacts.c.status.in_(_IN_USE))
    return select(artifacts).where(stands)


def shared(window: Window, tally: Tally) -> tuple[list[Line], int]:
    """What was promoted to the reader's teams and the system, the newest first."""
    return _newest(window, tally, _promoted, window.others, EventType.ARTIFACT_PROMOTED)


def noticed(window: Window, tally: Tally) -> tuple[list[Line], int]:
    """Insights of the reader's volume and of those that concern them, the newest first."""
    places = window.reader.places
    return _newest(window, tally, lambda w, row: _insight(row), places, EventType.INSIGHT_GENERATED)


def _newest(
    window: Window,
    tally: Tally,
    line_of: Any,
    places: Sequence[tuple[str, str]],
    type: EventType,
) -> tuple[list[Line], int]:
    total = tally.times(places, type)
    if not total:
        return [], 0
    rows = window.rows(_newest_query(tuple(places), type))
    return [line_of(window, event_row(row)) for row in rows], total


@lru_cache
def _newest_query(places: tuple[tuple[str, str], ...], type: EventType) -> Select[Any]:
    newest = select(events).where(happened(places, type))
    return newest.order_by(events.c.seq.desc()).limit(LIMIT)


def _tool_lines(window: Window, rows: Sequence[Row[Any]]) -> tuple[Line, ...]:
    """Lines for tools; their versions and where these came from are looked up all at once."""
    ids = [row.id for row in rows]
    current = and_(
        versions.c.artifact_id == artifacts.c.id, versions.c.digest == artifacts.c.current
    )
    found = select(versions).join(artifacts, current).where(artifacts.c.id.in_(ids))
    of = {version.artifact_id: version for version in window.conn.execute(found)} if ids else {}
    sources = {row.id: _source(of[row.id]) for row in rows}
    goal = select(traces.c.id, traces.c.goal).where(traces.c.id.in_(sources.values()))
    goals = {id: text for id, text in window.conn.execute(goal)} if any(sources.values()) else {}
    return tuple(_tool_line(window, r, of[r.id], goals.get(sources[r.id], "")) for r in rows)


def _tool_line(window: Window, row: Row[Any], version: Row[Any], goal: str) -> Line:
    is_new = row.created_at >= stamp(window.since)
    what = "is new" if is_new else f"is now version {version.seq}"
    waits = ", but not in use yet" if row.status != "active" else ""
    proof = _proof(json.loads(version.content))
    text = f"{row.name} {what}{waits}{proof}"
    origin = f"learned from runs such as: {goal}" if goal else str(version.note)
    return Line.of(text, f"llmos tools show {row.name}", origin)


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


def _source(version: Row[Any]) -> str:
    """Id of a run that a version was learned from; ``""`` if there is none."""
    return next((given for given in json.loads(version.lineage) if len(given) == 26), "")


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
