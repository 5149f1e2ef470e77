"""`Mirror`: what volumes hold now, as files for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, select

from llmos.errors import UserError
from llmos.store import Store
from llmos.store.schema import artifacts
from llmos.values import ArtifactType
from llmos.volumes.access import Access, Caller, may
from llmos.volumes.mirror.files import Folder, Foreign, opened
from llmos.volumes.mirror.pushing import Check, Push
from llmos.volumes.mirror.refresh import Refresh
from llmos.volumes.mirror.rendering import folder_of
from llmos.volumes.mirror.reports import MirrorReport, Note, PushReport
from llmos.volumes.records import Place
from llmos.volumes.volume import Volume

T = TypeVar("T")

ROOT = ("workspace", "volumes")
"""The folder of all volumes, below the home."""


class Mirror:
    """Shows the current versions of volumes as files, and takes edited ones back.

    The files are renderings: nothing is ever read back from them but by `push`. Call it after the
    commit of what it shall show, outside of any transaction.

    Args:
        home: The home; the files are below ``workspace/volumes`` in it.
        store: Where the volumes are kept.
        caller: Who looks, and pushes: only what they may read is shown.
        checks: What a pushed file of a type has to pass, beside what is checked of all.
    """

    def __init__(
        self,
        home: Path,
        store: Store,
        caller: Caller,
        *,
        checks: Mapping[ArtifactType, Check] | None = None,
    ) -> None:
        self.root = home.joinpath(*ROOT)
        self._home = home
        self._store = store
        self._caller = caller
        self._checks = dict(checks or {})

    def folder(self, place: Place) -> Path:
        """Where the files of a volume are."""
        return self.root.joinpath(*folder_of(place))

    def refresh(self, place: Place | None = None) -> MirrorReport:
        """Bring the files up to date; cheap where nothing has changed.

        A file that somebody has edited is left alone; where there is something new to show, that
        is put beside it. Trouble with files is in the report, never raised.

        Args:
            place: The volume; all that hold something and may be read when left out.

        Raises:
            StoreError: The database cannot be used now.
            PermissionDenied: The volume that is named may not be read.
        """
        report = MirrorReport()
        for each in self._places() if place is None else (place,):
            report += self._refreshed(each)
        return report

    def push(self, place: Place, *, dry_run: bool = False) -> PushReport:
        """Take edited and new files of tools and agents as new, unproven versions; then refresh.

        Args:
            place: The volume.
            dry_run: Only tell what would be taken.

        Raises:
            PermissionDenied: Who pushes may not write the volume.
            StoreError: The database cannot be used now.
        """
        volume = self._volume(place)

        def push(folder: Folder) -> PushReport:
            return Push(volume, folder, self._caller.author, dry_run, self._checks).run()

        report = self._in_folder(place, push, lambda note: PushReport(refused=(note,)))
        if dry_run:
            return report
        refreshed = self._refreshed(place)
        return PushReport(report.pushed, report.refused, report.deleted, refreshed)

    def _refreshed(self, place: Place) -> MirrorReport:
        volume = self._volume(place)
        return self._in_folder(
            place,
            lambda folder: Refresh(volume, folder).run(),
            lambda note: MirrorReport(problems=(note,)),
        )

    def _in_folder(
        self, place: Place, work: Callable[[Folder], T], failed: Callable[[Note], T]
    ) -> T:
        """Do ``work`` in a volume's folder, alone in it."""
        parts = folder_of(place)
        try:
            with opened(self._home, (*ROOT, *parts)) as folder, folder.locked():
                return work(folder)
        except Foreign as e:
            return failed(Note("/".join(parts), str(e), "move it away"))
        except OSError as e:
            told = f"the files there cannot be brought up to date: {e.strerror}"
            return failed(Note("/".join(parts), told, "see the space, owner and mode there"))

    def _places(self) -> Iterable[Place]:
        query = select(artifacts.c.volume, artifacts.c.owner).distinct()
        for volume, owner in sorted(self._store.read(lambda c: c.execute(query).all())):
            try:
                place = Place(volume, owner)
            except UserError:
                # No path is made of it; what stored it went around `Volume`.
                continue
            if self._store.read(self._may_read(place)):
                yield place

    def _may_read(self, place: Place) -> Callable[[Connection], bool]:
        return lambda c: may(c, self._caller, place, Access.READ)

    def _volume(self, place: Place) -> Volume:
        return Volume(self._store, place.volume, place.owner, caller=self._caller)
