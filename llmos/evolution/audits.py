"""Audits: model runs made as a sample in place of free ones, and what they say of these.

The share of wrong free runs is claimed from audits alone. What was drawn by chance and compared is
evidence of it; that nobody complained is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, Row, func, insert, select, update

from llmos.evolution.bounds import CONFIDENCE, lower_bound, upper_bound
from llmos.evolution.ledger import doubt_copies, doubt_sources, holder
from llmos.evolution.tool import TOOL
from llmos.kernel.text import plain
from llmos.replay.eligible import LOWEST_STANDING
from llmos.store import Store, Transaction, new_id
from llmos.store.schema import REPLAY, audits, parse_stamp, stamp, traces
from llmos.values import ArtifactType, Audit, AuditOutcome, EventType, Json, Trace, Verdict
from llmos.volumes import (
    Caller,
    Outcome,
    Place,
    Status,
    Volume,
    get_watermark,
    record_usage,
    set_watermark,
)

LIFTED = "audits-lifted"
"""Watermark: the last audit when a person let new tools into use again."""

AUTHOR = "audit"

Kind = Literal["tool", "trace"]


@dataclass(frozen=True, slots=True)
class AuditStats:
    """What some audits say, counted with what was said of their runs since."""

    audited: int
    """Runs that could be compared."""
    differed: int
    """Those of them in which the free run would have written something else, or something wrong."""
    not_comparable: int

    @property
    def at_most(self) -> float | None:
        """Upper bound of the share of wrong free runs; None where nothing was compared."""
        return upper_bound(self.differed, self.audited) if self.audited else None

    @property
    def at_least(self) -> float:
        """Lower bound of that share."""
        return lower_bound(self.differed, self.audited)

    def __str__(self) -> str:
        if self.at_most is None:
            return "no run was audited yet: nothing is claimed"
        runs = "1 audited run" if self.audited == 1 else f"{self.audited:,} audited runs"
        # Rounded upwards: a bound that is told smaller than it is would be none.
        share = math.ceil(round(self.at_most * 1000, 6)) / 10
        return f"of {runs} {self.differed:,} differed: at most {share:g} % wrong, at 95 %"

    def as_dict(self) -> dict[str, Json]:
        """The numbers as JSON."""
        return {
            "audited": self.audited,
            "differed": self.differed,
            "not_comparable": self.not_comparable,
            "at_most_wrong": self.at_most,
            "confidence": CONFIDENCE,
        }


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One audit."""

    trace_id: str
    """The model's run."""
    at: datetime
    audit: Audit


def subject_of(source: str) -> tuple[Kind, str, str | None]:
    """What a source names: kind, name of the tool or id of the trace, version of the tool."""
    if source.startswith(TOOL):
        name, _, digest = source.removeprefix(TOOL).partition("@")
        return "tool", name, digest
    return "trace", source.removeprefix(REPLAY), None


def record_audit(store: Store, trace_id: str, audit: Audit, user_id: str) -> None:
    """Write down how a run compares. What it disagrees with does not run free again by itself.

    Args:
        store: Where audits are kept.
        trace_id: The model's run.
        audit: How it compares.
        user_id: Whose run it was.
    """
    kind, subject, digest = subject_of(audit.source)
    row = {
        "trace_id": trace_id,
        "volume": "user",
        "owner": user_id,
        "kind": kind,
        "subject": subject,
        "digest": digest,
        "outcome": audit.outcome.value,
        "detail": plain(audit.detail),
        "extra": audit.extra,
    }

    def write(tx: Transaction) -> None:
        tx.conn.execute(insert(audits).values(**row, id=new_id(), at=stamp(tx.now)))
        _tell(tx, trace_id, audit, user_id)
        if audit.outcome is not AuditOutcome.DISAGREED:
            return
        if digest is not None:
            _suspend(tx, store, trace_id, audit, user_id)
        else:
            lowest = traces.c.standing > LOWEST_STANDING
            mine = (traces.c.id == subject) & (traces.c.owner == user_id) & lowest
            tx.conn.execute(update(traces).where(mine).values(standing=LOWEST_STANDING))

    store.write(write)


