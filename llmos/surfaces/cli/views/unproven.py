"""How a tool is shown that a person wrote or edited: it has no proof, and nothing runs it."""

from __future__ import annotations

from llmos.errors import UserError
from llmos.evolution.tool import learnt
from llmos.surfaces.cli.output import moment, one_line, out, print_block, printable, to_json
from llmos.values import ArtifactType, Json
from llmos.volumes import Artifact, Version, Volume

UNPROVEN = "unproven: a person wrote it, nothing runs it"


def unproven(volume: Volume, name: str) -> tuple[Artifact, Version] | None:
    """The tool of that name and its current version, if a person wrote that; else None.

    Raises:
        UserError: There is no such tool.
        IntegrityError: It is not what was stored.
    """
    version = volume.get(ArtifactType.TOOL, name)
    artifact = volume.find(ArtifactType.TOOL, name)
    return None if learnt(version) or artifact is None else (artifact, version)


def require_learnt(volume: Volume, name: str) -> None:
    """Refuse to put a tool in use that nothing can run.

    Raises:
        UserError: A person wrote its current version, or there is no such tool.
    """
    if unproven(volume, name):
        raise UserError(
            f"the tool {name!r} has no proof: a person wrote it, and nothing runs it",
            f"take a version back that was learnt: llmos tools rollback {name}",
        )


def as_dict(artifact: Artifact, version: Version) -> dict[str, Json]:
    """The tool as JSON; like that of a learned one, as far as there is something to tell."""
    return {
        "name": artifact.name,
        "status": artifact.status.value,
        "pinned": artifact.pinned,
        "version": version.seq,
        "digest": version.digest,
        "author": version.author,
        "created_at": to_json(version.created_at),
        "templates": [],
        "code": version.code,
        "lineage": list(version.lineage),
        "proof": None,
        "note": version.note,
    }


def print_unproven(artifact: Artifact, version: Version) -> None:
    """Print the tool for people."""
    console = out()
    console.print(f"{one_line(artifact.name)} · version {version.seq}", style="bold")
    pinned = ", pinned" if artifact.pinned else ""
    made = f"{version.digest[:12]} · {moment(version.created_at)} by {version.author}"
    console.print(printable(f"{artifact.status.value}{pinned} · {made}"), style="dim")
    if version.note:
        console.print(one_line(version.note, 300), style="dim")
    console.print(UNPROVEN, style="yellow")
    if version.seq > 1:
        console.print(f"another version: llmos tools history {artifact.name}", style="dim")
    if version.code:
        print_code(version.code)


def print_code(code: str) -> None:
    """Print the code of a tool."""
    from rich.syntax import Syntax

    out().print("\ncode", style="bold")
    shown = Syntax(printable(code.rstrip()), "python", theme="ansi_dark", word_wrap=True)
    print_block(shown)
