"""``llmos projects``: what is kept of each, and laying one aside."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import JsonFlag, Limit, globals_of, group

if TYPE_CHECKING:
    from llmos.boot import LLMOS
    from llmos.memory.projects import Project

app = group("Your projects: their runs, facts and artifacts. Without a command: list them.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the project.")]
All = Annotated[bool, typer.Option("--all", help="Those that are archived too.")]
_NEWEST = 5
"""Runs of a project that are shown."""


@app.callback()
def main(
    ctx: typer.Context, every: All = False, limit: Limit = 50, as_json: JsonFlag = False
) -> None:
    """Your projects: their runs, facts and artifacts. Without a command: list them.

    A project begins with its first use: llmos run "…" --project NAME.
    """
    if ctx.invoked_subcommand is None:
        list_projects(ctx, every, limit, as_json)


@app.command("list")
def list_projects(
    ctx: typer.Context, every: All = False, limit: Limit = 50, as_json: JsonFlag = False
) -> None:
    """List the projects, the last used first."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.projects import print_projects, project_dict

    async def work(os: LLMOS) -> None:
        found = os.projects.listed(everything=every, limit=limit)
        print_json([project_dict(p) for p in found]) if as_json else print_projects(found)

    with_os(globals_of(ctx), work)


@app.command("show")
def show(ctx: typer.Context, name: Name, as_json: JsonFlag = False) -> None:
    """Show a project: its numbers, facts, artifacts and newest runs."""
    from llmos.memory.traces import Scope
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.projects import Sheet, print_sheet

    async def work(os: LLMOS) -> None:
        project = os.projects.get(name)
        kept = os.kernel.get_user_volume(f"{os.user_id}:{name}").list_artifacts()
        runs = os.traces.recent(Scope(os.user_id), limit=_NEWEST, project=name)
        sheet = Sheet(project, os.projects.facts(name), kept, runs)
        print_json(sheet.as_dict()) if as_json else print_sheet(sheet)

    with_os(globals_of(ctx), work)


@app.command("new")
def new(ctx: typer.Context, name: Name, as_json: JsonFlag = False) -> None:
    """Begin a project; needed only where its name is nearly that of another."""
    _change(ctx, lambda os: os.projects.new(name), "is new", as_json)


@app.command("archive")
def archive(ctx: typer.Context, name: Name, as_json: JsonFlag = False) -> None:
    """Lay a project aside. Nothing is deleted; nothing new comes into it."""
    _change(ctx, lambda os: os.projects.archive(name), "is archived", as_json)


@app.command("restore")
def restore(ctx: typer.Context, name: Name, as_json: JsonFlag = False) -> None:
    """Take a project back that was archived."""
    _change(ctx, lambda os: os.projects.restore(name), "is in use", as_json)


def _change(
    ctx: typer.Context, change: Callable[[LLMOS], Project], what: str, as_json: bool
) -> None:
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.projects import project_dict

    async def work(os: LLMOS) -> None:
        project = change(os)
        if as_json:
            print_json(project_dict(project))
        else:
            print(f"project {project.name} {what}")

    with_os(globals_of(ctx), work)
