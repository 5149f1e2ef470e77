"""``llmos audits``: what is known of the share of wrong free runs, and from what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import JsonFlag, Limit, globals_of, group

if TYPE_CHECKING:
    from llmos.boot import LLMOS

app = group("Free runs that a model made instead, as a sample. Without a command: show them.")


@app.callback()
def main(ctx: typer.Context, limit: Limit = 20, as_json: JsonFlag = False) -> None:
    """Free runs that a model made instead, as a sample. Without a command: show them."""
    if ctx.invoked_subcommand is None:
        show(ctx, limit, as_json)


@app.command("show")
def show(ctx: typer.Context, limit: Limit = 20, as_json: JsonFlag = False) -> None:
    """Show how many free runs are wrong at most, and the newest audits."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.audits import Claim, show_claim

    async def work(os: LLMOS) -> None:
        claim = Claim.of(os, limit)
        if as_json:
            print_json(claim.as_dict())
        else:
            show_claim(claim)

    with_os(globals_of(ctx), work)


@app.command("lift")
def lift(
    ctx: typer.Context,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for the feed.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Let new tools come into use again although audits differed.

    The audits so far no longer keep them out; they still count for what is claimed.
    """
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json

    async def work(os: LLMOS) -> None:
        frozen = os.kernel.get_freeze()
        lifted = os.kernel.lift_freeze(why) if frozen is not None else False
        if as_json:
            print_json({"lifted": lifted})
        elif lifted:
            print("New tools come into use again; those that wait do so with the next llmos sleep.")
        else:
            print("Nothing kept new tools out of use.")

    with_os(globals_of(ctx), work)
