"""``llmos daemon``: runs the crons in the foreground."""

from __future__ import annotations

import typer

from llmos.surfaces.cli.options import Globals, globals_of


def daemon(ctx: typer.Context) -> None:
    """Run the crons until Ctrl-C; a line for each cycle that did something.

    Those of the user and the team are added, and all that the home has are run.
    """
    import asyncio
    import os
    import sys

    left = asyncio.run(_live(globals_of(ctx)))
    if left:
        # A cycle that hangs sits in a thread that Python would wait for.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


async def _live(asked: Globals) -> bool:
    """Run the crons until a signal comes; whether a cycle is still under way."""
    import asyncio
    import signal

    from llmos.crons import CycleReport
    from llmos.crons.holding import DAEMON
    from llmos.surfaces.cli.opening import make
    from llmos.surfaces.cli.views.crons import cycle_line

    def tell(report: CycleReport) -> None:
        if report.tasks or report.error:
            print(cycle_line(report), flush=True)

    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)

    def end() -> None:
        loop.call_soon_threadsafe(ended.set)

    async with make(asked) as os:
        crons = os.kernel.crons
        crons.on_cycle = tell
        crons.on_end = end
        os.kernel.launch_crons(kind=DAEMON)
        typer.echo("the crons run; Ctrl-C ends them", err=True)
        await ended.wait()
        await crons.stop()
        if crons.failed is not None:
            raise crons.failed
        return crons.cycles_left
