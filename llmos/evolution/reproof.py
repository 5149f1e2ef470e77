"""Whether a learned tool holds in the runs of others: the proof, made again somewhere else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from llmos.evolution.compiler import as_learnt, teaches
from llmos.evolution.plan import Stop, Unrecorded, rehearsal
from llmos.evolution.prove import writes_of
from llmos.evolution.templates import plain
from llmos.evolution.tool import LearntTool
from llmos.values import Json, Trace


@dataclass(frozen=True, slots=True)
class Reproof:
    """What a tool would have done in runs that a model made."""

    agreed: tuple[str, ...] = ()
    """Ids of the runs in which it would have written the same."""
    users: tuple[str, ...] = ()
    """Whose these are."""
    contradicted: tuple[str, ...] = ()
    """Ids of the runs in which it would have written something else."""
    stopped: int = 0
    """Runs whose goals it reads, and in which it would have stopped before it wrote anything."""

    def as_dict(self) -> dict[str, Json]:
        """The proof as JSON."""
        return {
            "agreed": list(self.agreed),
            "users": list(self.users),
            "contradicted": list(self.contradicted),
            "stopped": self.stopped,
        }

    def __str__(self) -> str:
        who = ", ".join(self.users) or "nobody"
        told = f"reproduces {len(self.agreed)} runs of {who}"
        if self.contradicted:
            told += f", contradicts {len(self.contradicted)}"
        return told


def reprove(tool: LearntTool, traces: Iterable[Trace]) -> Reproof:
    """Hold a tool against good runs, of whomever; what it does not read says nothing.

    Args:
        tool: The tool.
        traces: Stored runs with their steps.
    """
    agreed: list[str] = []
    contradicted: list[str] = []
    users: set[str] = set()
    stopped = 0
    for trace in filter(teaches, traces):
        same = _agrees(tool, as_learnt(trace))
        if same is None:
            continue
        if same == "":
            stopped += 1
        elif same == "agreed":
            agreed.append(trace.id)
            users.add(trace.user_id)
        else:
            contradicted.append(trace.id)
    return Reproof(tuple(agreed), tuple(sorted(users)), tuple(contradicted), stopped)


def _agrees(tool: LearntTool, trace: Trace) -> str | None:
    """``agreed``, ``other``, ``""`` where it would stop; None where the goal is not its own."""
    goal = plain(trace.goal)
    bound = [(t, found) for t in tool.templates for found in t.match(goal)]
    if not bound:
        return None
    if len(bound) > 1:
        return ""
    template, slots = bound[0]
    if tool.proof.refusal(template, slots) is not None:
        return ""
    try:
        made = rehearsal(tool.whole, slots, trace.now.replace(tzinfo=None), trace.steps)
    except Unrecorded as e:
        return "other" if e.request.writes else ""
    except Stop:
        return ""
    wrote = [(s.tool, dict(s.arguments)) for s in trace.steps if s.effect.writes]
    if [(tool_, dict(arguments)) for tool_, arguments in made.writes] == wrote:
        return "agreed"
    known = tool.proof.knows_way(slots, writes_of(made.made))
    return "other" if known else ""