def judge_audited(store: Store, trace: Trace, user_id: str) -> None:
    """Suspend the tool that would have made the same mistake as an audited run.

    Args:
        store: Where audits are kept.
        trace: The run, with its verdict.
        user_id: Whose run it was.
    """
    audit = store.read(lambda c: audit_of(c, trace.id))
    if audit is None or trace.verdict is not Verdict.REFUTED:
        return
    if audit.outcome is AuditOutcome.AGREED and audit.source.startswith(TOOL):
        same = replace(audit, detail="the run was wrong, and it would have done the same")
        store.write(lambda tx: _suspend(tx, store, trace.id, same, user_id))


def _suspend(tx: Transaction, store: Store, trace_id: str, audit: Audit, user_id: str) -> None:
    _, name, digest = subject_of(audit.source)
    assert digest is not None
    found = holder(tx, store, user_id, digest)
    if found is None or found[1].status.out_of_use:
        return
    held, version = found
    if held.place.volume != "user":
        # What is shared is taken off every shelf by the ledger; its own cron puts it aside.
        record_usage(
            tx,
            version,
            Outcome.DISAGREED,
            user_id=user_id,
            trace_id=trace_id,
            detail=audit.detail,
        )
        doubt_sources(tx, store, version, user_id, trace_id)
        return
    doubt_copies(tx, digest, user_id, trace_id)
    volume = Volume(store, "user", user_id, caller=Caller.user_cron(user_id, AUTHOR))
    volume.set_status(
        ArtifactType.TOOL,
        name,
        Status.QUARANTINED,
        version=digest,
        author=AUTHOR,
        why=f"audit {trace_id[-6:]}: {audit.detail}",
        tx=tx,
    )


def _tell(tx: Transaction, trace_id: str, audit: Audit, user_id: str) -> None:
    kind, subject, _ = subject_of(audit.source)
    what = f"the tool {subject}" if kind == "tool" else f"the trace {subject[-6:]}"
    differs = audit.outcome is AuditOutcome.DISAGREED
    title = f"audit: {what} {_TITLES[audit.outcome]}"
    event = tx.event(
        EventType.SYSTEM_ALERT if differs else EventType.HEALTH_CHECK,
        owner=user_id,
        actor=AUTHOR,
        subject=trace_id,
        title=title,
        payload={
            "audit": audit.outcome.value,
            "source": audit.source,
            "why": audit.detail,
            "ok": not differs,
        },
    )
    if differs:
        tx.notify(
            event,
            owner=user_id,
            title=title,
            description=f"{audit.detail}. It does not run by itself until this is settled.",
            reason="a model's run did something else than a free run would have done",
            finding=f"audit:{trace_id}",
        )


_TITLES = {
    AuditOutcome.AGREED: "would have done what the model did",
    AuditOutcome.DISAGREED: "would have done something else than the model",
    AuditOutcome.INCOMPARABLE: "could not be compared",
}


# --- reading -----------------------------------------------------------------------------------


