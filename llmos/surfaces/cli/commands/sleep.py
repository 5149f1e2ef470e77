"""``llmos sleep``: learn now from what has happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import Globals, JsonFlag, Limit, globals_of

if TYPE_CHECKING:
    from llmos.boot import LLMOS
    from llmos.surfaces.cli.views.sleep import Night


Propose = Annotated[
    bool,
    typer.Option(
        "--propose",
        help="Then ask the model for better names, and for values that nothing explains. It "
        "costs tokens: up to max_cost_usd in all.",
    ),
]


def sleep(
    ctx: typer.Context, propose: Propose = False, limit: Limit = 20, as_json: JsonFlag = False
) -> None:
    """Learn now: recurring jobs become tools that need no model.

    Works through the runs that are new since the last time; no model is asked without --propose.
    """
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.sleep import show_night

    night = _slept(globals_of(ctx), propose, silent=as_json)
    if as_json:
        print_json(night.as_dict(limit))
    else:
        show_night(night, limit)


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
        return Night.of(os, report.learnt)

    try:
        return with_os(asked, work)
    except KeyboardInterrupt:
        raise stopped from None
