"""``llmos volumes``: what a volume holds, as files."""

from __future__ import annotations

import typer

from llmos.surfaces.cli.commands import volumes_files
from llmos.surfaces.cli.options import JsonFlag, group

app = group("Your volume as files. Without a command: bring them up to date.")


@app.callback()
def main(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Your volume as files. Without a command: bring them up to date."""
    if ctx.invoked_subcommand is None:
        volumes_files.mirror(ctx, as_json)


app.command("mirror")(volumes_files.mirror)
app.command("push")(volumes_files.push)
