"""Tools of a team that are used in several projects: counted from the uses of what is shared.

Neither names of projects nor what is done in them: those are their users'.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import func, select

from llmos.crons import findings
from llmos.crons.cycle import CronLevel, CycleTask
from llmos.crons.findings import Finding, milestone
from llmos.store import Transaction
from llmos.store.schema import artifacts, private, traces, usages
from llmos.values import ArtifactType
from llmos.volumes import Outcome, Status, Volume
from llmos.volumes.reading import in_place

_SEVERAL = 2
"""Projects, and people, from which on a tool serves several."""


def say(
    tx: Transaction, volume: Volume, level: CronLevel, people: Sequence[str]
) -> Iterator[CycleTask | None]:
    """Which tools of a team serve several projects of several people.

    Args:
        tx: The transaction of the cycle.
        volume: The team's.
        level: Which cron says it.
        people: Those of the team whose runs may be looked at.
    """
    hidden = select(private.c.subject).where(private.c.kind == "trace")
    project = traces.c.owner + ":" + traces.c.project
    counts = (func.count(), func.count(project.distinct()), func.count(traces.c.owner.distinct()))
    query = (
        select(artifacts.c.name, *counts)
        .select_from(usages)
        .join(artifacts, artifacts.c.id == usages.c.artifact_id)
        .join(traces, traces.c.id == usages.c.trace_id)
        .where(
            in_place(usages, volume.place),
            usages.c.outcome == Outcome.SERVED.value,
            artifacts.c.type == ArtifactType.TOOL.value,
            artifacts.c.status == Status.ACTIVE.value,
            traces.c.owner.in_(people),
            traces.c.project.is_not(None),
            traces.c.id.not_in(hidden),
        )
        .group_by(artifacts.c.name)
        .order_by(artifacts.c.name)
    )
    for name, uses, served, users in tx.conn.execute(query).all():
        if served >= _SEVERAL and users >= _SEVERAL:
            yield findings.keep(tx, volume, level, _serves(name, uses, served, users))


def _serves(name: str, uses: int, served: int, users: int) -> Finding:
    return Finding(
        ArtifactType.INSIGHT,
        f"projects-{name}"[:64].rstrip("-._"),
        f"{name} serves {served} projects of {users} people: {uses} uses",
        "Counted from the uses of what the team shares; which projects these are is not told.",
        {"uses": uses, "projects": served, "users": users, "tool": name},
        (milestone(uses), served, users),
        tell="a tool of your team serves several projects",
    )