def audit_stats(
    conn: Connection, place: Place, *, tool: str | None = None, after: str = ""
) -> AuditStats:
    """What the audits of a volume say, or those of one of its tools in all its versions.

    A run that was found wrong since is judged again: where the free run would have done the same,
    that was wrong too; where it would have done something else, nobody knows.

    Extra audits are left out: they are drawn where something went wrong, which is no fair sample.

    Args:
        conn: Where to read.
        place: Whose.
        tool: Name of the tool; all tools and traces when left out.
        after: Id of the last audit that is not meant.
    """
    meant = (audits.c.volume == place.volume) & (audits.c.owner == place.owner)
    if tool is not None:
        meant &= (audits.c.kind == "tool") & (audits.c.subject == tool)
    wrong = traces.c.verdict == Verdict.REFUTED.value
    query = (
        select(audits.c.outcome, wrong, func.count())
        .join(traces, traces.c.id == audits.c.trace_id)
        .where(meant, audits.c.id > after, audits.c.extra.is_(False))
        .group_by(audits.c.outcome, wrong)
    )
    counts = {(AuditOutcome(o), bool(w)): n for o, w, n in conn.execute(query)}
    agreed = counts.get((AuditOutcome.AGREED, False), 0)
    same_mistake = counts.get((AuditOutcome.AGREED, True), 0)
    differed = counts.get((AuditOutcome.DISAGREED, False), 0) + same_mistake
    total = sum(counts.values())
    return AuditStats(agreed + differed, differed, total - agreed - differed)


def newest_audits(conn: Connection, place: Place, limit: int) -> list[AuditRow]:
    """The last audits of a volume, the newest first."""
    meant = (audits.c.volume == place.volume) & (audits.c.owner == place.owner)
    query = select(audits).where(meant).order_by(audits.c.id.desc()).limit(limit)
    return [AuditRow(r.trace_id, parse_stamp(r.at), _audit(r)) for r in conn.execute(query)]


def audit_of(conn: Connection, trace_id: str) -> Audit | None:
    """How a run compares; None if it was not drawn for that."""
    row = conn.execute(select(audits).where(audits.c.trace_id == trace_id)).first()
    return None if row is None else _audit(row)


def audits_of(conn: Connection, trace_ids: Iterable[str]) -> Mapping[str, Audit]:
    """How some runs compare, by id; only those that were drawn."""
    wanted = set(trace_ids)
    if not wanted:
        return {}
    # By range and not by list: a night may have more runs than a query takes parameters.
    within = audits.c.trace_id.between(min(wanted), max(wanted))
    rows = conn.execute(select(audits).where(within))
    return {row.trace_id: _audit(row) for row in rows if row.trace_id in wanted}


def _audit(row: Row[tuple[object, ...]]) -> Audit:
    source = f"{TOOL}{row.subject}@{row.digest}" if row.digest else f"{REPLAY}{row.subject}"
    return Audit(source, AuditOutcome(row.outcome), row.detail, row.extra)


# --- too many disagreements --------------------------------------------------------------------


def freeze(source: Transaction | Connection, place: Place, error_budget: float) -> str | None:
    """Why no new tool comes into use now, or None.

    Args:
        source: Where to read.
        place: Whose audits.
        error_budget: Share of wrong free runs that is accepted.
    """
    conn = source.conn if isinstance(source, Transaction) else source
    found = audit_stats(conn, place, after=get_watermark(source, LIFTED, place) or "")
    if found.at_least <= error_budget:
        return None
    return (
        f"{found.differed} of {found.audited} audited runs differed: at least "
        f"{100 * found.at_least:.2g} % wrong, at 95 %, and {100 * error_budget:g} % are accepted"
    )


def lift(tx: Transaction, place: Place, *, user_id: str, why: str) -> bool:
    """Let the audits so far no longer keep new tools out of use; whether there were any.

    Args:
        tx: An open transaction.
        place: Whose audits.
        user_id: Who decides that.
        why: Their reason.
    """
    mine = (audits.c.volume == place.volume) & (audits.c.owner == place.owner)
    last = tx.conn.scalar(select(func.max(audits.c.id)).where(mine))
    if last is None or last == get_watermark(tx, LIFTED, place):
        return False
    set_watermark(tx, LIFTED, place, last)
    tx.event(
        EventType.HEALTH_CHECK,
        volume=place.volume,
        owner=place.owner,
        actor=user_id,
        subject=last,
        title="audits so far no longer keep new tools out of use",
        payload={"why": plain(why), "ok": True},
    )
    return True
