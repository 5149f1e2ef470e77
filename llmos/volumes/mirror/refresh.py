"""One refresh of one volume's folder: what has to be written, then the writing.

Between the two the state is stored with both what stands there and what will: a refresh that dies
leaves no file that the next one would take for an edited one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from llmos.errors import LLMOSError
from llmos.values import ArtifactType
from llmos.volumes.mirror.files import NOTHING, Folder, Foreign, Found, digest_of
from llmos.volumes.mirror.rendering import BESIDE, EDITABLE, FOLDERS, file_of, folder_of, rendered
from llmos.volumes.mirror.reports import MirrorReport, Note
from llmos.volumes.mirror.state import Entry, State
from llmos.volumes.readable import ReadableVolume
from llmos.volumes.records import Artifact

TRACES = 200
"""Traces of a volume that are mirrored, the newest."""
_ALL = 100_000


@dataclass(frozen=True, slots=True)
class _Write:
    """Something to be written, or, without ``data``, to be removed."""

    path: str
    data: bytes | None
    over: frozenset[str]
    """Digests of what nobody has edited."""


@dataclass
class Refresh:
    """Brings the files of one volume up to date.

    Args:
        volume: What they show.
        folder: Where they are, open and locked.
    """

    volume: ReadableVolume
    folder: Folder
    state: State = field(init=False)
    _folders: dict[str, Folder] = field(default_factory=dict)
    _there: dict[str, Found] = field(default_factory=dict)
    """What stands in the folders, by path."""
    _plan: list[_Write] = field(default_factory=list)
    _next: dict[str, Entry] = field(default_factory=dict)
    """Entries of the files as they will be."""
    _edited: list[Note] = field(default_factory=list)
    _problems: list[Note] = field(default_factory=list)

    def run(self) -> MirrorReport:
        """Do it.

        Raises:
            OSError: The folder cannot be used.
            Foreign: Something else stands in the place of the state.
        """
        edition = self.volume.edition()
        with ExitStack() as stack:
            self._open(stack)
            if self._as_it_should_be(edition):
                return MirrorReport()
            self._look()
            self._intend()
            written, removed = self._perform()
            kept = {path: e for path, e in self._next.items() if e != Entry()}
            clean = not (self._edited or self._problems)
            self.state.edition, self.state.entries = edition if clean else None, kept
            self.state.save(self.folder)
        return MirrorReport(written, removed, tuple(self._edited), tuple(self._problems))

    def _open(self, stack: ExitStack) -> None:
        self.folder.sweep()
        self.state = State.load(self.folder)
        for name, _ in FOLDERS.values():
            try:
                inner = stack.enter_context(self.folder.below(name))
            except Foreign as e:
                self._problem(name, str(e), "move it away")
                continue
            inner.sweep()
            self._folders[name] = inner
            self._there |= {f"{name}/{n}": found for n, found in inner.names().items()}

    def _as_it_should_be(self, edition: int) -> bool:
        if self.state.edition != edition or self._problems:
            return False
        return all(self._stands(path) for path in self.state.entries)

    def _stands(self, path: str) -> bool:
        found = self._there.get(path)
        return found is not None and found.is_file and found.size > 0

    # --- looking -------------------------------------------------------------------------------

    def _look(self) -> None:
        wanted = set()
        for artifact in self._artifacts():
            try:
                path = file_of(artifact.type, artifact.name)
            except LLMOSError as e:
                self._problem(FOLDERS[artifact.type][0], e.message, e.hint)
                continue
            wanted.add(path)
            self._guarded(path, self._examine, artifact)
        for path in self.state.entries.keys() - wanted:
            self._guarded(path, self._drop)

    def _artifacts(self) -> Iterator[Artifact]:
        for type in ArtifactType:
            limit = TRACES if type is ArtifactType.TRACE else _ALL
            for artifact in self.volume.list_artifacts(type, limit=limit):
                if not artifact.status.out_of_use:
                    yield artifact

    def _examine(self, path: str, artifact: Artifact) -> None:
        """See what has to become of an artifact's file."""
        entry = self.state.entries.get(path, Entry())
        key = f"{artifact.current} {artifact.status.value}"
        fresh = entry.key == key
        if fresh and self._stands(path) and path + BESIDE not in self._there:
            return
        version = self.volume.get(artifact.type, artifact.name)
        data = rendered(version, self.volume.place)
        digest, found = digest_of(data), self._digest(path)
        if found in (None, NOTHING, digest, *entry.ours):
            if found != digest:
                self._plan.append(_Write(path, data, entry.ours | {NOTHING}))
            # What a run has done stays as it is: it is not read again for its digest.
            shown = f"{version.digest} {version.status.value}" if artifact.current else key
            self._next[path] = Entry(shown, frozenset({digest}), entry.beside)
            self._clear_beside(path)
        elif fresh:
            # Edited, but there is nothing new to show.
            self._clear_beside(path)
        else:
            self._put_beside(path, data, artifact.type)

    def _put_beside(self, path: str, data: bytes, type: ArtifactType) -> None:
        entry, beside = self._next[path], path + BESIDE
        found, digest = self._digest(beside), digest_of(data)
        if found is not None and found not in (NOTHING, digest, *entry.beside):
            self._tell(path, f"is edited, and so is {BESIDE!r} beside it", type)
            return
        if found != digest:
            self._plan.append(_Write(beside, data, entry.beside | {NOTHING}))
        self._next[path] = replace(entry, beside=frozenset({digest}))
        self._tell(path, f"is edited; what the volume holds now is beside it as *{BESIDE}", type)

    def _clear_beside(self, path: str) -> None:
        """Remove what was put beside a file, which is no longer needed there."""
        entry, beside = self._next[path], path + BESIDE
        found = self._digest(beside) if beside in self._there else None
        if found is None:
            self._next[path] = replace(entry, beside=frozenset())
        elif found in entry.beside:
            self._plan.append(_Write(beside, None, entry.beside))
            self._next[path] = replace(entry, beside=frozenset())

    def _drop(self, path: str) -> None:
        """Remove the file of what is laid aside."""
        entry = self._next[path]
        found = self._digest(path)
        if found is None:
            self._next[path] = Entry(beside=entry.beside)
        elif found == NOTHING or found in entry.ours:
            self._plan.append(_Write(path, None, entry.ours | {NOTHING}))
            self._next[path] = Entry(beside=entry.beside)
        else:
            told = "is edited, and what it shows is archived, quarantined or no longer shown"
            self._edited.append(Note(self._named(path), told, "delete it if you do not need it"))
        self._clear_beside(path)

    # --- doing ---------------------------------------------------------------------------------

    def _intend(self) -> None:
        """Store what will be written before it is."""
        if not self._plan:
            return
        entries = dict(self.state.entries)
        changing = {w.path for w in self._plan}
        for path in {path.removesuffix(BESIDE) for path in changing}:
            before, after = entries.get(path, Entry()), self._next[path]
            # Where the file itself changes, nobody knows for now which version it shows.
            entries[path] = Entry(
                "" if path in changing else before.key,
                before.ours | after.ours,
                before.beside | after.beside,
            )
        self.state.edition, self.state.entries = None, entries
        self.state.save(self.folder)

    def _perform(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        written, removed = [], []
        for todo in self._plan:
            name, folder = todo.path.rpartition("/")[2], self._folder(todo.path)
            try:
                if todo.data is None:
                    folder.remove(name, todo.over)
                    removed.append(self._named(todo.path))
                else:
                    folder.write(name, todo.data, todo.over)
                    written.append(self._named(todo.path))
            except (OSError, Foreign) as e:
                self._failed(todo.path, e)
        return tuple(written), tuple(removed)

    def _failed(self, path: str, e: OSError | Foreign) -> None:
        """What was intended stays so, to be done by the next refresh."""
        entry = path.removesuffix(BESIDE)
        self._next[entry] = self.state.entries[entry]
        self._problem(path, *_why(e))

    # --- telling -------------------------------------------------------------------------------

    def _guarded(self, path: str, work: Callable[..., None], *args: Artifact) -> None:
        """Let one file's trouble not be that of the others."""
        self._next[path] = self.state.entries.get(path, Entry())
        try:
            work(path, *args)
        except (OSError, Foreign) as e:
            self._problem(path, *_why(e))
        except LLMOSError as e:
            self._problem(path, e.message, e.hint)

    def _tell(self, path: str, told: str, type: ArtifactType) -> None:
        hint = "delete your file to get it anew"
        if type in EDITABLE:
            hint = f"keep yours by llmos volumes push, or {hint}"
        self._edited.append(Note(self._named(path), told, hint))

    def _problem(self, path: str, told: str, hint: str = "") -> None:
        self._problems.append(Note(self._named(path), told, hint))

    def _named(self, path: str) -> str:
        return "/".join((*folder_of(self.volume.place), path))

    def _digest(self, path: str) -> str | None:
        folder, _, name = path.partition("/")
        return self._folder(folder).digest(name)

    def _folder(self, path: str) -> Folder:
        try:
            return self._folders[path.partition("/")[0]]
        except KeyError:
            raise Foreign("its folder cannot be used") from None


def _why(e: OSError | Foreign) -> tuple[str, str]:
    if isinstance(e, Foreign):
        return str(e), "nothing was written over it; move it away"
    return f"cannot be brought up to date: {e.strerror}", "see the space, owner and mode there"
