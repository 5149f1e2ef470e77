"""Changing artifacts: the work, its line in the record and its event, in one transaction."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import or_, select

from llmos.errors import PermissionDenied, UserError
from llmos.store import Transaction
from llmos.store.schema import artifact_changes
from llmos.values import ArtifactType, Json, check_name
from llmos.volumes import reading, recording
from llmos.volumes.content import canonical, digest_of
from llmos.volumes.reading import Ref
from llmos.volumes.recording import Entry
from llmos.volumes.records import MOVES, Artifact, Status, Version, View, What

_DIGEST = re.compile(r"[0-9a-f]{64}")
_ORIGIN = re.compile(r"[0-9a-f]{64}|[0-9A-Za-z]{26}")


@dataclass(frozen=True, slots=True)
class Origin:
    """Who made a version and from what.

    Raises:
        UserError: The author is not a usable name; a digest or an id is none.
    """

    author: str
    parent: str | None = None
    lineage: tuple[str, ...] = ()
    note: str = ""
    status: Status = Status.DRAFT

    def __post_init__(self) -> None:
        check_name(self.author, "author")
        for given in self.lineage:
            if not _ORIGIN.fullmatch(given):
                raise UserError(
                    f"{given[:80]!r} cannot be in a lineage", "give digests and trace ids in full"
                )
        if self.parent is not None and not _DIGEST.fullmatch(self.parent):
            raise UserError(
                f"{self.parent[:80]!r} is not the digest of a parent", "give all 64 digits of it"
            )


def put(
    tx: Transaction,
    view: View,
    type: ArtifactType,
    name: str,
    content: Mapping[str, Json],
    origin: Origin,
    automatic: bool = False,
) -> Version:
    """`Volume.put` inside a transaction."""
    text = canonical(content, f"{type.value} {name!r}")
    digest = digest_of(text)
    artifact = reading.find(tx.conn, view, type, name)
    if artifact is None:
        _require_free(tx, view, type, name)
        artifact = recording.add_artifact(tx, view.place, type, name, digest, origin.status)
        first = add(tx, artifact, text, origin, parent=origin.parent)
        return _move(tx, artifact, first, What.CREATED, "", origin)
    if digest == artifact.current:
        return reading.current(tx.conn, artifact)
    known = reading.by_digest(tx.conn, artifact, digest)
    parent = origin.parent or artifact.current
    version = known or add(tx, artifact, text, origin, parent=parent)
    if not automatic or may_advance(tx, artifact, version, origin.author):
        return _move(tx, artifact, version, What.EVOLVED, artifact.current, origin)
    if known is None:
        stays = artifact.current
        entry = Entry(What.KEPT, version.digest, version.seq, stays, stays)
        recording.record(tx, artifact, entry, by=origin.author, why=origin.note)
    return version


def rollback(
    tx: Transaction, artifact: Artifact, to: Ref | None, *, author: str, why: str
) -> Version:
    """`Volume.rollback` inside a transaction."""
    if to is None:
        seq = reading.referred(tx.conn, artifact).seq
        target = reading.before(tx.conn, artifact, seq, usable=True)
        if target is None:
            raise UserError(
                f"{artifact.label} has no earlier version that is in use",
                "name the version to go to; the history shows them all",
            )
    else:
        target = reading.version_from(reading.referred(tx.conn, artifact, to), artifact)
    if target.digest != artifact.current:
        origin = Origin(author, note=why)
        _move(tx, artifact, target, What.ROLLED_BACK, artifact.current, origin)
    return target


def set_status(
    tx: Transaction,
    artifact: Artifact,
    status: Status,
    version: Ref | None,
    *,
    author: str,
    why: str,
    what: What = What.STATUS,
) -> None:
    """`Volume.set_status` inside a transaction.

    The content is not looked at: what is damaged must be possible to quarantine.
    """
    row = reading.referred(tx.conn, artifact, version)
    if row.status == status.value:
        return
    is_current = row.digest == artifact.current
    if status is Status.ARCHIVED and is_current:
        what = What.ARCHIVED
    recording.write_status(tx, artifact, row.digest, status)
    entry = Entry(what, row.digest, row.seq, row.status, status.value)
    changed = {"status": status.value} if is_current else {}
    recording.record(tx, artifact, entry, by=author, why=why, **changed)


def restore(tx: Transaction, artifact: Artifact, *, author: str, why: str) -> None:
    """`Volume.restore` inside a transaction."""
    if artifact.status is not Status.ARCHIVED:
        return
    laid_aside = (
        select(artifact_changes.c.was)
        .where(
            artifact_changes.c.artifact_id == artifact.id,
            artifact_changes.c.digest == artifact.current,
            artifact_changes.c.what.in_([What.ARCHIVED.value, What.STATUS.value]),
            artifact_changes.c.now == Status.ARCHIVED.value,
        )
        .order_by(artifact_changes.c.seq.desc())
        .limit(1)
    )
    # A version that came archived has no earlier status.
    status = Status(tx.conn.scalar(laid_aside) or Status.DRAFT)
    set_status(tx, artifact, status, None, author=author, why=why, what=What.RESTORED)


def set_pinned(tx: Transaction, artifact: Artifact, pinned: bool, *, author: str, why: str) -> None:
    """`Volume.pin` and `Volume.unpin` inside a transaction."""
    if artifact.pinned == pinned:
        return
    row = reading.referred(tx.conn, artifact)
    what = What.PINNED if pinned else What.UNPINNED
    entry = Entry(what, row.digest, row.seq, row.status, row.status)
    recording.record(tx, artifact, entry, by=author, why=why, pinned=pinned)


def _require_free(tx: Transaction, view: View, type: ArtifactType, name: str) -> None:
    if view.partial and reading.find(tx.conn, View(view.place), type, name) is not None:
        raise PermissionDenied(
            f"no {type.value} can be put as {name!r} in {view.place}", "use another name"
        )


def add(
    tx: Transaction, artifact: Artifact, text: str, origin: Origin, *, parent: str | None
) -> Version:
    """A new version of an artifact, not yet the current one."""
    row = recording.add_version(
        tx,
        artifact,
        digest_of(text),
        text,
        author=origin.author,
        parent=parent,
        lineage=origin.lineage,
        note=origin.note,
        status=origin.status,
    )
    return reading.version_from(row, artifact)


def _move(
    tx: Transaction, artifact: Artifact, to: Version, what: What, was: str, origin: Origin
) -> Version:
    entry, status = Entry(what, to.digest, to.seq, was, to.digest), to.status.value
    by, why = origin.author, origin.note
    recording.record(tx, artifact, entry, by=by, why=why, current=to.digest, status=status)
    return to


def may_advance(tx: Transaction, artifact: Artifact, version: Version, author: str) -> bool:
    """Whether an automatic put may make ``version`` the current one.

    Not one that somebody else put aside or rolled back from: it was left for a reason, and finding
    it once more is none to undo that. What the author alone replaced it may find right again, when
    a lesson since then turned out wrong.
    """
    if artifact.pinned or artifact.status is Status.ARCHIVED or version.status.out_of_use:
        return False
    changes = artifact_changes.c
    was_left = select(changes.seq).where(
        changes.artifact_id == artifact.id,
        changes.was == version.digest,
        changes.what.in_([what.value for what in MOVES]),
        or_(changes.what == What.ROLLED_BACK.value, changes.by != author),
    )
    return tx.conn.execute(was_left.limit(1)).first() is None
