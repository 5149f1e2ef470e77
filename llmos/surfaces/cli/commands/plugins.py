"""``llmos plugins``: where the tools of runs come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from llmos.surfaces.cli.options import JsonFlag, Limit, globals_of, group

if TYPE_CHECKING:
    from llmos.boot import LLMOS

app = group("Where the tools of runs come from. Without a command: list them.")


@app.callback()
def main(ctx: typer.Context, limit: Limit = 100, as_json: JsonFlag = False) -> None:
    """Where the tools of runs come from. Without a command: list them."""
    if ctx.invoked_subcommand is None:
        list_plugins(ctx, limit, as_json)


@app.command("list")
def list_plugins(ctx: typer.Context, limit: Limit = 100, as_json: JsonFlag = False) -> None:
    """List plugin files, packages and MCP servers with their tools, and what is wrong."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.plugins import print_plugins

    async def work(os: LLMOS) -> None:
        rows = os.kernel.list_plugins()[:limit]
        if as_json:
            print_json(rows)
        else:
            print_plugins(rows)

    with_os(globals_of(ctx), work)


@app.command("reload")
def reload(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Load all plugin files now, ask all MCP servers for their tools, and say what is wrong.

    A program that runs sees changed files and lists at its next run by itself.
    """
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.plugins import print_plugins

    async def work(os: LLMOS) -> bool:
        rows = await os.kernel.reload_plugins()
        if as_json:
            print_json(rows)
        else:
            print_plugins(rows)
        return not any(row.problems for row in rows)

    if not with_os(globals_of(ctx), work):
        raise typer.Exit(1)
