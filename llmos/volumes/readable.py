"""`ReadableVolume`: reading what one user, one team or the system owns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from llmos.store import Store, Transaction
from llmos.values import ArtifactType, Json
from llmos.volumes import content, listing, reading, runs
from llmos.volumes.access import Access, Caller, require
from llmos.volumes.reading import Ref
from llmos.volumes.records import Artifact, Change, Place, Status, Version, VolumeType
from llmos.volumes.usages import doubted

T = TypeVar("T")


class ReadableVolume:
    """The artifacts of one owner, to read, as ``caller`` is shown them.

    Stored runs are among them, to be read only: as artifacts of the type trace, named by their ids
    in small letters.

    A version is named by its digest, by six or more of its first digits, or by its number. With
    an open transaction as ``tx``, a method reads what is true inside it.

    All methods raise `PermissionDenied` for who may not read here, which is looked up in the same
    transaction, `UserError` for a name or version that cannot be used or is not there, and
    `IntegrityError` when what they read is not what was stored.

    Args:
        store: Where it is kept.
        volume: ``user``, ``team`` or ``system``.
        owner: Id of the user or team; ``system`` for the system's volume.
        caller: Who reads.

    Raises:
        UserError: There is no such type of volume, or the owner is not a usable name.
    """

    def __init__(self, store: Store, volume: VolumeType, owner: str, *, caller: Caller) -> None:
        self.place = Place(volume, owner)
        self.caller = caller
        self._view = caller.view(self.place)
        self._store = store

    def find(
        self, type: ArtifactType, name: str, *, tx: Transaction | None = None
    ) -> Artifact | None:
        """The artifact of that name, or None."""
        return self._read(tx, lambda c: self._find(c, type, name))

    def get(self, type: ArtifactType, name: str, *, tx: Transaction | None = None) -> Version:
        """The current version, whatever its status: look at it before you use it."""

        def read(c: Connection) -> Version:
            found = self._get(c, type, name)
            return reading.current(c, found) if found.current else runs.run_version(c, found)

        return self._read(tx, read)

    def version(self, digest: str, *, tx: Transaction | None = None) -> Version:
        """The version with this digest; the oldest, if several artifacts have that content."""
        return self._read(tx, lambda c: reading.anywhere(c, self._view, digest))

    def history(
        self, type: ArtifactType, name: str, *, tx: Transaction | None = None
    ) -> list[Version]:
        """All versions, the oldest first."""

        def read(c: Connection) -> list[Version]:
            found = self._get(c, type, name)
            return reading.history(c, found) if found.current else [runs.run_version(c, found)]

        return self._read(tx, read)

    def changes(
        self,
        type: ArtifactType,
        name: str,
        limit: int | None = None,
        *,
        tx: Transaction | None = None,
    ) -> list[Change]:
        """Everything that was ever done to an artifact, the newest first."""

        def read(c: Connection) -> list[Change]:
            found = self._get(c, type, name)
            return listing.changes(c, self._view, found, limit)

        return self._read(tx, read)

    def get_recent_changes(self, limit: int = 10) -> list[Change]:
        """What was done in the volume, the newest first."""
        return self._read(None, lambda c: listing.changes(c, self._view, None, limit))

    def edition(self) -> int:
        """A number that is another one after every change in the volume."""
        return self._read(None, lambda c: listing.latest(c, self.place))

    def doubted(self, *, tx: Transaction | None = None) -> frozenset[str]:
        """Digests of versions that somebody said were wrong, and that nobody put in use since."""
        return self._read(tx, lambda c: doubted(c, self.place))

    def list_artifacts(
        self,
        type: ArtifactType | None = None,
        status: Status | None = None,
        limit: int = 100,
        *,
        tx: Transaction | None = None,
    ) -> list[Artifact]:
        """The artifacts of one type and status, or of all, the last changed first."""
        return self._read(tx, lambda c: listing.listed(c, self._view, type, status, limit))

    def read_artifact(self, type: ArtifactType, name: str) -> str:
        """The current version as people read it: sorted YAML, then the code as code.

        Of a run, also by its id: goal, verdict, mode, steps, output and cost.
        """
        named = name.lower() if type is ArtifactType.TRACE else name
        return content.render(self.get(type, named).content)

    def diff(
        self, type: ArtifactType, name: str, a: Ref | None = None, b: Ref | None = None
    ) -> str:
        """What changed from version ``a`` to ``b``, as a unified diff; ``""`` if nothing.

        Args:
            type: Kind of artifact.
            name: Its name.
            a: The older side; the version before ``b`` when left out, or nothing.
            b: The newer side; the current one when left out.
        """

        def read(c: Connection) -> tuple[Version | None, Version]:
            artifact = reading.get(c, self._view, type, name)
            new = reading.version_from(reading.referred(c, artifact, b), artifact)
            if a is None:
                return reading.before(c, artifact, new.seq), new
            return reading.version_from(reading.referred(c, artifact, a), artifact), new

        old, new = self._read(None, read)
        if old is None:
            return content.diff({}, new.content, "nothing", new.label)
        return content.diff(old.content, new.content, old.label, new.label)

    def get_stats(self) -> dict[str, Json]:
        """How much is there: numbers of artifacts, in all, by type and by status, and versions."""
        return self._read(None, lambda c: listing.stats(c, self._view))

    def _find(self, c: Connection, type: ArtifactType, name: str) -> Artifact | None:
        found = reading.find(c, self._view, type, name)
        if found is None and type is ArtifactType.TRACE:
            return runs.find_run(c, self._view, name)
        return found

    def _get(self, c: Connection, type: ArtifactType, name: str) -> Artifact:
        return self._find(c, type, name) or reading.get(c, self._view, type, name)

    def _read(self, tx: Transaction | None, read: Callable[[Connection], T]) -> T:
        def checked(conn: Connection) -> T:
            require(conn, self.caller, self.place, Access.READ)
            return read(conn)

        return self._store.read(checked) if tx is None else checked(tx.conn)
