"""The rows that a change of an artifact leaves: versions, statuses, the record, the event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from llmos.kernel.projects import note_project
from llmos.kernel.text import plain
from llmos.store import Transaction, new_id
from llmos.store.schema import artifact_changes, artifacts, dumps, stamp, versions
from llmos.values import ArtifactType, EventType, Json, check_name
from llmos.volumes.reading import artifact_from
from llmos.volumes.records import Artifact, Place, Status, What


@dataclass(frozen=True, slots=True)
class Entry:
    """One change, as `Change` tells it."""

    what: What
    digest: str
    seq: int
    was: str
    now: str
    event: EventType | None = None
    """What kind of event tells it, if not the usual one."""
    told: Mapping[str, Json] = field(default_factory=dict)
    """What the event says beside the change."""


def add_artifact(
    tx: Transaction, place: Place, type: ArtifactType, name: str, current: str, status: Status
) -> Artifact:
    """A new artifact; its first version must be added in the same transaction."""
    note_project(tx, place.volume, place.holder, place.project)
    row = {
        "id": new_id(),
        "volume": place.volume,
        "owner": place.owner,
        "type": type.value,
        "name": name,
        "current": current,
        "pinned": False,
        "status": status.value,
        "created_at": stamp(tx.now),
        "updated_at": stamp(tx.now),
    }
    return artifact_from(tx.conn.execute(insert(artifacts).returning(artifacts), row).one())


def add_version(
    tx: Transaction,
    artifact: Artifact,
    digest: str,
    text: str,
    *,
    author: str,
    parent: str | None,
    lineage: Sequence[str],
    note: str,
    status: Status,
) -> Row[Any]:
    """A new version, not yet the current one; its row."""
    last = select(func.max(versions.c.seq)).where(versions.c.artifact_id == artifact.id)
    row = {
        "artifact_id": artifact.id,
        "digest": digest,
        "seq": (tx.conn.scalar(last) or 0) + 1,
        "volume": artifact.volume,
        "owner": artifact.owner,
        "content": text,
        "author": author,
        "created_at": stamp(tx.now),
        "parent": parent,
        "lineage": dumps(list(lineage)),
        "note": plain(note),
        "status": status.value,
    }
    return tx.conn.execute(insert(versions).returning(versions), row).one()


def write_status(tx: Transaction, artifact: Artifact, digest: str, status: Status) -> None:
    """The one thing of a version that changes."""
    meant = (versions.c.artifact_id == artifact.id) & (versions.c.digest == digest)
    tx.conn.execute(update(versions).where(meant).values(status=status.value))


def record(
    tx: Transaction, artifact: Artifact, entry: Entry, *, by: str, why: str, **columns: object
) -> None:
    """Change ``columns`` of the artifact; append that to the record and to the events.

    Raises:
        UserError: ``by`` is not a usable name.
    """
    change = {
        "what": entry.what.value,
        "digest": entry.digest,
        "was": entry.was,
        "now": entry.now,
        "why": plain(why),
    }
    where = {"artifact_id": artifact.id, "volume": artifact.volume, "owner": artifact.owner}
    by = check_name(by, "author")
    row = {**change, **where, "by": by, "at": stamp(tx.now)}
    tx.conn.execute(insert(artifact_changes), row)
    changed = {**columns, "updated_at": stamp(tx.now)}
    tx.conn.execute(update(artifacts).where(artifacts.c.id == artifact.id).values(changed))
    known = {"artifact": artifact.type.value, "name": artifact.name, "version": entry.seq}
    tx.event(
        entry.event or _EVENTS.get(entry.what, EventType.ARTIFACT_EVOLVED),
        volume=artifact.volume,
        owner=artifact.owner,
        actor=by,
        subject=artifact.id,
        title=f"{artifact.label} {_TITLES[entry.what].format(e=entry)}",
        payload={**known, **change, **entry.told},
    )


_EVENTS = {
    What.CREATED: EventType.ARTIFACT_CREATED,
    What.ARCHIVED: EventType.ARTIFACT_DELETED,
    What.PROMOTED: EventType.ARTIFACT_PROMOTED,
}

_TITLES = {
    What.CREATED: "was created",
    What.EVOLVED: "is now version {e.seq}",
    What.KEPT: "has a new version {e.seq}, which is not in use",
    What.ROLLED_BACK: "was rolled back to version {e.seq}",
    What.STATUS: "version {e.seq} is {e.now}, was {e.was}",
    What.ARCHIVED: "was archived",
    What.RESTORED: "was restored",
    What.PROMOTED: "version {e.seq} was promoted from another volume",
    What.PINNED: "was pinned to version {e.seq}",
    What.UNPINNED: "is no longer pinned",
}
