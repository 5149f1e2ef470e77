"""``llmos sleep``: learn now from what has happened."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import Globals, JsonFlag, Limit, globals_of

if TYPE_CHECKING:
    from llmos.boot import LLMOS
    from llmos.crons import CycleReport
    from llmos.surfaces.cli.views.sleep import Night
    from llmos.values import Json


Propose = Annotated[
    bool,
    typer.Option(
        "--propose",
        help="Then ask the model for better names, and for values that nothing explains. It "
        "costs tokens: up to max_cost_usd in all.",
    ),
]


class Whose(StrEnum):
    """Whose crons run."""

    USER = "user"
    TEAM = "team"
    SYSTEM = "system"
    ALL = "all"


def sleep(
    ctx: typer.Context,
    whose: Annotated[
        Whose, typer.Argument(metavar="[user|team|system|all]", help="Whose crons run.")
    ] = Whose.USER,
    propose: Propose = False,
    limit: Limit = 20,
    as_json: JsonFlag = False,
) -> None:
    """Learn now: recurring jobs become tools that need no model.

    Works through the runs that are new since the last time; no model is asked without --propose.
    A team's cron shares what has proven itself, the system's what several teams use.
    """
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.crons import show_report
    from llmos.surfaces.cli.views.sleep import show_night

    asked = globals_of(ctx)
    told: dict[str, Json] = {}
    if whose in (Whose.USER, Whose.ALL):
        night = _slept(asked, propose, silent=as_json)
        told = night.as_dict(limit)
        if not as_json:
            show_night(night, limit)
    others = _others(asked, whose, silent=as_json)
    if as_json:
        print_json(told | {"cycles": [report.as_dict() for report in others]})
    for report in () if as_json else others:
        show_report(report)


def _others(asked: Globals, whose: Whose, *, silent: bool) -> list[CycleReport]:
    """A cycle of the team's and of the system's cron, as far as they are wanted."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.progress import Progress

    levels = [w for w in (Whose.TEAM, Whose.SYSTEM) if whose in (w, Whose.ALL)]
    if whose is Whose.ALL and asked.team is None:
        levels = [Whose.SYSTEM]
    progress = Progress(silent=silent)

    async def work(os: LLMOS) -> list[CycleReport]:
        done = []
        with progress.running():
            for level in levels:
                progress.spin(f"the {level.value}'s cron works")
                done.append(await os.kernel.run_cron_now(level.value))
        return done

    return with_os(asked, work) if levels else []


def _slept(asked: Globals, propose: bool, *, silent: bool) -> Night:
    import asyncio
    import threading

    from llmos.errors import RunStopped
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.progress import Progress
    from llmos.surfaces.cli.views.sleep import Night

    progress = Progress(silent=silent)
    ended = threading.Event()
    stopped = RunStopped(
        "interrupted: nothing of this night is stored",
        "llmos sleep begins again where the last whole night ended",
    )
    stopped.exit_code = 130

    def tell(goal: str) -> None:
        # The search runs in a thread, which can be ended only from inside.
        if ended.is_set():
            raise stopped
        progress.spin(f"looking at: {goal}")

    def tell_question(about: str) -> None:
        # From here on the night itself is stored.
        stopped.message = "interrupted: what was learnt is stored, what was proposed is not"
        stopped.hint = "see it: llmos tools"
        progress.spin(f"asking about: {about}")

    async def work(os: LLMOS) -> Night:
        try:
            with progress.running():
                report = await os.kernel.run_cron_now(
                    propose=propose, progress=tell, asking=tell_question
                )
        except asyncio.CancelledError:
            ended.set()
            raise
        return Night.of(os, report)

    try:
        return with_os(asked, work)
    except KeyboardInterrupt:
        raise stopped from None
