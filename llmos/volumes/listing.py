"""Lists and numbers of a volume; no content is read for them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, func, select

from llmos.store.schema import artifact_changes, artifacts, parse_stamp, versions, watermarks
from llmos.values import ArtifactType, Json
from llmos.volumes.reading import artifact_from, in_this, seen, this
from llmos.volumes.records import Artifact, Change, Place, Status, View, What
from llmos.volumes.runs import count_runs, listed_runs

PURGED = "purged"
"""Watermark: how often something was purged from a volume."""


def listed(
    conn: Connection,
    view: View,
    type: ArtifactType | None,
    status: Status | None,
    limit: int,
) -> list[Artifact]:
    """The artifacts of a volume, the last changed first; None: of any type or status.

    Stored runs are among them, as artifacts of the type trace.
    """
    query = select(artifacts).where(seen(artifacts, view))
    if type is not None:
        query = query.where(artifacts.c.type == type.value)
    if status is not None:
        query = query.where(artifacts.c.status == status.value)
    newest = (artifacts.c.updated_at.desc(), artifacts.c.id.desc())
    put = [artifact_from(row) for row in conn.execute(query.order_by(*newest).limit(limit))]
    if type not in (None, ArtifactType.TRACE):
        return put
    runs = listed_runs(conn, view, status, limit)
    return sorted([*put, *runs], key=lambda a: (a.updated_at, a.id), reverse=True)[:limit]


def changes(
    conn: Connection, view: View, artifact: Artifact | None, limit: int | None
) -> list[Change]:
    """What was changed in a volume, or of one artifact of it, the newest first."""
    query = (
        select(artifact_changes, artifacts.c.type, artifacts.c.name)
        .join(artifacts, artifacts.c.id == artifact_changes.c.artifact_id)
        .where(seen(artifact_changes, view))
        .order_by(artifact_changes.c.seq.desc())
        .limit(limit)
    )
    if artifact is not None:
        query = query.where(artifact_changes.c.artifact_id == artifact.id)
    return [_change(row) for row in conn.execute(query).all()]


def stats(conn: Connection, view: View) -> dict[str, Json]:
    """Numbers of a volume, as `Volume.get_stats` gives them."""
    mine = seen(artifacts, view)
    kinds = (artifacts.c.type, artifacts.c.status, artifacts.c.pinned)
    rows = conn.execute(select(*kinds, func.count()).where(mine).group_by(*kinds)).all()
    by_type = {t.value: 0 for t in ArtifactType}
    by_status = {s.value: 0 for s in Status}
    pinned = 0
    for type, status, is_pinned, count in rows:
        by_type[type] += count
        by_status[status] += count
        pinned += count if is_pinned else 0
    runs = count_runs(conn, view)
    for standing, count in runs.items():
        by_type[ArtifactType.TRACE.value] += count
        by_status[standing.value] += count
    stored = select(func.count()).select_from(versions).where(seen(versions, view))
    return {
        "volume": view.place.volume,
        "owner": view.place.owner,
        "artifacts": sum(by_type.values()),
        "versions": (conn.scalar(stored) or 0) + sum(runs.values()),
        "pinned": pinned,
        "by_type": by_type,
        "by_status": by_status,
    }


def _change(row: Row[Any]) -> Change:
    return Change(
        row.seq,
        row.artifact_id,
        ArtifactType(row.type),
        row.name,
        row.digest,
        What(row.what),
        row.was,
        row.now,
        row.by,
        parse_stamp(row.at),
        row.why,
    )


_LATEST = select(
    select(func.max(artifact_changes.c.seq)).where(in_this(artifact_changes)).scalar_subquery(),
    select(watermarks.c.value)
    .where(in_this(watermarks), watermarks.c.name == PURGED)
    .scalar_subquery(),
)
"""Put together once: every goal asks it of each volume."""


def latest(c: Connection, place: Place) -> int:
    """A number that every change in a volume makes another; 0 if there was none."""
    seq, purged = c.execute(_LATEST, this(place)).one()
    # A purge takes changes away, so that the newest may be one that was the newest before.
    return (int(purged or 0) << 48) | int(seq or 0)
