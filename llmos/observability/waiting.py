"""What waits for a person: proposals they decide, writes in doubt, suggestions, alerts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Select, Text, and_, bindparam, exists, or_, select

from llmos.observability.harmless import evidence_line, line
from llmos.observability.outcomes import short
from llmos.observability.rows import Reader, among
from llmos.store.schema import (
    acknowledgements,
    artifacts,
    events,
    intents,
    notifications,
    parse_stamp,
    proposals,
    stamp,
    traces,
    versions,
)
from llmos.values import EventType, Json

_MOST = 1000
"""Of one kind that are counted one by one."""
_SINCE = bindparam("since", type_=Text)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that a person should look at."""

    kind: str
    """``proposal``, ``doubt``, ``suggestion``, ``quarantined`` or ``alert``."""
    id: str
    title: str
    why: str
    command: str
    """What to type about it."""
    at: datetime

    def as_dict(self) -> dict[str, Json]:
        """It as JSON; the time is ISO 8601 in UTC."""
        return {
            "kind": self.kind,
            "id": self.id,
            "title": self.title,
            "why": self.why,
            "command": self.command,
            "at": stamp(self.at),
        }


def waiting_for(
    conn: Connection, reader: Reader, now: datetime, since: datetime | None = None
) -> list[Waiting]:
    """All that waits for a person, what is most pressing first.

    Args:
        conn: Where to read.
        reader: The person.
        now: The present: proposals expire.
        since: Tools that were suspended, and alerts, from this time on; none when left out.
    """
    found = [*_doubts(conn, reader), *_proposals(conn, reader, now)]
    if since is not None:
        found += [*_alerts(conn, reader, since), *_quarantined(conn, reader, since)]
    return [*found, *_suggestions(conn, reader)]


def _waiting(kind: str, id: str, title: str, why: str, command: str, at: str) -> Waiting:
    return Waiting(kind, id, line(title, 200), line(why, 240), command, parse_stamp(at))


def _doubts(conn: Connection, reader: Reader) -> list[Waiting]:
    return [
        _waiting(
            "doubt",
            row.id,
            f"{row.tool} may or may not have happened",
            row.arguments,
            f"llmos resolve {row.id} happened|not",
            row.at,
        )
        for row in conn.execute(_doubts_query(reader))
    ]


@lru_cache
def _doubts_query(reader: Reader) -> Select[Any]:
    query = select(intents.c.id, intents.c.tool, intents.c.arguments, intents.c.at)
    mine = query.join(traces, traces.c.id == intents.c.trace_id).where(among(traces, reader.mine))
    return mine.where(intents.c.status == "in_doubt").order_by(intents.c.id).limit(_MOST)


def _proposals(conn: Connection, reader: Reader, now: datetime) -> list[Waiting]:
    rows = conn.execute(_proposals_query(reader), {"now": stamp(now)}).all()
    return [_proposal(row) for row in rows if _waits(row, reader.decided)]


@lru_cache
def _proposals_query(reader: Reader) -> Select[Any]:
    p = proposals.c
    sides = [
        side
        for volume, owner in reader.decided
        for side in (
            (p.to_volume == volume) & (p.to_owner == owner),
            (p.volume == volume) & (p.owner == owner),
        )
    ]
    open_ = and_(p.status == "proposed", p.expires_at > bindparam("now", type_=Text))
    return select(proposals).where(open_, or_(*sides)).order_by(p.seq.desc()).limit(_MOST)


def waits_for(evidence: Mapping[str, Any]) -> tuple[str, ...]:
    """Who must decide a proposal, by what its gates say.

    Args:
        evidence: Of the proposal.

    Returns:
        ``owner``: who owns what is proposed; ``target``: who looks after where it goes. Nobody,
        where a gate is closed, where all are open, or before they were looked at.
    """
    gates = evidence.get("gates", ())
    if any(g["light"] == "red" for g in gates):
        return ()
    agreed = set(evidence.get("agreed", ()))
    who = dict.fromkeys(g["who"] for g in gates if g["light"] == "review")
    return tuple(w for w in who if w not in agreed)


