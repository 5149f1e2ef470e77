"""What a project has made, for all that its owner does: a copy in the volume that it lies in."""

from __future__ import annotations

from typing import NamedTuple

from llmos.errors import UserError
from llmos.store import Transaction
from llmos.values import ArtifactType, EventType
from llmos.volumes.descent import promotions
from llmos.volumes.privacy import is_private, keep_private
from llmos.volumes.promotion import promote
from llmos.volumes.records import Version
from llmos.volumes.volume import Volume


class MadeGeneral(NamedTuple):
    """What came of it."""

    version: Version
    """In the volume that the project lies in."""
    event: str
    """Id of the event by which it can be taken back; ``""`` where nothing was changed."""


def make_general(
    tx: Transaction, source: Volume, target: Volume, type: ArtifactType, name: str, why: str
) -> MadeGeneral:
    """Promote an artifact of a project to the volume of the user or team whose project it is.

    The project keeps its own. What was private there is private here.

    Args:
        tx: An open transaction.
        source: The project's volume.
        target: The one that it lies in, with the same caller.
        type: Kind of artifact.
        name: Its name.
        why: For the record.

    Returns:
        The version in the target, which stays as it is where it was there before.

    Raises:
        PermissionDenied: The caller may not write there.
        UserError: There is no such artifact, it is out of use, or the target has another one of
            that name.
    """
    found, there = source.get(type, name, tx=tx), target.find(type, name, tx=tx)
    ours = {p.made[0] for p in promotions(tx.conn, target.place) if p.origin == source.place}
    if there is not None and there.id not in ours:
        raise UserError(
            f"there is another {there.label} in {target.place}",
            f"lay that one aside, or change it: llmos {type.value}s --help",
        )
    made = promote(tx, found, target, author=target.caller.author, why=why)
    if is_private(tx.conn, source.place, "artifact", found.artifact_id) and not is_private(
        tx.conn, target.place, "artifact", made.artifact_id
    ):
        keep_private(tx, target.caller, target.place, "artifact", made.artifact_id)
    promoted = (e.id for e in reversed(tx.events) if e.type is EventType.ARTIFACT_PROMOTED)
    return MadeGeneral(made, next(promoted, ""))
