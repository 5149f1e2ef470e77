"""The internal state of a user: what all events of their volume come to.

It is a function of the events and of nothing else: no clock, no process, no setting is in it. What
is stored is how far it was computed and what came out, so that nobody starts from the beginning.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, insert, select, update

from llmos.sentience.modes import LatentMode, latent_mode
from llmos.sentience.policy import Policy, policy_of
from llmos.sentience.triggers import ends_run, triggers_of
from llmos.sentience.valence import SET_POINT, Trigger, Valence
from llmos.store import Store, Transaction
from llmos.store.schema import events, internal_history, internal_states, stamp
from llmos.values import EventType, Json

KEPT = 1000
"""Moments of a user's history that are kept."""
BATCH = 500
"""Events of one transaction: others wait for it."""


@dataclass(frozen=True, slots=True)
class InternalState:
    """How a user's system stands after an event."""

    valence: Valence = SET_POINT
    seq: int = 0
    """Number of the last event that is in it."""

    @property
    def mode(self) -> LatentMode:
        """The numbers in one word."""
        return latent_mode(self.valence)

    @property
    def policy(self) -> Policy:
        """What follows from the numbers."""
        return policy_of(self.valence)


@dataclass(frozen=True, slots=True)
class Moment:
    """An event that moved the state, and where to."""

    seq: int
    at: datetime
    triggers: tuple[Trigger, ...]
    valence: Valence

    def as_dict(self) -> dict[str, Json]:
        """The moment as JSON."""
        told = {"seq": self.seq, "at": stamp(self.at), "triggers": [t.value for t in self.triggers]}
        return told | self.valence.as_dict()


def internal_state(conn: Connection, user_id: str) -> InternalState:
    """How a user's system stands now. Nothing is written.

    Args:
        conn: That of `Store.read`.
        user_id: Whose.
    """
    state = _stored(conn, user_id)
    while rows := _since(conn, user_id, state.seq):
        state, _ = felt(state, rows)
        if len(rows) < BATCH:
            break
    return state


def take_in(store: Store, user_id: str) -> InternalState:
    """Store how a user's system stands now; each event counts once, whoever takes it in.

    Args:
        store: Where events and state are.
        user_id: Whose.

    Returns:
        The state with all events in it that there were.
    """
    while True:
        state, behind = store.read(lambda c: _standing(c, user_id))
        if not behind:
            return state
        store.write(lambda tx: take_in_some(tx, user_id))


def take_in_some(tx: Transaction, user_id: str) -> InternalState:
    """Take in the next `BATCH` events; the state after them.

    Args:
        tx: Reads how far it was and writes how far it is: no event counts twice.
        user_id: Whose.
    """
    state = _stored(tx.conn, user_id)
    rows = _since(tx.conn, user_id, state.seq)
    if not rows:
        return state
    state, moments = felt(state, rows)
    told = {"user_id": user_id, "seq": state.seq, "updated_at": stamp(tx.now)}
    row = told | state.valence.as_dict()
    if not tx.conn.execute(_MOVE, {**row, "whose": user_id}).rowcount:
        tx.conn.execute(_BEGIN, row)
    if moments:
        _remember(tx.conn, user_id, moments[-KEPT:])
    return state


def felt(state: InternalState, rows: Sequence[Row[Any]]) -> tuple[InternalState, list[Moment]]:
    """The state after events, and the moments in which it moved. Pure.

    Args:
        state: Before them.
        rows: With ``seq``, ``type``, ``at`` and ``payload``, in order.
    """
    valence, moments = state.valence, []
    for row in rows:
        kind, told = EventType(row.type), json.loads(row.payload)
        triggers = triggers_of(kind, told)
        if ends_run(kind, told):
            valence = valence.decayed()
        elif not triggers:
            continue
        valence = valence.apply(*triggers)
        moments.append(Moment(row.seq, datetime.fromisoformat(row.at), triggers, valence))
    return InternalState(valence, rows[-1].seq if rows else state.seq), moments


def history(conn: Connection, user_id: str, limit: int = KEPT) -> list[Moment]:
    """The last moments in which the state moved, the newest first.

    Args:
        conn: That of `Store.read`.
        user_id: Whose.
        limit: How many.
    """
    return [
        Moment(
            row.seq,
            datetime.fromisoformat(row.at),
            tuple(Trigger(t) for t in row.triggers.split(",") if t),
            _valence(row),
        )
        for row in conn.execute(_NEWEST, {"whose": user_id, "most": limit})
    ]


def _stored(conn: Connection, user_id: str) -> InternalState:
    row = conn.execute(_STATE, {"whose": user_id}).first()
    return InternalState() if row is None else InternalState(_valence(row), row.seq)


def _standing(conn: Connection, user_id: str) -> tuple[InternalState, bool]:
    state = _stored(conn, user_id)
    return state, bool(_since(conn, user_id, state.seq, limit=1))


def _valence(row: Row[Any]) -> Valence:
    return Valence(row.safety, row.curiosity, row.energy, row.self_confidence)


def _since(conn: Connection, user_id: str, seq: int, limit: int = BATCH) -> Sequence[Row[Any]]:
    return conn.execute(_SINCE, {"whose": user_id, "after": seq, "most": limit}).all()


def _remember(conn: Connection, user_id: str, moments: Sequence[Moment]) -> None:
    rows = [
        {
            "user_id": user_id,
            "seq": moment.seq,
            "at": stamp(moment.at),
            "triggers": ",".join(moment.triggers),
            **moment.valence.as_dict(),
        }
        for moment in moments
    ]
    conn.execute(_REMEMBER, rows)
    conn.execute(_FORGET, {"whose": user_id})


# Made once: making them takes longer than running them, and every run does.
_STATE = select(internal_states).where(internal_states.c.user_id == bindparam("whose"))
_BEGIN = insert(internal_states)
_MOVE = (
    update(internal_states)
    .where(internal_states.c.user_id == bindparam("whose"))
    .values({column: bindparam(column.name) for column in internal_states.c})
)
_SINCE: Select[Any] = (
    select(events.c.seq, events.c.type, events.c.at, events.c.payload)
    .where(
        events.c.volume == "user",
        events.c.owner == bindparam("whose"),
        events.c.seq > bindparam("after"),
    )
    .order_by(events.c.seq)
    .limit(bindparam("most"))
)
_MINE = internal_history.c.user_id == bindparam("whose")
_NEWEST = (
    select(internal_history)
    .where(_MINE)
    .order_by(internal_history.c.seq.desc())
    .limit(bindparam("most"))
)
_REMEMBER = insert(internal_history)
_OLDEST_KEPT = (
    select(internal_history.c.seq)
    .where(_MINE)
    .order_by(internal_history.c.seq.desc())
    .limit(1)
    .offset(KEPT - 1)
)
_FORGET = delete(internal_history).where(
    _MINE, internal_history.c.seq < _OLDEST_KEPT.scalar_subquery()
)
