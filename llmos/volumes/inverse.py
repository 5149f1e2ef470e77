"""The inverse of one change of an artifact, as its event tells it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from llmos.errors import UserError
from llmos.store import EventRow, Transaction
from llmos.values import ArtifactType, EventType
from llmos.volumes import changing, reading
from llmos.volumes.records import Artifact, Place, Status, View, VolumeType, What

_ANNOUNCED = {
    EventType.INSIGHT_GENERATED: ArtifactType.INSIGHT,
    EventType.SUGGESTION_CREATED: ArtifactType.SUGGESTION,
}
"""Events that tell of a new artifact by its name, beside the one of its creation."""


@dataclass(frozen=True, slots=True)
class Inverse:
    """What would take one change back, as things are now."""

    told: str
    """One line: what it does, or why there is nothing to do."""
    do: Callable[[], None] | None = None
    """None: the state is already the one from before."""


@dataclass(frozen=True, slots=True)
class _Fact:
    tx: Transaction
    artifact: Artifact
    digest: str
    was: str
    now: str
    author: str
    why: str


def changes_an_artifact(row: EventRow) -> bool:
    """Whether an event tells of a change that has an inverse."""
    told = row.payload
    announced = row.type in _ANNOUNCED or row.type is EventType.ARTIFACT_PROMOTED
    return announced or {"what", "artifact", "name", "digest", "was", "now"} <= told.keys()


def place_of(row: EventRow) -> Place:
    """The volume that an event happened in."""
    return Place(cast(VolumeType, row.volume), row.owner)


def inverse_of(tx: Transaction, row: EventRow, *, author: str, why: str) -> Inverse:
    """How to take back what an event tells.

    Args:
        tx: An open transaction.
        row: An event for which `changes_an_artifact` holds.
        author: Who takes it back.
        why: For the record.

    Raises:
        UserError: Something else has come after it, which would be lost.
    """
    told = row.payload
    type = _ANNOUNCED.get(row.type) or ArtifactType(told["artifact"])
    name = str(told.get("name") or row.subject)
    artifact = reading.get(tx.conn, View(place_of(row)), type, name)
    digest = str(told.get("digest") or artifact.current)
    before, after = str(told.get("was", "")), str(told.get("now", ""))
    fact = _Fact(tx, artifact, digest, before, after, author, why)
    if row.type in _ANNOUNCED or row.type is EventType.ARTIFACT_PROMOTED:
        return _made(fact)
    return _INVERSES[What(told["what"])](fact)


def _made(fact: _Fact) -> Inverse:
    label = fact.artifact.label
    if fact.artifact.status is Status.ARCHIVED:
        return Inverse(f"{label} is archived already")
    _require_current(fact, fact.digest)
    return Inverse(f"{label} was archived", lambda: _set_status(fact, Status.ARCHIVED))


def _moved(fact: _Fact) -> Inverse:
    artifact, seq = fact.artifact, _number(fact, fact.was)
    if artifact.current == fact.was:
        return Inverse(f"{artifact.label} is at version {seq} already")
    _require_current(fact, fact.now)

    def go_back() -> None:
        changing.rollback(fact.tx, artifact, fact.was, author=fact.author, why=fact.why)

    return Inverse(f"{artifact.label} is at version {seq} again", go_back)


def _marked(fact: _Fact) -> Inverse:
    row = reading.referred(fact.tx.conn, fact.artifact, fact.digest)
    label = f"{fact.artifact.label} version {row.seq}"
    if row.status == fact.was:
        return Inverse(f"{label} is {fact.was} already")
    if row.status != fact.now:
        raise UserError(
            f"{label} became {row.status} after it was made {fact.now}",
            f"take that back first, or see: {_history(fact.artifact)}",
        )
    return Inverse(f"{label} is {fact.was} again", lambda: _set_status(fact, Status(fact.was)))


def _held(pinned: bool) -> Callable[[_Fact], Inverse]:
    word = "pinned" if pinned else "not pinned"

    def inverse(fact: _Fact) -> Inverse:
        artifact, author, why = fact.artifact, fact.author, fact.why
        if artifact.pinned == pinned:
            return Inverse(f"{artifact.label} is {word} already")
        return Inverse(
            f"{artifact.label} is {word} again",
            lambda: changing.set_pinned(fact.tx, artifact, pinned, author=author, why=why),
        )

    return inverse


def _kept(fact: _Fact) -> Inverse:
    seq = _number(fact, fact.digest)
    return Inverse(f"{fact.artifact.label} version {seq} was only stored: nothing to take back")


_INVERSES: Mapping[What, Callable[[_Fact], Inverse]] = {
    What.CREATED: _made,
    What.EVOLVED: _moved,
    What.ROLLED_BACK: _moved,
    What.KEPT: _kept,
    What.STATUS: _marked,
    What.ARCHIVED: _marked,
    What.RESTORED: _marked,
    What.PINNED: _held(False),
    What.UNPINNED: _held(True),
}


def _set_status(fact: _Fact, status: Status) -> None:
    restored = fact.was != Status.ARCHIVED and fact.now == Status.ARCHIVED
    is_current = fact.digest == fact.artifact.current
    changing.set_status(
        fact.tx,
        fact.artifact,
        status,
        fact.digest,
        author=fact.author,
        why=fact.why,
        what=What.RESTORED if restored and is_current else What.STATUS,
    )


def _require_current(fact: _Fact, digest: str) -> None:
    """Refuse to throw away what came after the change."""
    artifact = fact.artifact
    if artifact.current == digest:
        return
    label, then = artifact.label, _number(fact, digest)
    now = _number(fact, artifact.current)
    after = f"version {now} came after it" if now > then else f"it is at version {now} since"
    tool = artifact.type is ArtifactType.TOOL
    to = f"llmos tools rollback {artifact.name} VERSION" if tool else "take that back first"
    raise UserError(f"{label}: {after}", to)


def _number(fact: _Fact, digest: str) -> int:
    return int(reading.referred(fact.tx.conn, fact.artifact, digest).seq)


def _history(artifact: Artifact) -> str:
    if artifact.type is ArtifactType.TOOL:
        return f"llmos tools history {artifact.name}"
    return "llmos feed"
