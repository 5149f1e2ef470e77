"""How projects are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmos.memory.facts import Fact
from llmos.memory.projects import Project
from llmos.surfaces.cli.output import dollars, err, moment, one_line, print_table, to_json, when
from llmos.surfaces.cli.views.facts import print_facts
from llmos.surfaces.cli.views.traces import as_row, print_runs
from llmos.values import Json, Trace
from llmos.volumes import Artifact


@dataclass(frozen=True, slots=True)
class Sheet:
    """One project and the newest of what is in it."""

    project: Project
    facts: Sequence[Fact]
    """Those that hold in it alone."""
    artifacts: Sequence[Artifact]
    runs: Sequence[Trace]

    def as_dict(self) -> dict[str, Json]:
        """The sheet as JSON."""
        return {
            **project_dict(self.project),
            "facts_of_it": to_json(list(self.facts)),
            "artifacts_of_it": to_json(list(self.artifacts)),
            "newest_runs": [as_row(run) for run in self.runs],
        }


def project_dict(project: Project) -> dict[str, Json]:
    """A project as JSON."""
    told = to_json(project)
    assert isinstance(told, dict)
    return told | {"free_share": round(project.free_share, 4)}


def print_projects(projects: Sequence[Project]) -> None:
    """Print one line for each project."""
    if not projects:
        print('No project yet. Begin one with: llmos run "…" --project NAME')
        return
    rows = [
        (
            p.name,
            when(p.last_at),
            str(p.runs),
            f"{p.free_share:.0%}" if p.runs else "-",
            f"{p.tokens:,}",
            str(p.facts),
            str(p.artifacts),
            "archived" if p.archived_at else "",
        )
        for p in projects
    ]
    header = ("PROJECT", "LAST", ">RUNS", ">FREE", ">TOKENS", ">FACTS", ">ARTIFACTS", "")
    print_table(header, rows)


def print_sheet(sheet: Sheet) -> None:
    """Print all that is known of a project."""
    p = sheet.project
    laid = f", archived {moment(p.archived_at)}" if p.archived_at else ""
    print(f"project {p.name}{laid}")
    print(f"  used from {moment(p.first_at)} to {moment(p.last_at)}, {p.sessions} sessions")
    print(
        f"  {p.runs} runs, {p.free_runs} of them free ({p.free_share:.0%}), "
        f"{p.tokens:,} tokens, {dollars(p.cost_usd)}"
    )
    if sheet.artifacts:
        print()
        rows = [(a.type.value, a.name, a.status.value, when(a.updated_at)) for a in sheet.artifacts]
        print_table(("TYPE", "ARTIFACT", "STATUS", "CHANGED"), rows)
    if sheet.facts:
        print()
        print_facts(sheet.facts)
    if sheet.runs:
        print()
        print_runs(sheet.runs)


def note_new(name: str, near: Sequence[str], *, begins: bool) -> None:
    """Say that a project is not known, before anything is done under its name."""
    if begins:
        err().print(f"new project {name}", style="yellow")
        return
    hint = f"; did you mean {' or '.join(one_line(n) for n in near[:3])}?" if near else ""
    err().print(f"there is no project {name} yet{hint}", style="yellow")


def note_archived(name: str) -> None:
    """Say that nothing new can be done in a project that is only looked at now."""
    told = (
        f"project {name} is archived and takes no run; take it back: llmos projects restore {name}"
    )
    err().print(told, style="yellow")
