"""Agents whose runs often go wrong, or cost too much: what may be changed, as suggestions.

All of it is counted from the user's own runs under the version that is in use, without a model.
Who accepts a suggestion gets a new version with its reason in the history; its record begins anew,
and where it does worse than the one before, going back is suggested. What accepting does is
in `agent_changes`; what a model suggests instead in `rewriting`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmos.cortex.agents import Agent, Agents, StoredAgent
from llmos.cortex.agents.records import Run, record_of, runs_of
from llmos.cortex.agents.refining import narrowed, with_examples
from llmos.cortex.agents.selection import Record, wilson
from llmos.crons import findings
from llmos.crons.agent_changes import GO_BACK, REFINE, change_of, what_of
from llmos.crons.cycle import CronLevel, CycleTask
from llmos.crons.findings import Finding, milestone
from llmos.crons.other_models import other_model
from llmos.errors import LLMOSError
from llmos.memory.traces import Traces
from llmos.store import Store, Transaction
from llmos.values import ArtifactType, Json, Trace, Verdict
from llmos.volumes import Place, Status, Version, Volume, privacy

MANY = 5
"""Runs of a version from which on its record says something."""
OFTEN_BAD = 0.3
"""Share of bad runs above which something is suggested."""
GOOD_ENOUGH = 3
"""Good runs from which on their tools are known to be enough."""
_PLAINLY, _LONGER = 0.1, 10
"""How much lower a share must be to be plainly lower, and after how many runs."""
_SHOWN, _READ = 10, 100

_SUGGESTION = ArtifactType.SUGGESTION
_REFINED = re.compile(r"refined from (?P<label>[a-z0-9-]+@[0-9a-f]{12}):")
_RANK = {Verdict.VERIFIED: 0, Verdict.CONFIRMED: 1}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a cycle has seen of one agent."""

    name: str
    digest: str
    said: tuple[Finding, ...]


def is_due(record: Record) -> bool:
    """Whether so many runs went wrong that something should be changed."""
    return record.runs >= MANY and record.bad > OFTEN_BAD * record.runs


def look(
    store: Store, traces: Traces, user_id: str, fresh: Sequence[Trace], configured: str = ""
) -> list[Seen]:
    """What there is to say of the agents that some runs were under; reads only.

    Args:
        store: Where agents and runs are.
        traces: The stored runs.
        user_id: Whose.
        fresh: The runs that are new.
        configured: The model of the settings.
    """
    agents, seen = Agents(store, user_id), []
    for name in sorted({t.agent.partition("@")[0] for t in fresh if t.agent}):
        try:
            stored = agents.get(name)
        except LLMOSError:
            continue  # laid aside, or no agent any more: its owner's to mend
        found = _back(store, agents, user_id, stored) or _refine(store, traces, user_id, stored)
        other = other_model(store, agents, user_id, stored, configured)
        said = tuple(finding for finding in (found, other) if finding)
        seen.append(Seen(name, stored.digest, said))
    return seen


def say(
    tx: Transaction, volume: Volume, level: CronLevel, seen: Sequence[Seen]
) -> Iterator[CycleTask | None]:
    """Keep what was seen, and lay aside what no longer holds.

    Args:
        tx: The transaction of the cycle.
        volume: The user's.
        level: Which cron says it.
        seen: From `look`.
    """
    open_ = [a.name for a in volume.list_artifacts(_SUGGESTION, Status.DRAFT, 1000, tx=tx)]
    for one in seen:
        held = {finding.name for finding in one.said}
        mine = re.compile(rf"(refine|back|model|reword)-{re.escape(one.name)}-[0-9a-f]{{8}}")
        # A new text was judged by runs that are the same still, as long as the version is.
        held.add(f"reword-{one.name}-{one.digest[:8]}")
        for name in open_:
            if mine.fullmatch(name) and name not in held:
                why = "its record is another one now"
                yield findings.withdraw(tx, volume, level, _SUGGESTION, name, why)
        for finding in one.said:
            yield findings.keep(tx, volume, level, finding)


# --- what is seen --------------------------------------------------------------------------------


