"""``llmos agents``: Markdown files that say how a model works, and with which tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import JsonFlag, Limit, globals_of, group

if TYPE_CHECKING:
    from llmos.boot import LLMOS
    from llmos.cortex.agents import StoredAgent
    from llmos.volumes import Artifact, Place

app = group("The agents: how a model works, and with what. Without a command: list them.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the agent.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for the history.")]
All = Annotated[bool, typer.Option("--all", help="Those that are laid aside too.")]
In = Annotated[
    str | None,
    typer.Option(
        "--in", metavar="VOLUME", help="project, user, team or system; the nearest by default."
    ),
]
File = Annotated[
    str,
    typer.Option("--file", metavar="FILE", help="The Markdown file; - reads it from stdin."),
]
_A = "{}: its number, or six or more digits of its digest."


@app.callback()
def main(
    ctx: typer.Context, every: All = False, limit: Limit = 50, as_json: JsonFlag = False
) -> None:
    """The agents: how a model works, and with what. Without a command: list them."""
    if ctx.invoked_subcommand is None:
        list_agents(ctx, every, limit, as_json)


@app.command("list")
def list_agents(
    ctx: typer.Context, every: All = False, limit: Limit = 50, as_json: JsonFlag = False
) -> None:
    """List the agents that you have: your own, your teams', the system's."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.agents import print_rows, row_dict

    async def work(os: LLMOS) -> None:
        rows = os.kernel.agents.listed(everything=every)[:limit]
        print_json([row_dict(row) for row in rows]) if as_json else print_rows(rows)

    with_os(globals_of(ctx), work)


@app.command("show")
def show(ctx: typer.Context, name: Name, where: In = None, as_json: JsonFlag = False) -> None:
    """Show an agent: its file, which tools it may use here, and what its models did."""
    from llmos.cortex.agents import parse
    from llmos.errors import UserError
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.agents import agent_dict, place_of, print_agent

    async def work(os: LLMOS) -> None:
        kept = os.kernel.agents.find(name, place_of(os, where))
        if kept is None:
            raise UserError(f"there is no agent {name!r}", "see: llmos agents list --all")
        agent, problem = None, ""
        try:
            agent = parse(kept.text, name)
        except UserError as e:
            problem = e.message
        records = os.kernel.agent_models(name) if agent is not None and where is None else {}
        told = (kept, agent, problem, os.kernel.tool_names, records)
        print_json(agent_dict(*told)) if as_json else print_agent(*told)

    with_os(globals_of(ctx), work)


@app.command("create")
def create(
    ctx: typer.Context, file: File, where: In = None, why: Why = "", as_json: JsonFlag = False
) -> None:
    """Store a new agent from a file; one of Claude Code is taken as it is.

    It is named in the file. Your own volume, or that of --project, when --in is left out.
    """
    from llmos.surfaces.cli.views.agents import place_of

    text = _text(file)
    _store(
        ctx,
        lambda os: os.kernel.agents.create(text, place_of(os, where), why),
        as_json,
    )


@app.command("modify")
def modify(
    ctx: typer.Context,
    name: Name,
    file: File,
    where: In = None,
    why: Why = "",
    as_json: JsonFlag = False,
) -> None:
    """Store a new version of an agent; it is used from the next run on."""
    from llmos.surfaces.cli.views.agents import place_of

    text = _text(file)
    _store(
        ctx,
        lambda os: os.kernel.agents.modify(name, text, place_of(os, where), why),
        as_json,
    )


