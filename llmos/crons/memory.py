"""What is kept of a cron between its cycles: the newest report, and quiet cycles not told yet.

Quiet cycles are counted here and told together, when something happens next or once a day:
events are never changed, and one a cycle would be 17,520 a year for each user of whom there is
nothing to say.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from llmos.crons.cycle import CronLevel, CycleReport, CycleTask
from llmos.store import Transaction
from llmos.store.schema import dumps, parse_stamp, stamp
from llmos.values import Json
from llmos.volumes import Place, get_watermark, set_watermark

NAME = "cron-memory"
"""Of the watermark. It is moved with the row of the cron."""

_REASONS = 8
"""Reasons that are told apart; the rest share a line, so that a day cannot make many."""
_REST = "other reasons"


@dataclass(frozen=True, slots=True)
class Quiet:
    """Cycles that did nothing, for one reason."""

    why: str
    cycle: str
    """The newest of them."""
    since: str
    """When the first ended."""
    until: str
    times: int = 0
    looked_at: int = 0
    left: int = 0
    seconds: float = 0.0
    tokens: int = 0
    cost_usd: float = 0.0

    def plus(self, report: CycleReport, now: datetime) -> Quiet:
        """With one more."""
        return replace(
            self,
            cycle=report.cycle_id,
            until=stamp(now),
            times=self.times + 1,
            looked_at=self.looked_at + report.looked_at,
            left=report.left,
            seconds=self.seconds + report.seconds,
            tokens=self.tokens + report.tokens,
            cost_usd=self.cost_usd + report.cost_usd,
        )

    def payload(self) -> dict[str, Json]:
        """What the CYCLE_END of all of them tells."""
        return {
            "tasks": 0,
            "why": self.why,
            "quiet": self.times,
            "since": self.since,
            "until": self.until,
            "duration_s": round(self.seconds, 3),
            "tokens": self.tokens,
            "cost_usd": self.cost_usd,
            "ok": True,
            "error": "",
            "looked_at": self.looked_at,
            "left": self.left,
        }


@dataclass(frozen=True, slots=True)
class Memory:
    """What is kept of one cron."""

    report: CycleReport | None = None
    """Of the newest cycle."""
    quiet: tuple[Quiet, ...] = ()
    """Not told yet."""
    alerts: tuple[str, ...] = ()
    """Of the system's cron: overdue crons that it has told of."""

    def with_report(self, report: CycleReport) -> Memory:
        """After one more cycle."""
        return replace(self, report=report)

    def with_quiet(self, report: CycleReport, now: datetime) -> Memory:
        """With one more cycle that did nothing."""
        known = {q.why: q for q in self.quiet}
        why = report.why or "nothing to do"
        why = why if why in known or len(known) < _REASONS else _REST
        at = stamp(now)
        old = known.get(why) or Quiet(why, report.cycle_id, at, at)
        known[why] = old.plus(report, now)
        return replace(self, quiet=tuple(known.values()))

    def still(self, overdue: Iterable[str]) -> Memory:
        """With the alerts that still hold, the newest report's among them."""
        tasks = self.report.tasks if self.report is not None else ()
        told = {*self.alerts, *(t.subject for t in tasks if t.kind == "alert")}
        return replace(self, alerts=tuple(name for name in overdue if name in told))

    def is_day(self, now: datetime) -> bool:
        """Whether the quiet cycles that are not told yet go back a day."""
        first = min((q.since for q in self.quiet), default=None)
        return first is not None and now - parse_stamp(first) >= timedelta(days=1)


def recall(source: Transaction | Connection, place: Place) -> Memory:
    """What is kept of the cron of a place."""
    text = get_watermark(source, NAME, place)
    if text is None:
        return Memory()
    told = json.loads(text)
    return Memory(
        report_from(told["report"]) if told["report"] else None,
        tuple(Quiet(**q) for q in told["quiet"]),
        tuple(told["alerts"]),
    )


def remember(tx: Transaction, place: Place, memory: Memory) -> None:
    """Keep it."""
    told = {
        "report": memory.report.as_dict() if memory.report is not None else None,
        "quiet": [asdict(q) for q in memory.quiet],
        "alerts": list(memory.alerts),
    }
    set_watermark(tx, NAME, place, dumps(told))


def report_from(told: dict[str, Any]) -> CycleReport:
    """The report whose `CycleReport.as_dict` this is."""
    return CycleReport(
        CronLevel(told["level"]),
        told["owner"],
        told["cycle"],
        tuple(CycleTask(**task) for task in told["tasks"]),
        told["why"],
        told["looked_at"],
        told["left"],
        told["seconds"],
        told["tokens"],
        told["cost_usd"],
        told["error"],
    )
