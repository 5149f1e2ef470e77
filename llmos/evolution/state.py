"""What was learnt, as JSON and back: families as the contents of tools, the rest as one record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmos.evolution.align import Masked, Span, Wording
from llmos.evolution.columns import Observed
from llmos.evolution.family import Family
from llmos.evolution.group import Group
from llmos.evolution.hints import Hint, Naming
from llmos.evolution.holes import Hole
from llmos.evolution.ir import program_from, program_json
from llmos.evolution.learner import Learner
from llmos.evolution.prove import Proof
from llmos.evolution.spelling import Spellings
from llmos.evolution.templates import plain
from llmos.values import Json, Trace


def family_json(family: Family, proof: Proof) -> dict[str, Json]:
    """A family without its traces, which are named by id."""
    return {
        "program": program_json(family.program),
        "templates": [t.as_json() for t in family.templates],
        "proof": proof.as_json(),
        "groups": [group_json(g) for g in family.groups],
        "names": [dict(n) for n in family.names],
        **({"holes": [h.as_json() for h in family.holes]} if family.holes else {}),
    }


def family_from(data: Mapping[str, Any], traces: Mapping[str, Trace]) -> tuple[Family, Proof]:
    """The family that `family_json` wrote.

    Args:
        data: Its JSON.
        traces: All that it names, by id.

    Raises:
        KeyError: A trace is missing.
    """
    proof = Proof.from_json(data["proof"])
    family = Family(
        program_from(data["program"]),
        [group_from(g, traces) for g in data["groups"]],
        [dict(n) for n in data["names"]],
        holes=tuple(map(Hole.from_json, data.get("holes", ()))),
        agreed=proof.agreed,
        disagreed=proof.disagreed,
    )
    return family, proof


def rest_json(learner: Learner) -> dict[str, Json]:
    """Everything but the families."""
    return {
        "phrases": dict(learner.phrases),
        "entities": {place: sorted(words) for place, words in learner.entities_of.items()},
        "observed": learner.observed.as_json(),
        "spellings": learner.spellings.as_json(),
        "loose": [group_json(g) for g in learner.loose],
        "retired": sorted(learner.retired),
        "merged": dict(learner.merged),
        "tried": dict(sorted(learner.tried.items())),
        "settled": sorted(learner.settled),
        "hints": [h.as_json() for h in learner.hints],
        "named": {n: [g.by, dict(g.labels)] for n, g in learner.named.items()},
        "asked": dict(learner.asked),
    }


def learner_from(
    rest: Mapping[str, Any],
    families: Mapping[str, Mapping[str, Any]],
    traces: Mapping[str, Trace],
    *,
    seconds: float,
) -> Learner:
    """A learner as it was.

    Args:
        rest: What `rest_json` wrote.
        families: What `family_json` wrote, by name.
        traces: All that both name, by id.
        seconds: Search time for one family.
    """
    learner = Learner(seconds)
    learner.phrases = dict(rest["phrases"])
    learner.entities_of = {place: set(words) for place, words in rest["entities"].items()}
    learner.observed = Observed.from_json(rest["observed"])
    learner.spellings = Spellings.from_json(rest.get("spellings", {}))
    traces = {i: learner.spellings.as_said(t) for i, t in traces.items()}
    learner.loose = [group_from(g, traces) for g in rest["loose"]]
    learner.retired = set(rest["retired"])
    learner.merged = dict(rest["merged"])
    # A home that learnt before these were counted begins to count now.
    learner.tried = dict(rest.get("tried", {}))
    learner.settled = set(rest.get("settled", ()))
    # What was stored before anything could be proposed has none of these.
    learner.hints = [Hint.from_json(h) for h in rest.get("hints", ())]
    learner.named = {n: Naming(by, labels) for n, (by, labels) in rest.get("named", {}).items()}
    learner.asked = dict(rest.get("asked", {}))
    for name, data in families.items():
        family, learner.proofs[name] = family_from(data, traces)
        kept = learner.left_open.families if family.holes else learner.families
        kept[name] = family
    learner.reindex()
    return learner


def trace_ids(*contents: Mapping[str, Any]) -> Iterator[str]:
    """Ids of the traces that some records name."""
    for content in contents:
        for group in (*content.get("groups", ()), *content.get("loose", ())):
            yield from group["traces"]


def group_json(group: Group) -> dict[str, Json]:
    """A group without its traces."""
    shown = group.wording.shown
    return {
        "goal": shown.goal,
        "spans": [[s.start, s.end, s.kind] for s in shown.spans],
        "sealed": group.sealed,
        "why": group.why,
        "told": sorted(group.wording.told),
        "traces": [t.id for t in group.traces],
    }


def group_from(data: Mapping[str, Any], traces: Mapping[str, Trace]) -> Group:
    """The group that `group_json` wrote."""
    own = [traces[i] for i in data["traces"]]
    shown = Masked(data["goal"], tuple(Span(*s) for s in data["spans"]))
    wording = Wording(shown, [plain(t.goal) for t in own], set(data.get("told", ())))
    return Group(wording, own, data["sealed"], data["why"])
