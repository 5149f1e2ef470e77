"""``llmos sessions`` and ``llmos resume``: prompts, and how one goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import Cwd, JsonFlag, Limit, Yes, globals_of

if TYPE_CHECKING:
    from llmos.boot import LLMOS
    from llmos.memory.sessions import StoredSession


def sessions(ctx: typer.Context, limit: Limit = 20, as_json: JsonFlag = False) -> None:
    """List the sessions of the prompt, the last one first; with --project those of it."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.sessions import print_sessions

    async def work(os: LLMOS) -> None:
        found = os.sessions.listed(project=os.project, limit=limit)
        print_json(found) if as_json else print_sessions(found)

    with_os(globals_of(ctx), work)


def resume(
    ctx: typer.Context,
    session: Annotated[
        str | None,
        typer.Argument(metavar="[SESSION]", help="Its id; by default the last of this folder."),
    ] = None,
    cwd: Cwd = None,
    yes: Yes = False,
) -> None:
    """Open the prompt where a session has ended, with its turns, folder and project."""
    from llmos.errors import UserError
    from llmos.surfaces.cli.opening import with_os, working_directory
    from llmos.surfaces.cli.prompt.loop import converse

    asked = globals_of(ctx)

    async def find(os: LLMOS) -> StoredSession:
        return os.sessions.get(session) if session else os.sessions.last(working_directory(cwd))

    found = with_os(asked, find)
    where = cwd or Path(found.cwd)
    if not where.is_dir():
        raise UserError(f"the session's folder {found.cwd!r} is gone", "name another: --cwd PATH")
    asked = replace(asked, project=asked.project or found.project)
    raise typer.Exit(converse(asked, cwd=where, yes=yes, resumed=found))
