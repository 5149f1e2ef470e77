"""``llmos traces``: the stored runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import JsonFlag, Limit, Run, globals_of, group

if TYPE_CHECKING:
    from llmos.boot import LLMOS


class Format(StrEnum):
    """In which format a run is exported."""

    ATIF = "atif"


app = group("The stored runs. Without a command: list them.")


@app.callback()
def main(ctx: typer.Context, limit: Limit = 20, as_json: JsonFlag = False) -> None:
    """The stored runs. Without a command: list them."""
    if ctx.invoked_subcommand is None:
        list_runs(ctx, limit, as_json)


@app.command("list")
def list_runs(ctx: typer.Context, limit: Limit = 20, as_json: JsonFlag = False) -> None:
    """List runs, the newest first; with --project those of it."""
    from llmos.memory.traces import Scope
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.traces import as_row, print_runs

    async def work(os: LLMOS) -> None:
        runs = os.traces.recent(Scope(os.user_id), limit=limit, project=os.project)
        if as_json:
            print_json([as_row(trace) for trace in runs])
        else:
            print_runs(runs)

    with_os(globals_of(ctx), work)


@app.command("show")
def show(ctx: typer.Context, run: Run, as_json: JsonFlag = False) -> None:
    """Show one run with its steps, as YAML."""
    from llmos.surfaces.cli.opening import find_run, with_os
    from llmos.surfaces.cli.output import print_json, to_json
    from llmos.surfaces.cli.views.traces import print_run

    async def work(os: LLMOS) -> None:
        trace = find_run(os, run)
        audit, offer = os.kernel.get_audit(trace.id), os.kernel.get_offer(trace.id)
        if as_json:
            print_json(to_json(trace) | {"audit": to_json(audit), "given": to_json(offer)})
        else:
            print_run(trace, audit, offer)

    with_os(globals_of(ctx), work)


@app.command("export")
def export(
    ctx: typer.Context,
    run: Run,
    format_: Annotated[
        Format, typer.Option("--format", help="ATIF 1.7: one trajectory document.")
    ] = Format.ATIF,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Where to; standard output by default."),
    ] = None,
) -> None:
    """Export a run of yours as a trajectory (ATIF). Secrets are taken out.

    Another home learns from the document: llmos learn FILE.json
    """
    import json

    from llmos import __version__
    from llmos.errors import PermissionDenied, UserError
    from llmos.memory.atif import Stopped, trajectory
    from llmos.surfaces.cli.opening import find_run, with_os
    from llmos.surfaces.cli.output import one_line

    async def work(os: LLMOS) -> str:
        trace = find_run(os, run)
        if trace.user_id != os.user_id:
            raise PermissionDenied(
                f"run {trace.id[-6:]} belongs to {trace.user_id!r}", "whose it is may export it"
            )
        if trace.id not in os.traces.by_ids([trace.id]):
            raise UserError(f"run {trace.id[-6:]} is not over", "wait for it or cancel it")
        told = os.traces.side_exit(trace.id)
        document = trajectory(trace, __version__, Stopped(*told) if told else None)
        return f"{json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)}\n"

    text = with_os(globals_of(ctx), work)
    if output is None:
        print(text, end="")
        return
    try:
        output.expanduser().write_text(text, "utf-8")
    except OSError as e:
        raise UserError(
            f"cannot write {str(output)!r}: {e.strerror or e}", "name a file in a folder of yours"
        ) from None
    typer.echo(f"written: {one_line(str(output))}", err=True)
