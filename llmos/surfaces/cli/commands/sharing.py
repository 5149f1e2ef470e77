"""``llmos proposals``, ``approve``, ``reject``, ``promote`` and ``recall``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import JsonFlag, Limit, globals_of

if TYPE_CHECKING:
    from llmos.boot import LLMOS

Which = Annotated[
    str, typer.Argument(metavar="PROPOSAL", help="Id of the proposal, or the end of it.")
]
Why = Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")]


def proposals(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are decided.")] = False,
    limit: Limit = 30,
    as_json: JsonFlag = False,
) -> None:
    """List what may be shared with more people, and what it waits for."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.sharing import show_proposals

    async def work(os: LLMOS) -> None:
        found = os.kernel.list_proposals(everything=everything, limit=limit)
        if as_json:
            print_json([p.as_dict() for p in found])
        else:
            show_proposals(found, {p.id for p in found if os.kernel.may_decide(p)})

    with_os(globals_of(ctx), work)


def approve(ctx: typer.Context, proposal: Which, as_json: JsonFlag = False) -> None:
    """Agree to share a tool; it is shared at once when nobody else must agree."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.sharing import show_decided

    async def work(os: LLMOS) -> None:
        made = os.kernel.approve_proposal(proposal)
        print_json(made.as_dict()) if as_json else show_decided(made)

    with_os(globals_of(ctx), work)


def reject(ctx: typer.Context, proposal: Which, why: Why = "", as_json: JsonFlag = False) -> None:
    """Do not share a tool; this version of it is not proposed again."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.sharing import show_decided

    async def work(os: LLMOS) -> None:
        made = os.kernel.reject_proposal(proposal, why)
        print_json(made.as_dict()) if as_json else show_decided(made)

    with_os(globals_of(ctx), work)


def promote(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="TOOL", help="Name of one of your tools.")],
    team: Annotated[
        str | None,
        typer.Argument(metavar="TEAM", help="With whom: a team of yours; all when left out."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Share a tool with a team, or a team's tool with all, where its gates are open."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.sharing import show_decided

    async def work(os: LLMOS) -> None:
        made = os.kernel.promote_tool(name, team or os.team_id)
        print_json(made.as_dict()) if as_json else show_decided(made)

    with_os(globals_of(ctx), work)


def recall(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="TOOL", help="Name of the tool.")],
    why: Why = "",
    as_json: JsonFlag = False,
) -> None:
    """Take a tool back from everybody it was shared with, and from what was made of it."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import one_line, print_json

    async def work(os: LLMOS) -> None:
        taken = os.kernel.recall_tool(name, why)
        if as_json:
            print_json([{"volume": v.volume, "owner": v.owner, "name": v.name} for v in taken])
            return
        for version in taken:
            print(f"out of use: {one_line(version.name)} of {version.volume} {version.owner}")

    with_os(globals_of(ctx), work)
