"""``llmos state``: how the system stands, what follows from it, and what moved it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from llmos.surfaces.cli.options import JsonFlag, Limit, globals_of

if TYPE_CHECKING:
    from llmos.boot import LLMOS


def state(ctx: typer.Context, limit: Limit = 20, as_json: JsonFlag = False) -> None:
    """Show the internal state: four numbers, what they turn, and what moved them.

    N is how many of the last events that moved it are listed.
    """
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.state import Standing, show_standing

    async def work(os: LLMOS) -> None:
        standing = Standing.of(os)
        if as_json:
            print_json(standing.as_dict(limit))
        else:
            show_standing(standing, limit)

    with_os(globals_of(ctx), work)
