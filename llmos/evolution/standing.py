"""What the usage ledger says of a tool where it is to be shared: uses, success, users."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from llmos.store.schema import usages
from llmos.values import Json
from llmos.volumes import Outcome

_Z = 1.959963984540054
"""Quantile of the normal distribution for 95 %, two-sided."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a version, and others that do the same, have done in use."""

    uses: int
    """How often it was set to work."""
    good: int
    """Of them those that did the job and were not said to be wrong."""
    users: int
    """Different users who set it to work."""

    @property
    def success(self) -> float:
        """Share of uses that were good; 0 where there was none."""
        return self.good / self.uses if self.uses else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of the success rate.

        Wilson's score interval (E. B. Wilson, JASA 22, 1927), which holds for few uses too.
        """
        if not self.uses:
            return 0.0, 1.0
        n, p, z2 = self.uses, self.success, _Z * _Z
        middle = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        return min(p, max(0.0, middle - half)), max(p, min(1.0, middle + half))

    def as_dict(self) -> dict[str, Json]:
        """The standing as JSON."""
        low, high = self.interval
        return {
            "uses": self.uses,
            "good": self.good,
            "users": self.users,
            "success": round(self.success, 4),
            "interval": [round(low, 4), round(high, 4)],
        }

    def __str__(self) -> str:
        low, high = self.interval
        by = "1 user" if self.users == 1 else f"{self.users} users"
        return f"{self.good} of {self.uses} uses good (95 %: {low:.0%} to {high:.0%}), by {by}"


def standing(conn: Connection, digests: Sequence[str]) -> Standing:
    """What the ledger says of some versions together, in whatever volumes they are.

    A run of a tool counts once, however often it was judged. What stopped at a guard did no harm
    and did not do the job: it is no success.

    Args:
        conn: Where to read.
        digests: Versions in full: one tool, and those that are known to do the same.
    """
    mine = usages.c.digest.in_(list(digests))
    wrong = (
        select(usages.c.trace_id)
        .where(mine, usages.c.outcome == Outcome.WRONG.value, usages.c.trace_id.is_not(None))
        .distinct()
    )
    told_wrong = set(conn.scalars(wrong))
    used = [o.value for o in Outcome if o.is_use]
    did = (Outcome.SERVED.value, Outcome.ALREADY_DONE.value)
    rows = conn.execute(
        select(usages.c.trace_id, usages.c.outcome).where(mine, usages.c.outcome.in_(used))
    ).all()
    users = select(func.count(usages.c.user_id.distinct())).where(mine, usages.c.outcome.in_(used))
    good = sum(row.outcome in did and row.trace_id not in told_wrong for row in rows)
    return Standing(len(rows), good, conn.scalar(users) or 0)
