"""Purge: the one way in which an artifact is really deleted, with all that was made from it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Connection, Table, delete, select, update

from llmos.errors import PermissionDenied, UserError
from llmos.kernel.text import plain
from llmos.store import Transaction, dialect
from llmos.store.schema import (
    artifact_changes,
    artifacts,
    audits,
    dumps,
    events,
    patterns,
    private,
    proposals,
    usages,
    versions,
)
from llmos.values import ArtifactType, EventType, Json
from llmos.volumes import reading, recording
from llmos.volumes.access import Access, Caller, Kind, may
from llmos.volumes.descent import made_from, outlines
from llmos.volumes.listing import PURGED
from llmos.volumes.reading import in_place
from llmos.volumes.recording import Entry
from llmos.volumes.records import Artifact, Place, Status, Version, View, What, place_of
from llmos.volumes.roles import SYSTEM, Role, role_of
from llmos.volumes.watermarks import get_watermark, set_watermark


def purge(
    tx: Transaction, caller: Caller, place: Place, type: ArtifactType, name: str, why: str
) -> int:
    """Delete an artifact with all its versions, and what was made from them in every volume.

    Left is one event with names and digests. The runs that it was learnt from are traces of their
    own and stay.

    Args:
        tx: An open transaction.
        caller: Its owner, who looks after its team, or an admin.
        place: Its volume.
        type: Kind of artifact.
        name: Its name.
        why: For the event.

    Returns:
        How many versions were deleted.

    Raises:
        PermissionDenied: The caller may not.
        UserError: There is no such artifact, or it is pinned.
    """
    gone = would_go(tx.conn, caller, place, type, name)
    artifact = reading.get(tx.conn, View(place), type, name)
    delete_versions(tx, gone, caller.author)
    _tell(tx, artifact, gone, caller.author, why)
    note_purge(tx, {place, *map(place_of, gone)})
    return len(gone)


def would_go(
    conn: Connection, caller: Caller, place: Place, type: ArtifactType, name: str
) -> list[Version]:
    """The versions that `purge` would delete, without their contents; nothing is changed.

    Raises:
        PermissionDenied: The caller may not purge there.
        UserError: There is no such artifact, or it is pinned.
    """
    require_right(conn, caller, place)
    artifact = reading.get(conn, View(place), type, name)
    if artifact.pinned:
        raise UserError(f"{artifact.label} is pinned", "unpin it first")
    mine = select(versions.c.digest).where(versions.c.artifact_id == artifact.id)
    own = [(artifact.id, digest) for digest in conn.scalars(mine)]
    return outlines(conn, made_from(conn, own) | set(own))


def delete_versions(tx: Transaction, gone: Sequence[Version], by: str) -> None:
    """Delete versions and what tables say of them, and the artifacts that have no other."""
    dialect.overwrite_deleted(tx.conn)
    by_artifact: dict[str, list[Version]] = defaultdict(list)
    for version in gone:
        by_artifact[version.artifact_id].append(version)
    for deleted in by_artifact.values():
        _delete(tx, deleted, by)


def note_purge(tx: Transaction, places: Collection[Place]) -> None:
    """Have whoever remembers what volumes hold read it anew."""
    for where in places:
        times = int(get_watermark(tx, PURGED, where) or 0) + 1
        set_watermark(tx, PURGED, where, str(times))


def require_right(conn: Connection, caller: Caller, place: Place) -> None:
    """Let only those go on who may purge.

    Raises:
        PermissionDenied: The caller may not.
    """
    person = caller.kind is Kind.PERSON
    admin = person and role_of(conn, SYSTEM, caller.name) is Role.ADMIN
    if not admin and not (person and may(conn, caller, place, Access.WRITE)):
        raise PermissionDenied(
            f"{caller} may not purge from {place}: only its owner or an admin may",
            "archive it, or ask its owner or an admin",
        )


def _delete(tx: Transaction, deleted: Sequence[Version], by: str) -> None:
    """Delete some versions of one artifact, and the artifact with the last of them."""
    artifact_id, digests = deleted[0].artifact_id, {v.digest for v in deleted}
    row = tx.conn.execute(select(artifacts).where(artifacts.c.id == artifact_id)).one()
    artifact = reading.artifact_from(row)
    left = (versions.c.artifact_id == artifact_id) & versions.c.digest.not_in(digests)
    usable = versions.c.status.in_([s.value for s in Status if s.out_of_use])
    newest = select(versions).where(left).order_by(usable, versions.c.seq.desc()).limit(1)
    heir = tx.conn.execute(newest).first()
    if heir is not None and artifact.current in digests:
        entry = Entry(What.ROLLED_BACK, heir.digest, heir.seq, artifact.current, heir.digest)
        moved = {"current": heir.digest, "status": heir.status}
        why = "the version that counted was purged"
        recording.record(tx, artifact, entry, by=by, why=why, **moved)
    _forget(tx, artifact, digests)
    for table in (usages, artifact_changes, versions):
        tx.conn.execute(delete(table).where(_of(table, artifact_id, digests)))
    if heir is None:
        _forget_artifact(tx, artifact)


def _forget(tx: Transaction, artifact: Artifact, digests: Collection[str]) -> None:
    """What other tables say of the versions: what was proposed, compared and told of them."""
    where, place = artifact.volume, place_of(artifact)
    source = in_place(proposals, place)
    target = (proposals.c.to_volume == where) & (proposals.c.to_owner == artifact.owner)
    proposed = proposals.c.digest.in_(digests) & (source | target)
    tx.conn.execute(delete(proposals).where(proposed))
    compared = in_place(audits, place) & audits.c.digest.in_(digests)
    tx.conn.execute(update(audits).where(compared).values(detail=""))
    about = in_place(events, place) & (events.c.subject == artifact.id)
    for row in tx.conn.execute(select(events.c.seq, events.c.payload).where(about)).all():
        told = json.loads(row.payload)
        if told.get("digest") in digests and told.get("why"):
            text = dumps({**told, "why": ""})
            tx.conn.execute(update(events).where(events.c.seq == row.seq).values(payload=text))


def _forget_artifact(tx: Transaction, artifact: Artifact) -> None:
    kept = in_place(private, place_of(artifact)) & (private.c.kind == "artifact")
    tx.conn.execute(delete(private).where(kept, private.c.subject == artifact.id))
    if artifact.volume == "user" and artifact.type is ArtifactType.TOOL:
        made = (patterns.c.owner == artifact.owner) & (patterns.c.tool == artifact.name)
        tx.conn.execute(update(patterns).where(made).values(tool=None))
    tx.conn.execute(delete(artifacts).where(artifacts.c.id == artifact.id))


def _of(table: Table, artifact_id: str, digests: Collection[str]) -> ColumnElement[bool]:
    return (table.c.artifact_id == artifact_id) & table.c.digest.in_(digests)


def _tell(tx: Transaction, artifact: Artifact, gone: Sequence[Version], by: str, why: str) -> None:
    tx.event(
        EventType.ARTIFACT_DELETED,
        volume=artifact.volume,
        owner=artifact.owner,
        actor=by,
        subject=artifact.id,
        title=f"{artifact.label} was purged with all that was made from it",
        payload={
            "artifact": artifact.type.value,
            "name": artifact.name,
            "what": "purged",
            "versions": [named(v) for v in gone],
            "why": plain(why),
        },
    )


def named(version: Version) -> dict[str, Json]:
    """What is left of a version that was purged."""
    where = {"volume": version.volume, "owner": version.owner}
    return {**where, "name": version.name, "digest": version.digest}
