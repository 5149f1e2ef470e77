"""Agents whose runs often go wrong: what may be changed about them, as suggestions.

All of it is counted from the user's own runs under the version that is in use, without a model.
Who accepts a suggestion gets a new version with its reason in the history; its record begins anew,
and where it does worse than the one before, going back is suggested.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmos.cortex.agents import Agents, StoredAgent, parse
from llmos.cortex.agents.records import Run, record_of, runs_of
from llmos.cortex.agents.refining import is_refined, narrowed, with_examples
from llmos.cortex.agents.selection import Record, wilson
from llmos.crons import findings
from llmos.crons.cycle import CronLevel, CycleTask
from llmos.crons.findings import Finding, milestone
from llmos.errors import LLMOSError, UserError
from llmos.memory.traces import Traces
from llmos.store import Store, Transaction
from llmos.values import ArtifactType, Json, Trace, Verdict
from llmos.volumes import Artifact, Place, Status, Version, Volume, privacy

REFINE, GO_BACK = "refine-agent", "roll-back-agent"
"""What accepting a suggestion does; see `carry_out`."""

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


def look(store: Store, traces: Traces, user_id: str, fresh: Sequence[Trace]) -> list[Seen]:
    """What there is to say of the agents that some runs were under; reads only.

    Args:
        store: Where agents and runs are.
        traces: The stored runs.
        user_id: Whose.
        fresh: The runs that are new.
    """
    agents, seen = Agents(store, user_id), []
    for name in sorted({t.agent.partition("@")[0] for t in fresh if t.agent}):
        try:
            stored = agents.get(name)
        except LLMOSError:
            continue  # laid aside, or no agent any more: its owner's to mend
        found = _back(store, agents, user_id, stored) or _refine(store, traces, user_id, stored)
        seen.append(Seen(name, stored.digest, (found,) if found else ()))
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
        mine = re.compile(rf"(refine|back)-{re.escape(one.name)}-[0-9a-f]{{8}}")
        for name in open_:
            if mine.fullmatch(name) and name not in held:
                why = "its record is another one now"
                yield findings.withdraw(tx, volume, level, _SUGGESTION, name, why)
        for finding in one.said:
            yield findings.keep(tx, volume, level, finding)


def carry_out(store: Store, user_id: str, volume: Volume, name: str) -> None:
    """Do what a suggestion of the user's own cron says of an agent; nothing for all others.

    Args:
        store: Where agents are.
        user_id: Who accepts it.
        volume: Where the suggestion is.
        name: Its name.

    Raises:
        UserError: The agent was changed since.
    """
    version = volume.get(_SUGGESTION, name)
    action = version.content.get("action")
    own = volume.place == Place("user", user_id) and version.author == CronLevel.USER.author
    if not own or not isinstance(action, Mapping) or action.get("do") not in (REFINE, GO_BACK):
        return
    agents = Agents(store, user_id)
    stored = agents.get(str(action["agent"]))
    if stored.digest != action["digest"]:
        told = f"agent {stored.agent.name!r} was changed since this was suggested"
        raise UserError(told, f"dismiss it: llmos dismiss {name}")
    if action["do"] == REFINE:
        _store(agents, user_id, stored, str(action["text"]), str(action["note"]))
    else:
        _go_back(agents, user_id, stored, str(action["to"]))


# --- carried out ---------------------------------------------------------------------------------


def _store(agents: Agents, user_id: str, stored: StoredAgent, text: str, note: str) -> None:
    own, name = Place("user", user_id), stored.agent.name
    if not is_refined(stored.agent, parse(text, name)):
        raise UserError(f"what is suggested for {name!r} changes more than it may", "dismiss it")
    if agents.find(name, own) is None:
        agents.create(text, own, note)
    else:
        agents.modify(name, text, own, note)


def _go_back(agents: Agents, user_id: str, stored: StoredAgent, to: str) -> Artifact:
    own, name = Place("user", user_id), stored.agent.name
    digest = to.partition("@")[2]
    before = [v.digest for v in agents.history(name, own) if v.digest.startswith(digest)]
    why = f"{to} did better"
    if before:
        return agents.rollback(name, before[0], own, why)
    # It was copied from a team's or the system's, which counts again without the copy.
    return agents.archive(name, own, why)


# --- what is seen --------------------------------------------------------------------------------


def _refine(store: Store, traces: Traces, user_id: str, stored: StoredAgent) -> Finding | None:
    runs = store.read(lambda c: runs_of(c, user_id, agent=stored.label))
    record = record_of(runs)
    if record.runs < MANY or record.bad <= OFTEN_BAD * record.runs:
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
    return _finding(user_id, stored, agent.text, runs, changes) if changes else None


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
    user_id: str, stored: StoredAgent, text: str, runs: Sequence[Run], changes: Sequence[str]
) -> Finding:
    name, record = stored.agent.name, record_of(runs)
    own = stored.place == Place("user", user_id)
    what = "Change" if own else "Make a copy of your own of"
    told = f"{record.bad} of {record.runs} runs under it went wrong"
    failing = [run.id for run in runs if not run.good]
    look = f"llmos traces show {failing[0][-6:].lower()}"
    return Finding(
        _SUGGESTION,
        f"refine-{name}-{stored.digest[:8]}",
        f"{what} the agent {name}: {told}",
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
        {
            "do": REFINE,
            "agent": name,
            "digest": stored.digest,
            "text": text,
            "note": f"refined from {stored.label}: {told}",
            "command": f"llmos agents show {name}",
        },
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
