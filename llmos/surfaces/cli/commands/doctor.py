"""``llmos doctor``."""

from __future__ import annotations

import typer

from llmos.surfaces.cli.options import JsonFlag, globals_of


def doctor(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Check what LLM OS needs, and say what is missing.

    Exits 1 if something is broken.
    """
    from llmos.surfaces.checkup import State, checkup
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.checkup import show_findings

    asked = globals_of(ctx)
    findings = checkup(asked.folder, asked.user, asked.team)
    if as_json:
        print_json(findings)
    else:
        show_findings(findings)
    if any(found.state is State.BROKEN for found in findings):
        raise typer.Exit(1)
