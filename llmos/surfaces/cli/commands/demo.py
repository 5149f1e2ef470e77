"""``llmos demo``."""

from __future__ import annotations

from typing import Annotated

import typer

from llmos.surfaces.cli.options import JsonFlag, Yes, globals_of


def demo(
    ctx: typer.Context,
    live: Annotated[
        bool, typer.Option("--live", help="With the configured model instead of recordings.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the demo's files, and tell where they are.")
    ] = False,
    yes: Yes = False,
    as_json: JsonFlag = False,
) -> None:
    """See it learn, replay, stop and undo.

    Everything happens in a new temporary home, on real files.
    """
    from llmos.surfaces.cli.approvals import at_terminal
    from llmos.surfaces.cli.progress import Progress
    from llmos.surfaces.demo import run_demo

    home = globals_of(ctx).folder
    approver = at_terminal(home, Progress(silent=True), yes=yes) if live else None
    code = run_demo(live=live, json=as_json, keep=keep, home=home, approver=approver)
    raise typer.Exit(code)
