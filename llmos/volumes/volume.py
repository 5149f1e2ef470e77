"""`Volume`: changing what one user, one team or the system owns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from llmos.errors import UserError
from llmos.store import Transaction
from llmos.values import ArtifactType, Json
from llmos.volumes import changing, reading
from llmos.volumes.access import Access, require, require_author
from llmos.volumes.changing import Origin
from llmos.volumes.readable import ReadableVolume
from llmos.volumes.reading import Ref
from llmos.volumes.records import Artifact, Status, Version, View
from llmos.volumes.runs import find_run

T = TypeVar("T")


class Volume(ReadableVolume):
    """The artifacts of one owner; nothing in it is ever overwritten or deleted.

    What changes something takes an open transaction as ``tx``, so that several facts become true
    together; without one it makes its own. In a coroutine use `aput`, or
    ``await store.awrite(lambda tx: volume.rollback(…, tx=tx))``.

    Every change is in `changes` with who did it, when and why, and an event tells of it: all in
    the one transaction. What would change nothing leaves neither.

    Nobody writes in another's name: ``author`` is what `Caller.author` says. All methods raise
    `PermissionDenied` for who may not write here, `UserError` for a name, author or version that
    cannot be used or is not there, and `IntegrityError` when what they read is not what was stored.
    """

    def put(
        self,
        tx: Transaction | None,
        type: ArtifactType,
        name: str,
        content: Mapping[str, Json],
        *,
        author: str,
        parent: str | None = None,
        lineage: Sequence[str] = (),
        note: str = "",
        status: Status = Status.DRAFT,
        automatic: bool = False,
    ) -> Version:
        """Make ``content`` what the artifact is now, as a new version if it never was before.

        Nothing happens when it is that already: neither ``status`` nor ``note`` is taken then.
        A content of an earlier version makes that version the current one again, with the status
        it has. An archived artifact comes back with what a person puts.

        Args:
            tx: An open transaction, or None.
            type: Kind of artifact.
            name: Its name; new names make new artifacts.
            content: A JSON object; program text is its member ``code``.
            author: User id, or name of the cron: the caller's own.
            parent: Digest in full of what it was made from; the current version when left out.
            lineage: Digests and trace ids in full that it was made from.
            note: Why, in a line.
            status: Of a new version.
            automatic: Nobody asked for it. The version is stored, but the current one stays where
                the artifact is pinned or archived, the new one is quarantined or archived, or it
                had been current before and was rolled back from, or left by another author.

        Returns:
            The version with this content, whether or not it became the current one.
        """
        origin = Origin(author, parent, tuple(lineage), note, status)
        return self._write(
            tx,
            author,
            lambda tx: self._put(tx, type, name, content, origin, automatic),
        )

    async def aput(
        self,
        type: ArtifactType,
        name: str,
        content: Mapping[str, Json],
        *,
        author: str,
        parent: str | None = None,
        lineage: Sequence[str] = (),
        note: str = "",
        status: Status = Status.DRAFT,
        automatic: bool = False,
    ) -> Version:
        """`put` in a transaction of its own, without blocking the event loop."""
        origin = Origin(author, parent, tuple(lineage), note, status)
        return await self._store.awrite(
            lambda tx: self._admitted(
                tx,
                author,
                lambda tx: self._put(tx, type, name, content, origin, automatic),
            )
        )

    def rollback(
        self,
        type: ArtifactType,
        name: str,
        to: Ref | None = None,
        *,
        author: str,
        why: str = "",
        tx: Transaction | None = None,
    ) -> Version:
        """Make an older version (or a newer, by name) the current one, also of a pinned artifact.

        Args:
            type: Kind of artifact.
            name: Its name.
            to: Which; when left out, the newest older one that is not quarantined or archived.
            author: Who does it.
            why: For the record.
            tx: An open transaction, or None.
        """
        return self._write(
            tx,
            author,
            lambda tx: changing.rollback(
                tx, self._changeable(tx, type, name), to, author=author, why=why
            ),
        )

    def set_status(
        self,
        type: ArtifactType,
        name: str,
        status: Status,
        *,
        version: Ref | None = None,
        author: str,
        why: str = "",
        tx: Transaction | None = None,
    ) -> Artifact:
        """Say where a version stands, the current one when none is named; the artifact after it.

        It works on damaged versions too, which must be possible to quarantine.
        """
        return self._change(
            tx,
            type,
            name,
            author,
            lambda tx, a: changing.set_status(tx, a, status, version, author=author, why=why),
        )

    def archive(
        self,
        type: ArtifactType,
        name: str,
        *,
        author: str,
        why: str = "",
        tx: Transaction | None = None,
    ) -> Artifact:
        """Lay the artifact aside: its current version is archived. Nothing is deleted."""
        return self.set_status(type, name, Status.ARCHIVED, author=author, why=why, tx=tx)

    def restore(
        self,
        type: ArtifactType,
        name: str,
        *,
        author: str,
        why: str = "",
        tx: Transaction | None = None,
    ) -> Artifact:
        """Take an archived artifact back, with the status it had. Else nothing happens."""
        return self._change(
            tx, type, name, author, lambda tx, a: changing.restore(tx, a, author=author, why=why)
        )

    def pin(
        self,
        type: ArtifactType,
        name: str,
        *,
        author: str,
        why: str = "",
        tx: Transaction | None = None,
    ) -> Artifact:
        """Let nothing automatic make another version the current one."""
        return self._change(
            tx,
            type,
            name,
            author,
            lambda tx, a: changing.set_pinned(tx, a, True, author=author, why=why),
        )

    def unpin(
        self,
        type: ArtifactType,
        name: str,
        *,
        author: str,
        why: str = "",
        tx: Transaction | None = None,
    ) -> Artifact:
        """Undo `pin`. What was stored meanwhile stays aside until it is put again."""
        return self._change(
            tx,
            type,
            name,
            author,
            lambda tx, a: changing.set_pinned(tx, a, False, author=author, why=why),
        )

    def _change(
        self,
        tx: Transaction | None,
        type: ArtifactType,
        name: str,
        author: str,
        change: Callable[[Transaction, Artifact], object],
    ) -> Artifact:
        def write(tx: Transaction) -> Artifact:
            change(tx, self._changeable(tx, type, name))
            return reading.get(tx.conn, self._view, type, name)

        return self._write(tx, author, write)

    def _changeable(self, tx: Transaction, type: ArtifactType, name: str) -> Artifact:
        self._refuse_run(tx, type, name)
        return reading.get(tx.conn, self._view, type, name)

    def _put(
        self,
        tx: Transaction,
        type: ArtifactType,
        name: str,
        content: Mapping[str, Json],
        origin: Origin,
        automatic: bool,
    ) -> Version:
        self._refuse_run(tx, type, name)
        return changing.put(tx, self._view, type, name, content, origin, automatic)

    def _refuse_run(self, tx: Transaction, type: ArtifactType, name: str) -> None:
        if type is ArtifactType.TRACE and find_run(tx.conn, View(self.place), name) is not None:
            raise UserError(
                f"trace {name!r} is a stored run, which nobody changes",
                "say what you think of it: llmos feedback",
            )

    def _write(self, tx: Transaction | None, author: str, write: Callable[[Transaction], T]) -> T:
        if tx is not None:
            return self._admitted(tx, author, write)
        return self._store.write(lambda tx: self._admitted(tx, author, write))

    def _admitted(self, tx: Transaction, author: str, write: Callable[[Transaction], T]) -> T:
        self.require_write(tx, author)
        return write(tx)

    def require_write(self, tx: Transaction, author: str) -> None:
        """Let only those go on who may write here, in their own name.

        Raises:
            PermissionDenied: The caller may not, or ``author`` is somebody else.
            UserError: ``author`` is not a usable name.
        """
        require_author(self.caller, author)
        require(tx.conn, self.caller, self.place, Access.WRITE)
