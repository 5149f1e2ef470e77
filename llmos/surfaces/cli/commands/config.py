"""``llmos config``: the settings."""

from __future__ import annotations

from typing import Annotated

import typer

from llmos.surfaces.cli.options import JsonFlag, globals_of, group

app = group("The settings. Without a command: show them.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A setting; see `llmos config show`.")]


@app.callback()
def main(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """The settings. Without a command: show them."""
    if ctx.invoked_subcommand is None:
        show(ctx, as_json)


@app.command("show")
def show(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Show every setting, where its value comes from, and what it means."""
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.settings import show_settings
    from llmos.surfaces.settings import shown_settings

    settings = shown_settings(globals_of(ctx).folder)
    if as_json:
        print_json(settings)
    else:
        show_settings(settings)


@app.command("set")
def set_(
    ctx: typer.Context,
    name: Name,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Lists: with commas between.")],
    as_json: JsonFlag = False,
) -> None:
    """Write a setting to the file; its comments are kept."""
    import json

    from llmos.config import masked
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.settings import set_setting

    written = masked(name, set_setting(globals_of(ctx).folder, name, value))
    if as_json:
        print_json({"name": name, "value": written})
        return
    print(f"{name} = {json.dumps(written, ensure_ascii=False)}")
    if name == "budget_usd":
        typer.echo("a home that has a budget keeps it: llmos budget set USD changes it", err=True)


@app.command("path")
def path(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Print where the settings file lies."""
    from llmos.config import config_path
    from llmos.surfaces.cli.output import print_json

    where = str(config_path(globals_of(ctx).folder))
    if as_json:
        print_json({"path": where})
    else:
        print(where)
