"""``llmos crons``: what goes on while nobody works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import JsonFlag, Limit, globals_of, group

if TYPE_CHECKING:
    from llmos.boot import LLMOS
    from llmos.crons import CronLevel

app = group("The crons: they learn while nobody works. Without a command: show them.")

Level = Annotated[str, typer.Argument(metavar="LEVEL", help="user, team or system.")]
Owner = Annotated[
    str | None,
    typer.Argument(metavar="[OWNER]", help="Id of the user or team; all of the level without."),
]


@app.callback()
def main(ctx: typer.Context, limit: Limit = 20, as_json: JsonFlag = False) -> None:
    """The crons: they learn while nobody works. Without a command: show them."""
    if ctx.invoked_subcommand is None:
        status(ctx, limit, as_json)


@app.command("status")
def status(ctx: typer.Context, limit: Limit = 20, as_json: JsonFlag = False) -> None:
    """Show the crons, what each did last, when it is due, and who runs them."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.crons import Shown, show_crons

    asked = globals_of(ctx)

    async def work(os: LLMOS) -> Shown:
        return Shown(os.kernel.crons.holder(), tuple(os.kernel.get_cron_status()), limit)

    shown = with_os(asked, work)
    if as_json:
        print_json(shown.as_dict())
    else:
        show_crons(shown)


@app.command("start")
def start(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Run the crons in the background, with those of the user and the team among them."""
    from llmos.config import LLMOSConfig
    from llmos.crons.background import launch, log_path
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.settings import set_setting

    asked = globals_of(ctx)
    if not LLMOSConfig.load(asked.folder).enable_crons:
        set_setting(asked.folder, "enable_crons", "true")
    team = ["--team", asked.team] if asked.team else []
    arguments = ["--home", str(asked.folder.absolute()), "--user", asked.user, *team, "daemon"]
    found = launch(asked.folder, arguments)
    log = log_path(asked.folder)
    if as_json:
        print_json({"pid": found.pid, "since": found.since, "log": log})
    else:
        print(f"The crons are run by the {found}; its log: {log}")


@app.command("stop")
def stop(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """End the daemon that runs the crons."""
    from llmos.crons.background import end
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json

    asked = globals_of(ctx)
    ended = end(asked.folder)
    if ended is None:
        with_os(asked, _nobody_elsewhere)
    if as_json:
        print_json({"stopped": ended is not None, "pid": ended.pid if ended else None})
    else:
        print(f"The {ended} has ended." if ended else "Nobody runs the crons.")


@app.command("pause")
def pause(ctx: typer.Context, level: Level, owner: Owner = None, as_json: JsonFlag = False) -> None:
    """Let no cycle begin, of one cron or of all of a level, until it is resumed."""
    _switch(ctx, level, owner, pause=True, as_json=as_json)


@app.command("resume")
def resume(
    ctx: typer.Context, level: Level, owner: Owner = None, as_json: JsonFlag = False
) -> None:
    """Let cycles begin again."""
    _switch(ctx, level, owner, pause=False, as_json=as_json)


@app.command("run")
def run(
    ctx: typer.Context,
    level: Annotated[str, typer.Argument(metavar="[LEVEL]", help="user, team or system.")] = "user",
    owner: Annotated[
        str | None,
        typer.Argument(metavar="[OWNER]", help="Id of the user or team; your own without."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Run a cycle now, due or not; where a daemon runs the crons, it does that."""
    from llmos.crons import CycleReport
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.crons import show_report

    wanted = _level(level)

    async def work(os: LLMOS) -> CycleReport:
        return await os.kernel.crons.run_now(wanted, owner or _own(os, wanted))

    report = with_os(globals_of(ctx), work)
    if as_json:
        print_json(report.as_dict())
    else:
        show_report(report)
    if report.error:
        raise typer.Exit(1)


def _switch(
    ctx: typer.Context, level: str, owner: str | None, *, pause: bool, as_json: bool
) -> None:
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json

    wanted = _level(level)

    async def work(os: LLMOS) -> int:
        crons = os.kernel.crons
        return crons.pause(wanted, owner) if pause else crons.resume(wanted, owner)

    changed = with_os(globals_of(ctx), work)
    if as_json:
        print_json({"changed": changed})
        return
    what = "paused" if pause else "resumed"
    if changed:
        print(f"{what.capitalize()}: {changed} {'cron' if changed == 1 else 'crons'}.")
    else:
        print(f"Nothing to do: it was {what} already." if pause else "Nothing was paused.")


async def _nobody_elsewhere(os: LLMOS) -> None:
    """Refuse to end what runs in another home that shares the database."""
    from llmos.crons.holding import CronsElsewhere

    found = os.kernel.crons.holder()
    if found is not None:
        raise CronsElsewhere(found)


def _level(text: str) -> CronLevel:
    from llmos.crons import CronLevel
    from llmos.errors import UserError

    try:
        return CronLevel(text.lower())
    except ValueError as e:
        raise UserError(f"there is no cron of level {text!r}", "user, team or system") from e


def _own(os: LLMOS, level: CronLevel) -> str:
    from llmos.crons import CronLevel
    from llmos.errors import UserError

    if level is CronLevel.TEAM and os.team_id is None:
        raise UserError("whose team?", "name it: llmos crons run team NAME")
    return {CronLevel.USER: os.user_id, CronLevel.TEAM: os.team_id}.get(level) or "system"
