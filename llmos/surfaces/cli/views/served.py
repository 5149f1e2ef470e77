"""How a learned tool is explained for one goal: what it was understood as, and what must agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmos.errors import UserError
from llmos.evolution.anatomy import Place, hidden_guards, places
from llmos.evolution.holes import KINDS
from llmos.evolution.templates import Template, plain
from llmos.evolution.tool import LearntTool
from llmos.surfaces.cli.output import one_line, printable, to_json
from llmos.values import Decision, Effect, Json, Mode

if TYPE_CHECKING:
    from rich.console import Console

    from llmos.boot import LLMOS
    from llmos.cortex.foresight import ForeseenWrite, Foresight


@dataclass(frozen=True, slots=True)
class Served:
    """A learned tool that would do a goal."""

    tool: LearntTool
    template: Template
    bindings: Mapping[str, str]

    def as_dict(self) -> dict[str, Json]:
        """The tool as JSON, without its program."""
        return {
            "name": self.tool.name,
            "digest": self.tool.digest,
            "template": str(self.template),
            "bindings": dict(self.bindings),
            "places": to_json(places(self.tool.program)),
            "hidden_guards": to_json(hidden_guards(self.tool.program)),
            "proof": self.tool.proof.as_json() | {"risk": self.tool.proof.risk},
            "left_to_a_model": left_to_a_model(self.tool),
        }


def left_to_a_model(tool: LearntTool) -> dict[str, Json]:
    """What of a tool a model is asked for: place to what may stand there."""
    return {place: KINDS[hole.kind] for place, hole in tool.holes.items()}


def is_of_tool(decision: Decision) -> bool:
    """Whether a decision is for a learned tool."""
    tool = decision.mode is Mode.CRYSTALLIZED or decision.mode is Mode.MIXED
    return tool and "@" in (decision.source or "")


def served_by(os: LLMOS, goal: str, decision: Decision) -> Served | None:
    """The learned tool that a decision is for, or None."""
    if not is_of_tool(decision) or decision.source is None:
        return None
    tool = _stored(os, decision.source.partition("@")[2])
    if tool is None:
        return None
    bound = {name: str(value) for name, value in decision.bindings.items()}
    text = plain(goal)
    template = next(t for t in tool.templates if bound in t.match(text))
    return Served(tool, template, bound)


def _stored(os: LLMOS, digest: str) -> LearntTool | None:
    """The tool of that version: the user's own, or one that others share with them."""
    for volume in os.kernel.get_readable_volumes():
        with suppress(UserError):
            return LearntTool.of(volume.version(digest))
    return None  # it was taken back or purged a moment ago


def show_served(console: Console, served: Served) -> None:
    """Print template, bindings, and how many candidates must agree at each place."""
    tool = served.tool
    console.print(f"\ntool {one_line(tool.name)} · version {tool.digest[:12]}", style="bold")
    console.print(f"  {one_line(str(served.template), 500)}")
    width = max((len(name) for name in served.bindings), default=0)
    for name, value in served.bindings.items():
        console.print(f"    {printable(name):<{width}} = {one_line(value, 500)}", style="cyan")
    show_left_open(console, tool)
    show_places(console, places(tool.program), hidden_guards(tool.program))


def show_left_open(console: Console, tool: LearntTool) -> None:
    """Print what a model is asked for."""
    if tool.holes:
        console.print("\nleft to a model", style="bold")
    for place, told in left_to_a_model(tool).items():
        console.print(f"  {printable(place)}: {told}", style="yellow")


def show_places(console: Console, found: Sequence[Place], hidden: Sequence[Place]) -> None:
    """Print the places of a program with what must agree there.

    Args:
        console: Where to.
        found: From `places`.
        hidden: From `hidden_guards`.
    """
    console.print("\nmust agree when it runs, else it stops before it writes", style="bold")
    for place in found:
        console.print(f"  {printable(place.name)}", end="")
        if place.must_agree == 1:
            console.print(f"  1 candidate: {one_line(place.candidates[0])}", style="dim")
            continue
        console.print(f"  {place.must_agree} candidates", style="yellow")
        for candidate in place.candidates[:3]:
            console.print(f"      {one_line(candidate)}", style="dim")
        if place.must_agree > 3:
            console.print(f"      … and {place.must_agree - 3} more", style="dim")
    if not found:
        console.print("  nothing: every value is a constant", style="dim")
    if hidden:
        console.print("\nmust be as it was in every trace, though nothing uses it", style="bold")
    for place in hidden:
        what = "condition" if place.must_agree == 1 else "conditions"
        console.print(f"  {printable(place.name)}  {place.must_agree} {what}")
        for condition in place.candidates[:3]:
            console.print(f"      {one_line(condition)}", style="dim")


def show_foresight(console: Console, seen: Foresight | None) -> None:
    """Print the exact writes of a free run, or why it would stop."""
    console.print("\nwrites", style="bold")
    if seen is None:
        console.print("  known only when it reads: llmos explain --diff GOAL")
        return
    if seen.stopped:
        console.print("  none: it would stop before its first write, and the model would go on")
        console.print(f"  ✗ {printable(seen.stopped)}", style="red")
    else:
        console.print("  ✓ all candidates agree", style="green")
    if not seen.stopped and not seen.writes:
        console.print("  none: the conditions for them do not hold, or it only answers")
    for k, write in enumerate(seen.writes, 1):
        _show_write(console, k, write)
    if seen.answer:
        console.print("\nanswer", style="bold")
        console.print(f"  {printable(seen.answer)}")
    told = "1 read was made" if seen.reads == 1 else f"{seen.reads} reads were made"
    kept = f", recorded as run {seen.run_id[-6:]}" if seen.run_id else ""
    console.print(f"\n{told} for this{kept}; nothing was written", style="dim")


def _show_write(console: Console, number: int, write: ForeseenWrite) -> None:
    kind = " · acts outside this machine" if write.effect is Effect.EXTERNAL else ""
    undo = "" if write.undoable else " · cannot be undone"
    console.print(f"  {number}. {printable(write.tool)}{kind}{undo}")
    colours = {"+": "green", "-": "red", "@": "cyan"}
    if write.diff:
        for line in write.diff.splitlines():
            console.print(f"    {printable(line)}", style=colours.get(line[:1], ""))
        return
    for name, value in write.arguments.items():
        first, *more = printable(str(value)).split("\n")
        console.print(f"     {printable(name)}: {first}")
        for line in more:
            console.print(f"       {line}")
    if write.tool == "Write":
        console.print("     the file is like this already", style="dim")
