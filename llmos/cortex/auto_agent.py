"""``--agent auto``: who does a goal, by description and by what came of the user's own runs.

What is known stays with who did it: choosing anew there would cost a run that is free. Only for
the rest `selection.choose` decides, and only where the family of the goal is known and nothing
outside this machine was touched in it is anything tried that is not the best known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from sqlalchemy import Connection

from llmos.cortex.agents import Agents, StoredAgent
from llmos.cortex.agents.families import family_of
from llmos.cortex.agents.records import Run, acted_outside, doers_of, record_of, runs_of
from llmos.cortex.agents.selection import Choice, Option, choose, fit_of, told
from llmos.cortex.request import Chosen, Request
from llmos.errors import LLMOSError
from llmos.store import Store
from llmos.values import Decision, Mode

_FREE = (Mode.FOLLOWER, Mode.CRYSTALLIZED, Mode.ORCHESTRATOR)
_FOR_CRONS = frozenset({"cron-analyst"})
"""Shipped agents that are asked by crons alone, unless somebody names them."""
_TOLD = 3
"""Options whose numbers are told."""


def appoint(
    store: Store, request: Request, decide: Callable[[Request], Decision], rng: Random
) -> Request:
    """The request with the agent that shall do it, and why that one.

    Args:
        store: Where runs and agents are.
        request: One that names no agent.
        decide: Says how a request would be done; does nothing.
        rng: Draws what is tried.
    """
    request = replace(request, agent=None, chosen=None, auto=True)
    by_default = decide(request)
    if request.plan is not None or by_default.mode is Mode.ORCHESTRATOR:
        return replace(request, chosen=Chosen("agent auto: every part chooses for itself"))
    if _is_known(by_default):
        why = "agent auto: the default, with which this is known already"
        return replace(request, chosen=Chosen(why))
    agents = Agents(store, request.user_id, request.project)
    known = _who_knows(store, agents, request, decide)
    if known is not None:
        why = f"agent auto: {known.agent.name}, with which this is known already"
        return replace(request, agent=known, chosen=Chosen(why))
    return _chosen(store, agents, request, rng)


def _is_known(decision: Decision) -> bool:
    return decision.source is not None and decision.mode in _FREE


def _who_knows(
    store: Store, agents: Agents, request: Request, decide: Callable[[Request], Decision]
) -> StoredAgent | None:
    """The agent that has done this very goal in its current version, so that it is free."""
    for label in store.read(lambda c: doers_of(c, request.user_id, request.goal)):
        try:
            stored = agents.get(label.partition("@")[0])
        except LLMOSError:
            continue  # it is gone, or cannot be read
        if stored.label == label and _is_known(decide(replace(request, agent=stored))):
            return stored
    return None


def _chosen(store: Store, agents: Agents, request: Request, rng: Random) -> Request:
    there = {
        row.name: row.description
        for row in agents.listed()
        if row.used and not row.problem and row.name not in _FOR_CRONS
    }
    choice = store.read(lambda c: _choice(c, request, there, rng))
    agent = agents.get(choice.name) if choice.name else None
    numbers = "; ".join(told(e) for e in choice.estimates[:_TOLD])
    model = f" with the model {agent.agent.model}" if agent and agent.agent.model else ""
    who = f"{choice.name or 'the default'}{model}"
    why = f"agent auto: {who}, since {choice.why} (known: {numbers})"
    return replace(request, agent=agent, chosen=Chosen(why, choice.explored))


def _choice(conn: Connection, request: Request, there: dict[str, str], rng: Random) -> Choice:
    runs = runs_of(conn, request.user_id)
    here = family_of(request.goal, runs)
    ids = {run.id for run in here}
    fits = {"": 0.5, **{name: fit_of(request.goal, text) for name, text in there.items()}}
    options = [
        Option(
            name,
            fit,
            record_of([run for run in here if run.name == name]),
            record_of([run for run in runs if run.name == name and run.id not in ids]),
        )
        for name, fit in fits.items()
    ]
    return choose(
        options,
        # Who lets a goal cost so much at most thinks that its success is worth it.
        worth_usd=max(request.max_cost_usd, 0.01),
        # A draw of many numbers takes one of the given chance, whatever that is like.
        rng=Random(rng.random()),
        explored=sum(run.explored for run in here),
        may_explore=_is_harmless(conn, here),
    )


def _is_harmless(conn: Connection, here: Sequence[Run]) -> bool:
    """Whether it is known what the family needs, and nothing of that is outside this machine.

    A call that was refused has left no step: a family without a good run is not known.
    """
    return any(run.good for run in here) and not acted_outside(conn, [run.id for run in here])
