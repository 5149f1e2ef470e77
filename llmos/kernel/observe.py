"""Observes what one call reads and writes: the footprint, and the pre-images for the journal."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from llmos.kernel.snapshot import ABSENT, Entry, Manifest, Snapshots, TooLarge, changed, render
from llmos.store import BlobStore
from llmos.values import Change, Effect, Footprint, Resources, Step

FILE, TREE = "file:", "tree:"


@dataclass(slots=True)
class Look:
    """The state of a call's resources before it ran."""

    resources: Resources
    reads: dict[str, str | None] = field(default_factory=dict)
    """Resource to digest; None for absent files and for what cannot be digested."""
    files: dict[str, Entry] = field(default_factory=dict)
    """Absolute path of every single file the call may write."""
    parents: dict[str, Entry] = field(default_factory=dict)
    """Folders that do not exist yet and that the call may make on the way to those files."""
    trees: dict[str, Manifest] = field(default_factory=dict)
    """Folders the call reads or may change as a whole, by resource."""
    unseen: set[str] = field(default_factory=set)
    """Folders that the call made too large to tell all that it changed in them."""
    complaints: list[str] = field(default_factory=list)
    """Why something cannot be undone or compared later, in words for the user."""

    @property
    def targets(self) -> dict[str, str | None]:
        """Digest of each single file that the call may write, by resource."""
        return {FILE + path: entry.seen for path, entry in self.files.items()}


class Observer:
    """Looks before and after a call."""

    def __init__(self, snapshots: Snapshots, blobs: BlobStore, home: str) -> None:
        self._snapshots = snapshots
        self._blobs = blobs
        self._home = home

    def before(self, resources: Resources | None) -> Look:
        """Digest what the call will read; keep what it may overwrite."""
        look = Look(resources or Resources())
        for resource in look.resources.writes:
            if resource.startswith(FILE):
                path = resource[len(FILE) :]
                look.files[path] = self._snapshots.entry(path, keep=True)
                look.parents.update((p, ABSENT) for p in _missing_parents(path))
            elif resource.startswith(TREE):
                self._look_at_tree(look, resource, keep=True)
        for resource in look.resources.reads:
            if resource.startswith(FILE):
                look.reads[resource] = self._snapshots.entry(resource[len(FILE) :]).seen
            elif resource.startswith(TREE) and resource not in look.trees:
                self._look_at_tree(look, resource, keep=False)
        return look

    def after(self, look: Look) -> dict[str, tuple[Entry, Entry]]:
        """What really changed: absolute path to (before, after)."""
        changes: dict[str, tuple[Entry, Entry]] = {}
        for path, before in (look.files | look.parents).items():
            present = self._snapshots.entry(path)
            if present != before:
                changes[path] = (before, present)
        for resource in look.resources.writes:
            if resource in look.trees:
                changes.update(self._tree_changes(look, resource))
        return changes

    def footprint(
        self, look: Look, changes: Mapping[str, tuple[Entry, Entry]], undoable: bool
    ) -> Footprint:
        """The footprint of a finished call.

        A file that was written with the content it already had is a write too: a replay must
        find it as it was.
        """
        written = {path: (entry, entry) for path, entry in look.files.items()} | dict(changes)
        return Footprint(
            reads=dict(look.reads) | dict.fromkeys(look.trees),
            writes=tuple(
                Change(FILE + path, before.seen, after.seen)
                for path, (before, after) in sorted(written.items())
                if path not in look.parents and {before.kind, after.kind} != {"absent"}
            ),
            undoable=undoable,
        )

    def tree_digest(self, resource: str, manifest: Manifest, written: Iterable[str]) -> str:
        """Digest of a folder without what the run itself wrote; its text goes to the blob store."""
        return self._blobs.put(render(manifest, resource[len(TREE) :], written))

    def tree_now(self, resource: str, written: Iterable[str]) -> tuple[str | None, bytes]:
        """Digest and text of a folder as it is now; ``(None, b"")`` when it is too large."""
        root = resource[len(TREE) :]
        try:
            manifest = self._snapshots.manifest(root, skip=(self._home,))
        except TooLarge:
            return None, b""
        text = render(manifest, root, written)
        return hashlib.sha256(text).hexdigest(), text

    def file_now(self, resource: str) -> str | None:
        """Digest of one file as it is now."""
        return self._snapshots.entry(resource[len(FILE) :]).seen

    def _look_at_tree(self, look: Look, resource: str, *, keep: bool) -> None:
        try:
            look.trees[resource] = self._snapshots.manifest(
                resource[len(TREE) :], keep=keep, skip=(self._home,)
            )
        except TooLarge as e:
            look.reads[resource] = None
            look.complaints.append(str(e))

    def _tree_changes(self, look: Look, resource: str) -> dict[str, tuple[Entry, Entry]]:
        before = look.trees[resource]
        try:
            now = self._snapshots.manifest(resource[len(TREE) :], skip=(self._home,))
        except TooLarge as e:
            # The command made the folder too large to walk: what was known before is compared.
            now = {path: self._snapshots.entry(path) for path in before}
            look.unseen.add(resource)
            look.complaints.append(f"{e} after the call")
        return {p: (before.get(p, ABSENT), now.get(p, ABSENT)) for p in changed(before, now)}


def fully_observed(step: Step) -> bool:
    """Whether all that a step may have written is known, by digest."""
    if not step.effect.writes:
        return True
    if step.effect is not Effect.WRITE:
        return False
    # A folder that was too large to look at as a whole is no longer undoable.
    trees = any(r.startswith(TREE) for r in step.footprint.reads)
    return step.footprint.undoable if trees else bool(step.footprint.writes)


def acted(step: Step) -> bool:
    """Whether a call wrote, or tried to, or may have done so unseen."""
    return bool(step.footprint.writes) or not fully_observed(step)


def _missing_parents(path: str) -> list[str]:
    missing: list[str] = []
    parent = os.path.dirname(path)
    while parent not in ("/", "") and not os.path.lexists(parent):
        missing.append(parent)
        parent = os.path.dirname(parent)
    return missing[::-1]
