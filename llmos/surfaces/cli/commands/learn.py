"""``llmos learn``: value on the first day, from what another agent did already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import Globals, JsonFlag, globals_of

if TYPE_CHECKING:
    from llmos.boot import LLMOS
    from llmos.memory.importers import Importer, Report
    from llmos.values import Usage


def learn(
    ctx: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Transcripts of Claude Code, ATIF documents (.json), or folders of them; "
            "by default ~/.claude/projects.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be learnt, store nothing.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Learn from what other agents did. Each session is learnt once; secrets are taken out.

    Sessions of Claude Code, and trajectories in the format ATIF (1.0 to 1.8). Nothing is run.
    """
    from llmos.errors import UserError
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.learn import show_report

    report = _learnt(globals_of(ctx), paths or [], dry_run, silent=as_json)
    if as_json:
        print_json(report)
    else:
        show_report(report)
    if report.refused and len(report.refused) == report.sessions:
        if as_json:
            raise typer.Exit(UserError.exit_code)  # the report says it already
        raise UserError(
            "nothing was learnt: none of the files is a trajectory",
            "an ATIF document says so in schema_version; sessions of Claude Code end in .jsonl",
        )


def _learnt(asked: Globals, paths: list[Path], dry_run: bool, *, silent: bool) -> Report:
    from llmos.errors import RunStopped
    from llmos.memory.importers import Importer, default_folder, find_sessions, known_of
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.views.learn import Bar

    sessions = find_sessions([p.expanduser() for p in paths] or [default_folder()])
    made: list[Importer] = []

    async def work(os: LLMOS) -> Report:
        with Bar(sum(s.size for s in sessions), silent=silent) as bar:
            importer = Importer(
                known_of(os.traces, os.user_id),
                None if dry_run else os.learn,
                price=_price,
                progress=bar.advance,
            )
            made.append(importer)
            return await importer.run(sessions)

    try:
        return with_os(asked, work, begins=not dry_run)
    except KeyboardInterrupt:
        kept = made[0].report.traces if made and not dry_run else 0
        stopped = RunStopped(
            f"interrupted: {kept} traces are stored", "the same command goes on from there"
        )
        stopped.exit_code = 130
        raise stopped from None


def _price(model: str, usage: Usage) -> float | None:
    from llmos.cortex.processors.pricing import cost_usd

    return cost_usd(model, usage, provider="anthropic")
