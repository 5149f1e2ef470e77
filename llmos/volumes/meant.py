"""What a person means by the name of an artifact or the id of a run, for what is done to both."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import Connection

from llmos.store import Transaction
from llmos.values import ArtifactType
from llmos.volumes.privacy import PrivateKind
from llmos.volumes.purge import purge, would_go
from llmos.volumes.purge_runs import purge_run, would_go_with
from llmos.volumes.records import Version
from llmos.volumes.volume import Volume

_ID = re.compile(r"[0-9A-Z]{26}")


def is_run(type: ArtifactType | None, name: str) -> bool:
    """Whether a run is meant, rather than something that a cron has written about runs."""
    return type is ArtifactType.TRACE and _ID.fullmatch(name.upper()) is not None


def subject_of(volume: Volume, type: ArtifactType | None, name: str) -> tuple[PrivateKind, str]:
    """What is kept private, and its id.

    Args:
        volume: Whose artifacts.
        type: Kind of artifact; None for the whole volume.
        name: Its name; the id of a run.

    Raises:
        UserError: There is no such artifact.
    """
    if type is None:
        return "volume", ""
    if is_run(type, name):
        return "trace", name.upper()
    return "artifact", volume.get(type, name).artifact_id


@dataclass(frozen=True, slots=True)
class Purge:
    """One artifact or run that is to be deleted with all that was made from it."""

    volume: Volume
    """As the person has it who deletes."""
    type: ArtifactType
    name: str
    """Of the artifact; the id of a run."""

    def would_go(self, conn: Connection) -> list[Version]:
        """The versions that would be deleted; see `purge.would_go` and `purge_runs`."""
        caller, place = self.volume.caller, self.volume.place
        if is_run(self.type, self.name):
            return would_go_with(conn, caller, place, self.name.upper())
        return would_go(conn, caller, place, self.type, self.name)

    def carry_out(self, tx: Transaction, why: str) -> int:
        """Delete it; how many versions that were."""
        caller, place = self.volume.caller, self.volume.place
        if is_run(self.type, self.name):
            return purge_run(tx, caller, place, self.name.upper(), why)
        return purge(tx, caller, place, self.type, self.name, why)
