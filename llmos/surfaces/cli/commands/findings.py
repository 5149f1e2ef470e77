"""``llmos insights``, ``suggestions``, ``accept`` and ``dismiss``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import JsonFlag, Limit, globals_of

if TYPE_CHECKING:
    from llmos.boot import LLMOS
    from llmos.values import ArtifactType
    from llmos.volumes import Status

Which = Annotated[
    str, typer.Argument(metavar="ID", help="Its name, its id, or the last six characters of it.")
]
One = Annotated[
    str | None,
    typer.Argument(metavar="[ID]", help="Show this one: its name, its id, or the id's last six."),
]
All = Annotated[bool, typer.Option("--all", help="Accepted and dismissed ones too.")]


def insights(ctx: typer.Context, limit: Limit = 20, as_json: JsonFlag = False) -> None:
    """List what was noticed about your runs."""
    from llmos.values import ArtifactType
    from llmos.volumes import Status

    _list(ctx, ArtifactType.INSIGHT, Status.ACTIVE, limit, as_json)


def suggestions(
    ctx: typer.Context,
    which: One = None,
    every: All = False,
    limit: Limit = 20,
    as_json: JsonFlag = False,
) -> None:
    """List what is suggested to you and still open, or show one with all that it would change."""
    from llmos.values import ArtifactType
    from llmos.volumes import Status

    if which is not None:
        _show(ctx, which, as_json)
        return
    _list(ctx, ArtifactType.SUGGESTION, None if every else Status.DRAFT, limit, as_json)


def accept(ctx: typer.Context, which: Which, as_json: JsonFlag = False) -> None:
    """Accept a suggestion, and tell what to type for it."""
    from llmos.volumes import Status

    _decide(ctx, which, Status.ACTIVE, as_json)


def dismiss(ctx: typer.Context, which: Which, as_json: JsonFlag = False) -> None:
    """Dismiss a suggestion: it is not made again."""
    from llmos.volumes import Status

    _decide(ctx, which, Status.ARCHIVED, as_json)


def _list(
    ctx: typer.Context, type: ArtifactType, status: Status | None, limit: int, as_json: bool
) -> None:
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.findings import Finding, show_findings

    async def work(os: LLMOS) -> None:
        volumes = os.kernel.get_readable_volumes()
        found = Finding.listed(volumes, type, status, limit)
        if as_json:
            print_json([one.as_dict() for one in found])
        else:
            show_findings(found, type)

    with_os(globals_of(ctx), work)


def _show(ctx: typer.Context, which: str, as_json: bool) -> None:
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.findings import Finding, show_finding

    async def work(os: LLMOS) -> None:
        found = Finding.named(os.kernel.get_readable_volumes(), which)
        print_json(found.as_dict()) if as_json else show_finding(found)

    with_os(globals_of(ctx), work)


def _decide(ctx: typer.Context, which: str, status: Status, as_json: bool) -> None:
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.findings import Finding, show_decided

    async def work(os: LLMOS) -> None:
        found = Finding.named(os.kernel.get_readable_volumes(), which)
        changed = os.kernel.decide_suggestion(found.volume, found.name, status)
        if as_json:
            print_json(found.as_dict() | {"status": status.value, "changed": changed})
        else:
            show_decided(found, status, changed)

    with_os(globals_of(ctx), work)
