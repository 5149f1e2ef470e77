"""How a decision is shown, before anything is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from llmos.evolution.audits import AuditStats
from llmos.replay.preview import PlannedWrite, Preview
from llmos.replay.world import World
from llmos.surfaces.cli.output import one_line, out, printable, short, to_json
from llmos.surfaces.cli.views.offer import show_offer
from llmos.surfaces.cli.views.served import (
    Served,
    is_of_tool,
    served_by,
    show_foresight,
    show_served,
)
from llmos.values import Decision, Json, Mode, Step, Trace, Turn

if TYPE_CHECKING:
    from rich.console import Console

    from llmos.boot import LLMOS
    from llmos.cortex.foresight import Foresight
    from llmos.cortex.plans import Part


@dataclass(frozen=True, slots=True)
class Explained:
    """A decision, and what a free run would do if it is one."""

    decision: Decision
    preview: Preview | None
    """Of a trace that would be followed."""
    tool: Served | None = None
    """A learned tool that would do it."""
    foresight: Foresight | None = None
    """What that tool would write, where it was let read."""
    audits: AuditStats | None = None
    """What audits say of that tool, or of all free runs where a trace would be followed."""
    parts: Sequence[tuple[Part, Decision | None]] = ()
    """What the goal would be taken apart into, where that is known, and how each would go."""
    offer: Mapping[str, Json] | None = None
    """Which tools a model would be given and why, where a model would work and gets not all."""

    def as_dict(self) -> dict[str, Json]:
        """The explanation as JSON."""
        seen = self.foresight
        told = None
        if seen is not None:
            told = {
                "stopped": seen.stopped or None,
                "writes": to_json(seen.writes),
                "answer": seen.answer,
                "reads": seen.reads,
                "run_id": seen.run_id,
            }
        return {
            "decision": to_json(self.decision),
            "preview": to_json(self.preview),
            "tool": self.tool.as_dict() if self.tool else None,
            "foresight": told,
            "audits": self.audits.as_dict() if self.audits else None,
            "parts": [part.as_dict() | {"decision": to_json(how)} for part, how in self.parts],
            "given": to_json(self.offer),
        }


def explained(
    os: LLMOS,
    goal: str,
    mode: str,
    cwd: Path,
    turns: Sequence[Turn] = (),
    agent: str | None = None,
) -> Explained:
    """What would be done for ``goal``.

    Args:
        os: Booted.
        goal: The user's sentence.
        mode: ``AUTO``, or the mode that is insisted on.
        cwd: Working directory, resolved.
        turns: Earlier exchanges that it refers to.
        agent: What the model would work as.
    """
    decision, trace = os.explain(goal, mode, agent=agent, cwd=cwd, turns=turns)
    free = decision.mode is Mode.FOLLOWER and trace is not None
    preview = os.kernel.preview(trace, cwd) if free and trace else None
    tool = served_by(os, goal, decision)
    audits = os.kernel.get_audits(tool.tool.name if tool else None) if free or tool else None
    if decision.mode is Mode.ORCHESTRATOR:
        parts = os.explain_parts(goal, cwd=cwd)
        return Explained(decision, preview, tool, audits=audits, parts=parts)
    if free or tool:
        return Explained(decision, preview, tool, audits=audits)
    offer = os.offer(goal, agent=agent, cwd=cwd, turns=turns)
    return Explained(decision, None, offer=offer.as_dict() if offer.narrowed else None)


async def foreseen(os: LLMOS, told: Explained, goal: str, cwd: Path) -> Explained:
    """The explanation with what a learned tool would write; its reads are made for that.

    What a tool writes that leaves a value to a model is not known before that is asked.

    Args:
        os: Booted.
        told: From `explained`.
        goal: The user's sentence.
        cwd: Working directory, resolved.
    """
    if told.tool is None or told.tool.tool.holes:
        return told
    return replace(told, foresight=await os.foresee(goal, cwd=cwd))


def show_parts(console: Console, parts: Sequence[tuple[Part, Decision | None]]) -> None:
    """Print the parts of a plan and how each would be done."""
    console.print("\nparts", style="bold")
    for part, how in parts:
        after = f" (after {', '.join(part.after)})" if part.after else ""
        console.print(f"  {part.id}{after}: {one_line(part.goal, 200)}")
        told = how.mode.value if how is not None else "known when the others have answered"
        free = how is not None and how.mode in (Mode.FOLLOWER, Mode.CRYSTALLIZED)
        console.print(f"    {told}{' · 0 tokens' if free else ''}", style="dim")


def forewarnings(decision: Decision, trace: Trace | None) -> list[tuple[str, str]]:
    """What one should know before a run begins, one line each with its style.

    Args:
        decision: From `LLMOS.explain`.
        trace: Likewise.
    """
    if decision.mode is Mode.CRYSTALLIZED or is_of_tool(decision):
        return []
    if decision.mode is not Mode.FOLLOWER or trace is None:
        return [("dim", f"not replayed: {refused}") for refused in decision.refused[:1]]
    return [
        ("yellow", f"! {cannot_be_undone(i, step)}")
        for i, step in enumerate(trace.steps)
        if step.effect.writes and not step.footprint.undoable
    ]


def cannot_be_undone(index: int, step: Step) -> str:
    """The beginning of the warning that the kernel gives for such a step."""
    return f"step {index} ({step.tool}) cannot be undone"


def show_explained(told: Explained, *, diff: bool) -> None:
    """Print a decision, its guards, and with ``diff`` the writes."""
    console, decision = out(), told.decision
    tokens = " · 0 tokens" if told.preview is not None or told.tool is not None else ""
    if told.tool is not None and (asked := len(told.tool.tool.holes)):
        tokens = f" · a model is asked for {'one value' if asked == 1 else f'{asked} values'}"
    console.print(
        f"{decision.mode.value}{tokens} · confidence {decision.confidence:g}", style="bold"
    )
    console.print(printable(decision.reason))
    if told.tool is not None:
        show_served(console, told.tool)
    elif decision.source is not None:
        console.print(f"trace {short(decision.source)}", style="dim")
    if told.parts:
        show_parts(console, told.parts)
    if told.audits is not None:
        _show_audits(console, told.audits, decision.audit_rate)
    if decision.refused:
        console.print("\nlooked at and refused", style="bold")
        for refused in decision.refused:
            console.print(f"  ✗ {printable(refused)}")
    if told.offer is not None:
        show_offer(console, told.offer)
    if told.preview is not None:
        if told.preview.world is World.AFTER:
            console.print("already done: everything is as the recorded run left it", style="green")
        _show_guards(console, told.preview)
    if diff and told.tool is not None and told.tool.tool.holes:
        console.print("\nwrites", style="bold")
        console.print("  not known before a model is asked for what is left to it")
    elif diff and told.tool is not None:
        show_foresight(console, told.foresight)
    elif diff:
        _show_writes(console, told.preview)


def _show_audits(console: Console, audits: AuditStats, rate: float) -> None:
    console.print("\naudits", style="bold")
    console.print(f"  {audits}")
    if rate:
        told = f"  by chance, in {100 * rate:g} % of such runs, a model does it and is compared"
        console.print(told, style="dim")


def _show_guards(console: Console, preview: Preview) -> None:
    console.print("\nguards", style="bold")
    marks = {True: ("✓", "green"), False: ("✗", "red"), None: ("·", "dim")}
    for guard in preview.guards:
        mark, style = marks[guard.holds]
        console.print(f"  {mark} {printable(guard.text)}", style=style)
    if not preview.guards:
        console.print("  none: it reads nothing and writes nothing", style="dim")


def _show_writes(console: Console, preview: Preview | None) -> None:
    console.print("\nwrites", style="bold")
    if preview is None:
        console.print("  not known: a model would work")
    elif preview.stopped_by is not None:
        console.print(f"  none: it would stop, since this does not hold: {preview.stopped_by.text}")
    elif preview.world is World.AFTER:
        console.print("  none: everything is already as the recorded run left it")
    elif not preview.writes:
        console.print("  none")
    else:
        for write in preview.writes:
            _show_write(console, write)


def _show_write(console: Console, write: PlannedWrite) -> None:
    kind = " · acts outside this machine" if write.external else ""
    undo = "" if write.undoable else " · cannot be undone"
    console.print(f"  step {write.step}: {write.tool} {printable(write.target)}{kind}{undo}")
    if write.files:
        names = ", ".join(map(printable, write.files))
        console.print(f"    changed when it was recorded: {names}", style="dim")
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for line in write.diff.splitlines():
        console.print(printable(line), style=colours.get(line[:1], ""))
