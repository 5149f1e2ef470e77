"""``llmos feed`` and ``llmos ack``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import JsonFlag, Limit, globals_of

if TYPE_CHECKING:
    from llmos.boot import LLMOS


def feed(
    ctx: typer.Context,
    since: Annotated[
        float, typer.Option(metavar="HOURS", min=0, help="How far to look back.")
    ] = 24.0,
    limit: Limit = 30,
    as_json: JsonFlag = False,
) -> None:
    """Show what happened, and what waits for you."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.feed import show_feed

    async def work(os: LLMOS) -> None:
        pending = os.kernel.hub.get_pending_notifications(limit)
        lines = os.kernel.get_activity_feed(since, limit)
        if as_json:
            told = {"notifications": [n.as_dict() for n in pending]}
            print_json(told | {"activity": [line.as_dict() for line in lines]})
        else:
            show_feed(pending, lines, since)

    with_os(globals_of(ctx), work)


def ack(
    ctx: typer.Context,
    event: Annotated[
        str,
        typer.Argument(
            metavar="EVENT", help="Id of the event, the end of it, its subject, or: all."
        ),
    ],
    as_json: JsonFlag = False,
) -> None:
    """Acknowledge what the feed shows as waiting."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json

    async def work(os: LLMOS) -> None:
        hub = os.kernel.hub
        named = [event]
        if event == "all":
            named = [n.event_id for n in hub.get_pending_notifications(limit=10_000)]
        ended = sum(map(hub.acknowledge, named))
        if as_json:
            print_json({"acknowledged": ended})
        else:
            what = "1 notification" if ended == 1 else f"{ended} notifications"
            print(f"{what} acknowledged" if ended else "acknowledged before")

    with_os(globals_of(ctx), work)
