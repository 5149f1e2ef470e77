"""What of a learned program is served: without reads that nothing needs, and with reads together.

A read is left out for one of two reasons. It *repeats* an earlier one: the same call by the same
candidates under the same guard, and nothing was written in between. Or it is *dead*: it comes
after the last write, and no candidate of any place looks at what it saw. An unused read before a
write stays: that it succeeds, and shows no more than was ever seen, was so in every trace, and is
asked before anything is written.

The family keeps its whole program, by which later traces are held against it. What is served is
proven again (`optimized`), and is the whole program where the proof comes out otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmos.evolution.example import Example
from llmos.evolution.ir import Program, Read, nodes_of
from llmos.evolution.plan import Rehearsal, Stop, rehearsal
from llmos.evolution.prove import Proof, prove
from llmos.evolution.prune import dead_reads, path_of, repeated, without
from llmos.values import Effect, Json

MOST_TOGETHER = 8
"""Reads that are made at once: what a tool looks at may be a service that others use too."""


@dataclass(frozen=True, slots=True)
class Optimized:
    """A program as it is served."""

    program: Program
    """Without what was left out."""
    repeats: Mapping[str, str] = field(default_factory=dict)
    """Reads that were left out, each with the earlier read that it repeated."""
    dead: tuple[str, ...] = ()
    """Reads that were left out because nothing can depend on them."""
    stages: tuple[tuple[str, ...], ...] = ()
    """Reads that follow each other and do not look at each other: they are made at once."""
    refused: str = ""
    """Why nothing was left out, though it could have been."""

    @property
    def removed(self) -> tuple[str, ...]:
        """All reads that were left out."""
        return (*self.repeats, *self.dead)

    def as_json(self) -> dict[str, Json]:
        """How it is made of the whole program, as JSON."""
        return {
            "repeats": dict(self.repeats),
            "dead": list(self.dead),
            "stages": [list(stage) for stage in self.stages],
            "refused": self.refused,
        }

    @classmethod
    def from_json(cls, whole: Program, data: Mapping[str, Any]) -> Optimized:
        """What `as_json` wrote.

        Args:
            whole: The program that it was made of.
            data: The JSON.
        """
        repeats, dead = dict(data["repeats"]), tuple(data["dead"])
        stages = tuple(tuple(stage) for stage in data["stages"])
        return cls(without(whole, repeats, dead), repeats, dead, stages, data["refused"])


def optimized(program: Program, examples: Sequence[Example], proof: Proof) -> Optimized:
    """What is served of a proven program.

    Args:
        program: What all examples did.
        examples: The traces.
        proof: What `prove` says of both. What is served must have the very same one: it makes the
            same writes in every trace, and the same slots are looked at.
    """
    found = optimize(program)
    if not found.removed:
        return found
    whole = [rehearsal(program, e.slots, e.now, e.steps) for e in examples]
    found = optimize(program, steady=lambda one, other: _steady(one, other, whole))
    why = _difference(found.program, examples, proof, whole)
    return Optimized(program, stages=_stages(program), refused=why) if why else found


def optimize(
    program: Program, steady: Callable[[str, str], bool] = lambda one, other: True
) -> Optimized:
    """A program without repeated and dead reads; nothing is proven.

    Args:
        program: What is to be served.
        steady: Whether a read and an equal one later always saw the same.
    """
    if len({node.id for node in program.nodes}) < len(program.nodes):
        return Optimized(program)  # a step that is made twice has no observation of its own
    repeats = repeated(program, steady)
    dead = dead_reads(without(program, repeats, ()))
    served = without(program, repeats, dead)
    return Optimized(served, repeats, dead, _stages(served))


def _steady(one: str, other: str, whole: Iterable[Rehearsal]) -> bool:
    """Whether two equal reads always saw the same; what may differ every time is never steady."""
    for run in whole:
        first, again = run.steps.get(one, ()), run.steps.get(other, ())
        if any(s.effect is not Effect.READ for s in first):
            return False
        if [s.observation for s in first] != [s.observation for s in again]:
            return False
    return True


def _difference(
    served: Program, examples: Sequence[Example], proof: Proof, whole: Sequence[Rehearsal]
) -> str:
    """What a served program would do otherwise than the whole one, or ""."""
    try:
        for example, before in zip(examples, whole, strict=True):
            after = rehearsal(served, example.slots, example.now, example.steps)
            if after.writes != before.writes:
                return "without them it would write other things than a trace did"
            if after.answer != before.answer:
                return "without them it would answer otherwise than a trace did"
        again = prove(served, examples, agreed=proof.agreed, disagreed=proof.disagreed)
    except Stop as e:
        return f"without them it would stop in a trace: {e}"
    return "" if again == proof else "without them its proof would be another one"


# --- what is made at once ----------------------------------------------------------------------


def _stages(program: Program) -> tuple[tuple[str, ...], ...]:
    """Reads that follow each other, none of which looks at another; one alone is no stage."""
    found: list[tuple[str, ...]] = []
    stage: list[Read] = []
    for node in program.nodes:
        if isinstance(node, Read) and stage and _joins(program, node, stage):
            stage.append(node)
            continue
        found.append(tuple(r.id for r in stage))
        stage = [node] if isinstance(node, Read) else []
    found.append(tuple(r.id for r in stage))
    return tuple(ids for ids in found if len(ids) > 1)


def _joins(program: Program, read: Read, stage: Sequence[Read]) -> bool:
    # One that is read page by page may end a stage: its further pages come when all are made.
    if len(stage) == MOST_TOGETHER or stage[-1].paging is not None:
        return False
    path = path_of(program, read.guard) & program.guards.keys()
    conditions = (program.guards[name].conditions for name in path)
    asked = (read.tool, *read.arguments.values(), *conditions)
    looked = {n for several in asked for n in nodes_of(*several)}
    return looked.isdisjoint(r.id for r in stage)
