"""``llmos report`` and ``llmos inbox``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import JsonFlag, Limit, globals_of

if TYPE_CHECKING:
    from llmos.boot import LLMOS


def report(
    ctx: typer.Context,
    since: Annotated[
        float, typer.Option(metavar="HOURS", min=0, help="How far to look back.")
    ] = 24.0,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    html: Annotated[bool, typer.Option("--html", help="Print a page of its own.")] = False,
    limit: Limit = 5,
    as_json: JsonFlag = False,
) -> None:
    """Tell what the night brought: learned, shared, saved, failed, and what needs you."""
    from llmos.errors import UserError
    from llmos.observability.report_html import as_html
    from llmos.observability.report_text import as_markdown, as_text
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json

    if markdown + html + as_json > 1:
        raise UserError("a report has one form", "give one of --markdown, --html and --json")

    async def work(os: LLMOS) -> None:
        found = os.kernel.get_activity_report(since, limit)
        if as_json:
            print_json(found.as_dict())
        elif html:
            print(as_html(found), end="")
        else:
            print(as_markdown(found).rstrip() if markdown else as_text(found))

    with_os(globals_of(ctx), work)


def inbox(ctx: typer.Context, limit: Limit = 20, as_json: JsonFlag = False) -> None:
    """Show what waits for you: notifications, suggestions, proposals, writes in doubt."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.inbox import show_inbox

    async def work(os: LLMOS) -> None:
        waiting = os.kernel.get_waiting()
        told = os.kernel.hub.get_pending_notifications(limit)
        if as_json:
            open_ = [one.as_dict() for one in waiting[:limit]]
            print_json({"waiting": open_, "notifications": [n.as_dict() for n in told]})
        else:
            show_inbox(waiting, told, limit)

    with_os(globals_of(ctx), work)
