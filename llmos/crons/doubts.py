"""Shared tools of which somebody said that a run was wrong: put aside by the volume's own cron."""

from __future__ import annotations

from collections.abc import Iterator

from llmos.crons.cycle import CronLevel, CycleTask
from llmos.crons.findings import tell
from llmos.store import Transaction
from llmos.values import ArtifactType, EventType
from llmos.volumes import Status, Volume

_TOOL = ArtifactType.TOOL


def put_aside(tx: Transaction, volume: Volume, level: CronLevel) -> Iterator[CycleTask]:
    """Quarantine the versions in doubt, and tell those who look after the volume.

    Nobody is served by them since the ledger has the line; this makes it a fact of the volume.
    """
    doubted = volume.doubted(tx=tx)
    for artifact in volume.list_artifacts(_TOOL, Status.ACTIVE, 1000, tx=tx):
        if artifact.current not in doubted:
            continue
        why = "somebody it served, or an audit, said that it was wrong"
        volume.set_status(
            _TOOL, artifact.name, Status.QUARANTINED, author=level.author, why=why, tx=tx
        )
        title = f"the shared tool {artifact.name} is out of use"
        event = tx.event(
            EventType.SYSTEM_ALERT,
            volume=volume.place.volume,
            owner=volume.place.owner,
            actor=level.author,
            subject=artifact.id,
            title=title,
            payload={"why": why, "name": artifact.name},
        )
        finding = f"doubt:{artifact.current}"
        tell(tx, volume, event, title, why, "a tool of yours is shared no longer", finding)
        yield CycleTask("alert", artifact.name, title, why)
