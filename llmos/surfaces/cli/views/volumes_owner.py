"""How what is private is shown, and what a purge takes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from llmos.errors import UserError
from llmos.surfaces.cli.output import one_line, out, print_table, short, when
from llmos.values import ArtifactType, Json
from llmos.volumes import Place, Version
from llmos.volumes.meant import is_run
from llmos.volumes.privacy import Kept
from llmos.volumes.projects import MadeGeneral


def show_private(kept: Sequence[Kept]) -> None:
    """Print what is private, one line each."""
    if not kept:
        print("Nothing is private: the crons of your teams and of the system may look at it.")
        return
    print_table(("WHAT", "SINCE"), [(what(k), when(k.since)) for k in kept])


def what(kept: Kept) -> str:
    """What people call a thing that is private."""
    if kept.project:
        within = f"project {kept.project}"
        whole = kept.kind == "volume"
        return f"the volume of {within}" if whole else f"{one_line(kept.name, 80)} of {within}"
    if kept.kind == "volume":
        return "your whole volume"
    if kept.kind == "trace":
        return f"run {short(kept.subject).lower()}: {one_line(kept.name, 80)}"
    return one_line(kept.name, 80)


def show_switched(
    type: ArtifactType | None,
    name: str,
    on: bool,
    changed: bool,
    private: Sequence[str],
    project: str | None = None,
) -> None:
    """Print what became of a thing that was made private, or no longer."""
    named = _named(type, name) if type is not None else "your volume"
    if project is not None:
        whole = f"the volume of project {project}"
        named = f"{named} of project {project}" if type is not None else whole
    state = "private" if on else "private no longer"
    print(f"{named} is {state}" if changed else f"nothing to do: {named} was {state} already")
    if on and changed:
        out().print("What was shared before stays where it is: llmos recall NAME", style="dim")
    elif not on and type is not None and "volume" in private:
        out().print("but your whole volume is private, and this with it", style="dim")


def show_going(type: ArtifactType, name: str, place: Place, going: Sequence[Version]) -> None:
    """Print what a purge would take."""
    console = out()
    console.print(f"{_named(type, name)} of {place} would be deleted for good", style="bold")
    if not going:
        console.print("  nothing was made from it")
        return
    rows = [(f"{v.type.value} {v.name}", f"@{v.seq}", str(Place(v.volume, v.owner))) for v in going]
    print_table(("WITH", "VERSION", "IN"), rows)


def as_dict(type: ArtifactType, name: str, going: Sequence[Version]) -> dict[str, Json]:
    """The same as JSON."""
    versions = [
        {"type": v.type.value, "name": v.name, "version": v.seq, "digest": v.digest}
        | {"volume": v.volume, "owner": v.owner}
        for v in going
    ]
    return {"type": type.value, "name": name, "versions": versions}


def general_dict(made: MadeGeneral) -> dict[str, Json]:
    """What became of an artifact of a project that is for all now, as JSON."""
    version = made.version
    return {
        "type": version.type.value,
        "name": version.name,
        "volume": version.volume,
        "owner": version.owner,
        "version": version.seq,
        "digest": version.digest,
        "status": version.status.value,
        "event": made.event,
    }


def show_general(made: MadeGeneral) -> None:
    """Print the same."""
    version = made.version
    where = f"{_named(version.type, version.name)} of {Place(version.volume, version.owner)}"
    if not made.event:
        print(f"nothing to do: {where} is the same already, and {version.status.value}")
        return
    print(f"{where} is {version.status.value}. To take it back: llmos undo {short(made.event)}")


def agrees(name: str, *, ask: bool) -> bool:
    """Whether the person at the terminal agrees to delete.

    Raises:
        UserError: Nobody can be asked.
    """
    if not ask or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UserError(
            f"{one_line(name, 80)} was not deleted: it cannot be undone, and nobody can be asked",
            "look with --dry-run, then say --yes",
        )
    print("It cannot be undone. Delete? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _named(type: ArtifactType, name: str) -> str:
    return f"run {short(name).lower()}" if is_run(type, name) else f"{type.value} {name}"
