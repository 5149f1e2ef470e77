"""``llmos run`` and ``llmos explain``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import Cwd, Globals, Goal, JsonFlag, Yes, globals_of

if TYPE_CHECKING:
    from llmos.boot import LLMOS
    from llmos.surfaces.cli.progress import Progress
    from llmos.values import RunResult

Mode = Annotated[
    str,
    typer.Option(
        metavar="MODE", help="AUTO, CRYSTALLIZED, FOLLOWER, MIXED, LEARNER or ORCHESTRATOR."
    ),
]

Agent = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Agent that the model works as, or auto; see: llmos agents."),
]


def run(
    ctx: typer.Context,
    goal: Goal,
    mode: Mode = "AUTO",
    check: Annotated[
        str | None,
        typer.Option(metavar="CMD", help="Shell command that exits 0 when the result is right."),
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(metavar="USD", min=0, help="What this run may cost.")
    ] = None,
    agent: Agent = None,
    cwd: Cwd = None,
    yes: Yes = False,
    as_json: JsonFlag = False,
) -> None:
    """Do what GOAL says. The answer goes to standard output, progress to standard error."""
    from llmos.surfaces.cli.goal_text import read_goal
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.decision import forewarnings
    from llmos.surfaces.cli.views.result import show_notes, show_result

    text = read_goal(goal)
    told: list[tuple[str, str]] = []

    async def work(os: LLMOS, progress: Progress) -> RunResult:
        if not as_json:
            told.extend(forewarnings(*os.explain(text, mode, agent=agent, cwd=cwd)))
            show_notes(told)
        with progress.running():
            return await os.execute(
                text, mode, check, max_cost, agent=agent, cwd=cwd, on_event=progress.event
            )

    result = executed(globals_of(ctx), work, yes, silent=as_json)
    if as_json:
        print_json(result)
    else:
        show_result(result, told)
    if not result.success:
        raise typer.Exit(1)


def executed(
    asked: Globals,
    work: Callable[[LLMOS, Progress], Awaitable[RunResult]],
    yes: bool,
    *,
    silent: bool,
) -> RunResult:
    """Boot with progress and approvals, work, shut down; Ctrl-C is an error like others."""
    import asyncio

    from llmos.errors import RunStopped
    from llmos.kernel.admission import Hooks
    from llmos.surfaces.cli.approvals import at_terminal
    from llmos.surfaces.cli.opening import make, meet_project
    from llmos.surfaces.cli.progress import Progress

    progress = Progress(silent=silent)
    approvals = at_terminal(asked.folder, progress, yes=yes)

    async def story() -> RunResult:
        hooks = Hooks(post_tool_use=(progress.after,))
        async with make(asked, approver=approvals, hooks=hooks) as os:
            meet_project(os, begins=True)
            return await work(os, progress)

    try:
        return asyncio.run(story())
    except KeyboardInterrupt:
        stopped = RunStopped("interrupted: the run is kept as failed", "see `llmos traces`")
        stopped.exit_code = 130
        raise stopped from None


def explain(
    ctx: typer.Context,
    goal: Goal,
    diff: Annotated[
        bool,
        typer.Option(
            "--diff",
            help="Show the exact writes that a free run would make; a learned tool reads for it.",
        ),
    ] = False,
    context: Annotated[
        bool,
        typer.Option("--context", help="Show what a model would see, piece by piece, and why."),
    ] = False,
    mode: Mode = "AUTO",
    agent: Agent = None,
    cwd: Cwd = None,
    as_json: JsonFlag = False,
) -> None:
    """Tell how GOAL would be done and why, without doing it."""
    from llmos.surfaces.cli.approvals import looking_ahead
    from llmos.surfaces.cli.goal_text import read_goal
    from llmos.surfaces.cli.opening import with_os, working_directory
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.context import show_context
    from llmos.surfaces.cli.views.decision import explained, foreseen, show_explained

    text, where, asked = read_goal(goal), working_directory(cwd), globals_of(ctx)

    async def work(os: LLMOS) -> None:
        told = explained(os, text, mode, where, agent=agent)
        if diff:
            told = await foreseen(os, told, text, where)
        seen = os.explain_context(text, mode, agent=agent, cwd=where) if context else None
        if as_json:
            more = {"context": seen.as_dict()} if seen is not None else {}
            print_json(told.as_dict() | more)
            return
        show_explained(told, diff=diff)
        if seen is not None:
            show_context(seen)

    with_os(asked, work, approver=looking_ahead(asked.folder))
