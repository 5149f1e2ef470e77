"""Reading artifacts and versions. Every content that is read is checked against its digest."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, bindparam, func, select

from llmos.errors import IntegrityError, UserError
from llmos.store.schema import artifacts, parse_stamp, versions
from llmos.values import ArtifactType, Json, check_name
from llmos.volumes.content import digest_of
from llmos.volumes.privacy import shown
from llmos.volumes.records import Artifact, Place, Status, Version, View

Ref = str | int
"""Names a version: its digest, at least the first six digits of it, or its number."""

_PREFIX = re.compile(r"[0-9a-f]{6,64}")


def find(conn: Connection, view: View, type: ArtifactType, name: str) -> Artifact | None:
    """The artifact of that name, or None.

    Raises:
        UserError: ``name`` is not a usable name.
    """
    check_name(name, f"{type.value} name")
    named = (artifacts.c.type == type.value) & (artifacts.c.name == name)
    row = conn.execute(select(artifacts).where(seen(artifacts, view), named)).first()
    return None if row is None else artifact_from(row)


def get(conn: Connection, view: View, type: ArtifactType, name: str) -> Artifact:
    """The artifact of that name.

    Raises:
        UserError: There is none; the hint names some that are there.
    """
    found = find(conn, view, type, name)
    if found is not None:
        return found
    same_type = seen(artifacts, view) & (artifacts.c.type == type.value)
    there = select(artifacts.c.name).where(same_type).order_by(artifacts.c.updated_at.desc())
    names = conn.scalars(there.limit(5)).all()
    raise UserError(
        f"there is no {type.value} {name!r} in {view.place}",
        f"there are, among others: {', '.join(names)}"
        if names
        else "nothing of that type is there",
    )


def current(conn: Connection, artifact: Artifact) -> Version:
    """The version that counts.

    Raises:
        IntegrityError: It is missing, or is not what was stored.
    """
    return version_from(_current_row(conn, artifact), artifact)


def by_digest(conn: Connection, artifact: Artifact, digest: str) -> Version | None:
    """The version of ``artifact`` with exactly this digest, or None."""
    row = _row(conn, artifact, digest)
    return None if row is None else version_from(row, artifact)


def referred(conn: Connection, artifact: Artifact, ref: Ref | None = None) -> Row[Any]:
    """The row of the version of ``artifact`` that ``ref`` names (None: the current one), unchecked.

    Raises:
        UserError: None or several are named so.
        IntegrityError: The current one is missing.
    """
    if ref is None:
        return _current_row(conn, artifact)
    mine = versions.c.artifact_id == artifact.id
    by_number = isinstance(ref, int)
    named = versions.c.seq == ref if by_number else _begins(_digest_part(str(ref)))
    rows = conn.execute(select(versions).where(mine, named).limit(2)).all()
    if len(rows) != 1:
        last = conn.scalar(select(func.max(versions.c.seq)).where(mine))
        raise UserError(
            f"{artifact.label} has {'several versions' if rows else 'no version'} {ref!r}",
            "give more of the digest" if rows else f"its versions are numbered 1 to {last}",
        )
    return rows[0]


def anywhere(conn: Connection, view: View, digest: str) -> Version:
    """The version with this digest in the volume; the oldest, if several artifacts have it.

    Raises:
        UserError: There is none, or the digits given are those of several.
        IntegrityError: It is not what was stored.
    """
    part = _digest_part(digest)
    query = (
        select(versions)
        .where(seen(versions, view), _begins(part))
        .order_by(versions.c.created_at, versions.c.artifact_id)
    )
    rows = conn.execute(query).all()
    if len({row.digest for row in rows}) != 1:
        raise UserError(
            f"{view.place} has {'several versions' if rows else 'no version'} {digest[:64]!r}",
            "give more of the digest" if rows else "see the history of the artifact you mean",
        )
    owning = select(artifacts).where(artifacts.c.id == rows[0].artifact_id)
    return version_from(rows[0], artifact_from(conn.execute(owning).one()))


def history(conn: Connection, artifact: Artifact) -> list[Version]:
    """All its versions, the oldest first.

    Raises:
        IntegrityError: One of them is not what was stored.
    """
    mine = select(versions).where(versions.c.artifact_id == artifact.id).order_by(versions.c.seq)
    return [version_from(row, artifact) for row in conn.execute(mine).all()]


def before(
    conn: Connection, artifact: Artifact, seq: int, *, usable: bool = False
) -> Version | None:
    """The newest version older than number ``seq``, or None.

    Args:
        conn: Where to read.
        artifact: Whose.
        seq: Number of a version.
        usable: Pass over versions that are quarantined or archived.
    """
    older = select(versions).where(versions.c.artifact_id == artifact.id, versions.c.seq < seq)
    if usable:
        older = older.where(versions.c.status.not_in([s.value for s in Status if s.out_of_use]))
    row = conn.execute(older.order_by(versions.c.seq.desc()).limit(1)).first()
    return None if row is None else version_from(row, artifact)


def in_place(table: Table, place: Place) -> ColumnElement[bool]:
    """The condition that a row of ``table`` lies in this volume."""
    return (table.c.volume == place.volume) & (table.c.owner == place.owner)


def in_this(table: Table) -> ColumnElement[bool]:
    """The same for whatever volume `this` names, in a query that is put together once."""
    return (table.c.volume == bindparam("volume")) & (table.c.owner == bindparam("owner"))


def this(place: Place) -> dict[str, str]:
    """The parameters of a query with `in_this`."""
    return {"volume": place.volume, "owner": place.owner}


def seen(table: Table, view: View) -> ColumnElement[bool]:
    """The condition that a row of ``table``, which is of an artifact, is shown in this view."""
    if not view.partial:
        return in_place(table, view.place)
    artifact_id = table.c.id if table is artifacts else table.c.artifact_id
    return in_place(table, view.place) & shown(view.place, "artifact", artifact_id)


def artifact_from(row: Row[Any]) -> Artifact:
    """An artifact from its row."""
    return Artifact(
        row.id,
        row.volume,
        row.owner,
        ArtifactType(row.type),
        row.name,
        row.current,
        row.pinned,
        Status(row.status),
        parse_stamp(row.created_at),
        parse_stamp(row.updated_at),
    )


def version_from(row: Row[Any], artifact: Artifact) -> Version:
    """A version from its row.

    Raises:
        IntegrityError: The content is not the one that the digest is of.
    """
    return _version(row, artifact, _checked(row, artifact))


def _version(row: Row[Any], artifact: Artifact, content: Mapping[str, Json]) -> Version:
    return Version(
        artifact.id,
        artifact.volume,
        artifact.owner,
        artifact.type,
        artifact.name,
        row.digest,
        row.seq,
        content,
        row.author,
        parse_stamp(row.created_at),
        row.parent,
        tuple(json.loads(row.lineage)),
        row.note,
        Status(row.status),
    )


def outline(row: Row[Any], artifact: Artifact) -> Version:
    """A version from its row without its content, which is neither needed nor looked at."""
    return _version(row, artifact, {})


_MEND = "nothing of it is run: roll back to another version of it, or restore a backup"


def _checked(row: Row[Any], artifact: Artifact) -> Mapping[str, Json]:
    if not isinstance(row.content, str) or digest_of(row.content) != row.digest:
        raise IntegrityError(
            f"{artifact.label}: version {row.seq} is not the one that was stored "
            f"(its content does not have the digest {row.digest[:12]})",
            _MEND,
        )
    content: dict[str, Json] = json.loads(row.content)
    return content


def _row(conn: Connection, artifact: Artifact, digest: str) -> Row[Any] | None:
    mine = (versions.c.artifact_id == artifact.id) & (versions.c.digest == digest)
    return conn.execute(select(versions).where(mine)).first()


def _current_row(conn: Connection, artifact: Artifact) -> Row[Any]:
    row = _row(conn, artifact, artifact.current)
    if row is None:
        raise IntegrityError(
            f"{artifact.label}: its current version {artifact.current[:12]} is missing", _MEND
        )
    return row


def _begins(part: str) -> ColumnElement[bool]:
    # A range, so that the index finds it: no digest has a character after "f".
    return versions.c.digest.between(part, f"{part}g")


def _digest_part(digest: str) -> str:
    text = digest.strip().lower()
    if not _PREFIX.fullmatch(text):
        raise UserError(
            f"{digest[:80]!r} is not the digest of a version",
            "give its first digits, 6 or more of 0-9 and a-f",
        )
    return text
