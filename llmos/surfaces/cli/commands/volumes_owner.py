"""``llmos volumes private`` and ``purge``: what its owner alone says of a volume."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import JsonFlag, globals_of

if TYPE_CHECKING:
    from llmos.boot import LLMOS
    from llmos.values import ArtifactType
    from llmos.volumes import Volume
    from llmos.volumes.records import VolumeType


class Level(StrEnum):
    """Types of volumes."""

    USER = "user"
    TEAM = "team"
    SYSTEM = "system"


class Switch(StrEnum):
    """Whether something is private."""

    ON = "on"
    OFF = "off"


Name = Annotated[
    str | None,
    typer.Argument(metavar="[NAME|RUN]", help="A tool or another artifact, or the id of a run."),
]
Type = Annotated[
    str | None, typer.Option("--type", metavar="TYPE", help="Kind of artifact, such as tool.")
]


def private(
    ctx: typer.Context,
    switch: Annotated[
        Switch | None, typer.Argument(metavar="[on|off]", help="Shows what is, when left out.")
    ] = None,
    name: Name = None,
    type_: Type = None,
    as_json: JsonFlag = False,
) -> None:
    """Keep your volume, or one thing of it, from the crons of teams and of the system.

    They do not look at what is private, so it is not shared. What was shared before stays where it
    is: llmos recall takes it back. With --project: that project's volume, or one thing of it.
    """
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json, to_json
    from llmos.surfaces.cli.views.volumes_owner import show_private, show_switched
    from llmos.volumes.meant import is_run

    async def work(os: LLMOS) -> None:
        if switch is None:
            kept = os.kernel.get_private()
            print_json(to_json(kept)) if as_json else show_private(kept)
            return
        on = switch is Switch.ON
        type, called = None, ""
        if name is not None:
            mine = os.kernel.get_user_volume(owner_in(os, Level.USER, None))
            type, called = _meant(os, mine, name, type_)
        project = None if is_run(type, called) else os.project
        changed = os.kernel.keep_private(on, type, called, project)
        if as_json:
            told = {"type": type or "volume", "name": called}
            told |= {"project": project} if project else {}
            print_json(to_json({**told, "private": on, "changed": changed}))
        else:
            within = ("", project or "")
            kinds = [k.kind for k in os.kernel.get_private() if k.project in within]
            show_switched(type, called, on, changed, kinds, project)

    with_os(globals_of(ctx), work)


def promote(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="An artifact of the project.")],
    level: Annotated[Level, typer.Argument(metavar="[user|team]")] = Level.USER,
    type_: Type = None,
    why: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Let all that you do, or your team, have what one --project has; the project keeps its own.

    Nothing does this by itself. To take it back: llmos undo with the id that is printed.
    """
    from llmos.errors import UserError
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.volumes_owner import general_dict, show_general

    kind: VolumeType = level.value

    async def work(os: LLMOS) -> None:
        if os.project is None:
            raise UserError("no project is named", "name it: --project NAME; see: llmos projects")
        if kind == "system":
            raise UserError("the system has no projects", "llmos volumes promote NAME user")
        team = os.kernel.get_team_volume().place.owner if kind == "team" else None
        whole = os.kernel.get_volume(kind)
        within = os.kernel.get_volume(kind, whole.place.of(os.project).owner)
        type, called = _meant(os, within, name, type_)
        made = os.kernel.make_general(type, called, os.project, team, why)
        print_json(general_dict(made)) if as_json else show_general(made)

    with_os(globals_of(ctx), work)


def purge(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME|RUN", help="A tool or another artifact, or the id of a run."),
    ],
    level: Annotated[Level, typer.Argument(metavar="[user|team|system]")] = Level.USER,
    owner: Annotated[str | None, typer.Argument(help="Id of the team; yours by default.")] = None,
    type_: Type = None,
    why: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would go, delete nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Delete something for good, with all that was made from it in every volume.

    It cannot be undone; archiving can. What goes is told before, and asked. With --project: an
    artifact of that project's volume, or a run.
    """
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json, to_json
    from llmos.surfaces.cli.views.volumes_owner import agrees, as_dict, show_going
    from llmos.volumes.meant import is_run

    async def work(os: LLMOS) -> None:
        whose = owner_in(os, level, owner)
        volume = os.kernel.get_volume(level.value, whose)
        type, called = _meant(os, volume, name, type_)
        if is_run(type, called):  # runs are their user's, whatever project they are of
            whose = owner
            volume = os.kernel.get_volume(level.value, whose)
        going = os.kernel.would_purge(type, called, level.value, whose)
        if not as_json:
            show_going(type, called, volume.place, going)
        done = not dry_run and (yes or agrees(called, ask=not as_json))
        if done:
            os.kernel.purge(type, called, level.value, whose, why)
        if as_json:
            print_json(to_json(as_dict(type, called, going) | {"purged": done}))
        else:
            print("Deleted." if done else "Nothing was deleted.")

    with_os(globals_of(ctx), work)


def owner_in(os: LLMOS, level: Level, owner: str | None) -> str | None:
    """Whose volume is meant where a project may be named; None: as `get_volume` has it."""
    kind: VolumeType = level.value
    if os.project is None or owner is not None or kind == "system":
        return owner
    return os.kernel.get_volume(kind).place.of(os.project).owner


def _meant(os: LLMOS, volume: Volume, name: str, type_: str | None) -> tuple[ArtifactType, str]:
    """The artifact or run that a person means, by kind and name.

    Raises:
        UserError: There is none, or there are several.
    """
    from llmos.errors import UserError
    from llmos.surfaces.cli.opening import find_run
    from llmos.values import ArtifactType

    try:
        kinds = [ArtifactType(type_.lower())] if type_ else list(ArtifactType)
    except ValueError as e:
        known = ", ".join(t.value for t in ArtifactType)
        raise UserError(f"there is no type {type_!r}", f"use one of: {known}") from e
    found = [(t, name) for t in kinds if _is_there(volume, t, name)]
    if len(found) > 1:
        types = ", ".join(t.value for t, _ in found)
        raise UserError(f"several things are called {name!r}: {types}", "say which: --type")
    if found:
        return found[0]
    if volume.place.volume == "user" and ArtifactType.TRACE in kinds:
        try:
            return ArtifactType.TRACE, find_run(os, name).id
        except UserError:
            pass
    raise UserError(
        f"there is no artifact or run {name[:80]!r} in {volume.place}",
        "see: llmos tools, llmos insights, llmos traces",
    )


def _is_there(volume: Volume, type: ArtifactType, name: str) -> bool:
    from llmos.errors import UserError

    try:
        return volume.find(type, name) is not None
    except UserError:  # no artifact can be called that; the end of the id of a run can
        return False
