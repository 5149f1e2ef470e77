"""``llmos tools``: what was learnt, how it is proven, and which version counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import Cwd, JsonFlag, Limit, Yes, globals_of, group

if TYPE_CHECKING:
    from llmos.boot import LLMOS
    from llmos.values import RunResult
    from llmos.volumes import Artifact, Volume

app = group("The learned tools. Without a command: list them.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the tool.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for the history.")]
All = Annotated[bool, typer.Option("--all", help="Archived tools too.")]


def _version(what: str) -> typer.models.ArgumentInfo:
    told = f"{what}: its number, or six or more digits of its digest."
    found: typer.models.ArgumentInfo = typer.Argument(help=told)
    return found


@app.callback()
def main(
    ctx: typer.Context, every: All = False, limit: Limit = 20, as_json: JsonFlag = False
) -> None:
    """The learned tools. Without a command: list them."""
    if ctx.invoked_subcommand is None:
        list_tools(ctx, every, limit, as_json)


@app.command("list")
def list_tools(
    ctx: typer.Context, every: All = False, limit: Limit = 20, as_json: JsonFlag = False
) -> None:
    """List the tools, the last changed first."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.tools import print_claim, print_rows, rows_of

    async def work(os: LLMOS) -> None:
        rows = rows_of(os, every, limit)
        if as_json:
            print_json(rows)
        else:
            print_rows(rows)
            if rows:
                print_claim(os)

    with_os(globals_of(ctx), work)


@app.command("show")
def show(ctx: typer.Context, name: Name, as_json: JsonFlag = False) -> None:
    """Show a tool: code, proof, what must agree, lineage, uses, cost and savings."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.tool_sheet import Sheet, print_sheet
    from llmos.surfaces.cli.views.tools import volume_of
    from llmos.surfaces.cli.views.unproven import as_dict, print_unproven, unproven

    async def work(os: LLMOS) -> None:
        by_hand = unproven(volume_of(os, name), name)
        if by_hand is not None:
            print_json(as_dict(*by_hand)) if as_json else print_unproven(*by_hand)
            return
        sheet = Sheet.of(os, name)
        if as_json:
            print_json(sheet.as_dict())
        else:
            print_sheet(sheet)

    with_os(globals_of(ctx), work)


@app.command("history")
def history(ctx: typer.Context, name: Name, limit: Limit = 20, as_json: JsonFlag = False) -> None:
    """List the versions of a tool and what was done with them, the newest first."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.tools_history import history_of, print_history

    async def work(os: LLMOS) -> None:
        told = history_of(os, name, limit)
        if as_json:
            print_json(told)
        else:
            print_history(told)

    with_os(globals_of(ctx), work)


