"""Runs an example: from the command line, or from a test."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from examples.stage import BY_HAND, Stage, stage_of
from llmos.config import default_home
from llmos.errors import LLMOSError
from llmos.surfaces.demo.teller import Teller

Telling = Callable[[Stage, Teller], Awaitable[None]]
"""Tells the story of one example."""


async def perform(example: str, tell: Telling, teller: Teller, **options: Any) -> None:
    """Tell an example's story; options are those of `stage_of`."""
    async with stage_of(example, **options) as stage:
        _prologue(stage, teller)
        await tell(stage, teller)
        if options.get("keep"):
            teller.say(f"Kept: {stage.folder}", indent=0)
    teller.chapter("Everything happened as told." if teller.ok else "Something was not as told.")


def main(example: str, tell: Telling, about: str) -> int:
    """The command line of an example; the exit code says whether all was as told."""
    parser = argparse.ArgumentParser(prog=f"python -m examples.{example}", description=about)
    parser.add_argument("--live", action="store_true", help="with the model of your settings")
    parser.add_argument("--yes", action="store_true", help="approve what would be asked, live")
    parser.add_argument("--keep", action="store_true", help="leave the files, and tell where")
    asked = parser.parse_args()
    from rich.console import Console

    teller = Teller(Console(highlight=False))
    options: dict[str, Any] = {"live": asked.live, "keep": asked.keep}
    if asked.live:
        from llmos.surfaces.cli.approvals import at_terminal
        from llmos.surfaces.cli.progress import Progress

        options["approver"] = at_terminal(default_home(), Progress(silent=True), yes=asked.yes)
    try:
        asyncio.run(perform(example, tell, teller, **options))
    except LLMOSError as e:
        print(f"error: {e}" + (f"\n  {e.hint}" if e.hint else ""), file=sys.stderr)
        return 1
    return 0 if teller.ok else 1


def _prologue(stage: Stage, teller: Teller) -> None:
    if stage.live:
        teller.say(f"Live: the processor {stage.processor} does the first runs.", indent=0)
        return
    makers = sorted({r.model for r in stage.recordings.values()})
    for maker in makers:
        made = [name for name, r in stage.recordings.items() if r.model == maker]
        what = "no model made it" if maker == BY_HAND else f"a run of {maker}"
        teller.say(f"Recorded ({', '.join(made)}): {what}.", indent=0)
    teller.say("All else is live: files, commands, checks, replays.", indent=0)