@app.command("import")
def import_(
    ctx: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH", help="Files, or folders of them; by default ~/.claude/agents."
        ),
    ] = None,
    where: In = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Make new versions where there are others.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be taken, store nothing.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Take the agents of Claude Code as they are. Exits 1 if a file was refused."""
    from llmos.cortex.agents.importing import import_agents
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.agents import place_of, print_imported

    async def work(os: LLMOS) -> bool:
        place = place_of(os, where or ("project" if os.project else "user"))
        assert place is not None  # it is named
        done = import_agents(
            os.kernel.agents,
            [p.expanduser() for p in paths or [Path("~/.claude/agents")]],
            place,
            replace=replace,
            dry_run=dry_run,
        )
        print_json(done) if as_json else print_imported(done, dry_run)
        return all(one.outcome != "refused" for one in done)

    if not with_os(globals_of(ctx), work, begins=True):
        raise typer.Exit(1)


@app.command("history")
def history(
    ctx: typer.Context,
    name: Name,
    where: In = None,
    limit: Limit = 20,
    as_json: JsonFlag = False,
) -> None:
    """List the versions of an agent, the newest first."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.agents import place_of, print_history, version_dict

    async def work(os: LLMOS) -> None:
        versions = os.kernel.agents.history(name, place_of(os, where))[-limit:]
        if as_json:
            print_json([version_dict(v) for v in reversed(versions)])
        else:
            print_history(versions)

    with_os(globals_of(ctx), work)


@app.command("diff")
def diff(
    ctx: typer.Context,
    name: Name,
    a: Annotated[str | None, typer.Argument(help=_A.format("Older version"))] = None,
    b: Annotated[str | None, typer.Argument(help=_A.format("Newer version"))] = None,
    where: In = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what changed from version A to B.

    B is the current version when left out, A the one before B.
    """
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.agents import place_of
    from llmos.surfaces.cli.views.tools_history import print_diff, ref

    async def work(os: LLMOS) -> None:
        text = os.kernel.agents.diff(name, ref(a), ref(b), place_of(os, where))
        print_json({"name": name, "diff": text}) if as_json else print_diff(text)

    with_os(globals_of(ctx), work)


@app.command("rollback")
def rollback(
    ctx: typer.Context,
    name: Name,
    to: Annotated[str | None, typer.Argument(help=_A.format("Version to go to"))] = None,
    where: In = None,
    why: Why = "",
    as_json: JsonFlag = False,
) -> None:
    """Let another version count; the newest older one that is in use, when TO is left out."""
    from llmos.surfaces.cli.views.tools_history import ref

    _change(ctx, lambda os, at: os.kernel.agents.rollback(name, ref(to), at, why), where, as_json)


@app.command("archive")
def archive(
    ctx: typer.Context, name: Name, where: In = None, why: Why = "", as_json: JsonFlag = False
) -> None:
    """Lay an agent aside. Nothing is deleted; a farther one of that name counts then."""
    _change(ctx, lambda os, at: os.kernel.agents.archive(name, at, why), where, as_json)


@app.command("restore")
def restore(
    ctx: typer.Context, name: Name, where: In = None, why: Why = "", as_json: JsonFlag = False
) -> None:
    """Take an agent back that was laid aside."""
    _change(ctx, lambda os, at: os.kernel.agents.restore(name, at, why), where, as_json)


def _text(file: str) -> str:
    """The file that ``--file`` names."""
    import sys

    from llmos.cortex.agents.importing import decoded, read_text

    if file == "-":
        return decoded(sys.stdin.buffer.read(), "standard input")
    return read_text(Path(file).expanduser())


def _store(ctx: typer.Context, store: Callable[[LLMOS], StoredAgent], as_json: bool) -> None:
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.agents import print_stored, stored_dict

    async def work(os: LLMOS) -> None:
        stored = store(os)
        print_json(stored_dict(stored)) if as_json else print_stored(stored)

    with_os(globals_of(ctx), work, begins=True)


def _change(
    ctx: typer.Context,
    change: Callable[[LLMOS, Place | None], Artifact],
    where: str | None,
    as_json: bool,
) -> None:
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.agents import place_of, print_state

    async def work(os: LLMOS) -> None:
        artifact = change(os, place_of(os, where))
        print_json(artifact) if as_json else print_state(artifact)

    with_os(globals_of(ctx), work)
