"""Promotion: a version is copied into a farther volume, and can be recalled from all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import select

from llmos.errors import PermissionDenied, UserError
from llmos.kernel.text import plain
from llmos.store import Transaction
from llmos.store.schema import artifacts, versions
from llmos.values import ArtifactType, EventType, Json
from llmos.volumes import changing, reading, recording
from llmos.volumes.access import Access, Caller, Kind, may
from llmos.volumes.changing import Origin
from llmos.volumes.content import canonical, digest_of
from llmos.volumes.descent import Node, descendants, holders, made_from, outlines, promotions
from llmos.volumes.privacy import is_private
from llmos.volumes.recording import Entry
from llmos.volumes.records import Artifact, Place, Status, Version, View, What, place_of
from llmos.volumes.volume import Volume

__all__ = ["descendants", "promote", "recall"]

_FARNESS: Mapping[str, int] = {"user": 0, "team": 1, "system": 2}


def _farness(place: Place) -> tuple[int, bool]:
    """How far from a run a volume lies: a project's is nearer than the one that it lies in."""
    return _FARNESS[place.volume], not place.project


def promote(
    tx: Transaction,
    source: Version,
    target: Volume,
    *,
    author: str,
    why: str,
    content: Mapping[str, Json] | None = None,
    lineage: Sequence[str] = (),
) -> Version:
    """Copy a version into another volume, in use there, and tell that it was promoted.

    It becomes a version of what was made of the same artifact before, else a new artifact: under
    the same name, or ``name-2`` and so on where that is another's. What a cron promotes does not
    replace what is pinned or archived there. Of a digest that was promoted there once nothing is
    done again, also if it was taken out of use since.

    Args:
        tx: An open transaction.
        source: What is promoted; in use, and not private but to its owner.
        target: The volume, as who promotes has it.
        author: Who promotes: the target's caller.
        why: For the record.
        content: What is stored, if it is not all of the source.
        lineage: What else it was made from: digests and trace ids in full.

    Returns:
        The version in the target.

    Raises:
        PermissionDenied: Who promotes may not write there, the source is private, or a cron would
            bring back what was purged there.
        UserError: The source is not there any more, is out of use, or lies in the target.
    """
    target.require_write(tx, author)
    _require_promotable(tx, source, target)
    before = [p for p in promotions(tx.conn, target.place) if p.source == source.digest]
    for promotion in before:
        done = _version(tx, promotion.made, source.type)
        if done is not None:
            return done
    if before and target.caller.kind is not Kind.PERSON:
        raise PermissionDenied(
            f"{source.label} was purged from {target.place}: nothing automatic brings it back",
            "a person who may write there can promote it again",
        )
    further = (d for d in lineage if d != source.digest)
    origin = Origin(author, source.digest, (source.digest, *further), why, Status.ACTIVE)
    label = f"{source.type.value} {source.name!r}"
    text = canonical(source.content if content is None else content, label)
    by_person = target.caller.kind is Kind.PERSON
    return _copy(tx, source, target.place, text, origin, automatic=not by_person)


def recall(tx: Transaction, caller: Caller, digest: str, why: str) -> list[Version]:
    """Take what was made from a version out of use in all farther volumes; the source stays.

    It is quarantined, not archived: what is archived comes back with one step and no look at why
    it was laid aside. So what is archived already is quarantined too.

    Args:
        tx: An open transaction.
        caller: Who may write where the source is, for it is their work, or where the copies are.
        digest: Of the source, in full.
        why: For the record.

    Returns:
        What was taken out of use, without contents: all that the caller may.

    Raises:
        UserError: There is no such version.
        PermissionDenied: The caller may recall none of what was made from it.
    """
    sources = holders(tx.conn, digest)
    if not sources:
        raise UserError(f"there is no version {digest[:12]!r}", "give all 64 digits of it")
    nearest = min(map(_farness, sources.values()))
    made = outlines(tx.conn, made_from(tx.conn, sources))
    farther = [v for v in made if _farness(place_of(v)) > nearest]
    own = [n for n, place in sources.items() if may(tx.conn, caller, place, Access.WRITE)]
    of_own = made_from(tx.conn, own)
    allowed = [
        v
        for v in farther
        if (v.artifact_id, v.digest) in of_own or may(tx.conn, caller, place_of(v), Access.WRITE)
    ]
    if farther and not allowed:
        raise PermissionDenied(
            f"{caller} may not recall {digest[:12]}: only its owner and who may write the volumes "
            "that it was promoted to may",
            "ask its owner, or a maintainer of the team",
        )
    return [v for v in allowed if _quarantine(tx, v, caller.author, why)]


