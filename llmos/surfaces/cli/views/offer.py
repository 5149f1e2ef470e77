"""How it is shown which tools a model was given, or would be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from llmos.cortex.tool_search.offer import WHY
from llmos.surfaces.cli.output import printable
from llmos.values import Json

if TYPE_CHECKING:
    from rich.console import Console


def offer_told(offer: Mapping[str, Json]) -> dict[str, Json]:
    """A stored offer for people: numbers, and tools by the reason for which they were given."""
    told: dict[str, Json] = {}
    if "given" in offer:
        told["tools"] = f"{len(offer['given'])} of {offer['of']:,}"
        told |= {WHY[why]: names for why, names in by_reason(offer["given"]).items()}
    for one in offer.get("searched", ()):
        told[f"searched for {one['query']}"] = ", ".join(one["found"]) or "nothing found"
    if "programs" in offer:
        told["programs"] = offer["programs"]
    return told


def by_reason(given: Mapping[str, str]) -> dict[str, str]:
    """Reason to names, the reasons in the order of `WHY`."""
    names: dict[str, list[str]] = defaultdict(list)
    for name, why in given.items():
        names[why].append(name)
    return {why: ", ".join(names[why]) for why in WHY if why in names}


def show_offer(console: Console, offer: Mapping[str, Json]) -> None:
    """Print which tools a model would be given."""
    console.print("\ntools", style="bold")
    given = len(offer["given"])
    console.print(f"  a model would be given {given} of {offer['of']:,}, and a search for the rest")
    for why, names in by_reason(offer["given"]).items():
        console.print(f"  {WHY[why]}: {printable(names)}", style="dim")
