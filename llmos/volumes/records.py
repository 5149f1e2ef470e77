"""What a volume keeps, as values: artifacts, their versions, and every change of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, get_args

from llmos.errors import UserError
from llmos.values import ArtifactType, Json, check_name

VolumeType = Literal["user", "team", "system"]


@dataclass(frozen=True, slots=True)
class Place:
    """Which volume: its type and whose it is; or that of a project within one.

    A project's volume has an owner of its own, ``alice:web``, which no user or team can be called:
    what asks for ``alice`` never finds what is of the project, unless it asks for that by name.

    Raises:
        UserError: There is no such type, or the owner or the project is not a usable name.
    """

    volume: VolumeType
    owner: str
    """Id of the user or team; ``system`` for the system's volume; with ``:NAME``: of a project."""

    def __post_init__(self) -> None:
        if self.volume not in get_args(VolumeType):
            raise UserError(f"there is no volume of type {self.volume!r}", "user, team or system")
        check_name(self.holder, f"{self.volume} id")
        if self.owner != self.holder:
            check_name(self.project, "project")
        if self.volume == "system" and self.owner != "system":
            raise UserError(
                f"the system volume has no owner {self.owner!r}", "its owner is 'system'"
            )

    @property
    def holder(self) -> str:
        """The user or team whose it is, also of a project: who may do what there."""
        return self.owner.partition(":")[0]

    @property
    def project(self) -> str:
        """Name of the project, or ``""``."""
        return self.owner.partition(":")[2]

    @property
    def whole(self) -> Place:
        """The volume of the user or team that a project's lies in; else itself."""
        return Place(self.volume, self.holder)

    def of(self, project: str) -> Place:
        """The volume of a project within this one.

        Raises:
            UserError: The project is not a usable name, or there can be none here.
        """
        return Place(self.volume, f"{self.holder}:{project}")

    def __str__(self) -> str:
        if self.volume == "system":
            return "the system volume"
        if self.project:
            return f"the volume of {self.volume} {self.holder}'s project {self.project}"
        return f"the {self.volume} volume of {self.owner}"


@dataclass(frozen=True, slots=True)
class View:
    """What somebody is shown of a volume."""

    place: Place
    partial: bool = False
    """Without the artifacts and traces that its owner keeps private."""


class Status(StrEnum):
    """Where a version stands on its way from a proposal to rest."""

    DRAFT = "draft"
    """Stored, not in use."""
    SHADOWING = "shadowing"
    """Compared with what others do; touches nothing."""
    ACTIVE = "active"
    """In use."""
    QUARANTINED = "quarantined"
    """Taken out of use because it was found wrong, or may be."""
    ARCHIVED = "archived"
    """Laid aside; kept as everything is."""

    @property
    def out_of_use(self) -> bool:
        """Whether somebody or something decided against the version."""
        return self in (Status.QUARANTINED, Status.ARCHIVED)


class What(StrEnum):
    """What a `Change` did."""

    CREATED = "created"
    """The artifact is new, and so is this version, its first."""
    EVOLVED = "evolved"
    """The version became the current one by a put."""
    KEPT = "kept"
    """The version was stored by itself, and the current one stayed."""
    ROLLED_BACK = "rolled_back"
    """The version was made the current one again, by name."""
    STATUS = "status"
    """The version's status changed, other than by the two below."""
    ARCHIVED = "archived"
    RESTORED = "restored"
    PROMOTED = "promoted"
    """The version came from another volume and became the current one."""
    PINNED = "pinned"
    UNPINNED = "unpinned"


MOVES = (What.CREATED, What.EVOLVED, What.ROLLED_BACK, What.PROMOTED)
"""The changes after which their version is the current one."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A name in a volume and the version it stands for now."""

    id: str
    volume: VolumeType
    owner: str
    type: ArtifactType
    name: str
    current: str
    """Digest of the version that counts; ``""`` for a run, whose content is made when read."""
    pinned: bool
    """Nothing automatic makes another version the current one."""
    status: Status
    """That of the current version."""
    created_at: datetime
    updated_at: datetime

    @property
    def label(self) -> str:
        """The artifact in messages: ``tool 'send-invoice'``."""
        return f"{self.type.value} {self.name!r}"


@dataclass(frozen=True, slots=True)
class Version:
    """One content of an artifact. Only its status ever changes."""

    artifact_id: str
    volume: VolumeType
    owner: str
    type: ArtifactType
    name: str
    digest: str
    """SHA-256 hex of the content as canonical JSON."""
    seq: int
    """Number within the artifact, from 1."""
    content: Mapping[str, Json]
    author: str
    """User id, or name of the cron."""
    created_at: datetime
    parent: str | None
    """Digest of the version it was made from; may lie in another volume."""
    lineage: tuple[str, ...]
    """Digests and trace ids it was made from."""
    note: str
    status: Status

    @property
    def label(self) -> str:
        """The version in diffs and messages: ``tool/send-invoice version 3 (1f2e3d4c5b6a)``."""
        return f"{self.type.value}/{self.name} version {self.seq} ({self.digest[:12]})"

    @property
    def code(self) -> str | None:
        """The program text, where the content has one."""
        code = self.content.get("code")
        return code if isinstance(code, str) else None


def place_of(kept: Artifact | Version) -> Place:
    """The volume that an artifact or a version lies in."""
    return Place(kept.volume, kept.owner)


@dataclass(frozen=True, slots=True)
class Change:
    """One line of an artifact's own, append-only record."""

    seq: int
    artifact_id: str
    type: ArtifactType
    name: str
    digest: str
    """The version it is about."""
    what: What
    was: str
    """The current digest before, where `what` is one of `MOVES` or ``kept``; else the status."""
    now: str
    by: str
    at: datetime
    why: str
