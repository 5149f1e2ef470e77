"""``llmos volumes mirror`` and ``push``: volumes as files, and edited files taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import JsonFlag, globals_of

if TYPE_CHECKING:
    from llmos.boot import LLMOS

DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would be taken, store nothing.")]


def mirror(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Bring the files of your volume, and of your team's, up to date; with --project its too.

    Files that you have edited are left alone. Exits 1 if something could not be written.
    """
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.volumes_files import show_mirror
    from llmos.volumes import MirrorReport, Place

    async def work(os: LLMOS) -> bool:
        files, report = os.kernel.get_mirror(), MirrorReport()
        mine = os.kernel.get_user_volume().place
        within = [mine.of(os.project)] if os.project else []
        teams = [Place("team", os.team_id)] if os.team_id else []
        for place in (mine, *within, *teams):
            report += files.refresh(place)
        if as_json:
            print_json({"folder": files.root, **_told(report)})
        else:
            show_mirror(report, files.root)
        return not report.problems

    if not with_os(globals_of(ctx), work):
        raise typer.Exit(1)


def push(ctx: typer.Context, dry_run: DryRun = False, as_json: JsonFlag = False) -> None:
    """Take tools that you edited as new versions, not in use, and agents to be used from now on.

    A pushed tool has no proof, so no goal is done with it. With --project: the files of that
    project. Exits 1 if a file was refused.
    """
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.volumes_files import show_push

    async def work(os: LLMOS) -> bool:
        files, place = os.kernel.get_mirror(), os.kernel.get_user_volume().place
        place = place.of(os.project) if os.project else place
        report = files.push(place, dry_run=dry_run)
        if as_json:
            print_json({"folder": files.root, "dry_run": dry_run, **_told(report)})
        else:
            show_push(report, files.folder(place), dry_run)
        return not (report.refused or report.mirror.problems)

    if not with_os(globals_of(ctx), work):
        raise typer.Exit(1)


def _told(report: object) -> dict[str, object]:
    from llmos.surfaces.cli.output import to_json

    return dict(to_json(report))
