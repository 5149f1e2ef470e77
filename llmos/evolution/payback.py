"""What a learned tool has cost to learn, what it has saved, and when that paid back.

Savings are a counterfactual: nobody knows what the model would have cost in a tool's place. What
its runs cost on average in the traces that the tool was learnt from stands for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from llmos.evolution.tool import LearntTool
from llmos.store.schema import parse_stamp, usages
from llmos.volumes import Artifact, Outcome


@dataclass(frozen=True, slots=True)
class Payback:
    """The account of one learned tool."""

    runs: int
    """Runs of the model that it was learnt from."""
    cost_tokens: int
    """What these took. The compiler itself takes none."""
    cost_usd: float
    served: int
    """Runs without a model, less those that were said to be wrong."""
    saved_tokens: int
    """What a model would have taken for them, as an estimate."""
    saved_usd: float
    paid_back_at: datetime | None
    """When the savings came to the cost; None if they have not, or no cost is known."""
    runs_left: int | None
    """Runs without a model until then; None where it is over, or no cost is known."""


def payback(conn: Connection, artifact: Artifact, tool: LearntTool) -> Payback:
    """The account of a tool, over all its versions.

    Args:
        conn: Where to read.
        artifact: The tool's name in its volume.
        tool: The version whose traces are the cost.
    """
    mine = usages.c.artifact_id == artifact.id
    judged_wrong = select(usages.c.trace_id).where(
        mine, usages.c.outcome == Outcome.WRONG.value, usages.c.trace_id.is_not(None)
    )
    wrong = set(conn.scalars(judged_wrong))
    used = (Outcome.SERVED.value, Outcome.ALREADY_DONE.value)
    in_order = select(usages).where(mine, usages.c.outcome.in_(used)).order_by(usages.c.at)
    rows = [row for row in conn.execute(in_order) if row.trace_id not in wrong]
    tokens, at = 0, None
    for row in rows:
        tokens += row.tokens_saved
        if at is None and tool.tokens and tokens >= tool.tokens:
            at = parse_stamp(row.at)
    left = None
    if tool.mean_tokens and at is None:
        left = math.ceil((tool.tokens - tokens) / tool.mean_tokens)
    saved_usd = sum(row.cost_saved_micro for row in rows) / 1_000_000
    return Payback(
        tool.proof.runs, tool.tokens, tool.cost_usd, len(rows), tokens, saved_usd, at, left
    )
