"""Which tools a model is given at the start, and why: a decision that is kept with the run.

It narrows what is shown, never what may be called: every call goes through the system calls,
which grant what they always grant.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from sqlalchemy import select

from llmos.cortex.tool_search.ranking import Used, rank
from llmos.store import Store
from llmos.store.schema import traces
from llmos.values import Json, ToolSpec

BUILT_IN = frozenset(("Read", "Write", "Edit", "Glob", "Grep", "Bash", "WebFetch"))
"""Tools that are given in any case: they do what no other tool does."""

WHY = {
    "built-in": "always given",
    "needed": "in the worked example, or done already",
    "words": "its words are those of the goal",
    "past": "good runs used it",
    "siblings": "beside one that fits",
}
"""What the reasons mean."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The tools that a model is given."""

    given: tuple[ToolSpec, ...]
    """In the order in which the kernel has them."""
    of: int
    """How many there are."""
    why: Mapping[str, str] = field(default_factory=dict)
    """Name to one of `WHY`; empty where all are given."""

    @property
    def narrowed(self) -> bool:
        """Whether there are others."""
        return len(self.given) < self.of

    def as_dict(self) -> dict[str, Json]:
        """The offer as JSON: how many there are, and those that are given with the reason."""
        return {"of": self.of, "given": dict(self.why)}


def choose(
    goal: str,
    tools: Sequence[ToolSpec],
    past: Callable[[], Sequence[Used]],
    *,
    threshold: int,
    most: int,
    needed: AbstractSet[str] = frozenset(),
) -> Offer:
    """All tools where there are at most ``threshold``, else those that the goal seems to need.

    Args:
        goal: What is to be done.
        tools: What the run may call.
        past: Looks up good runs; asked only if there is a choice.
        threshold: Number of tools up to which all are given.
        most: How many are chosen, beside the built-in and the needed ones.
        needed: Tools that are told of anyhow.
    """
    if len(tools) <= threshold:
        return Offer(tuple(tools), len(tools))
    why = {t.name: "needed" for t in tools if t.name in needed}
    why |= {t.name: "built-in" for t in tools if t.name in BUILT_IN}
    chosen = (r for r in rank(goal, tools, past()) if r.name not in why)
    why |= {r.name: r.why for r, _ in zip(chosen, range(most), strict=False)}
    given = tuple(t for t in tools if t.name in why)
    return Offer(given, len(tools), {t.name: why[t.name] for t in given})


def stored_offer(store: Store, trace_id: str) -> Mapping[str, Json] | None:
    """What the model of a run was given, as `toolbox.Toolbox.record` told it; None if nothing.

    Args:
        store: Where the run is.
        trace_id: Its id in full.
    """
    query = select(traces.c.decision).where(traces.c.id == trace_id)
    decision = store.read(lambda c: c.scalar(query))
    told = json.loads(decision or "{}").get("offer")
    return told if isinstance(told, dict) else None
