"""One push of one volume's folder: files that people edited or added, as new, unproven versions.

A new version holds what was edited and nothing else: no program, no proof, no templates. So no goal
finds it, whatever status somebody gives it.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from llmos.errors import LLMOSError
from llmos.values import ArtifactType, check_name
from llmos.volumes.mirror.files import NOTHING, Folder, Foreign, Found, digest_of
from llmos.volumes.mirror.rendering import (
    EDITABLE,
    FOLDERS,
    editable_part,
    edited_part,
    file_of,
    folder_of,
    unproven,
)
from llmos.volumes.mirror.reports import Note, Pushed, PushReport
from llmos.volumes.mirror.state import Entry, State
from llmos.volumes.records import Status, Version
from llmos.volumes.volume import Volume

LARGEST = 1 << 20
"""Bytes of a file that is taken."""

NOTE = "edited by hand"
"""The note of every version that a push makes."""


Check = Callable[[str, str], None]
"""Looks at the name and the text of a file, and raises `UserError` for one that is not taken."""


class _Refused(Exception):
    """A file cannot be taken: the reason, and what to do."""

    def __init__(self, told: str, hint: str = "") -> None:
        super().__init__(told)
        self.told = told
        self.hint = hint


@dataclass
class Push:
    """Takes edited files of one volume.

    Args:
        volume: What they show.
        folder: Where they are, open and locked.
        author: Who has edited them.
        dry_run: Store nothing.
        checks: What files of a type have to pass.
    """

    volume: Volume
    folder: Folder
    author: str
    dry_run: bool
    checks: Mapping[ArtifactType, Check] = field(default_factory=dict)
    state: State = field(init=False)
    _pushed: list[Pushed] = field(default_factory=list)
    _refused: list[Note] = field(default_factory=list)
    _deleted: list[Note] = field(default_factory=list)

    def run(self) -> PushReport:
        """Do it.

        Raises:
            UserError: The author is not a usable name.
            OSError: The folder cannot be used.
            Foreign: Something else stands in its place.
        """
        check_name(self.author, "author")
        self.state = State.load(self.folder)
        for type in EDITABLE:
            with self.folder.below(FOLDERS[type][0]) as inner:
                there = inner.names()
                for name in sorted(there):
                    self._look(type, inner, name, there[name])
                self._tell_deleted(type, there)
        if not self.dry_run:
            self.state.save(self.folder)
        return PushReport(tuple(self._pushed), tuple(self._refused), tuple(self._deleted))

    def _look(self, type: ArtifactType, inner: Folder, file: str, found: Found) -> None:
        ending = FOLDERS[type][1]
        if file.startswith(".") or not file.endswith(ending):
            return
        name, path = file.removesuffix(ending), f"{FOLDERS[type][0]}/{file}"
        try:
            if not found.is_file:
                raise _Refused("it is no regular file", "put a copy of the text in its place")
            path = file_of(type, name)
            self._take(type, name, path, inner.read(file, LARGEST) or b"")
        except _Refused as e:
            self._refuse(path, e.told, e.hint)
        except Foreign as e:
            self._refuse(path, str(e))
        except LLMOSError as e:
            self._refuse(path, e.message, e.hint)

    def _take(self, type: ArtifactType, name: str, path: str, data: bytes) -> None:
        entry = self.state.entries.get(path, Entry())
        digest = digest_of(data)
        if digest in entry.ours or digest == NOTHING:
            return
        part = _part(type, data)
        artifact = self.volume.find(type, name)
        history = self.volume.history(type, name) if artifact is not None else []
        if _same(type, part, history, artifact.current if artifact else ""):
            return
        if type is ArtifactType.TOOL:
            _check_code(part, data.decode())
        if type in self.checks:
            self.checks[type](name, part)
        note = _behind(entry, history, artifact.current if artifact else "")
        pushed = Pushed(self._named(path), type, name, None, None, note)
        if not self.dry_run:
            parent = entry.version if entry.version in {v.digest for v in history} else None
            version = self._put(type, name, part, parent)
            # From here on what stands there is nobody's edit any more.
            self.state.entries[path] = replace(entry, key="", ours=entry.ours | {digest})
            self.state.edition = None
            pushed = replace(pushed, digest=version.digest, version=version.seq)
        self._pushed.append(pushed)

    def _put(self, type: ArtifactType, name: str, part: str, parent: str | None) -> Version:
        return self.volume.put(
            None,
            type,
            name,
            unproven(type, part),
            author=self.author,
            parent=parent,
            note=NOTE,
            status=Status.DRAFT,
        )

    def _tell_deleted(self, type: ArtifactType, there: dict[str, Found]) -> None:
        folder, ending = FOLDERS[type]
        for path in sorted(self.state.entries):
            file = path.partition("/")[2]
            if not path.startswith(f"{folder}/") or file in there:
                continue
            name = file.removesuffix(ending)
            artifact = self.volume.find(type, name)
            if artifact is None or artifact.status.out_of_use:
                continue
            told = f"is deleted; the {type.value} is not, and the next refresh writes it again"
            hint = f"to lay it aside: llmos {type.value}s archive {name}"
            self._deleted.append(Note(self._named(path), told, hint))

    def _refuse(self, path: str, told: str, hint: str = "") -> None:
        self._refused.append(Note(self._named(path), told, hint))

    def _named(self, path: str) -> str:
        return "/".join((*folder_of(self.volume.place), path))


def _part(type: ArtifactType, data: bytes) -> str:
    try:
        part = edited_part(type, data.decode())
    except UnicodeDecodeError as e:
        raise _Refused(f"it is not UTF-8 text (byte {e.start})", "save it as UTF-8") from e
    if not part.strip():
        raise _Refused("nothing is in it", "delete the file to get it anew")
    return part


def _same(type: ArtifactType, part: str, history: list[Version], current: str) -> bool:
    """Whether a file says what the current version says.

    Raises:
        _Refused: It says what another version says, or one that is laid aside.
    """
    wanted = part.rstrip("\n")
    same = [v for v in history if editable_part(type, v.content).rstrip("\n") == wanted]
    if not same:
        return False
    version = next((v for v in same if v.digest == current), same[-1])
    if version.digest == current and not version.status.out_of_use:
        return True
    told = f"it is what version {version.seq} says, which is {version.status.value}"
    word = "restore" if version.digest == current else "rollback"
    number = "" if version.digest == current else f" {version.seq}"
    raise _Refused(told, f"take it back: llmos {type.value}s {word} {version.name}{number}")


def _behind(entry: Entry, history: list[Version], current: str) -> str:
    """What to tell where the file was made from a version that is no longer the current one."""
    base = entry.version
    if base in (None, current):
        return ""
    for version in history:
        if version.digest == base:
            return f"made from version {version.seq}, which was no longer the current one"
    return ""


def _check_code(code: str, text: str) -> None:
    """Refuse what is no Python; lines are counted in the whole file."""
    above = text[: len(text) - len(code)].count("\n")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(code)
    except SyntaxError as e:
        line = f"line {e.lineno + above}: " if e.lineno else ""
        raise _Refused(f"{line}{e.msg}", "mend it and push again") from e
    except (ValueError, RecursionError, MemoryError) as e:
        raise _Refused(f"it cannot be read as Python: {e}", "mend it and push again") from e
