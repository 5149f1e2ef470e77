"""What came of a user's runs under each agent, read from the runs themselves. Only their own."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from llmos.cortex.agents.selection import Record
from llmos.kernel.runs import DIED
from llmos.memory.fold import fold, goal_key
from llmos.store.schema import NO_REPLAY, counted, steps, traces
from llmos.values import Effect, Mode, Verdict

NEWEST = 500
"""Runs that are looked at, the newest first: what was long ago says little of an agent now."""

_BATCH = 400
_GOOD = frozenset(v.value for v in Verdict if v.good)
_OF_A_MODEL = (Mode.LEARNER.value, Mode.MIXED.value)
_SAYS_NOTHING = (DIED, "the run was cancelled")
"""How runs end for which no agent can do anything."""
_EXPLORED = '"explored":true'


@dataclass(frozen=True, slots=True)
class Run:
    """A run that a model made, and what came of it."""

    id: str
    goal: str
    agent: str
    """Label of the agent, with its version; ``""``: the default."""
    good: bool
    cost_usd: float
    explored: bool
    """Another agent than the best known was tried."""
    key: str
    """Of its pattern; ``""`` where none has counted it yet."""
    model: str
    """That made it, as its processor reports it."""

    @property
    def name(self) -> str:
        """Name of the agent."""
        return self.agent.partition("@")[0]


def runs_of(
    conn: Connection, user_id: str, *, agent: str | None = None, limit: int = NEWEST
) -> list[Run]:
    """The newest runs that a model made for a user in this home, with what came of each.

    Replays and what tools did say nothing of an agent, nor do plans, whose parts are runs of
    their own, and what was done elsewhere is only said to be of an agent.

    Args:
        conn: Where to read.
        user_id: Whose.
        agent: Label of an agent; all when left out.
        limit: How many are looked at.
    """
    newest = (traces.c.started_at.desc(), traces.c.id.desc())
    query = _of_models(user_id).order_by(*newest).limit(limit)
    if agent is not None:
        query = query.where(traces.c.agent == agent)
    return [_run(row) for row in conn.execute(query) if row.error not in _SAYS_NOTHING]


def record_of(runs: Collection[Run]) -> Record:
    """What came of some runs, in sums."""
    good = sum(run.good for run in runs)
    return Record(good, len(runs) - good, sum(run.cost_usd for run in runs))


def doers_of(conn: Connection, user_id: str, goal: str) -> list[str]:
    """Labels of the agents that have done this very goal and well, the newest first."""
    mine = select(traces.c.agent, traces.c.folded).where(
        traces.c.goal_key == goal_key(goal),
        traces.c.volume == "user",
        traces.c.owner == user_id,
        traces.c.status == "done",
        NO_REPLAY,
        traces.c.verdict.in_(_GOOD),
        traces.c.quarantined.is_(False),
        traces.c.agent != "",
    )
    newest = mine.order_by(traces.c.started_at.desc(), traces.c.id.desc()).limit(50)
    same = fold(goal)
    return list(dict.fromkeys(r.agent for r in conn.execute(newest) if r.folded == same))


def acted_outside(conn: Connection, run_ids: Sequence[str]) -> bool:
    """Whether any of some runs has made a call that may act outside this machine."""
    for k in range(0, len(run_ids), _BATCH):
        external = select(steps.c.trace_id).where(
            steps.c.trace_id.in_(run_ids[k : k + _BATCH]),
            steps.c.effect == Effect.EXTERNAL.value,
        )
        if conn.execute(external.limit(1)).first() is not None:
            return True
    return False


def _of_models(user_id: str) -> Select[Any]:
    same = (counted.c.trace_id == traces.c.id) & (counted.c.owner == traces.c.owner)
    wanted = select(
        traces.c.id,
        traces.c.goal,
        traces.c.agent,
        traces.c.verdict,
        traces.c.quarantined,
        traces.c.cost_micro,
        traces.c.error,
        traces.c.decision,
        traces.c.model,
        counted.c.key,
    )
    return wanted.select_from(traces.outerjoin(counted, same)).where(
        traces.c.volume == "user",
        traces.c.owner == user_id,
        traces.c.status == "done",
        traces.c.mode.in_(_OF_A_MODEL),
        traces.c.process_id.is_not(None),
    )


def _run(row: Row[Any]) -> Run:
    # Parsing is for the few that look so: a goal could hold these very characters.
    explored = _EXPLORED in row.decision and json.loads(row.decision).get("explored") is True
    good = row.verdict in _GOOD and not row.quarantined
    cost = row.cost_micro / 1_000_000
    return Run(row.id, row.goal, row.agent, good, cost, explored, row.key or "", row.model)
