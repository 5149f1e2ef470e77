"""SystemCron: what teams have in common, what nobody uses any more, and whether all is well."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta

from sqlalchemy import Connection, exists, func, select

from llmos.crons import findings, health, patterns
from llmos.crons.context import CronContext
from llmos.crons.cycle import CronLevel, CycleReport, CycleTask
from llmos.crons.doubts import put_aside
from llmos.crons.findings import Finding, milestone
from llmos.crons.sharing import Examined, Sharing
from llmos.crons.tidying import tidy
from llmos.errors import StoreError
from llmos.evolution import proposals
from llmos.evolution.proposals import ProposalStatus
from llmos.store import Store, Transaction
from llmos.store.schema import artifacts, events, stamp, usages
from llmos.values import ArtifactType, EventType
from llmos.volumes import Place, Status, get_watermark, set_watermark
from llmos.volumes.access import Caller
from llmos.volumes.roles import all_teams, members

WATERMARK = "system-cron"

_LEVEL = CronLevel.SYSTEM
_PLACE = Place("system", "system")
_TEAMS = 2
"""Teams from which on a pattern is everybody's."""
_ARCHIVED = 50
"""Artifacts that one cycle archives at most."""


class SystemCycle:
    """One cycle for everybody.

    Args:
        context: What all cycles share.
    """

    def __init__(self, context: CronContext) -> None:
        self._context = context
        self._caller = Caller.system_cron()
        self._volume = context.volume(_PLACE, self._caller)

    def run(self) -> CycleReport:
        """Work through what is new in the volumes of all teams."""
        store = self._context.store
        known = store.read(lambda c: get_watermark(c, WATERMARK, _PLACE))
        since = int(json.loads(known)["seq"]) if known else 0
        upto, news = store.read(lambda c: _news(c, since))
        cases = self._examined() if news else []
        trouble = _tidied(store, self._context.config.tool_timeout_s)
        tasks = store.write(lambda tx: self._note(tx, cases, upto, news))
        why = "" if tasks else ("nothing new" if not news else "nothing to say of what is new")
        why = "; ".join(part for part in (why, trouble) if part)
        return CycleReport(_LEVEL, "system", tasks=tuple(tasks), why=why, looked_at=news)

    def _examined(self) -> list[Examined]:
        store = self._context.store
        waiting = store.read(
            lambda c: proposals.listed(c, [_PLACE], ProposalStatus.PROPOSED, limit=1000)
        )
        sharing = self._sharing()
        return [(promotion, sharing.examine(promotion)) for promotion in reversed(waiting)]

    def _sharing(self) -> Sharing:
        return Sharing(self._context, _LEVEL, _PLACE, self._caller)

    def _note(
        self, tx: Transaction, cases: Sequence[Examined], upto: int, news: int
    ) -> list[CycleTask]:
        tasks: list[CycleTask | None] = []
        sharing = self._sharing()
        tasks += sharing.settle_all(tx, cases)
        tasks += put_aside(tx, self._volume, _LEVEL)
        if news:
            tasks += self._patterns(tx)
        proposals.expire(tx)
        tasks += self._archive(tx)
        tasks += health.check(tx, self._context)
        set_watermark(tx, WATERMARK, _PLACE, json.dumps({"seq": upto}))
        return [task for task in tasks if task is not None]

    def _patterns(self, tx: Transaction) -> Iterator[CycleTask | None]:
        teams = {t: [m.user_id for m in members(tx.conn, t)] for t in all_teams(tx.conn)}
        people = sorted({u for us in teams.values() for u in us})
        for key in patterns.common(tx.conn, people, _TEAMS, limit=20):
            theirs = patterns.by_key(tx.conn, people, key)
            doing = sorted(t for t, us in teams.items() if {p.owner for p in theirs} & set(us))
            if len(doing) < _TEAMS:
                continue
            first, runs = max(theirs, key=lambda p: p.runs), sum(p.runs for p in theirs)
            finding = Finding(
                ArtifactType.INSIGHT,
                f"common-{first.slug}",
                f"{len(doing)} teams do “{first.shape}”: {runs} runs",
                f"Teams: {', '.join(doing[:10])}.",
                {"teams": doing, "users": len(theirs), "runs": runs},
                (milestone(runs), len(doing)),
            )
            yield findings.keep(tx, self._volume, _LEVEL, finding)

    def _archive(self, tx: Transaction) -> Iterator[CycleTask]:
        """Lay aside what nobody has used or changed for long; `restore` takes it back."""
        days = self._context.config.unused_days
        since = stamp(tx.now - timedelta(days=days))
        used = exists().where(usages.c.artifact_id == artifacts.c.id, usages.c.at >= since)
        kinds = [ArtifactType.TOOL.value, ArtifactType.INSIGHT.value]
        unused = select(artifacts).where(
            artifacts.c.updated_at < since,
            artifacts.c.pinned.is_(False),
            artifacts.c.type.in_(kinds),
            artifacts.c.status.in_([Status.ACTIVE.value, Status.SHADOWING.value]),
            ~used,
        )
        for row in tx.conn.execute(unused.order_by(artifacts.c.updated_at).limit(_ARCHIVED)).all():
            place = Place(row.volume, row.owner)
            volume = self._context.volume(place, self._caller)
            why = f"nobody has used or changed it for {days} days"
            type = ArtifactType(row.type)
            if volume.find(type, row.name, tx=tx) is None:
                continue  # its owner keeps it private
            volume.archive(type, row.name, author=_LEVEL.author, why=why, tx=tx)
            yield CycleTask("archive", row.name, f"{row.name} of {place} is archived", why)


def _tidied(store: Store, tool_timeout_s: float) -> str:
    """Why nothing was swept; that is no reason to leave the rest of a cycle undone."""
    try:
        tidy(store, tool_timeout_s)
    except StoreError as e:
        return f"{e.message} ({e.hint})" if e.hint else e.message
    return ""


def _news(c: Connection, since: int) -> tuple[int, int]:
    """The newest event in any team's volume, and how many are new."""
    kinds = [EventType.CYCLE_BEGIN.value, EventType.CYCLE_END.value, EventType.CRON_STARTED.value]
    meant = select(func.count(), func.max(events.c.seq)).where(
        events.c.seq > since,
        events.c.volume.in_(["team", "user"]),
        events.c.actor != _LEVEL.author,
        events.c.type.not_in([*kinds, EventType.CRON_STOPPED.value]),
    )
    new, newest = c.execute(meant).one()
    return int(newest or since), int(new)
