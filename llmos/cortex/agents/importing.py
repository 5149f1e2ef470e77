"""Taking agents from a folder of files, as Claude Code keeps them: each as it is, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from llmos.cortex.agents.agent import LARGEST, parse
from llmos.cortex.agents.registry import Agents
from llmos.errors import UserError
from llmos.volumes import Place

MOST_FILES = 1000

Outcome = Literal["new", "changed", "unchanged", "refused"]


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one file."""

    file: Path
    outcome: Outcome
    name: str = ""
    told: str = ""
    """Why it was refused."""
    hint: str = ""
    warnings: tuple[str, ...] = ()
    """What it says and nothing here goes by."""


def read_text(path: Path) -> str:
    """The text of an agent's file.

    Raises:
        UserError: It cannot be read, is too large, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as e:
        why = (e.strerror or "it cannot be read").lower()
        raise UserError(f"cannot read {str(path)!r}: {why}", "name a Markdown file") from e
    return decoded(data, str(path))


def decoded(data: bytes, where: str) -> str:
    """The text of an agent's file from its bytes.

    Raises:
        UserError: They are too many, or not UTF-8.
    """
    if len(data) > LARGEST:
        raise UserError(f"{where} has more than {LARGEST:,} bytes", "shorten it")
    try:
        return data.decode()
    except UnicodeDecodeError as e:
        line = data[: e.start].count(b"\n") + 1
        raise UserError(f"line {line}: {where} is not UTF-8 text", "save it as UTF-8") from e


def import_agents(
    agents: Agents,
    paths: Sequence[Path],
    where: Place,
    *,
    replace: bool = False,
    dry_run: bool = False,
) -> list[Imported]:
    """Take the agents of some files and folders into a volume.

    Args:
        agents: Of who imports.
        paths: Files, and folders of ``.md`` files.
        where: The volume.
        replace: Make the file a new version where there is another agent of that name.
        dry_run: Only tell what would be taken.

    Raises:
        UserError: A path is not there, or holds too many files.
        PermissionDenied: Who imports may not write the volume.
    """
    return [_import(agents, file, where, replace, dry_run) for file in _files(paths)]


def _import(agents: Agents, file: Path, where: Place, replace: bool, dry_run: bool) -> Imported:
    try:
        text = read_text(file)
        agent = parse(text)
        kept = agents.find(agent.name, where)
        if kept is not None and kept.text == text and not kept.status.out_of_use:
            return Imported(file, "unchanged", agent.name)
        if kept is not None and not replace:
            told = f"there is another agent {agent.name!r} in {where}"
            raise UserError(told, "to make this a new version of it: --replace")
        note = f"imported from {file.name}"
        if not dry_run and kept is not None:
            agents.modify(agent.name, text, where, note)
        elif not dry_run:
            agents.create(text, where, note)
    except UserError as e:
        return Imported(file, "refused", told=e.message, hint=e.hint)
    outcome: Outcome = "new" if kept is None else "changed"
    return Imported(file, outcome, agent.name, warnings=agent.warnings)


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.rglob("*.md") if p.is_file())
        elif path.exists():
            found.append(path)
        else:
            raise UserError(f"{str(path)!r} is not there", "name a Markdown file or a folder")
    if len(found) > MOST_FILES:
        raise UserError(f"there are {len(found)} files", f"at most {MOST_FILES} are taken at once")
    return list(dict.fromkeys(found))
