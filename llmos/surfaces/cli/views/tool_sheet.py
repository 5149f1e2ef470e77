"""How one learned tool is shown in full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmos.evolution.anatomy import Place, hidden_guards, places, tool_name
from llmos.evolution.audits import AuditStats
from llmos.evolution.payback import Payback
from llmos.evolution.tool import EXPRESSIONS, LearntTool
from llmos.surfaces.cli.output import (
    dollars,
    moment,
    one_line,
    out,
    print_table,
    printable,
    to_json,
)
from llmos.surfaces.cli.views.served import left_to_a_model, show_left_open, show_places
from llmos.surfaces.cli.views.tools import volume_of
from llmos.surfaces.cli.views.unproven import print_code
from llmos.values import ArtifactType, Json
from llmos.volumes import Artifact, Outcome, Status, UsageStats, Version

if TYPE_CHECKING:
    from llmos.boot import LLMOS

_COLOURS = {Status.ACTIVE: "green", Status.QUARANTINED: "red", Status.ARCHIVED: "dim"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything that is known of one tool."""

    artifact: Artifact
    version: Version
    tool: LearntTool
    usage: UsageStats
    payback: Payback
    audits: AuditStats

    @classmethod
    def of(cls, os: LLMOS, name: str) -> Sheet:
        """What is known of the tool of that name.

        Raises:
            UserError: There is none.
            IntegrityError: It is not what was stored.
        """
        volume = volume_of(os, name)
        version = volume.get(ArtifactType.TOOL, name)
        artifact = volume.find(ArtifactType.TOOL, name)
        assert artifact is not None  # it has a version
        tool = LearntTool.of(version)
        usage, account = os.kernel.get_usage(artifact), os.kernel.get_payback(artifact, tool)
        return cls(artifact, version, tool, usage, account, os.kernel.get_audits(name))

    @property
    def places(self) -> list[Place]:
        """Where candidates must agree."""
        return places(self.tool.program)

    def as_dict(self) -> dict[str, Json]:
        """The sheet as JSON."""
        tool = self.tool
        return {
            "name": tool.name,
            "status": self.artifact.status.value,
            "pinned": self.artifact.pinned,
            "version": self.version.seq,
            "digest": tool.digest,
            "author": self.version.author,
            "proposed_by": dict(tool.proposed_by),
            "created_at": to_json(self.version.created_at),
            "templates": [str(t) for t in tool.templates],
            "calls": dict(tool.tools),
            "code": tool.code,
            "lineage": list(self.version.lineage),
            "proof": tool.proof.as_json() | {"risk": tool.proof.risk},
            "places": to_json(self.places),
            "hidden_guards": to_json(hidden_guards(tool.program)),
            "left_to_a_model": left_to_a_model(tool),
            "optimized": tool.optimized.as_json(),
            "usage": to_json(self.usage) | {"uses": self.usage.uses},
            "audits": self.audits.as_dict(),
            "payback": to_json(self.payback) | {"savings_are": "a counterfactual estimate"},
        }


def print_sheet(sheet: Sheet) -> None:
    """Print all of a tool for people."""
    console, tool, artifact = out(), sheet.tool, sheet.artifact
    pinned = ", pinned" if artifact.pinned else ""
    console.print(f"{one_line(tool.name)} · version {sheet.version.seq}", style="bold")
    status = f"{artifact.status.value}{pinned}"
    console.print(status, style=_COLOURS.get(artifact.status, ""), end="")
    made = f" · {tool.digest[:12]} · {moment(sheet.version.created_at)} by {sheet.version.author}"
    console.print(printable(made), style="dim")
    for what, by in tool.proposed_by.items():
        weight = "; later runs must agree before it is trusted" if what == EXPRESSIONS else ""
        console.print(one_line(f"{what} proposed by {by}{weight}", 300), style="yellow")
    console.print("\ngoals", style="bold")
    for template in tool.templates:
        console.print(f"  {one_line(str(template), 500)}")
    print_code(tool.code)
    _print_proof(tool)
    _print_reads(tool)
    show_left_open(console, tool)
    show_places(console, sheet.places, hidden_guards(tool.program))
    _print_lineage(sheet.version.lineage)
    _print_uses(sheet.usage)
    print_audits(sheet.audits)
    _print_account(sheet.payback)


def _print_proof(tool: LearntTool) -> None:
    proof = tool.proof
    out().print("\nproof", style="bold")
    rows = [
        (str(proof.runs), "runs that it reproduces, all that it was learnt from"),
        (str(proof.agreed), "later runs that it had said before seeing them"),
        (str(proof.disagreed), "later runs that it had said wrongly"),
        *_peers(tool),
        (f"{proof.risk:.4f}", "risk that the next run is wrong, if all candidates agree"),
        *((str(n), f"runs that made: {_way(tool, way)}") for way, n in proof.ways.items()),
        *_seen(tool),
    ]
    print_table((">COUNT", "OF"), rows)


