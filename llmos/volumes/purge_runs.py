"""Purge of a run: what it said, saw and did, and all that was made from it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, delete, or_, select, update

from llmos.errors import UserError
from llmos.kernel.text import plain
from llmos.store import Transaction, dialect
from llmos.store.schema import (
    REPLAY,
    acknowledgements,
    audits,
    counted,
    dumps,
    events,
    fact_evidence,
    facts,
    feedback,
    intents,
    journal,
    ledger,
    notifications,
    patterns,
    private,
    project_patterns,
    reservations,
    steps,
    traces,
    usages,
    versions,
)
from llmos.values import EventType, Json, Usage
from llmos.volumes.access import Caller
from llmos.volumes.descent import made_from, outlines
from llmos.volumes.purge import delete_versions, named, note_purge, require_right
from llmos.volumes.records import Place, Version, place_of
from llmos.volumes.together import with_it

_GONE = "a run that was purged"
_WITHOUT_A_MODEL = ("tool:", REPLAY)

_KEPT = ("mode", "verdict")
"""Words of an event of a run that say nothing of what was done in it."""


def purge_run(tx: Transaction, caller: Caller, place: Place, run_id: str, why: str) -> int:
    """Delete a run, with every version in any volume that was made from it or names it.

    Its replays go with it, for they hold what it held; of a plan or one of its parts, all of it:
    the parts say what the plan says, and the plan what they answered. Left are what it cost, the
    numbers of its events, and one event with names and digests. Files that it wrote stay as they
    are, and can no longer be put back.

    Args:
        tx: An open transaction.
        caller: Its owner, or an admin.
        place: Its volume.
        run_id: Its id, in full.
        why: For the event.

    Returns:
        How many versions were deleted with it.

    Raises:
        PermissionDenied: The caller may not.
        UserError: There is no such run, it is not over, or a write of it is in doubt.
    """
    gone = would_go_with(tx.conn, caller, place, run_id)
    runs = with_it(tx.conn, place, run_id)
    dialect.overwrite_deleted(tx.conn)
    delete_versions(tx, gone, caller.author)
    for one in runs:
        _delete(tx, place, one)
    tx.event(
        EventType.ARTIFACT_DELETED,
        volume=place.volume,
        owner=place.owner,
        actor=caller.author,
        subject=run_id,
        title=f"run {run_id[-6:].lower()} was purged with all that was made from it",
        payload={
            "artifact": "trace",
            "name": run_id.lower(),
            "what": "purged",
            "versions": [named(v) for v in gone],
            "runs": [one.lower() for one in runs],
            "why": plain(why),
        },
    )
    note_purge(tx, {place, *map(place_of, gone)})
    return len(gone)


def would_go_with(conn: Connection, caller: Caller, place: Place, run_id: str) -> list[Version]:
    """The versions that `purge_run` would delete, without their contents; nothing is changed.

    Raises:
        PermissionDenied: The caller may not purge there.
        UserError: There is no such run, it is not over, or a write of it is in doubt.
    """
    require_right(conn, caller, place)
    found = set[tuple[str, str]]()
    for one in with_it(conn, place, run_id):
        found |= _made_from_run(conn, place, one)
    return outlines(conn, found)


def _made_from_run(conn: Connection, place: Place, run_id: str) -> set[tuple[str, str]]:
    mine = (traces.c.volume == place.volume) & (traces.c.owner == place.owner)
    status = conn.scalar(select(traces.c.status).where(mine, traces.c.id == run_id))
    if status is None:
        raise UserError(f"there is no run {run_id[:80]!r} in {place}", "see: llmos traces")
    if status == "running":
        raise UserError(f"run {run_id[-6:].lower()} is not over", "wait for it or cancel it")
    open_ = (intents.c.trace_id == run_id) & intents.c.status.in_(["intended", "in_doubt"])
    if conn.execute(select(intents.c.id).where(open_)).first() is not None:
        raise UserError(
            f"nobody knows whether a write of run {run_id[-6:].lower()} happened",
            "say what became of it first: llmos inbox, llmos resolve",
        )
    # Findings and tools name the runs they were made from in their contents, too.
    names = or_(versions.c.lineage.contains(run_id), versions.c.content.contains(run_id))
    rows = conn.execute(select(versions.c.artifact_id, versions.c.digest).where(names))
    own = {(row.artifact_id, row.digest) for row in rows}
    return made_from(conn, own) | own


def _delete(tx: Transaction, place: Place, run_id: str) -> None:
    _forget(tx, place, run_id)
    _blank_events(tx, run_id)
    _blank_notes(tx, run_id)
    for table in (steps, feedback, intents, journal, audits):
        tx.conn.execute(delete(table).where(table.c.trace_id == run_id))
    tx.conn.execute(delete(traces).where(traces.c.id == run_id))


def _forget(tx: Transaction, place: Place, run_id: str) -> None:
    """What other tables say of the run."""
    used = usages.c.trace_id == run_id
    tx.conn.execute(update(usages).where(used).values(trace_id=None, detail=""))
    followed = (audits.c.kind == "trace") & (audits.c.subject == run_id)
    tx.conn.execute(update(audits).where(followed).values(detail=""))
    kept = (private.c.kind == "trace") & (private.c.subject == run_id)
    tx.conn.execute(delete(private).where(kept))
    _uncount(tx, run_id)
    tx.conn.execute(delete(counted).where(counted.c.trace_id == run_id))
    _forget_facts(tx, run_id)
    goal = tx.conn.scalar(select(traces.c.goal).where(traces.c.id == run_id))
    said = or_(
        patterns.c.traces.contains(run_id),
        patterns.c.failures.contains(run_id),
        patterns.c.example == goal,
    )
    for row in tx.conn.execute(select(patterns).where(patterns.c.owner == place.owner, said)):
        meant = (patterns.c.owner == row.owner) & (patterns.c.key == row.key)
        if row.runs <= 1:
            tx.conn.execute(delete(patterns).where(meant))
            of_it = (project_patterns.c.owner == row.owner) & (project_patterns.c.key == row.key)
            tx.conn.execute(delete(project_patterns).where(of_it))
            continue
        left = {
            name: dumps([i for i in json.loads(getattr(row, name)) if i != run_id])
            for name in ("traces", "failures")
        }
        # Its shape has only what recurs.
        tx.conn.execute(update(patterns).where(meant).values(example=row.shape, **left))


def _uncount(tx: Transaction, run_id: str) -> None:
    """Take the run off what its project is said to do."""
    query = (
        select(counted, traces.c.project, traces.c.usage, traces.c.source)
        .join(traces, traces.c.id == counted.c.trace_id)
        .where(counted.c.trace_id == run_id, traces.c.project.is_not(None))
    )
    p = project_patterns.c
    for row in tx.conn.execute(query).all():
        meant = (p.owner == row.owner) & (p.key == row.key) & (p.project == row.project)
        tokens = Usage(**json.loads(row.usage)).total_tokens
        of_model = tokens > 0 or not row.source.startswith(_WITHOUT_A_MODEL)
        less = {
            "runs": p.runs - 1,
            "model_runs": p.model_runs - int(of_model),
            "failed": p.failed - int(row.failed),
            "tokens": p.tokens - tokens,
        }
        tx.conn.execute(update(project_patterns).where(meant).values(less))
        tx.conn.execute(delete(project_patterns).where(meant, p.runs <= 0))


def _blank_notes(tx: Transaction, run_id: str) -> None:
    """Take the goal out of the books; the amounts stay."""
    for table in (ledger, reservations):
        paid = table.c.scopes.contains(f'"run:{run_id}"')
        tx.conn.execute(update(table).where(paid).values(note=_GONE))


def _forget_facts(tx: Transaction, run_id: str) -> None:
    """What was noted as said in the run, and nowhere else, current or not."""
    here = fact_evidence.c.source == run_id
    ids = list(tx.conn.scalars(select(fact_evidence.c.fact_id).where(here)))
    tx.conn.execute(delete(fact_evidence).where(here))
    for fact_id in ids:
        meant = fact_evidence.c.fact_id == fact_id
        if tx.conn.execute(select(fact_evidence.c.fact_id).where(meant)).first() is None:
            tx.conn.execute(delete(facts).where(facts.c.id == fact_id))


def _blank_events(tx: Transaction, run_id: str) -> None:
    """Take the words out of the events of the run; their numbers stay, watermarks count them."""
    about = events.c.subject == run_id
    ids = select(events.c.id).where(about)
    tx.conn.execute(delete(acknowledgements).where(acknowledgements.c.event_id.in_(ids)))
    tx.conn.execute(delete(notifications).where(notifications.c.event_id.in_(ids)))
    rows: Sequence[tuple[int, str]] = [
        (row.seq, row.payload)
        for row in tx.conn.execute(select(events.c.seq, events.c.payload).where(about))
    ]
    for seq, payload in rows:
        told = {k: _blank(k, value) for k, value in json.loads(payload).items()}
        blank = {"title": _GONE, "payload": dumps(told)}
        tx.conn.execute(update(events).where(events.c.seq == seq).values(blank))


def _blank(key: str, value: Json) -> Json:
    if key in _KEPT or isinstance(value, bool | int | float):
        return value
    return "" if isinstance(value, str) else None