def _refine(store: Store, traces: Traces, user_id: str, stored: StoredAgent) -> Finding | None:
    runs = store.read(lambda c: runs_of(c, user_id, agent=stored.label))
    record = record_of(runs)
    if not is_due(record):
        return None
    ids = _shown(store, user_id, [run for run in runs if run.good])
    good = list(traces.by_ids(ids).values())
    agent, changes = stored.agent, []
    if record.good >= GOOD_ENOUGH and len(good) == record.good:
        less = narrowed(agent, {step.tool for trace in good for step in trace.steps})
        if less is not agent:
            changes.append(f"its tools are those that its good runs used: {', '.join(less.tools)}")  # type: ignore[arg-type]
            agent = less
    more = with_examples(agent, _best(good))
    if more.text != agent.text:
        changes.append("its prompt ends with examples of runs that were good")
        agent = more
    return _finding(user_id, stored, agent, runs, changes) if changes else None


def _shown(store: Store, user_id: str, good: Sequence[Run]) -> list[str]:
    """The newest of some runs that are not kept private: an agent may be shared some day."""
    place = Place("user", user_id)
    ids = [run.id for run in good[:_READ]]
    return store.read(lambda c: [i for i in ids if not privacy.is_private(c, place, "trace", i)])


def _best(good: Sequence[Trace]) -> list[Trace]:
    """Those that say how it is done, of different goals: vouched for first, then the cheapest.

    None of a project: the agent works in all of them, and what was told in one is for that one.
    """
    ranked = sorted(
        (t for t in good if not t.project),
        key=lambda t: (_RANK.get(t.verdict, 2), t.cost_usd, t.id),
    )
    return list({t.goal: t for t in reversed(ranked) if t.steps}.values())[::-1]


def _finding(
    user_id: str, stored: StoredAgent, agent: Agent, runs: Sequence[Run], changes: Sequence[str]
) -> Finding:
    name, record = stored.agent.name, record_of(runs)
    told = f"{record.bad} of {record.runs} runs under it went wrong"
    failing = [run.id for run in runs if not run.good]
    look = f"llmos traces show {failing[0][-6:].lower()}"
    return Finding(
        _SUGGESTION,
        f"refine-{name}-{stored.digest[:8]}",
        f"{what_of(user_id, stored)} {name}: {told}",
        f"What would change: {'; '.join(changes)}. The newest that went wrong: {look}. "
        f"To take it back: llmos agents rollback {name}",
        {
            **_numbers(record),
            "agent": stored.label,
            "changes": list(changes),
            "failing": failing[:_SHOWN],
            "good_traces": [run.id for run in runs if run.good][:_SHOWN],
        },
        ("refine", milestone(record.runs), stored.digest[:12]),
        change_of(stored, agent, REFINE, told),
        tell="an agent of yours often goes wrong",
    )


def _back(store: Store, agents: Agents, user_id: str, stored: StoredAgent) -> Finding | None:
    """Whether a refined version does worse than the one that it was made from."""
    if stored.place != Place("user", user_id):
        return None
    refined = _REFINED.match(_current(agents, stored).note)
    if refined is None:
        return None
    runs = store.read(lambda c: runs_of(c, user_id, agent=stored.label))
    old_runs = store.read(lambda c: runs_of(c, user_id, agent=refined["label"]))
    new, old, name = record_of(runs), record_of(old_runs), stored.agent.name
    if not is_worse(new, old):
        return None
    failing = [run.id for run in runs if not run.good]
    return Finding(
        _SUGGESTION,
        f"back-{name}-{stored.digest[:8]}",
        f"Go back to the agent {name} as it was: {new.good} of {new.runs} runs were good",
        f"Before it was changed, {old.good} of {old.runs} were.",
        {
            **_numbers(new),
            "before": _numbers(old),
            "agent": stored.label,
            "failing": failing[:_SHOWN],
        },
        ("back", milestone(new.runs), stored.digest[:12]),
        {
            "do": GO_BACK,
            "agent": name,
            "digest": stored.digest,
            "to": refined["label"],
            "command": f"llmos agents show {name}",
        },
        tell="an agent of yours does worse since it was changed",
    )


def _current(agents: Agents, stored: StoredAgent) -> Version:
    history = agents.history(stored.agent.name, stored.place)
    return next(v for v in history if v.digest == stored.digest)


def is_worse(new: Record, old: Record) -> bool:
    """Whether a record is worse than another, beyond what chance explains, or plainly so."""
    if new.runs < MANY or old.runs < MANY:
        return False
    shares = new.good / new.runs, old.good / old.runs
    if wilson(shares[0], new.runs)[1] < wilson(shares[1], old.runs)[0]:
        return True
    return new.runs >= _LONGER and shares[0] < shares[1] - _PLAINLY


def _numbers(record: Record) -> dict[str, Json]:
    return {"runs": record.runs, "good": record.good, "bad": record.bad}
