"""What a free run of a trace would check and write, told without running anything.

The writes of ``Write`` and ``Edit`` are exact: the diff against the files as they are now. Of a
shell command and of other tools it is known which files the recorded run changed.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from llmos.kernel.observe import FILE, TREE, Observer
from llmos.plugins.paths import shown
from llmos.replay.world import World, targets, world_of
from llmos.values import Effect, Json, Step, Trace


@dataclass(frozen=True, slots=True)
class Guard:
    """One condition that must hold for a replay to go on."""

    text: str
    holds: bool | None
    """None: known only when the step is made."""


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """One call of a free run that changes something."""

    step: int
    tool: str
    target: str
    """File, command, or the arguments in brief."""
    diff: str = ""
    """Unified diff, where the change is known before it is made."""
    files: tuple[str, ...] = ()
    """Files that the recorded call changed, where there is no diff."""
    external: bool = False
    undoable: bool = True


@dataclass(frozen=True, slots=True)
class Preview:
    """What would happen."""

    world: World
    guards: tuple[Guard, ...]
    writes: tuple[PlannedWrite, ...]
    """In the order of the trace; empty when there is nothing to do, or a guard fails already."""

    @property
    def stopped_by(self) -> Guard | None:
        """The first guard that is known to fail; None if none is."""
        return next((g for g in self.guards if g.holds is False), None)

    def as_dict(self) -> dict[str, Json]:
        """The preview as JSON."""
        return asdict(self)


def preview(trace: Trace, observer: Observer, cwd: Path) -> Preview:
    """What following ``trace`` in ``cwd`` would do, as far as it can be known.

    Args:
        trace: With absolute paths of ``cwd``.
        observer: Looks at files.
        cwd: The working directory, resolved; paths are told relative to it.
    """
    world = world_of(trace, observer)
    guards = (*_targets(trace, observer, cwd), *_reads(trace, observer, cwd))
    free = world is World.BEFORE and all(g.holds is not False for g in guards)
    return Preview(world, guards, tuple(_Writes(cwd).of(trace)) if free else ())


def _targets(trace: Trace, observer: Observer, cwd: Path) -> Iterator[Guard]:
    first, last = targets(trace)
    for resource, before in first.items():
        was = "absent" if before is None else "as it was before the recorded run"
        text = f"{_name(resource, cwd)} is {was}, or as that run left it"
        yield Guard(text, observer.file_now(resource) in (before, last[resource]))


def _reads(trace: Trace, observer: Observer, cwd: Path) -> Iterator[Guard]:
    written = {resource.removeprefix(FILE) for resource in targets(trace)[0]}
    for i, step in enumerate(trace.steps):
        known = [
            (resource, _unchanged(observer, resource, then, written))
            for resource, then in step.footprint.reads.items()
            if resource.removeprefix(FILE) not in written
        ]
        if step.effect.writes:
            for resource, same in known:
                yield Guard(_found(i, step, resource, cwd), same)
        else:
            yield _read_again(i, step, known, cwd)


def _read_again(i: int, step: Step, known: Sequence[tuple[str, bool]], cwd: Path) -> Guard:
    text = f"step {i} comes back as it did: {step.tool} {brief(step.tool, step.arguments)}"
    changed = [_name(resource, cwd) for resource, same in known if not same]
    if changed:
        # It may still read the same, for example another part of the file.
        return Guard(f"{text} ({', '.join(changed)} has changed since)", None)
    return Guard(text, True if known and len(known) == len(step.footprint.reads) else None)


def _found(i: int, step: Step, resource: str, cwd: Path) -> str:
    name = _name(resource, cwd)
    if not _is_tree(resource):
        return f"{name} is as step {i} ({step.tool}) found it"
    folder = "the working directory" if name == "." else f"the folder {name}"
    return f"{folder} is as step {i} ({step.tool}) found it, the run's own writes aside"


def _unchanged(observer: Observer, resource: str, then: str | None, written: set[str]) -> bool:
    if _is_tree(resource):
        now, _ = observer.tree_now(resource, written)
        return now is not None and now == then
    return resource.startswith(FILE) and observer.file_now(resource) == then


def _is_tree(resource: str) -> bool:
    return resource.startswith(TREE)


def _name(resource: str, cwd: Path) -> str:
    return shown(resource.removeprefix(FILE).removeprefix(TREE), cwd)


class _Writes:
    """Goes through a trace and keeps what its files will hold by then."""

    def __init__(self, cwd: Path) -> None:
        self._cwd = cwd
        self._texts: dict[str, str | None] = {}
        """None: an earlier command writes the file, what into it is not known."""

    def of(self, trace: Trace) -> Iterator[PlannedWrite]:
        for i, step in enumerate(trace.steps):
            if step.effect.writes and not step.is_error:
                yield self._planned(i, step)

    def _planned(self, i: int, step: Step) -> PlannedWrite:
        external = step.effect is Effect.EXTERNAL
        paths = [c.resource.removeprefix(FILE) for c in step.footprint.writes]
        names = tuple(shown(path, self._cwd) for path in paths)
        if step.tool in ("Write", "Edit") and len(paths) == 1:
            diff = self._diff(paths[0], names[0], step)
            return PlannedWrite(i, step.tool, names[0], diff, (), external, step.footprint.undoable)
        self._texts.update(dict.fromkeys(paths))
        target = brief(step.tool, step.arguments)
        return PlannedWrite(i, step.tool, target, "", names, external, step.footprint.undoable)

    def _diff(self, path: str, name: str, step: Step) -> str:
        old = self._texts[path] if path in self._texts else _content(path)
        new = _edited(step, old)
        self._texts[path] = new
        if old is None or new is None:
            # Only the piece itself is known.
            old = str(step.arguments.get("old_string", ""))
            new = str(step.arguments.get("new_string", step.arguments.get("content", "")))
        absent = step.footprint.writes[0].before is None
        return unified(old, new, "/dev/null" if absent else f"a/{name}", f"b/{name}")


def _content(path: str) -> str | None:
    try:
        return Path(path).read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    except OSError:
        return None


def _edited(step: Step, text: str | None) -> str | None:
    """What ``Write`` or ``Edit`` makes of a file's text."""
    if step.tool == "Write":
        return str(step.arguments["content"])
    if text is None:
        return None
    old, new = str(step.arguments["old_string"]), str(step.arguments["new_string"])
    if old == "":
        return new
    if old not in text and "\r\n" in text:
        old, new = (s.replace("\r\n", "\n").replace("\n", "\r\n") for s in (old, new))
    return text.replace(old, new, -1 if step.arguments.get("replace_all") else 1)


def unified(old: str, new: str, before: str, after: str) -> str:
    """A unified diff that also tells a missing newline at the end, as ``diff -u`` does.

    Args:
        old: Text before.
        new: Text after.
        before: Name of the old file.
        after: Name of the new file.
    """
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(_lines(old), _lines(new), before, after)
    )


def _lines(text: str) -> list[str]:
    # Not `splitlines`: a form feed or a line separator ends no line of a file.
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def brief(tool: str, arguments: Mapping[str, Json], longest: int = 100) -> str:
    """A call's arguments on one short line: what a person tells calls apart by.

    Args:
        tool: Name of the tool.
        arguments: Of the call.
        longest: Characters at most.
    """
    telling = {"Bash": "command", "WebFetch": "url", "Glob": "pattern", "Grep": "pattern"}
    value = arguments.get(telling.get(tool, "file_path"))
    if not isinstance(value, str):
        value = ", ".join(f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in arguments.items())
    line = " ".join(value.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
