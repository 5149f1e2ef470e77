"""Promotions as data: proposed with evidence, decided by gates or people, applied once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update

from llmos.errors import UserError
from llmos.kernel.text import plain
from llmos.observability.waiting import waits_for
from llmos.store import Transaction, new_id
from llmos.store.schema import dumps, parse_stamp, proposals, stamp
from llmos.values import ArtifactType, EventType, Json
from llmos.volumes import Place, Version
from llmos.volumes.records import place_of

EXPIRES_DAYS = 30
"""Days after which a proposal that nobody decided is no longer asked about."""

_SHORT = 6


class ProposalStatus(StrEnum):
    """Where a proposal stands. Only ``proposed`` ones can be decided."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    """Decided, and not applied yet."""
    REJECTED = "rejected"
    EXPIRED = "expired"
    APPLIED = "applied"
    RECALLED = "recalled"
    """It was applied, and taken back."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """A version that is to be shared with more people."""

    id: str
    source: Place
    type: ArtifactType
    name: str
    digest: str
    target: Place
    status: ProposalStatus
    evidence: Mapping[str, Json]
    """The gates and what they looked at, as they were last."""
    by: str
    at: datetime
    expires_at: datetime
    decided_by: str
    decided_at: datetime | None
    why: str

    def as_dict(self) -> dict[str, Json]:
        """The proposal as JSON; times are ISO 8601 in UTC."""
        return {
            "id": self.id,
            "kind": "promote",
            "type": self.type.value,
            "name": self.name,
            "digest": self.digest,
            "from": [self.source.volume, self.source.owner],
            "to": [self.target.volume, self.target.owner],
            "status": self.status.value,
            "evidence": dict(self.evidence),
            "by": self.by,
            "at": stamp(self.at),
            "expires_at": stamp(self.expires_at),
            "decided_by": self.decided_by,
            "decided_at": stamp(self.decided_at) if self.decided_at else None,
            "why": self.why,
        }

    @property
    def waits_for(self) -> tuple[str, ...]:
        """Who must decide it: ``owner``, ``target``; nobody if a gate is red or all are green."""
        return waits_for(self.evidence)


def propose(
    tx: Transaction, version: Version, target: Place, *, by: str, evidence: Mapping[str, Json]
) -> Promotion | None:
    """Propose to share a version; None if just that was proposed before, whatever became of it.

    Args:
        tx: An open transaction.
        version: What is to be shared.
        target: Where to.
        by: Who proposes it.
        evidence: Why.
    """
    source = place_of(version)
    if find(tx.conn, version.digest, source, target) is not None:
        return None
    row = {
        "id": new_id(),
        "kind": "promote",
        "volume": source.volume,
        "owner": source.owner,
        "type": version.type.value,
        "name": version.name,
        "digest": version.digest,
        "to_volume": target.volume,
        "to_owner": target.owner,
        "status": ProposalStatus.PROPOSED.value,
        "evidence": dumps(dict(evidence)),
        "by": by,
        "at": stamp(tx.now),
        "expires_at": stamp(tx.now + timedelta(days=EXPIRES_DAYS)),
        "decided_by": "",
        "decided_at": None,
        "why": "",
    }
    made = _promotion(tx.conn.execute(insert(proposals).returning(proposals), row).one())
    # In the feed of the volume that it comes from: whoever proposes looks after that one. What is
    # there is nobody else's to see before the gates have been asked.
    _tell(tx, EventType.PROPOSAL_CREATED, made, by, f"share {made.name} with {target}?", source)
    return made


def find(conn: Connection, digest: str, source: Place, target: Place) -> Promotion | None:
    """The proposal to share just this, or None."""
    meant = (
        (proposals.c.kind == "promote")
        & (proposals.c.digest == digest)
        & (proposals.c.volume == source.volume)
        & (proposals.c.owner == source.owner)
        & (proposals.c.to_volume == target.volume)
        & (proposals.c.to_owner == target.owner)
    )
    row = conn.execute(select(proposals).where(meant)).first()
    return None if row is None else _promotion(row)


def get(conn: Connection, which: str) -> Promotion:
    """The proposal with this id, or with these last characters of one.

    Raises:
        UserError: None or several have it.
    """
    text = which.strip().upper()
    if len(text) < _SHORT or not text.isalnum():
        raise UserError(f"{which[:80]!r} is not the id of a proposal", "see `llmos proposals`")
    meant = or_(proposals.c.id == text, proposals.c.id.endswith(text))
    rows = conn.execute(select(proposals).where(meant).limit(2)).all()
    if len(rows) != 1:
        known = "several proposals have" if rows else "there is no proposal"
        raise UserError(f"{known} {which[:80]!r}", "see `llmos proposals`")
    return _promotion(rows[0])


def made_of(conn: Connection, digest: str) -> list[Promotion]:
    """The proposals to share just this version that were applied."""
    meant = (proposals.c.digest == digest) & (proposals.c.status == ProposalStatus.APPLIED.value)
    return [_promotion(row) for row in conn.execute(select(proposals).where(meant))]


def listed(
    conn: Connection,
    places: Sequence[Place],
    status: ProposalStatus | None = None,
    limit: int = 100,
) -> list[Promotion]:
    """Proposals from or to some volumes, the newest first."""
    near = [
        or_(
            (proposals.c.volume == p.volume) & (proposals.c.owner == p.owner),
            (proposals.c.to_volume == p.volume) & (proposals.c.to_owner == p.owner),
        )
        for p in places
    ]
    query = select(proposals).where(or_(*near)).order_by(proposals.c.seq.desc()).limit(limit)
    if status is not None:
        query = query.where(proposals.c.status == status.value)
    return [_promotion(row) for row in conn.execute(query)]


def note_evidence(tx: Transaction, promotion: Promotion, evidence: Mapping[str, Json]) -> Promotion:
    """Keep what the gates say now; who was asked and what they said stays."""
    kept = {k: promotion.evidence[k] for k in ("agreed", "asked") if k in promotion.evidence}
    return _update(tx, promotion, evidence=dumps({**evidence, **kept}))


def note_asked(tx: Transaction, promotion: Promotion, asked: Sequence[str]) -> Promotion:
    """Note who was told that it waits for them."""
    return _update(tx, promotion, evidence=dumps({**promotion.evidence, "asked": list(asked)}))


def agree(tx: Transaction, promotion: Promotion, who: str, by: str) -> Promotion:
    """Note that one of those it waits for agrees."""
    agreed = [*dict.fromkeys([*promotion.evidence.get("agreed", ()), who])]
    told = {**promotion.evidence, "agreed": agreed}
    return _update(tx, promotion, evidence=dumps(told), decided_by=by)


def decide(
    tx: Transaction, promotion: Promotion, status: ProposalStatus, *, by: str, why: str = ""
) -> Promotion:
    """Say what becomes of a proposal, and tell it."""
    made = _update(
        tx,
        promotion,
        status=status.value,
        decided_by=by,
        decided_at=stamp(tx.now),
        why=plain(why),
    )
    applied = status is ProposalStatus.APPLIED
    kind = EventType.PROPOSAL_APPLIED if applied else EventType.PROPOSAL_REJECTED
    if status is not ProposalStatus.APPROVED:
        # By the target's cron or people; the system's cron, which ends old ones, may write in all.
        _tell(tx, kind, made, by, f"{made.name} to {made.target}: {status.value}", made.target)
    return made


def expire(tx: Transaction) -> int:
    """End the proposals that nobody has decided in time; how many."""
    due = (proposals.c.status == ProposalStatus.PROPOSED.value) & (
        proposals.c.expires_at <= stamp(tx.now)
    )
    rows = tx.conn.execute(select(proposals).where(due)).all()
    for row in rows:
        why = f"nobody decided it in {EXPIRES_DAYS} days"
        decide(tx, _promotion(row), ProposalStatus.EXPIRED, by="system-cron", why=why)
    return len(rows)


def _update(tx: Transaction, promotion: Promotion, **changed: object) -> Promotion:
    meant = proposals.c.id == promotion.id
    query = update(proposals).where(meant).values(changed).returning(proposals)
    return _promotion(tx.conn.execute(query).one())


def _tell(
    tx: Transaction, type: EventType, made: Promotion, by: str, title: str, feed: Place
) -> None:
    tx.event(
        type,
        volume=feed.volume,
        owner=feed.owner,
        actor=by,
        subject=made.id,
        title=title,
        payload={
            "name": made.name,
            "digest": made.digest,
            "from": str(made.source),
            "why": made.why or made.evidence.get("why", ""),
        },
    )


def _promotion(row: Row[Any]) -> Promotion:
    return Promotion(
        row.id,
        Place(row.volume, row.owner),
        ArtifactType(row.type),
        row.name,
        row.digest,
        Place(row.to_volume, row.to_owner),
        ProposalStatus(row.status),
        json.loads(row.evidence),
        row.by,
        parse_stamp(row.at),
        parse_stamp(row.expires_at),
        row.decided_by,
        parse_stamp(row.decided_at) if row.decided_at else None,
        row.why,
    )
