"""``llmos volumes``: what is kept of whom, what was done with it, and all of it as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.commands import volumes_files, volumes_owner
from llmos.surfaces.cli.commands.volumes_owner import Level
from llmos.surfaces.cli.options import JsonFlag, Limit, globals_of, group

if TYPE_CHECKING:
    from llmos.boot import LLMOS


app = group("What is kept of whom. Without a command: of you.")


@app.callback()
def main(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """What is kept of whom. Without a command: of you."""
    if ctx.invoked_subcommand is None:
        show(ctx, as_json=as_json)


@app.command("show")
def show(
    ctx: typer.Context,
    level: Annotated[Level, typer.Argument(metavar="[user|team|system]")] = Level.USER,
    owner: Annotated[str | None, typer.Argument(help="Id of the team; yours by default.")] = None,
    limit: Limit = 10,
    as_json: JsonFlag = False,
) -> None:
    """Show how much a volume holds, what it saved, and what was changed in it.

    With --project: the volume of that project within yours, or within your team's.
    """
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json, to_json
    from llmos.surfaces.cli.views.volumes import show_volume

    async def work(os: LLMOS) -> None:
        whose = volumes_owner.owner_in(os, level, owner)
        stats = os.kernel.analyze_volume(level.value, whose)
        changes = os.kernel.get_artifact_changes(level.value, whose, limit)
        kept = os.kernel.get_private() if level is Level.USER else []
        if as_json:
            told = {"changes": [to_json(change) for change in changes], "private": to_json(kept)}
            print_json(stats | told)
        else:
            show_volume(stats, changes, kept)

    with_os(globals_of(ctx), work)


app.command("promote")(volumes_owner.promote)
app.command("mirror")(volumes_files.mirror)
app.command("push")(volumes_files.push)
app.command("private")(volumes_owner.private)
app.command("purge")(volumes_owner.purge)
