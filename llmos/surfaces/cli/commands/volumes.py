"""``llmos volumes``: what is kept of whom, and what was done with it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import JsonFlag, Limit, globals_of

if TYPE_CHECKING:
    from llmos.boot import LLMOS


class Level(StrEnum):
    """Types of volumes."""

    USER = "user"
    TEAM = "team"
    SYSTEM = "system"


def volumes(
    ctx: typer.Context,
    level: Annotated[Level, typer.Argument(metavar="[user|team|system]")] = Level.USER,
    owner: Annotated[str | None, typer.Argument(help="Id of the team; yours by default.")] = None,
    limit: Limit = 10,
    as_json: JsonFlag = False,
) -> None:
    """Show how much a volume holds, what it saved, and what was changed in it."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json, to_json
    from llmos.surfaces.cli.views.volumes import show_volume

    async def work(os: LLMOS) -> None:
        stats = os.kernel.analyze_volume(level.value, owner)
        changes = os.kernel.get_artifact_changes(level.value, owner, limit)
        if as_json:
            print_json(stats | {"changes": [to_json(change) for change in changes]})
        else:
            show_volume(stats, changes)

    with_os(globals_of(ctx), work)
