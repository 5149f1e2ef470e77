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


@app.command("quota")
def quota(
    ctx: typer.Context,
    scope: Annotated[
        str | None,
        typer.Argument(metavar="[SCOPE]", help="user:NAME, team:NAME, or user:* for the others."),
    ] = None,
    runs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Runs at work at once.")
    ] = None,
    usd_per_day: Annotated[
        float | None, typer.Option(min=0, metavar="USD", help="What 24 hours may cost.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Lift the quota.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Bound what a user or a team uses at once and per day. Without a scope: show all.

    What is not named stays. It holds for what is started from now on.
    """
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.budget import quotas_of, show_quotas
    from llmos.surfaces.settings import set_quota

    home = globals_of(ctx).folder
    if scope is not None and (none or runs is not None or usd_per_day is not None):
        set_quota(home, scope, None if none else {"runs": runs, "usd_per_day": usd_per_day})
    quotas = quotas_of(home, scope)
    if as_json:
        print_json(quotas)
    else:
        show_quotas(quotas)


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
