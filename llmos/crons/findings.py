"""Insights and suggestions: what a cron found out, kept as artifacts and told once.

A finding is computed from counts and traces. It is stored again only where it says something new
(a tool is there, the count has doubled), stays dismissed once it was dismissed, and is left alone
once a person has changed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import func, select

from llmos.crons.cycle import CronLevel, CycleTask
from llmos.store import Transaction
from llmos.store.schema import events, notifications, stamp
from llmos.values import ArtifactType, EventType, Json
from llmos.volumes import Artifact, Status, Version, Volume

_MILESTONES = (3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000, 1_000_000)
"""Counts at which a finding is worth telling anew."""

_EVENTS = {
    ArtifactType.INSIGHT: EventType.INSIGHT_GENERATED,
    ArtifactType.SUGGESTION: EventType.SUGGESTION_CREATED,
}
_KINDS = {
    ArtifactType.INSIGHT: "insight",
    ArtifactType.SUGGESTION: "suggestion",
    ArtifactType.TRACE: "summary",
}

TOLD_A_DAY = {"user": 2, "team": 1, "system": 1}
"""Notifications that the crons give one audience in a day: three for who is of one team, and one
more for who looks after the system. The report holds the rest; what waits for a decision is asked
in any case."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something worth knowing, before it is stored."""

    type: ArtifactType
    """``insight``, ``suggestion``, or ``trace``: a summary of runs."""
    name: str
    title: str
    text: str
    evidence: Mapping[str, Json]
    news: tuple[Json, ...]
    """What makes it another finding than the one before; equal news are not stored again."""
    action: Mapping[str, Json] = field(default_factory=dict)
    """What accepting a suggestion does: ``{"do": "run", "command": "llmos …"}``."""
    tell: str = ""
    """Why its reader is told; ``""``: it is only stored."""

    def content(self) -> dict[str, Json]:
        """What is stored."""
        action = {"action": dict(self.action)} if self.action else {}
        return {
            "title": self.title,
            "text": self.text,
            "finding": self.name,
            "evidence": dict(self.evidence),
            "news": list(self.news),
            **action,
        }


def milestone(count: int) -> int:
    """The largest count worth telling that was reached; 0 if none was."""
    return max((m for m in _MILESTONES if m <= count), default=0)


def keep(tx: Transaction, volume: Volume, level: CronLevel, finding: Finding) -> CycleTask | None:
    """Store a finding that says something new, and tell it; None where it does not.

    Args:
        tx: The transaction of the cycle.
        volume: Whose finding it is.
        level: Which cron found it.
        finding: What it found.
    """
    known = volume.find(finding.type, finding.name, tx=tx)
    if known is not None and not _may_say_more(tx, volume, known, level, finding):
        return None
    first = known is None
    open_ = finding.type is ArtifactType.SUGGESTION
    status = Status.DRAFT if open_ else Status.ACTIVE
    volume.put(
        tx,
        finding.type,
        finding.name,
        finding.content(),
        author=level.author,
        note=finding.title,
        status=status,
        automatic=True,
    )
    if finding.type in _EVENTS:
        _announce(tx, volume, level, finding, first)
    return CycleTask(_KINDS[finding.type], finding.name, finding.title, finding.text)


def _announce(
    tx: Transaction, volume: Volume, level: CronLevel, finding: Finding, first: bool
) -> None:
    event = tx.event(
        _EVENTS[finding.type],
        volume=volume.place.volume,
        owner=volume.place.owner,
        actor=level.author,
        subject=finding.name,
        title=finding.title,
        payload={"why": finding.text, "evidence": dict(finding.evidence), "first": first},
    )
    if finding.tell:
        tell(tx, volume, event, finding.title, finding.text, finding.tell, _key(finding))


def withdraw(
    tx: Transaction, volume: Volume, level: CronLevel, type: ArtifactType, name: str, why: str
) -> CycleTask | None:
    """Lay aside a finding that no longer holds; None where there is none of the cron's own."""
    known = volume.find(type, name, tx=tx)
    if known is None or known.status.out_of_use or known.pinned:
        return None
    if volume.get(type, name, tx=tx).author != level.author:
        return None
    volume.archive(type, name, author=level.author, why=why, tx=tx)
    return CycleTask("archive", name, f"{name} no longer holds", why)


def tell(
    tx: Transaction,
    volume: Volume,
    event: str,
    title: str,
    text: str,
    why: str,
    finding: str,
) -> bool:
    """Notify those whose volume it is, unless they were told, or were told enough today."""
    audience, owner = volume.place.volume, volume.place.owner
    today = stamp(tx.now.replace(hour=0, minute=0, second=0, microsecond=0))
    crons = [f"{level.value}-cron" for level in CronLevel]
    told = (
        select(func.count())
        .select_from(notifications.join(events, events.c.id == notifications.c.event_id))
        .where(
            notifications.c.audience == audience,
            notifications.c.owner == owner,
            notifications.c.at >= today,
            events.c.actor.in_(crons),
        )
    )
    if (tx.conn.scalar(told) or 0) >= TOLD_A_DAY[audience]:
        return False
    return tx.notify(
        event,
        audience=audience,
        owner=owner,
        title=title,
        description=text,
        reason=why,
        finding=finding,
    )


def _key(finding: Finding) -> str:
    return f"{finding.name}:{':'.join(map(str, finding.news))}"[:128]


def _may_say_more(
    tx: Transaction, volume: Volume, known: Artifact, level: CronLevel, finding: Finding
) -> bool:
    """Whether a finding that is stored may be stored anew."""
    now: Version = volume.get(finding.type, finding.name, tx=tx)
    if now.author != level.author or known.pinned:
        return False  # a person has made it theirs
    if known.status is Status.ARCHIVED:
        if not _laid_aside_by(volume, known, level, tx):
            return False  # dismissed stays dismissed
        volume.restore(finding.type, finding.name, author=level.author, why="it holds again", tx=tx)
        return True
    accepted = finding.type is ArtifactType.SUGGESTION and known.status is Status.ACTIVE
    return not accepted and list(now.content.get("news", ())) != list(finding.news)


def _laid_aside_by(volume: Volume, known: Artifact, level: CronLevel, tx: Transaction) -> bool:
    last = volume.changes(known.type, known.name, 1, tx=tx)
    return bool(last) and last[0].by == level.author
