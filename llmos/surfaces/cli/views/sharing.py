"""How proposals to share are shown: what, with whom, what the gates say, what to type."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from llmos.evolution.proposals import Promotion, ProposalStatus
from llmos.surfaces.cli.output import one_line, out, short

_COLOURS = {"green": "green", "review": "yellow", "red": "red"}


def show_proposals(found: Sequence[Promotion], mine: Collection[str]) -> None:
    """Print proposals, each with its gates.

    Args:
        found: The proposals.
        mine: Ids of those that the reader can decide.
    """
    console = out()
    if not found:
        console.print("Nothing is proposed.")
        return
    for k, promotion in enumerate(found):
        if k:
            console.print()
        number = short(promotion.id).lower()
        what = f"{one_line(promotion.name)}: {promotion.source} → {promotion.target}"
        console.print(f"{number}  {what}  ({promotion.status.value})", style="bold")
        for gate in promotion.evidence.get("gates", ()):
            _show_gate(gate)
        if not promotion.evidence.get("gates"):
            console.print(f"  {one_line(str(promotion.evidence.get('why', '')), 300)}")
        if promotion.id in mine:
            console.print(f"  llmos approve {number}   or   llmos reject {number}", style="cyan")
        elif promotion.status is ProposalStatus.PROPOSED:
            console.print(f"  {_waits(promotion)}", style="dim")
        elif promotion.why:
            console.print(f"  {promotion.decided_by}: {one_line(promotion.why, 300)}", style="dim")


def show_decided(promotion: Promotion) -> None:
    """Print what became of a proposal that somebody has just decided."""
    name = one_line(promotion.name)
    if promotion.status is ProposalStatus.APPLIED:
        out().print(f"{name} is shared: {promotion.target} has it now", style="green")
        out().print(f"take it back: llmos recall {name}", style="dim")
    elif promotion.status is ProposalStatus.REJECTED:
        print(f"{name} is not shared with {promotion.target}")
    else:
        print(f"noted; {_waits(promotion)}")


def _show_gate(gate: Mapping[str, Any]) -> None:
    light = str(gate["light"])
    told = f"  {gate['name']:<11} {light:<7}{one_line(str(gate['why']), 300)}"
    out().print(told, style=_COLOURS.get(light, ""))


def _waits(promotion: Promotion) -> str:
    if not promotion.evidence.get("gates"):
        return "it is looked at in the next cycle of the target's cron"
    who = [
        {"owner": str(promotion.source), "target": str(promotion.target)}[w]
        for w in promotion.waits_for
    ]
    return f"it waits for whoever looks after {' and '.join(who)}" if who else "not yet"
