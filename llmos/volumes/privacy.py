"""What a user keeps from the crons of the team and of the system."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, bindparam, delete, select

from llmos.errors import PermissionDenied, UserError
from llmos.store import Transaction
from llmos.store.dialect import insert_new
from llmos.store.schema import REPLAY, artifacts, parse_stamp, private, stamp, traces
from llmos.values import Mode
from llmos.volumes.records import Place
from llmos.volumes.together import parts_of, with_it

if TYPE_CHECKING:
    from llmos.volumes.access import Caller

PrivateKind = Literal["volume", "artifact", "trace"]

# Put together once: every run that ends asks them.
_ORIGIN = select(traces.c.source, traces.c.part_of, traces.c.mode).where(
    traces.c.id == bindparam("run")
)
_KEPT_BY = (
    select(private.c.by)
    .where(
        private.c.volume == bindparam("volume"),
        private.c.owner == bindparam("owner"),
        private.c.kind == "trace",
        private.c.subject.in_(bindparam("sources", expanding=True)),
    )
    .limit(1)
)


def keep_private(
    tx: Transaction, caller: Caller, place: Place, kind: PrivateKind, subject: str = ""
) -> bool:
    """Keep a volume, an artifact or a trace from the crons of the team and of the system.

    What was promoted from it before stays where it is, until `recall` or `purge`. With a run
    go those that hold what it holds: its replays, its plan and the parts of that; later ones as
    they end (`inherit`).

    Args:
        tx: An open transaction.
        caller: The person whose it is; nobody else may.
        place: Their volume.
        kind: What is kept private.
        subject: Id of the artifact or trace; ``""`` for the whole volume.

    Returns:
        Whether it was shared before.

    Raises:
        PermissionDenied: It is not the caller's.
        UserError: There is no such artifact or trace in it.
    """
    row = {
        "volume": place.volume,
        "owner": place.owner,
        "kind": kind,
        "by": caller.author,
        "at": stamp(tx.now),
    }
    keys = ["volume", "owner", "kind", "subject"]
    meant = _meant(tx.conn, place, kind, _checked(tx.conn, caller, place, kind, subject))
    new = [insert_new(tx.conn, private, row | {"subject": one}, keys) for one in meant]
    return any(new)


def inherit(tx: Transaction, place: Place, run_id: str) -> None:
    """Keep a run private that ends now and holds what a private one holds.

    That is a replay of a private run, a part of a private plan, and a plan that has taken up a
    private one.

    Args:
        tx: The transaction that ends it.
        place: Its volume.
        run_id: The run.
    """
    row = tx.conn.execute(_ORIGIN, {"run": run_id}).one()
    sources = [row.part_of] if row.part_of else []
    sources += [row.source.removeprefix(REPLAY)] if row.source.startswith(REPLAY) else []
    sources += parts_of(tx.conn, run_id) if row.mode == Mode.ORCHESTRATOR.value else []
    if not sources:
        return
    meant = {"volume": place.volume, "owner": place.owner, "sources": sources}
    by = tx.conn.scalar(_KEPT_BY, meant)
    if by is None:
        return
    for one in with_it(tx.conn, place, run_id):
        key = {"volume": place.volume, "owner": place.owner, "kind": "trace", "subject": one}
        insert_new(tx.conn, private, {**key, "by": by, "at": stamp(tx.now)}, list(key))


def share(
    tx: Transaction, caller: Caller, place: Place, kind: PrivateKind, subject: str = ""
) -> bool:
    """Undo `keep_private`; whether it was private before.

    An artifact of a volume that is private as a whole stays private with it.
    """
    meant = _meant(tx.conn, place, kind, _checked(tx.conn, caller, place, kind, subject))
    gone = [tx.conn.execute(delete(private).where(_row(place, kind, one))) for one in meant]
    return any(one.rowcount for one in gone)


def is_private(
    conn: Connection, place: Place, kind: PrivateKind = "volume", subject: str = ""
) -> bool:
    """Whether this was kept private, by itself or with the whole volume."""
    # A project's volume is private with the volume that it lies in.
    whole = _row(place, "volume", "") | _row(place.whole, "volume", "")
    meant = whole if kind == "volume" else whole | _row(place, kind, _stored(kind, subject))
    return conn.execute(select(private.c.at).where(meant).limit(1)).first() is not None


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing that its owner keeps private."""

    kind: PrivateKind
    subject: str
    """Id of the artifact or trace; ``""`` for the whole volume."""
    name: str
    """What people call it: the name of the artifact, the goal of the trace."""
    since: datetime
    project: str = ""
    """The project in whose volume it lies, or ``""``."""


def list_private(conn: Connection, place: Place) -> list[Kept]:
    """What is kept private of a volume and its projects: whole ones first, then the newest."""
    # ";" comes after ":": whatever a project is called, its volume lies in between.
    within = private.c.owner.between(f"{place.owner}:", f"{place.owner};")
    mine = (private.c.volume == place.volume) & ((private.c.owner == place.owner) | within)
    of = (private.c.owner, private.c.kind, private.c.subject, private.c.at)
    query = (
        select(*of, artifacts.c.name, traces.c.goal)
        .outerjoin(artifacts, artifacts.c.id == private.c.subject)
        .outerjoin(traces, traces.c.id == private.c.subject)
        .where(mine)
        .order_by(private.c.subject != "", private.c.at.desc(), private.c.subject)
    )
    return [
        Kept(
            row.kind,
            row.subject,
            row.name or row.goal or "",
            parse_stamp(row.at),
            Place(place.volume, row.owner).project,
        )
        for row in conn.execute(query)
    ]


def shown(
    place: Place, kind: Literal["artifact", "trace"], column: ColumnElement[Any]
) -> ColumnElement[bool]:
    """The condition that what ``column`` has the id of is not kept private by itself.

    Whether the volume is private as a whole, `require` has asked before.

    Args:
        place: Whose artifacts or traces.
        kind: What they are.
        column: Of the query, with their ids.
    """
    hidden = (private.c.volume == place.volume) & (private.c.owner == place.owner)
    return column.not_in(select(private.c.subject).where(hidden, private.c.kind == kind))


def _meant(conn: Connection, place: Place, kind: PrivateKind, subject: str) -> list[str]:
    return with_it(conn, place, subject) if kind == "trace" else [subject]


def _stored(kind: PrivateKind, subject: str) -> str:
    # As an artifact, a trace is named by its id in small letters.
    return subject.upper() if kind == "trace" else subject


def _row(place: Place, kind: str, subject: str) -> ColumnElement[bool]:
    mine = (private.c.volume == place.volume) & (private.c.owner == place.owner)
    return mine & (private.c.kind == kind) & (private.c.subject == subject)


def _checked(
    conn: Connection, caller: Caller, place: Place, kind: PrivateKind, subject: str
) -> str:
    if not caller.owns(place):
        raise PermissionDenied(
            f"{caller} may not say what of {place} is private: only its owner may",
            "only volumes of users can be kept private, by the user",
        )
    if kind not in get_args(PrivateKind) or (kind == "volume") != (subject == ""):
        raise UserError(f"{kind!r} {subject[:80]!r} cannot be private", "volume, artifact or trace")
    subject = _stored(kind, subject)
    table = {"artifact": artifacts, "trace": traces}.get(kind)
    if table is not None:
        own = (table.c.volume == place.volume) & (table.c.owner == place.owner)
        if conn.execute(select(table.c.id).where(own, table.c.id == subject)).first() is None:
            raise UserError(
                f"there is no {kind} {subject[:80]!r} in {place}", "give its id in full"
            )
    return subject