@app.command("diff")
def diff(
    ctx: typer.Context,
    name: Name,
    a: Annotated[str | None, _version("Older version")] = None,
    b: Annotated[str | None, _version("Newer version")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what changed from version A to B.

    B is the current version when left out, A the one before B.
    """
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.tools_history import print_diff, ref
    from llmos.values import ArtifactType

    async def work(os: LLMOS) -> None:
        volume = os.kernel.get_user_volume()
        text = volume.diff(ArtifactType.TOOL, name, ref(a), ref(b))
        if as_json:
            print_json({"name": name, "diff": text})
        else:
            print_diff(text)

    with_os(globals_of(ctx), work)


@app.command("rollback")
def rollback(
    ctx: typer.Context,
    name: Name,
    to: Annotated[str | None, _version("Version to go to")] = None,
    why: Why = "",
    as_json: JsonFlag = False,
) -> None:
    """Let another version count.

    The newest older one that is in use, when TO is left out.
    """
    from functools import partial

    from llmos.surfaces.cli.views.tools_history import ref

    _change(ctx, name, lambda v: partial(v.rollback, to=ref(to)), why, as_json)


@app.command("pin")
def pin(ctx: typer.Context, name: Name, why: Why = "", as_json: JsonFlag = False) -> None:
    """Keep the current version: nothing automatic replaces it."""
    _change(ctx, name, lambda v: v.pin, why, as_json)


@app.command("unpin")
def unpin(ctx: typer.Context, name: Name, why: Why = "", as_json: JsonFlag = False) -> None:
    """Let new versions replace the current one again."""
    _change(ctx, name, lambda v: v.unpin, why, as_json)


@app.command("archive")
def archive(ctx: typer.Context, name: Name, why: Why = "", as_json: JsonFlag = False) -> None:
    """Lay a tool aside: goals do not find it any more. Nothing is deleted."""
    _change(ctx, name, lambda v: v.archive, why, as_json)


@app.command("restore")
def restore(ctx: typer.Context, name: Name, why: Why = "", as_json: JsonFlag = False) -> None:
    """Take an archived tool back, with the status that it had."""
    _change(ctx, name, lambda v: v.restore, why, as_json)


def _change(
    ctx: typer.Context,
    name: str,
    change: Callable[[Volume], Callable[..., object]],
    why: str,
    as_json: bool,
) -> None:
    """Change a tool, and tell what it is now and whether that is new."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.tools_history import print_state
    from llmos.values import ArtifactType

    async def work(os: LLMOS) -> None:
        volume = os.kernel.get_user_volume()

        def now() -> Artifact | None:
            return volume.find(ArtifactType.TOOL, name)

        before = now()
        change(volume)(ArtifactType.TOOL, name, author=os.user_id, why=why)
        after = now()
        assert after is not None  # else `change` has raised
        if as_json:
            print_json(after)
        else:
            print_state(volume, after, changed=before != after)

    with_os(globals_of(ctx), work)


@app.command("activate")
def activate(ctx: typer.Context, name: Name, why: Why = "", as_json: JsonFlag = False) -> None:
    """Put a suspended or waiting tool in use, as it is."""
    from functools import partial

    from llmos.surfaces.cli.views.unproven import require_learnt
    from llmos.volumes import Status

    def activated(volume: Volume) -> Callable[..., object]:
        require_learnt(volume, name)
        return partial(volume.set_status, status=Status.ACTIVE)

    _change(ctx, name, activated, why, as_json)


@app.command("run")
def run(
    ctx: typer.Context,
    name: Name,
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="SLOT=VALUE", help="What the goal says at its slots."),
    ] = None,
    cwd: Cwd = None,
    yes: Yes = False,
    as_json: JsonFlag = False,
) -> None:
    """Run a tool with other values. A terminal is asked for those that are missing."""
    from llmos.surfaces.cli.commands.goals import executed
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.progress import Progress
    from llmos.surfaces.cli.views.result import show_notes, show_result

    asked = globals_of(ctx)
    goal = _goal(ctx, name, values or [], cwd, silent=as_json)

    async def work(os: LLMOS, progress: Progress) -> RunResult:
        with progress.running():
            return await os.execute(goal, "CRYSTALLIZED", cwd=cwd, on_event=progress.event)

    if not as_json:
        show_notes([("dim", goal)])
    result = executed(asked, work, yes, silent=as_json)
    if as_json:
        print_json(result)
    else:
        show_result(result)
    if not result.success:
        raise typer.Exit(1)


def _goal(
    ctx: typer.Context, name: str, values: list[str], cwd: Path | None, *, silent: bool
) -> str:
    """The goal that a tool's first template makes of some values, checked to mean that tool."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.slots import ask_missing, bound_of, goal_of, require_understood
    from llmos.surfaces.cli.views.tools import usable

    async def work(os: LLMOS) -> str:
        tool = usable(os, name)
        template = tool.templates[0]
        bound = bound_of(name, template, values)
        bound = ask_missing(name, template, bound, silent=silent)
        goal = goal_of(template, bound)
        require_understood(tool, goal, bound, os.explain(goal, "CRYSTALLIZED", cwd=cwd)[0])
        return goal

    return with_os(globals_of(ctx), work)
