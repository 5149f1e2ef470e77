"""Has the process that runs the crons of a home run one of them now."""

from __future__ import annotations

import time

from sqlalchemy import Connection

from llmos.crons.cycle import CronLevel, CycleReport
from llmos.crons.holding import who
from llmos.crons.memory import Memory, recall
from llmos.crons.status import CronStatus, find_cron, make_due, no_cron
from llmos.errors import UserError
from llmos.store import Store
from llmos.values import Clock

_POLL_S = 0.2


def ask(store: Store, level: CronLevel, owner: str, clock: Clock) -> CycleReport:
    """Make a cron due and wait for the report of its next cycle.

    Raises:
        UserError: It is paused, or nobody runs the crons any more.
    """
    before = store.read(lambda c: recall(c, level.place(owner))).report
    while True:
        cron, memory = store.read(lambda c: _look(c, level, owner))
        if memory.report is not None and memory.report != before:
            return memory.report
        if cron.paused:
            raise UserError(
                f"the {level.value} cron of {owner!r} is paused",
                f"resume it: llmos crons resume {level.value} {owner}",
            )
        if who(store) is None:
            raise UserError("the process that ran the crons has ended", "say it again")
        if not cron.running and (cron.next_at is None or cron.next_at > clock()):
            store.write(lambda tx: make_due(tx, level, owner, clock()))
        time.sleep(_POLL_S)


def _look(conn: Connection, level: CronLevel, owner: str) -> tuple[CronStatus, Memory]:
    cron = find_cron(conn, level, owner)
    if cron is None:
        raise no_cron(level, owner)
    return cron, recall(conn, level.place(owner))
