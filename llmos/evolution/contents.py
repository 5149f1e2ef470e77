"""A family as the content of a tool's version: program, proof, code, and who helped to make it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from llmos.evolution.emit import allowed_tools, emit, function_name, parameter_names
from llmos.evolution.family import Family
from llmos.evolution.hints import Naming, resting_on
from llmos.evolution.holes import ASK
from llmos.evolution.learner import Learner
from llmos.evolution.optimize import optimized
from llmos.evolution.prove import Proof
from llmos.evolution.relabel import relabelled
from llmos.evolution.state import family_json
from llmos.evolution.tool import EXPRESSIONS, NAMES
from llmos.values import Effect, Json, Trace


def content_of(learner: Learner, name: str) -> tuple[dict[str, Json], list[str]]:
    """The content of a tool's version, and its lineage: ids of the traces it was made from.

    Args:
        learner: What is known.
        name: The family.
    """
    family, proof = learner.tools[name], learner.proofs[name]
    naming = learner.named.get(name, Naming())
    function = function_name(name)
    labels = naming.usable(family.slots)
    slots = [labels.get(slot, slot) for slot in family.slots]
    traces = family.traces
    served = optimized(family.program, family.examples, proof)
    tools = sorted(allowed_tools(served.program) - {ASK})
    digests = {t: d for trace in traces for t, d in trace.tools.items() if t in tools}
    content = {
        **family_json(family, proof),
        "optimized": served.as_json(),
        "code": emit(
            relabelled(served.program, labels),
            name=function,
            parameters=slots,
            docstring=_docstring(family, proof, labels),
        ),
        "function": function,
        "parameters": dict(parameter_names(slots)),
        "tools": {t: digests.get(t, "") for t in tools},
        "effects": _effects(traces),
        "cost_usd": sum(t.cost_usd for t in traces),
        "tokens": sum(t.usage.total_tokens for t in traces),
        **_help(labels, naming.by, resting_on(family.program, learner.hints)),
    }
    return content, [t.id for t in traces if t.id]


def _help(labels: Mapping[str, str], names: str, expressions: str) -> dict[str, Json]:
    """What a model has proposed and who; nothing where no model has."""
    helped = {NAMES: names, EXPRESSIONS: expressions}
    by = {what: who for what, who in helped.items() if who}
    told = {"labels": dict(labels), "proposed_by": by}
    return {key: value for key, value in told.items() if value}


def note_of(content: Mapping[str, Json]) -> str:
    """One line on a version for its history."""
    told = f"explains {content['proof']['runs']} runs"
    helped = content.get("proposed_by", {})
    return "; ".join([told, *(f"{what} proposed by {by}" for what, by in helped.items())])


def _effects(traces: Iterable[Trace]) -> dict[str, Json]:
    effects: dict[str, Effect] = {}
    for trace in traces:
        effects.update({s.tool: s.effect for s in trace.steps})
    return {tool: effect.value for tool, effect in sorted(effects.items())}


def _docstring(family: Family, proof: Proof, labels: Mapping[str, str]) -> str:
    wordings = "\n".join(f"    {template.renamed(labels)}" for template in family.templates)
    left = "".join(f"\n\nLeft to a model: {h.place}." for h in family.holes)
    branches = len([way for way in proof.ways if way]) or 1
    return (
        f"Learnt from {proof.runs} runs.\n\nGoals:\n{wordings}\n\n"
        f"Proof: reproduces all {proof.runs} runs, in {branches} set(s) of writes; said "
        f"{proof.agreed} later runs before seeing them, and was wrong of {proof.disagreed}.{left}"
    )
