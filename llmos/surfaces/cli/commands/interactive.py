"""``llmos interactive``, and ``llmos`` without a command."""

from __future__ import annotations

import typer

from llmos.surfaces.cli.options import Cwd, Globals, Yes, globals_of


def interactive(
    ctx: typer.Context,
    cwd: Cwd = None,
    yes: Yes = False,
) -> None:
    """Open the prompt; so does llmos alone.

    Without a terminal each line of standard input is a goal.
    """
    from llmos.surfaces.cli.prompt.loop import converse

    raise typer.Exit(converse(globals_of(ctx), cwd=cwd, yes=yes))


def open_prompt(asked: Globals) -> None:
    """What ``llmos`` does without a command."""
    from llmos.surfaces.cli.prompt.loop import converse

    raise typer.Exit(converse(asked))