def _waits(row: Row[Any], places: Sequence[tuple[str, str]]) -> bool:
    """Whether a proposal waits for somebody who decides for some volumes."""
    sides = {"owner": (row.volume, row.owner), "target": (row.to_volume, row.to_owner)}
    return any(sides[who] in places for who in waits_for(json.loads(row.evidence)))


def _proposal(row: Row[Any]) -> Waiting:
    to = "the system" if row.to_volume == "system" else f"{row.to_volume} {row.to_owner}"
    title = f"{row.kind} {row.type} {row.name} from {row.volume} {row.owner} to {to}?"
    told = json.loads(row.evidence)
    asked = (g["why"] for g in told.get("gates", ()) if g["light"] == "review")
    why = next(asked, "") or str(told.get("why", "")) or row.why
    return _waiting("proposal", row.id, title, why, f"llmos approve {short(row.id)}", row.at)


def _alerts(conn: Connection, reader: Reader, since: datetime) -> list[Waiting]:
    """Alerts that nobody has acknowledged, other than of writes in doubt: those stay until told."""
    return [
        _waiting("alert", id, title, why, f"llmos ack {short(id)}", at)
        for id, title, why, at in conn.execute(_alerts_query(reader), {"since": stamp(since)})
    ]


@lru_cache
def _alerts_query(reader: Reader) -> Select[Any]:
    seen = exists().where(
        acknowledgements.c.event_id == notifications.c.event_id,
        acknowledgements.c.user_id == reader.user_id,
    )
    return (
        select(events.c.id, notifications.c.title, notifications.c.description, events.c.at)
        .join(events, events.c.id == notifications.c.event_id)
        .where(
            among(notifications, reader.audiences, volume="audience"),
            notifications.c.at >= _SINCE,
            events.c.type == EventType.SYSTEM_ALERT.value,
            ~notifications.c.finding.startswith("in_doubt:"),
            ~seen,
        )
        .order_by(events.c.seq.desc())
        .limit(_MOST)
    )


def _quarantined(conn: Connection, reader: Reader, since: datetime) -> list[Waiting]:
    return [
        _waiting(
            "quarantined",
            row.id,
            f"tool {row.name} was taken out of use",
            "",
            f"llmos tools show {row.name}",
            row.updated_at,
        )
        for row in conn.execute(_quarantined_query(reader), {"since": stamp(since)})
    ]


@lru_cache
def _quarantined_query(reader: Reader) -> Select[Any]:
    query = select(artifacts).where(
        among(artifacts, reader.mine),
        artifacts.c.type == "tool",
        artifacts.c.status == "quarantined",
        artifacts.c.updated_at >= _SINCE,
    )
    return query.order_by(artifacts.c.updated_at.desc()).limit(_MOST)


def _suggestions(conn: Connection, reader: Reader) -> list[Waiting]:
    return [_suggestion(row) for row in conn.execute(_suggestions_query(reader))]


@lru_cache
def _suggestions_query(reader: Reader) -> Select[Any]:
    return (
        select(artifacts.c.id, artifacts.c.name, artifacts.c.updated_at, versions.c.content)
        .join(
            versions,
            (versions.c.artifact_id == artifacts.c.id) & (versions.c.digest == artifacts.c.current),
        )
        .where(
            among(artifacts, reader.decided),
            artifacts.c.type == "suggestion",
            artifacts.c.status == "draft",
        )
        .order_by(artifacts.c.updated_at.desc())
        .limit(_MOST)
    )


def _suggestion(row: Any) -> Waiting:
    content = json.loads(row.content)
    title = str(content.get("title") or row.name)
    why = evidence_line(content.get("evidence")) or str(content.get("text") or "")
    command = f"llmos accept {short(row.id)}"
    return _waiting("suggestion", row.id, title, why, command, row.updated_at)
