"""Numbers of what happened everywhere that concerns a person, and of one volume."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, case, func, select

from llmos.kernel.ledger import MICRO
from llmos.observability.harmless import line
from llmos.observability.report_runs import runs_of
from llmos.observability.rows import among
from llmos.observability.tally import tally_of
from llmos.observability.window import Window
from llmos.store.schema import artifacts, patterns, usages
from llmos.values import Json

_TOP = 5


def global_summary(
    conn: Connection, user_id: str, since: datetime, until: datetime
) -> dict[str, Json]:
    """How many events of each type there were in each volume that concerns a person.

    Args:
        conn: Where to read.
        user_id: The person.
        since: From when on.
        until: The present.
    """
    window = Window.of(conn, user_id, since, until, _TOP)
    tally = tally_of(window)
    volumes: dict[str, dict[str, int]] = {}
    for kind in tally.kinds:
        name = kind.volume if kind.volume == "system" else f"{kind.volume}:{kind.owner}"
        of = volumes.setdefault(name, {})
        of[kind.type] = of.get(kind.type, 0) + kind.times
    runs = runs_of(window, tally)
    return {
        "events": sum(kind.times for kind in tally.kinds),
        "volumes": volumes,
        "model_runs": runs.model,
        "free_runs": runs.free,
        "failed_runs": runs.failed,
        "saved_tokens_estimate": runs.saved_tokens,
        "saved_usd_estimate": runs.saved_micro / MICRO,
    }


def use_of(conn: Connection, volume: str, owner: str) -> dict[str, Json]:
    """How often the artifacts of a volume were used, and what that is estimated to have saved.

    Args:
        conn: Where to read.
        volume: ``user``, ``team`` or ``system``.
        owner: Whose it is.
    """
    mine = select(artifacts.c.id).where(among(artifacts, [(volume, owner)]))
    used = usages.c.outcome.in_(["served", "already_done", "side_exit"])
    served = usages.c.outcome.in_(["served", "already_done"])
    query = select(
        func.sum(case((used, 1), else_=0)),
        func.sum(case((served, 1), else_=0)),
        func.sum(usages.c.tokens_saved),
        func.sum(usages.c.cost_saved_micro),
    ).where(usages.c.artifact_id.in_(mine))
    uses, good, tokens, micro = conn.execute(query).one()
    found = {"uses": int(uses or 0), "served": int(good or 0)}
    saved = {"saved_tokens_estimate": int(tokens or 0), "saved_usd_estimate": (micro or 0) / MICRO}
    return found | saved | {"patterns": _patterns(conn, owner) if volume == "user" else []}


def _patterns(conn: Connection, owner: str) -> list[dict[str, Json]]:
    query = select(patterns).where(patterns.c.owner == owner)
    top = query.order_by(patterns.c.runs.desc(), patterns.c.key).limit(_TOP)
    return [
        {
            "shape": line(row.shape),
            "example": line(row.example),
            "tool": row.tool,
            "runs": row.runs,
            "free_runs": row.free_runs,
            "failed": row.failed,
            "tokens": row.tokens,
            "cost_usd": row.cost_micro / MICRO,
        }
        for row in conn.execute(top)
    ]
