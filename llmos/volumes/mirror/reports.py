"""What a refresh and a push tell."""

from __future__ import annotations

from dataclasses import dataclass

from llmos.values import ArtifactType


@dataclass(frozen=True, slots=True)
class Note:
    """Something about one file that a person should know."""

    path: str
    """Within the folder of all volumes."""
    told: str
    hint: str = ""
    """What to type or do, or ""."""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.path}: {self.told}{hint}"


@dataclass(frozen=True, slots=True)
class MirrorReport:
    """What a refresh did. Paths are within the folder of all volumes."""

    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    edited: tuple[Note, ...] = ()
    """Files that somebody has edited and that look otherwise by now: they were left alone."""
    problems: tuple[Note, ...] = ()
    """Files and folders that could not be brought up to date."""

    def __add__(self, other: MirrorReport) -> MirrorReport:
        return MirrorReport(
            self.written + other.written,
            self.removed + other.removed,
            self.edited + other.edited,
            self.problems + other.problems,
        )


@dataclass(frozen=True, slots=True)
class Pushed:
    """A file that was taken as a new version; that would be, in a dry run."""

    path: str
    type: ArtifactType
    name: str
    digest: str | None
    """Of the new version; None in a dry run."""
    version: int | None
    """Its number; None in a dry run."""
    note: str = ""
    """What a person should know of it, or ""."""


@dataclass(frozen=True, slots=True)
class PushReport:
    """What a push did."""

    pushed: tuple[Pushed, ...] = ()
    refused: tuple[Note, ...] = ()
    """Files that were not taken."""
    deleted: tuple[Note, ...] = ()
    """Files that are gone while their artifacts are not."""
    mirror: MirrorReport = MirrorReport()
    """Of the refresh after it; there is none in a dry run."""
