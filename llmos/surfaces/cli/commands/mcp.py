"""``llmos mcp``: servers whose tools may be used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmos.surfaces.cli.options import JsonFlag, Limit, globals_of, group

if TYPE_CHECKING:
    from llmos.surfaces.cli.options import Globals
    from llmos.values import Json

app = group("MCP servers whose tools may be used. Without a command: list them.")

Name = Annotated[str, typer.Argument(metavar="SERVER", help="Name of the server.")]
_PAIR = "repeat it for several; ${NAME} stands for a variable of yours."


@app.callback()
def main(ctx: typer.Context, limit: Limit = 50, as_json: JsonFlag = False) -> None:
    """MCP servers whose tools may be used. Without a command: list them."""
    if ctx.invoked_subcommand is None:
        list_servers(ctx, limit, as_json)


@app.command("list")
def list_servers(ctx: typer.Context, limit: Limit = 50, as_json: JsonFlag = False) -> None:
    """List the servers, and when their tools were read."""
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.mcp import print_servers
    from llmos.surfaces.servers import server_rows

    rows = server_rows(globals_of(ctx).folder)[:limit]
    if as_json:
        print_json(rows)
    else:
        print_servers(rows)


@app.command("add")
def add(
    ctx: typer.Context,
    name: Name,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- COMMAND ARG…", help="Starts the server, after --."),
    ] = None,
    url: Annotated[str, typer.Option(metavar="URL", help="Of a server over HTTP.")] = "",
    env: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help=_PAIR)] = None,
    header: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help=_PAIR)] = None,
    cwd: Annotated[str, typer.Option(metavar="PATH", help="Where the server runs.")] = "",
    replace: Annotated[bool, typer.Option("--replace", help="In place of one of it.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Add a server to the settings, and read which tools it has.

    Its tools count as external until `llmos mcp trust` says otherwise. A token in a header is
    given by a variable: --header Authorization='Bearer ${NAME}'.
    """
    from llmos.surfaces.servers import add_server, require_no_secret

    started: dict[str, Any] = {"command": command[0], "args": command[1:]} if command else {}
    given = {"url": url, "cwd": cwd, "env": _pairs(env), "headers": _pairs(header)}
    raw = started | {key: value for key, value in given.items() if value}
    require_no_secret(name, raw)
    add_server(globals_of(ctx).folder, name, raw, replace)
    typer.echo(f"{name} is in the settings; now its tools are read", err=True)
    _read(globals_of(ctx), name, as_json)


@app.command("show")
def show(ctx: typer.Context, name: Name, as_json: JsonFlag = False) -> None:
    """Show how a server is reached, without secrets, and what was read of it."""
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.mcp import print_server
    from llmos.surfaces.servers import shown_server

    shown = shown_server(globals_of(ctx).folder, name)
    if as_json:
        print_json(shown)
    else:
        print_server(shown)


@app.command("remove")
def remove(ctx: typer.Context, name: Name, as_json: JsonFlag = False) -> None:
    """Take a server out of the settings."""
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.servers import remove_server

    remove_server(globals_of(ctx).folder, name)
    if as_json:
        print_json({"removed": name})
    else:
        print(f"{name} is removed; what used its tools goes to the model from now on")


@app.command("tools")
def tools(ctx: typer.Context, name: Name, as_json: JsonFlag = False) -> None:
    """Ask a server for its tools, now, and list them."""
    _read(globals_of(ctx), name, as_json)


@app.command("trust")
def trust(
    ctx: typer.Context,
    name: Name,
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="Name of the tool.")],
    effect: Annotated[
        str,
        typer.Option(metavar="EFFECT", help="read, open_read, write or external."),
    ],
    as_json: JsonFlag = False,
) -> None:
    """Declare what a tool does.

    It holds for the tool as it is described now: described in another way, it is external again.
    """
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.servers import trust as declare

    found = declare(globals_of(ctx).folder, name, tool, effect)
    if as_json:
        print_json({"tool": f"{name}.{found.name}", "effect": effect, "of": found.digest[:12]})
    else:
        print(f"{name}.{found.name} counts as {effect} from the next start on")


@app.command("import")
def import_(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A JSON file with mcpServers.")],
    as_json: JsonFlag = False,
) -> None:
    """Take over the servers of a file of Claude Code, Claude Desktop and others.

    None is started; `llmos mcp tools SERVER` reads what one offers.
    """
    from llmos.surfaces.cli.output import print_json, print_table
    from llmos.surfaces.servers import import_servers

    done = import_servers(globals_of(ctx).folder, file.expanduser())
    if as_json:
        print_json(done)
    else:
        print_table(("OUTCOME", "SERVER", "NOTE"), [(d.outcome, d.name, d.told) for d in done])
    if any(d.outcome == "refused" for d in done):
        raise typer.Exit(1)


def _pairs(given: list[str] | None) -> dict[str, str]:
    from llmos.errors import UserError

    pairs = {}
    for text in given or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UserError("a pair is written NAME=VALUE", "for example --env TOKEN='${TOKEN}'")
        pairs[key] = value
    return pairs


def _read(asked: Globals, name: str, as_json: bool) -> None:
    import asyncio

    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.mcp import print_tools
    from llmos.surfaces.servers import read_server, tool_rows

    server, listing = asyncio.run(read_server(asked.folder, name))
    rows = tool_rows(server, listing)
    if as_json:
        problems: list[Json] = list(listing.problems)
        print_json(
            {"server": name, "read_at": listing.read_at, "tools": rows, "left_out": problems}
        )
    else:
        print_tools(rows, listing.problems)