def _require_promotable(tx: Transaction, source: Version, target: Volume) -> None:
    origin = place_of(source)
    meant = (versions.c.artifact_id == source.artifact_id) & (versions.c.digest == source.digest)
    status = tx.conn.scalar(select(versions.c.status).where(meant))
    if origin == target.place:
        raise UserError(f"{source.label} lies in {origin}", "name another volume to promote it to")
    if status is None:
        # It was purged: nothing brings its content back.
        raise UserError(f"{source.label} is not in {origin} any more", "promote one that is")
    if Status(status).out_of_use:
        raise UserError(f"{source.label} is {status}", "promote a version that is in use")
    private = is_private(tx.conn, origin, "artifact", source.artifact_id)
    if private and not target.caller.owns(origin):
        raise PermissionDenied(
            f"{source.label} cannot be promoted: {source.owner} keeps it private",
            f"{source.owner} can share it",
        )


def _copy(
    tx: Transaction, source: Version, place: Place, text: str, origin: Origin, *, automatic: bool
) -> Version:
    digest = digest_of(text)
    artifact = _artifact_of(tx, source, place)
    if artifact is None:
        name = next(n for n in _names(source.name) if _free(tx, place, source.type, n))
        artifact = recording.add_artifact(tx, place, source.type, name, digest, origin.status)
        automatic = False
    told = {
        "from_volume": source.volume,
        "from_owner": source.owner,
        "source": source.digest,
    }
    known = reading.by_digest(tx.conn, artifact, digest)
    if known is not None:
        _tell_again(tx, artifact, known, origin, told)
        return known
    version = changing.add(tx, artifact, text, origin, parent=source.digest)
    by, why = origin.author, origin.note
    was = "" if artifact.current == digest else artifact.current
    if automatic and not changing.may_advance(tx, artifact, version, by):
        event = EventType.ARTIFACT_PROMOTED
        kept = Entry(What.KEPT, digest, version.seq, was, was, event, told)
        recording.record(tx, artifact, kept, by=by, why=why)
    else:
        moved = Entry(What.PROMOTED, digest, version.seq, was, digest, told=told)
        status = version.status.value
        recording.record(tx, artifact, moved, by=by, why=why, current=digest, status=status)
    return version


def _tell_again(
    tx: Transaction, artifact: Artifact, known: Version, origin: Origin, told: Mapping[str, Json]
) -> None:
    """What is there already is not changed, but it is this source's too, and recalled with it."""
    named = {"artifact": artifact.type.value, "name": artifact.name, "version": known.seq}
    tx.event(
        EventType.ARTIFACT_PROMOTED,
        volume=artifact.volume,
        owner=artifact.owner,
        actor=origin.author,
        subject=artifact.id,
        title=f"{artifact.label} version {known.seq} was there when it was promoted",
        payload={**named, "digest": known.digest, "why": plain(origin.note), **told},
    )


def _artifact_of(tx: Transaction, source: Version, place: Place) -> Artifact | None:
    """What versions of the same artifact were promoted to before, if it is there still."""
    mine = select(versions.c.digest).where(versions.c.artifact_id == source.artifact_id)
    digests = set(tx.conn.scalars(mine))
    for promotion in promotions(tx.conn, place):
        if promotion.source in digests and promotion.origin == place_of(source):
            meant = (artifacts.c.id == promotion.made[0]) & (artifacts.c.type == source.type.value)
            row = tx.conn.execute(select(artifacts).where(meant)).first()
            if row is not None:
                return reading.artifact_from(row)
    return None


def _names(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        end = f"-{number}"
        yield name[: 64 - len(end)] + end
        number += 1


def _free(tx: Transaction, place: Place, type: ArtifactType, name: str) -> bool:
    return reading.find(tx.conn, View(place), type, name) is None


def _version(tx: Transaction, node: Node, type: ArtifactType) -> Version | None:
    row = tx.conn.execute(
        select(artifacts).where(artifacts.c.id == node[0], artifacts.c.type == type.value)
    ).first()
    return None if row is None else reading.by_digest(tx.conn, reading.artifact_from(row), node[1])


def _quarantine(tx: Transaction, version: Version, author: str, why: str) -> bool:
    if version.status is Status.QUARANTINED:
        return False
    row = tx.conn.execute(select(artifacts).where(artifacts.c.id == version.artifact_id)).one()
    changing.set_status(
        tx,
        reading.artifact_from(row),
        Status.QUARANTINED,
        version.digest,
        author=author,
        why=f"recalled: {why}" if why else "recalled",
    )
    return True
