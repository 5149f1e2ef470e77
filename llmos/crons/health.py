"""Whether all is well: failed crons, tools that stop too often, the budget, the disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import func, select

from llmos.crons.context import CronContext
from llmos.crons.cycle import CronLevel, CycleTask
from llmos.crons.findings import tell
from llmos.kernel.ledger import dollars
from llmos.store import Transaction
from llmos.store.schema import crons, scopes, stamp, usages
from llmos.values import EventType, Json
from llmos.volumes import Outcome, Place, get_watermark, set_watermark
from llmos.volumes.access import Caller

WATERMARK = "system-health"

_PLACE = Place("system", "system")
_FAILURES = 3
"""Failed cycles in a row that are no accident."""
_USES, _DRIFT = 20, 0.5
"""Uses in a day from which on, and share of side exits above which, tools no longer fit."""
_LOW = 0.1
"""Share of the budget that is little."""
_DISK = 512 * 1024 * 1024
"""Bytes free on the disk of the home that are few."""


def check(tx: Transaction, context: CronContext) -> Iterator[CycleTask]:
    """Look at the health of the system; what is new is told, what is as before is not.

    A healthy check is an event once a day, an alert once a day for each thing that is wrong.
    """
    found = dict(_wrong(tx, context))
    told = {"ok": not found, "wrong": sorted(found), "day": f"{tx.now:%Y-%m-%d}"}
    known = get_watermark(tx, WATERMARK, _PLACE)
    before = json.loads(known) if known else {}
    if told == before:
        return
    set_watermark(tx, WATERMARK, _PLACE, json.dumps(told))
    fresh = [w for w in found if before.get("day") != told["day"] or w not in before["wrong"]]
    title = "all is well" if not found else f"{len(found)} things need a look"
    numbers: dict[str, Json] = {"ok": not found, "wrong": found}
    _event(tx, EventType.HEALTH_CHECK, "health", title, numbers)
    for what in fresh:
        event = _event(tx, EventType.SYSTEM_ALERT, what, found[what], {"why": found[what]})
        volume = context.volume(_PLACE, Caller.system_cron())
        finding = f"health:{what}:{told['day']}"
        tell(tx, volume, event, found[what], found[what], "you look after the system", finding)
        yield CycleTask("alert", what, found[what])


def _wrong(tx: Transaction, context: CronContext) -> Iterator[tuple[str, str]]:
    failing = select(crons.c.level, crons.c.owner, crons.c.failures, crons.c.told).where(
        crons.c.failures >= _FAILURES
    )
    for row in tx.conn.execute(failing):
        who = f"the {row.level} cron of {row.owner}"
        yield f"cron-{row.level}-{row.owner}", f"{who} failed {row.failures} times: {row.told}"
    day = stamp(tx.now - timedelta(days=1))
    uses = [o.value for o in Outcome if o.is_use]
    rows = tx.conn.execute(
        select(usages.c.outcome, func.count())
        .where(usages.c.at >= day, usages.c.outcome.in_(uses))
        .group_by(usages.c.outcome)
    ).all()
    counts = {outcome: n for outcome, n in rows}
    total, exits = sum(counts.values()), counts.get(Outcome.SIDE_EXIT.value, 0)
    if total >= _USES and exits / total > _DRIFT:
        yield "drift", f"{exits} of {total} uses of tools in a day stopped at a guard"
    yield from _means(tx, context)


def _means(tx: Transaction, context: CronContext) -> Iterator[tuple[str, str]]:
    row = tx.conn.execute(select(scopes).where(scopes.c.name == "system")).first()
    if row is not None and row.limit_micro:
        left = row.limit_micro - row.spent_micro - row.reserved_micro
        if left < _LOW * row.limit_micro:
            told = f"{dollars(max(0, left))} of {dollars(row.limit_micro)} is left"
            yield "budget", f"{told} (raise it: llmos budget set system)"
    home = context.store.home
    free = shutil.disk_usage(home).free if home.is_dir() else _DISK
    if free < _DISK:
        yield "disk", f"only {free // 1024 // 1024} MiB are free on the disk of {home}"


def _event(
    tx: Transaction, type: EventType, subject: str, title: str, payload: dict[str, Json]
) -> str:
    return tx.event(
        type,
        volume=_PLACE.volume,
        owner=_PLACE.owner,
        actor=CronLevel.SYSTEM.author,
        subject=subject,
        title=title,
        payload=payload,
    )
