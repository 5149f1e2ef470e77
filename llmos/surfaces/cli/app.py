"""The command tree. Nothing heavy is imported here: ``llmos --help`` answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from llmos.surfaces.cli.commands import (
    agents,
    audits,
    budget,
    config,
    crons,
    daemon,
    demo,
    doctor,
    facts,
    feed,
    findings,
    goals,
    interactive,
    learn,
    mcp,
    plan,
    plugins,
    projects,
    report,
    sessions,
    sharing,
    sleep,
    state,
    tools,
    traces,
    verdicts,
    volumes,
)
from llmos.surfaces.cli.options import Globals, group

_EPILOG = "--home, --user, --team, --project and --debug may also stand after the command."


class _InOrder(TyperGroup):
    """Lists the commands in the order in which a newcomer meets them."""

    _ORDER = (
        *(
            "run",
            "explain",
            "plan",
            "learn",
            "sleep",
            "tools",
            "agents",
            "facts",
            "projects",
            "volumes",
            "audits",
            "crons",
            "daemon",
            "state",
            "traces",
            "feedback",
            "undo",
            "resolve",
            "budget",
            "report",
            "inbox",
            "insights",
            "suggestions",
            "accept",
            "dismiss",
            "proposals",
            "approve",
            "reject",
            "promote",
            "recall",
            "feed",
            "ack",
        ),
        *("doctor", "config", "mcp", "plugins", "demo", "interactive", "sessions", "resume"),
    )

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=self._ORDER.index)


app = group(
    "Learn a job once, replay it for nothing. Without a command: the prompt.",
    cls=_InOrder,
    add_completion=True,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from llmos import __version__

        print(f"llmos {__version__}")
        raise typer.Exit


@app.callback()
def main(
    ctx: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(envvar="LLMOS_HOME", metavar="PATH", help="Where everything is kept."),
    ] = None,
    user: Annotated[
        str, typer.Option(envvar="LLMOS_USER", metavar="NAME", help="Whose traces and budget.")
    ] = "user",
    team: Annotated[str | None, typer.Option(metavar="NAME", help="The user's team.")] = None,
    project: Annotated[
        str | None,
        typer.Option(
            envvar="LLMOS_PROJECT", metavar="NAME", help="Project of runs, facts and traces."
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Learn a job once, replay it for nothing. Without a command: the prompt."""
    ctx.obj = Globals(home, user, team, debug, project)
    if ctx.invoked_subcommand is None:
        interactive.open_prompt(ctx.obj)


app.command("run", short_help="Do what GOAL says.")(goals.run)
app.command("explain")(goals.explain)
app.command("plan")(plan.plan)
app.command("learn")(learn.learn)
app.command("sleep")(sleep.sleep)
app.add_typer(tools.app, name="tools")
app.add_typer(agents.app, name="agents")
app.add_typer(facts.app, name="facts")
app.add_typer(projects.app, name="projects")
app.add_typer(volumes.app, name="volumes")
app.add_typer(audits.app, name="audits")
app.add_typer(crons.app, name="crons")
app.command("daemon")(daemon.daemon)
app.command("state")(state.state)
app.add_typer(traces.app, name="traces")
app.command("feedback")(verdicts.feedback)
app.command("undo")(verdicts.undo)
app.command("resolve")(verdicts.resolve)
app.add_typer(budget.app, name="budget")
app.command("report")(report.report)
app.command("inbox")(report.inbox)
app.command("insights")(findings.insights)
app.command("suggestions")(findings.suggestions)
app.command("accept")(findings.accept)
app.command("dismiss")(findings.dismiss)
app.command("proposals")(sharing.proposals)
app.command("approve")(sharing.approve)
app.command("reject")(sharing.reject)
app.command("promote")(sharing.promote)
app.command("recall")(sharing.recall)
app.command("feed")(feed.feed)
app.command("ack")(feed.ack)
app.command("doctor")(doctor.doctor)
app.add_typer(config.app, name="config")
app.add_typer(mcp.app, name="mcp")
app.add_typer(plugins.app, name="plugins")
app.command("demo")(demo.demo)
app.command("interactive")(interactive.interactive)
app.command("sessions")(sessions.sessions)
app.command("resume")(sessions.resume)
