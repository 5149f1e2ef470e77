"""How a night is shown: what was made of the new runs, and what was not, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llmos.crons import CycleReport, CycleTask
from llmos.evolution.compiler import LearnReport
from llmos.evolution.tool import LearntTool
from llmos.surfaces.cli.output import (
    dollars,
    duration,
    one_line,
    out,
    print_table,
    printable,
)
from llmos.values import ArtifactType, Json

if TYPE_CHECKING:
    from llmos.boot import LLMOS

_NOTICED = ("insight", "suggestion", "proposal", "archive")


@dataclass(frozen=True, slots=True)
class Night:
    """What one cycle did, with the tools that it made."""

    report: LearnReport
    tools: dict[str, LearntTool]
    """Those that were created or evolved, by name."""
    noticed: tuple[CycleTask, ...] = ()
    """What else the cycle did: insights, suggestions, proposals."""

    @classmethod
    def of(cls, os: LLMOS, cycle: CycleReport) -> Night:
        """A cycle with what its names stand for."""
        volume, report = os.kernel.get_user_volume(), cycle.learnt
        names = (*report.created, *report.evolved)
        tools = {n: LearntTool.of(volume.get(ArtifactType.TOOL, n)) for n in names}
        return cls(report, tools, tuple(t for t in cycle if t.kind in _NOTICED))

    def as_dict(self, limit: int) -> dict[str, Json]:
        """The night as JSON.

        Args:
            limit: Goals without a tool that are listed at most.
        """
        told = replace(self.report, unlearnt=self.unlearnt[:limit]).as_dict()
        noticed = [task.as_dict() for task in self.noticed]
        return {**told, "unlearnt_in_all": len(self.unlearnt), "noticed": noticed}

    @property
    def unlearnt(self) -> tuple[tuple[str, int, str], ...]:
        """Goals without a tool; first what recurs most, which one would like to have most."""
        return tuple(sorted(self.report.unlearnt, key=lambda told: -told[1]))


def show_night(night: Night, limit: int) -> None:
    """Print a night for people.

    Args:
        night: What was done.
        limit: Goals without a tool that are listed at most.
    """
    report = night.report
    console = out()
    console.print(_looked_at(report))
    _made("created", night, report.created)
    _made("evolved", night, report.evolved)
    if report.retired:
        console.print("\nretired: later runs contradict them", style="bold")
        for name in report.retired:
            console.print(f"  {one_line(name)}", style="yellow")
    _show_held(report)
    if night.unlearnt:
        _show_unlearnt(night.unlearnt, limit)
    if report.proposer:
        _show_proposals(report)
    _show_noticed(night.noticed, limit)
    console.print(f"\n{_paid(report)}", style="dim")
    if report.created:
        console.print("see them: llmos tools", style="dim")


def _show_noticed(noticed: Sequence[CycleTask], limit: int) -> None:
    if not noticed:
        return
    console = out()
    console.print("\nnoticed", style="bold")
    for task in noticed[:limit]:
        console.print(f"  {one_line(task.title, 200)}")
        if task.kind == "suggestion":
            console.print(f"    {one_line(task.why, 300)}", style="cyan")
        if task.worded:
            console.print(f"    in a model's words: {one_line(task.worded, 500)}", style="dim")
    if len(noticed) > limit:
        console.print(f"  … and {len(noticed) - limit} more: llmos insights", style="dim")


def _paid(report: LearnReport) -> str:
    told = [duration(report.seconds), f"{report.usage.total_tokens:,} tokens"]
    return " · ".join([*told, dollars(report.cost_usd)] if report.proposer else told)


def _show_proposals(report: LearnReport) -> None:
    console = out()
    console.print(f"\nproposed by {one_line(report.proposer)}", style="bold")
    for proposal in report.proposals:
        word, style = ("taken", "green") if proposal.accepted else ("refused", "yellow")
        told = f"{word:<8}{one_line(proposal.about)}: {one_line(proposal.told, 300)}"
        console.print(f"  {told}", style=style)
    if report.stopped:
        console.print(f"  stopped: {one_line(report.stopped, 300)}", style="yellow")
    elif not report.proposals:
        console.print("  there was nothing to ask")


def _looked_at(report: LearnReport) -> str:
    if report.traces:
        runs = "1 new run" if report.traces == 1 else f"{report.traces:,} new runs"
        return f"learnt from {runs}"
    made = report.created or report.evolved or report.retired or report.released
    return "no new runs, but what is known of old ones has changed" if made else "nothing new"


def _show_held(report: LearnReport) -> None:
    console = out()
    if report.held:
        console.print("\nlearnt, but not in use: audits differ too often", style="bold")
        for name in report.held:
            console.print(f"  {one_line(name)}", style="yellow")
        console.print(f"  {printable(report.frozen)}", style="dim")
        console.print("  look at them: llmos audits; then: llmos audits lift", style="dim")
    if report.released:
        console.print("\nin use now: audits no longer differ too often", style="bold")
        for name in report.released:
            console.print(f"  {one_line(name)}", style="green")


def _made(what: str, night: Night, names: Sequence[str]) -> None:
    if not names:
        return
    console = out()
    console.print(f"\n{what}", style="bold")
    for name in names:
        tool = night.tools[name]
        told = f"  {one_line(name)}  ({tool.proof.runs} runs, version {tool.digest[:12]})"
        console.print(told, style="green")
        for template in tool.templates:
            console.print(f"    {one_line(str(template))}")


def _show_unlearnt(unlearnt: Sequence[tuple[str, int, str]], limit: int) -> None:
    out().print("\nnot learnt", style="bold")
    rows = [(str(n), one_line(why), one_line(goal, 200)) for goal, n, why in unlearnt[:limit]]
    print_table((">RUNS", "WHY", "GOAL"), rows)
    if len(unlearnt) > limit:
        out().print(f"… and {len(unlearnt) - limit} more: --limit {len(unlearnt)}", style="dim")
