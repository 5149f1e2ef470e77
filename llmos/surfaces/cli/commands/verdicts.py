"""``llmos feedback``, ``llmos undo`` and ``llmos resolve``."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import JsonFlag, Run, globals_of

if TYPE_CHECKING:
    from llmos.boot import LLMOS


class Right(StrEnum):
    """What a person says of a run."""

    RIGHT = "right"
    WRONG = "wrong"


class Happened(StrEnum):
    """What a person says of an external write."""

    HAPPENED = "happened"
    NOT = "not"


def feedback(
    ctx: typer.Context,
    run: Run,
    verdict: Annotated[Right, typer.Argument(metavar="VERDICT", help="Was the result right?")],
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Say whether a run was right.

    "wrong" takes its trace out of use at once.
    """
    from llmos.surfaces.cli.opening import find_run, with_os
    from llmos.surfaces.cli.output import print_json, short

    async def work(os: LLMOS) -> None:
        found = find_run(os, run)
        judged = await os.feedback(found.id, verdict is Right.RIGHT, note)
        if as_json:
            told = {"trace_id": judged.id, "verdict": judged.verdict}
            print_json(told | {"quarantined": judged.quarantined})
        elif judged.quarantined:
            print(f"run {short(judged.id)} is {judged.verdict.value}: it will not be followed")
        else:
            print(f"run {short(judged.id)} is {judged.verdict.value}")

    with_os(globals_of(ctx), work)


def undo(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="A run (its id, the beginning or end of it, or: last), or an event or a cycle "
            "(its id or the last six characters, as feed and report show them).",
        ),
    ],
    as_json: JsonFlag = False,
) -> None:
    """Take back a run, a change of a tool, or all that a cycle did.

    A run: every file is restored byte for byte, and nothing is done where one was changed since.
    A change is taken back by another one, which can be taken back too.
    """
    from llmos.surfaces.cli.opening import run_or_event, with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.undo import show_taken_back, show_undone

    async def work(os: LLMOS) -> None:
        run = run_or_event(os, what)
        if run is None:
            told = os.kernel.take_back(what)
            if as_json:
                print_json({"event": what, "told": told})
            else:
                show_taken_back(told)
            return
        done = await os.undo(run.id)
        if as_json:
            print_json(done)
        else:
            show_undone(run.id, done)

    with_os(globals_of(ctx), work)


def resolve(
    ctx: typer.Context,
    intent: Annotated[str, typer.Argument(metavar="INTENT", help="Id of the write in doubt.")],
    outcome: Annotated[Happened, typer.Argument(metavar="OUTCOME", help="What became of it.")],
    as_json: JsonFlag = False,
) -> None:
    """Say what became of an external write in doubt.

    A crash or a timeout can leave open whether it happened. It is never repeated by itself.
    """
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json

    happened = outcome is Happened.HAPPENED

    async def work(os: LLMOS) -> None:
        os.kernel.resolve_write(intent, happened)
        if as_json:
            print_json({"intent": intent.strip().upper(), "happened": happened})
        else:
            print("noted: it happened" if happened else "noted: it did not happen")

    with_os(globals_of(ctx), work)
