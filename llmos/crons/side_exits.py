"""Tools whose runs often end with the model: how often, why, and in which runs.

A tool that stops has done no harm, but it has saved little: what it stops at is what its user, or
the next night, can do something about. All of it is counted from the usage ledger, for the version
that is in use; a version that has learnt what the one before stopped at begins anew.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Row, Select, select

from llmos.crons import findings
from llmos.crons.cycle import CronLevel, CycleTask
from llmos.crons.findings import Finding, milestone
from llmos.store import Transaction
from llmos.store.schema import artifacts, usages
from llmos.values import ArtifactType, Trace
from llmos.volumes import Outcome, Volume

MANY = 3
"""Runs that stopped from which on it is no accident."""
OFTEN = 0.2
"""Share of a version's runs from which on it stops often."""
_BATCH = 400
_NEWEST = 1000
"""Runs of a version that are looked at, the newest first."""
_SHOWN = 10
_RUNS = (Outcome.SERVED.value, Outcome.ALREADY_DONE.value, Outcome.SIDE_EXIT.value)

_OPEN = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|“[^”]*”|\S*/\S+|\S*\d\S*")
"""What differs between two reasons of one kind: quoted values, paths, and what holds a digit."""


@dataclass(frozen=True, slots=True)
class Stops:
    """How the runs of one version of a tool have ended, for one user."""

    tool: str
    digest: str
    runs: int
    traces: tuple[str, ...]
    """The runs that stopped, the newest first."""
    reasons: tuple[tuple[str, int], ...]
    """Why, as the newest run of each kind says it, and how often; the most frequent first."""

    @property
    def often(self) -> bool:
        """Whether that is worth a word."""
        return len(self.traces) >= MANY and len(self.traces) >= OFTEN * self.runs


def say(
    tx: Transaction, volume: Volume, level: CronLevel, user_id: str, fresh: Sequence[Trace]
) -> list[CycleTask | None]:
    """Tell of the tools that some runs used whether they stop often, or no longer do.

    Args:
        tx: The transaction of the cycle.
        volume: The user's.
        level: Which cron says it.
        user_id: Whose runs.
        fresh: The runs that are new.
    """
    said: list[CycleTask | None] = []
    for stops in _of_tools(tx, user_id, [trace.id for trace in fresh]):
        if stops.often:
            said.append(findings.keep(tx, volume, level, _finding(stops)))
        else:
            why = f"{len(stops.traces)} of {stops.runs} runs of it stopped"
            insight, name = ArtifactType.INSIGHT, _name(stops.tool)
            said.append(findings.withdraw(tx, volume, level, insight, name, why))
    return said


def kind_of(reason: str) -> str:
    """A reason with ``…`` for what differs from run to run, so that equal ones can be counted."""
    return " ".join(_OPEN.sub("…", reason).split())


def _of_tools(tx: Transaction, user_id: str, run_ids: Sequence[str]) -> list[Stops]:
    used: dict[str, Row[tuple[str, str, str]]] = {}
    for k in range(0, len(run_ids), _BATCH):
        query = _current(user_id).where(usages.c.trace_id.in_(run_ids[k : k + _BATCH]))
        used |= {row.id: row for row in tx.conn.execute(query)}
    found = (_stops(tx, user_id, row.name, row.current) for row in used.values())
    return sorted(found, key=lambda stops: stops.tool)


def _current(user_id: str) -> Select[tuple[str, str, str]]:
    """The tools that a user has run in the version that is theirs now."""
    theirs = (usages.c.artifact_id == artifacts.c.id) & (usages.c.digest == artifacts.c.current)
    query = select(artifacts.c.id, artifacts.c.name, artifacts.c.current).distinct()
    mine = query.join_from(artifacts, usages, theirs).where(usages.c.user_id == user_id)
    return mine.where(usages.c.outcome.in_(_RUNS), artifacts.c.type == ArtifactType.TOOL.value)


def _stops(tx: Transaction, user_id: str, tool: str, digest: str) -> Stops:
    ran = select(usages.c.outcome, usages.c.detail, usages.c.trace_id).where(
        usages.c.digest == digest, usages.c.user_id == user_id, usages.c.outcome.in_(_RUNS)
    )
    newest = ran.order_by(usages.c.at.desc(), usages.c.id.desc()).limit(_NEWEST)
    rows = tx.conn.execute(newest).all()
    # Without a reason a trace was followed in its place, and no model had to work.
    stopped = [r for r in rows if r.outcome == Outcome.SIDE_EXIT.value and r.detail]
    counts = Counter(kind_of(row.detail) for row in stopped)
    newest_of = {kind_of(row.detail): row.detail for row in reversed(stopped)}
    reasons = tuple((newest_of[kind], n) for kind, n in counts.most_common())
    return Stops(tool, digest, len(rows), tuple(r.trace_id for r in stopped), reasons)


def _finding(stops: Stops) -> Finding:
    exits, (reason, times) = len(stops.traces), stops.reasons[0]
    told = " ".join(reason.split())[:200]
    look = f"llmos traces show {stops.traces[0][-6:].lower()}"
    return Finding(
        ArtifactType.INSIGHT,
        _name(stops.tool),
        f"{stops.tool} often stops and leaves it to the model: {exits} of {stops.runs} runs",
        f"Most often ({times} of {exits}): {told}. See the newest: {look}",
        {
            "runs": stops.runs,
            "side_exits": exits,
            "share": round(exits / stops.runs, 3),
            "reason": told,
            "reason_count": times,
            "tool": stops.tool,
            "traces": list(stops.traces[:_SHOWN]),
        },
        ("side_exits", milestone(exits), stops.digest[:12]),
        tell="a tool of yours saves less than it could",
    )


def _name(tool: str) -> str:
    return f"stops-{tool}"[:64]
