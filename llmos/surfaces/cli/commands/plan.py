"""``llmos plan``: goals that somebody has taken apart in a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.commands.goals import executed
from llmos.surfaces.cli.options import Cwd, JsonFlag, Yes, globals_of

if TYPE_CHECKING:
    from llmos.boot import LLMOS
    from llmos.surfaces.cli.progress import Progress
    from llmos.values import RunResult


def plan(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Markdown: a goal, and its parts.")
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="What {NAME} in the file stands for."),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Do what was left of a plan that failed, instead."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the parts and how each would be done.")
    ] = False,
    max_cost: Annotated[
        float | None, typer.Option(metavar="USD", min=0, help="What all of it may cost.")
    ] = None,
    cwd: Cwd = None,
    yes: Yes = False,
    as_json: JsonFlag = False,
) -> None:
    """Carry out the plan in FILE: parts that do not need each other at once, known ones for free.

    docs/plans.md shows what a file looks like. A goal without one is taken apart by the model:
    llmos run GOAL --mode ORCHESTRATOR.
    """
    from llmos.cortex.plans.pipeline import read_pipeline
    from llmos.errors import UserError
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.result import show_result

    if (file is None) == (resume is None):
        raise UserError("name a FILE, or --resume RUN", "llmos plan --help")
    asked = globals_of(ctx)
    if file is not None and dry_run:
        _show(ctx, file, given or [], cwd, as_json)
        return
    pipeline = read_pipeline(file, _values(given or [])) if file is not None else None

    async def work(os: LLMOS, progress: Progress) -> RunResult:
        with progress.running():
            if pipeline is None:
                return await os.resume(str(resume), on_event=progress.event)
            return await os.execute(
                pipeline.goal,
                max_cost_usd=max_cost,
                cwd=cwd,
                on_event=progress.event,
                plan=pipeline.plan,
            )

    result = executed(asked, work, yes, silent=as_json)
    if as_json:
        print_json(result)
    else:
        show_result(result)
    if not result.success:
        raise typer.Exit(1)


def _show(
    ctx: typer.Context, file: Path, given: Sequence[str], cwd: Path | None, as_json: bool
) -> None:
    from llmos.cortex.plans.pipeline import read_pipeline
    from llmos.surfaces.cli.opening import with_os, working_directory
    from llmos.surfaces.cli.output import out, print_json, printable, to_json
    from llmos.surfaces.cli.views.decision import show_parts

    found, where = read_pipeline(file, _values(given)), working_directory(cwd)

    async def work(os: LLMOS) -> None:
        parts = os.explain_parts(found.goal, found.plan, cwd=where)
        if as_json:
            told = [part.as_dict() | {"decision": to_json(how)} for part, how in parts]
            print_json({"goal": found.goal, "parts": told})
            return
        out().print(printable(found.goal), style="bold")
        show_parts(out(), parts)

    with_os(globals_of(ctx), work)


def _values(given: Sequence[str]) -> dict[str, str]:
    from llmos.errors import UserError

    values: dict[str, str] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UserError(f"--set {pair!r} gives no value", "write it as --set NAME=VALUE")
        values[name] = value
    return values
