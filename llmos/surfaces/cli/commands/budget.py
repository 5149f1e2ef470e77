"""``llmos budget``: what may be spent, and what was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import JsonFlag, Limit, globals_of, group

if TYPE_CHECKING:
    from llmos.boot import LLMOS

app = group("What may be spent, and what was. Without a command: where it stands.")


@app.callback()
def main(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """What may be spent, and what was. Without a command: where it stands."""
    if ctx.invoked_subcommand is None:
        show(ctx, as_json)


@app.command("show")
def show(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Show limits and what has been spent, in US dollars."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.budget import scopes_of, show_budget

    async def work(os: LLMOS) -> None:
        if as_json:
            print_json(scopes_of(os))
        else:
            show_budget(os)

    with_os(globals_of(ctx), work)


@app.command("set")
def set_limit(
    ctx: typer.Context,
    amount: Annotated[
        list[str], typer.Argument(metavar="[SCOPE] USD", help="For example 20, or user:alice 5.")
    ],
    as_json: JsonFlag = False,
) -> None:
    """Let a scope spend USD in all.

    What it has spent already counts. The scope is the system when left out; "none" lifts the
    limit of another.
    """
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.budget import limit_of, scopes_of, show_budget

    scope, usd = limit_of(amount)

    async def work(os: LLMOS) -> None:
        os.kernel.economy.set_limit(scope, usd)
        if as_json:
            print_json(scopes_of(os, scope))
        else:
            show_budget(os, scope)

    with_os(globals_of(ctx), work)


@app.command("history")
def history(ctx: typer.Context, limit: Limit = 20, as_json: JsonFlag = False) -> None:
    """List payments and changed limits, the newest first."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.budget import show_history

    async def work(os: LLMOS) -> None:
        rows = os.kernel.economy.history(limit)
        if as_json:
            print_json(rows)
        else:
            show_history(rows)

    with_os(globals_of(ctx), work)
