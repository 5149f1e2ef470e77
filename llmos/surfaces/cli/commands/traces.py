"""``llmos traces``: the stored runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from llmos.surfaces.cli.options import JsonFlag, Limit, Run, globals_of, group

if TYPE_CHECKING:
    from llmos.boot import LLMOS

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
