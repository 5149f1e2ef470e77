"""Stored runs as artifacts of the type trace, to read: their names are their ids in small letters.

A run is what happened: it is judged, not changed, so it has one version and no history.
"""

from __future__ import annotations

import json
import re
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, func, or_, select

from llmos.store.schema import dumps, parse_stamp, steps, traces
from llmos.values import ArtifactType, Json, Verdict
from llmos.volumes.content import digest_of
from llmos.volumes.privacy import shown
from llmos.volumes.reading import in_place
from llmos.volumes.records import Artifact, Status, Version, View

SHOWN_CHARACTERS = 2000
"""Of the arguments and of the observation of a step."""

_ID = re.compile(r"[0-9a-z]{26}")

_STATUS: ColumnElement[str] = case(
    (or_(traces.c.quarantined, traces.c.verdict == Verdict.REFUTED.value), "quarantined"),
    (traces.c.verdict == Verdict.FAILED.value, "draft"),
    else_="active",
)

_LISTED = [
    *(traces.c[n] for n in ("id", "volume", "owner", "user_id", "started_at", "ended_at")),
    _STATUS.label("standing_as"),
]


def listed_runs(conn: Connection, view: View, status: Status | None, limit: int) -> list[Artifact]:
    """The runs of a volume, the newest first; None: of any status. No step is read."""
    query = select(*_LISTED).where(_seen(view))
    if status is not None:
        query = query.where(_STATUS.in_([status.value]))
    # By the time of their beginning, for which there is an index.
    newest = (traces.c.started_at.desc(), traces.c.id.desc())
    return [_artifact(row) for row in conn.execute(query.order_by(*newest).limit(limit))]


def count_runs(conn: Connection, view: View) -> dict[Status, int]:
    """How many runs there are in a volume, by status."""
    query = select(_STATUS, func.count()).where(_seen(view)).group_by(_STATUS)
    return {Status(status): count for status, count in conn.execute(query)}


def find_run(conn: Connection, view: View, name: str) -> Artifact | None:
    """The run of that name, or None."""
    if not _ID.fullmatch(name):
        return None
    meant = _seen(view) & (traces.c.id == name.upper())
    row = conn.execute(select(*_LISTED).where(meant)).first()
    return None if row is None else _artifact(row)


def run_version(conn: Connection, run: Artifact) -> Version:
    """A run with its content: goal, verdict, mode, steps, output and cost."""
    row = conn.execute(select(traces).where(traces.c.id == run.id)).one()
    columns = (steps.c.tool, steps.c.arguments, steps.c.observation, steps.c.is_error)
    made = select(*columns).where(steps.c.trace_id == run.id).order_by(steps.c.idx)
    content: dict[str, Json] = {
        "goal": row.goal,
        "verdict": row.verdict,
        "mode": row.mode,
        "steps": [_step(step) for step in conn.execute(made)],
        "output": row.output,
        "cost_usd": row.cost_micro / 1_000_000,
    }
    return Version(
        run.id,
        run.volume,
        run.owner,
        run.type,
        run.name,
        digest_of(dumps(content)),
        1,
        content,
        row.user_id,
        run.created_at,
        None,
        (),
        "",
        run.status,
    )


def _seen(view: View) -> ColumnElement[bool]:
    there = in_place(traces, view.place) & (traces.c.status == "done")
    return there & shown(view.place, "trace", traces.c.id) if view.partial else there


def _artifact(row: Row[Any]) -> Artifact:
    return Artifact(
        row.id,
        row.volume,
        row.owner,
        ArtifactType.TRACE,
        row.id.lower(),
        "",
        False,
        Status(row.standing_as),
        parse_stamp(row.started_at),
        parse_stamp(row.ended_at or row.started_at),
    )


def _step(row: Any) -> dict[str, Json]:
    shown = {
        "tool": row.tool,
        "arguments": _clipped(row.arguments),
        "observation": _clipped(row.observation),
    }
    return {**shown, "failed": True} if row.is_error else shown


def _clipped(text: str) -> Json:
    value = json.loads(text)
    whole = value if isinstance(value, str) else text
    if len(whole) <= SHOWN_CHARACTERS:
        return value
    return f"{whole[:SHOWN_CHARACTERS]}… ({len(whole):,} characters)"
