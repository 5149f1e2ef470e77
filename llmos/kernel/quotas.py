"""Quotas: how many runs of a user or a team may be at work at once, and what a day may cost.

They stand in the settings, by scope: ``user:alice``, ``team:engineering``, or ``user:*`` and
``team:*`` for all that have none of their own. They hold for all processes of one home.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select

from llmos.errors import ConfigError, LowBatteryError, UserError
from llmos.kernel.ledger import MICRO, dollars
from llmos.store import Store
from llmos.store.schema import ledger, processes, stamp, traces
from llmos.values import Clock

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Quota:
    """What one scope may use. None: no bound."""

    runs: int | None = None
    usd_per_day: float | None = None


class Quotas:
    """The quotas of one home.

    Args:
        store: Where runs and payments are.
        raw: The setting ``quotas``.
        clock: Says when a day began.

    Raises:
        ConfigError: A quota cannot be meant so.
    """

    def __init__(self, store: Store, raw: Mapping[str, Any], clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._quotas = parse_quotas(raw)

    def of(self, scope: str) -> Quota:
        """What a scope may use: its own quota, or that of all of its kind."""
        for name in (scope, f"{scope.partition(':')[0]}:*"):
            if name in self._quotas:
                return self._quotas[name]
        return Quota()

    def most(self, scope: str) -> int | None:
        """How many runs of a scope may be at work at once."""
        return self.of(scope).runs

    def require_runs(self, conn: Connection, user_id: str, team_id: str | None) -> None:
        """Check that one more run of a user, and of their team, may begin.

        Raises:
            UserError: As many are at work as may be.
        """
        whose = [(f"user:{user_id}", traces.c.user_id == user_id)]
        if team_id is not None:
            whose.append((f"team:{team_id}", traces.c.team_id == team_id))
        for scope, theirs in whose:
            most = self.most(scope)
            if most is None:
                continue
            at_work = (
                select(traces.c.process_id)
                .join(processes, processes.c.id == traces.c.process_id)
                # Parts of a plan are counted with the plan.
                .where(processes.c.ended_at.is_(None), traces.c.status == "running", theirs)
                .where(traces.c.part_of.is_(None))
            )
            alive = [p for p in conn.scalars(at_work) if self._store.lives(conn, p)]
            if len(alive) >= most:
                raise UserError(
                    f"{scope} has {len(alive)} runs at work, of {most} that it may have at once",
                    "wait for one to end; who looks after the home can allow more: "
                    f"llmos budget quota {scope} --runs {most + 1}",
                )

    def require_money(self, scopes: Sequence[str]) -> None:
        """Check that a run that may cost something may begin.

        Raises:
            LowBatteryError: One of the scopes has spent what it may in a day.
        """
        for scope in scopes:
            most = self.of(scope).usd_per_day
            if most is None:
                continue
            spent = self._store.read(lambda c, scope=scope: self._spent(c, scope))  # type: ignore[misc]
            if spent >= round(most * MICRO):
                raise LowBatteryError(
                    f"{scope} has spent {dollars(spent)} in 24 hours, and may spend "
                    f"{dollars(round(most * MICRO))}",
                    "wait; who looks after the home can allow more: "
                    f"llmos budget quota {scope} --usd-per-day {most * 2:g}",
                )

    def _spent(self, conn: Connection, scope: str) -> int:
        """What a scope has paid in the last 24 hours, from the newest line back."""
        since = stamp(self._clock() - timedelta(hours=24))
        total, before = 0, 2**62
        while True:
            page = conn.execute(
                select(ledger)
                .where(ledger.c.seq < before)
                .order_by(ledger.c.seq.desc())
                .limit(_PAGE)
            ).all()
            for row in page:
                if row.at < since:
                    return total
                if row.kind == "spend" and scope in json.loads(row.scopes):
                    total += row.amount_micro
            if len(page) < _PAGE:
                return total
            before = page[-1].seq


def parse_quotas(raw: Mapping[str, Any]) -> dict[str, Quota]:
    """The quotas of the setting, by scope.

    Raises:
        ConfigError: One cannot be meant so.
    """
    return {scope: _parse(scope, values) for scope, values in raw.items()}


def _parse(scope: str, values: Mapping[str, Any]) -> Quota:
    kind, colon, name = scope.partition(":")
    if kind not in ("user", "team") or not colon or not name:
        raise _wrong(scope, "is no scope: user:NAME, team:NAME, user:* or team:*")
    for key in set(values) - {"runs", "usd_per_day"}:
        raise _wrong(scope, f"has an unknown part {key!r}: runs, usd_per_day")
    runs, usd = values.get("runs"), values.get("usd_per_day")
    if runs is not None and (not isinstance(runs, int) or isinstance(runs, bool) or runs < 1):
        raise _wrong(scope, f"allows {runs!r} runs: a whole number, 1 or more")
    number = isinstance(usd, (int, float)) and not isinstance(usd, bool)
    if usd is not None and not (number and 0 <= usd < 1e9):
        raise _wrong(scope, f"allows {usd!r} US dollars a day: a number, 0 or more")
    return Quota(runs, None if usd is None else float(usd))


def _wrong(scope: str, what: str) -> ConfigError:
    return ConfigError(f"the quota of {scope[:80]!r} {what}", "see: llmos budget quota --help")