def _peers(tool: LearntTool) -> Iterator[tuple[str, str]]:
    exact, other = tool.proof.peers
    if exact or other:
        yield str(exact), "other tools that all later runs agreed with, when this was proven"
        yield str(other), "other tools that a later run contradicted"


def _way(tool: LearntTool, way: Sequence[str]) -> str:
    calls = {node.id: f"{node.id} {tool_name(node)}" for node in tool.program.nodes}
    return one_line(", ".join(calls.get(node, node) for node in way) or "no write")


def _seen(tool: LearntTool) -> Iterator[tuple[str, str]]:
    for slot, counts in tool.proof.seen.items():
        if slot in tool.proof.used and len(counts) > 1:
            what = "the program uses it: others are possible"
        else:
            what = f"no other is served: {one_line(', '.join(sorted(counts)), 80)}"
        yield str(len(counts)), f"different values of {one_line(slot)}; {what}"


def _print_reads(tool: LearntTool) -> None:
    """What was left out of the program that runs, and which reads are made at once."""
    optimized = tool.optimized
    calls = {read.id: f"{read.id} {tool_name(read)}" for read in tool.whole.reads()}
    lines = []
    if optimized.removed:
        why = {read: f"repeats {earlier}" for read, earlier in optimized.repeats.items()}
        why |= dict.fromkeys(optimized.dead, "nothing can depend on it")
        gone = ", ".join(f"{calls[read]} ({why[read]})" for read in calls if read in why)
        lines.append(f"{len(why)} of {len(calls)} reads removed: {gone}")
    if optimized.refused:
        lines.append(f"no read removed: {optimized.refused}")
    for stage in optimized.stages:
        lines.append(f"made at once: {', '.join(calls[read] for read in stage)}")
    if lines:
        out().print("\nreads", style="bold")
    for line in lines:
        out().print(f"  {one_line(line, 500)}")


def _print_lineage(lineage: Sequence[str]) -> None:
    out().print("\nlineage: the runs that it was made from", style="bold")
    for k in range(0, min(len(lineage), 40), 4):
        out().print(f"  {'  '.join(lineage[k : min(k + 4, 40)])}", style="dim")
    if len(lineage) > 40:
        out().print(f"  … and {len(lineage) - 40} more: --json", style="dim")


def _print_uses(usage: UsageStats) -> None:
    console = out()
    console.print("\nuses", style="bold")
    if usage.last_used is None:
        console.print("  none yet")
        return
    told = [f"{n} {_OUTCOMES.get(o, o.value)}" for o, n in usage.counts.items() if n]
    console.print(f"  {' · '.join(told)}")
    users = "1 user" if usage.users == 1 else f"{usage.users} users"
    console.print(f"  {users}, last {moment(usage.last_used)}", style="dim")


def print_audits(audits: AuditStats) -> None:
    """Print what audits say, in words, or that there are none."""
    console = out()
    console.print("\naudits: a model did it instead, as a sample", style="bold")
    console.print(f"  {audits}")
    if audits.not_comparable:
        count = audits.not_comparable
        told = "1 more says" if count == 1 else f"{count} more say"
        console.print(f"  {told} nothing: it could not be compared", style="dim")


_OUTCOMES = {
    Outcome.SERVED: "done without a model",
    Outcome.ALREADY_DONE: "found it done",
    Outcome.SIDE_EXIT: "stopped, the model took over",
    Outcome.WRONG: "said to be wrong",
    Outcome.RIGHT: "said to be right",
}


def _print_account(account: Payback) -> None:
    console = out()
    console.print("\ncost and savings", style="bold")
    learnt = f"{account.cost_tokens:,} tokens, {dollars(account.cost_usd)}"
    console.print(f"  to learn it  {learnt}: what its {account.runs} runs of the model took")
    saved = f"{account.saved_tokens:,} tokens, {dollars(account.saved_usd)}"
    runs = "1 free run" if account.served == 1 else f"{account.served:,} free runs"
    console.print(f"  saved so far {saved}: counterfactual, had the model done the {runs}")
    console.print("               at what it took on average when this was learnt")
    console.print(f"  paid back    {_paid_back(account)}")


def _paid_back(account: Payback) -> str:
    if account.paid_back_at is not None:
        return moment(account.paid_back_at)
    if account.runs_left is None:
        return "not known: the runs that it was learnt from tell no tokens"
    runs = "1 more free run" if account.runs_left == 1 else f"{account.runs_left:,} more free runs"
    return f"not yet: after {runs}"
