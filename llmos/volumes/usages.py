"""The usage ledger: every time an artifact was used or compared, and how that came out.

What is believed of a tool (whether it is promoted, what it saved) is counted from here. Audits have
a record of their own, since traces are audited too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Select, exists, func, insert, select

from llmos.kernel.text import plain
from llmos.store import Transaction, new_id
from llmos.store.schema import artifact_changes, parse_stamp, stamp, usages
from llmos.values import check_name
from llmos.volumes.reading import in_this, this
from llmos.volumes.records import Artifact, Place, Status, Version


class Outcome(StrEnum):
    """How one use or one comparison came out."""

    SERVED = "served"
    """It did the job."""
    ALREADY_DONE = "already_done"
    """It found the job done."""
    SIDE_EXIT = "side_exit"
    """A guard stopped it and the model took over."""
    AGREED = "agreed"
    """Compared with a model's run, touching nothing: the same."""
    DISAGREED = "disagreed"
    WRONG = "wrong"
    """A check or a person said later that a use was wrong."""
    RIGHT = "right"

    @property
    def is_use(self) -> bool:
        """Whether it was set to work, rather than compared or judged."""
        return self in (Outcome.SERVED, Outcome.ALREADY_DONE, Outcome.SIDE_EXIT)


@dataclass(frozen=True, slots=True)
class UsageStats:
    """What the ledger says of one artifact, or of one version of it."""

    counts: Mapping[Outcome, int]
    """Of every outcome, also of those that never were."""
    users: int
    """Different users who set it to work."""
    tokens_saved: int
    cost_saved_usd: float
    last_used: datetime | None
    """When it was last set to work."""

    @property
    def uses(self) -> int:
        """How often it was set to work."""
        return sum(n for outcome, n in self.counts.items() if outcome.is_use)


def record_usage(
    tx: Transaction,
    version: Version,
    outcome: Outcome,
    *,
    user_id: str,
    trace_id: str | None = None,
    tokens_saved: int = 0,
    cost_saved_micro: int = 0,
    detail: str = "",
) -> str:
    """Append a line to the ledger; its id.

    Args:
        tx: The transaction that also stores the run.
        version: What was used.
        outcome: How that came out.
        user_id: Who used it.
        trace_id: The run; None outside of one.
        tokens_saved: Against what the model's runs of this job took.
        cost_saved_micro: The same in micro-dollars.
        detail: For people: the reason of a side exit, what differed.

    Raises:
        UserError: ``user_id`` is not a usable name.
    """
    usage_id = new_id()
    row = {
        "id": usage_id,
        "artifact_id": version.artifact_id,
        "digest": version.digest,
        "volume": version.volume,
        "owner": version.owner,
        "trace_id": trace_id,
        "user_id": check_name(user_id, "user id"),
        "at": stamp(tx.now),
        "outcome": outcome.value,
        "tokens_saved": tokens_saved,
        "cost_saved_micro": cost_saved_micro,
        "detail": plain(detail),
    }
    tx.conn.execute(insert(usages), row)
    return usage_id


def usage_stats(
    source: Transaction | Connection, artifact: Artifact, digest: str | None = None
) -> UsageStats:
    """What came of an artifact's uses, or of those of one version.

    Args:
        source: Where to read: a transaction, or the connection of `Store.read`.
        artifact: Whose uses.
        digest: Of this version only, in full.
    """
    conn = source.conn if isinstance(source, Transaction) else source
    meant = usages.c.artifact_id == artifact.id
    if digest is not None:
        meant &= usages.c.digest == digest
    saved = (func.sum(usages.c.tokens_saved), func.sum(usages.c.cost_saved_micro))
    by_outcome = select(usages.c.outcome, func.count(), *saved).group_by(usages.c.outcome)
    rows = conn.execute(by_outcome.where(meant)).all()
    counts = dict.fromkeys(Outcome, 0) | {Outcome(o): n for o, n, *_ in rows}
    used = usages.c.outcome.in_([o.value for o in Outcome if o.is_use])
    who = select(func.count(usages.c.user_id.distinct()), func.max(usages.c.at))
    users, last = conn.execute(who.where(meant, used)).one()
    return UsageStats(
        counts,
        users,
        tokens_saved=sum(tokens for *_, tokens, _ in rows),
        cost_saved_usd=sum(micro for *_, micro in rows) / 1_000_000,
        last_used=None if last is None else parse_stamp(last),
    )


def _doubted() -> Select[Any]:
    again = artifact_changes.alias()
    cleared = exists().where(
        again.c.artifact_id == usages.c.artifact_id,
        again.c.digest == usages.c.digest,
        again.c.at > usages.c.at,
        again.c.now == Status.ACTIVE.value,
    )
    wrong = usages.c.outcome.in_([Outcome.WRONG.value, Outcome.DISAGREED.value])
    return select(usages.c.digest).where(in_this(usages), wrong, ~cleared).distinct()


_DOUBTED = _doubted()
"""Put together once: every goal asks it of each volume."""


def doubted(conn: Connection, place: Place) -> frozenset[str]:
    """Digests of versions of which a use was wrong, and which nobody has put in use again since.

    Who says so may not be who may write the volume: the ledger takes it from everybody's use at
    once, and the cron of the volume puts it aside later.
    """
    return frozenset(conn.scalars(_DOUBTED, this(place)))
