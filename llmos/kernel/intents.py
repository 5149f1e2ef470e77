"""External writes happen at most once.

The intent is on the disk before the call, the outcome after it. An intent whose outcome is not
known (a crash, a timeout, an unexpected exception) is ``in_doubt``: it is shown to the user and
never repeated by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, and_, exists, insert, or_, select, update

from llmos.errors import UserError
from llmos.kernel.text import json_text
from llmos.store import Store, Transaction, new_id
from llmos.store.schema import dumps, intents, processes, stamp, traces
from llmos.values import EventType, Json

Outcome = Literal["done", "failed", "in_doubt"]


@dataclass(frozen=True, slots=True)
class Intent:
    """One external write."""

    id: str
    trace_id: str
    idx: int
    tool: str
    arguments: str
    """JSON, as stored."""
    idempotency_key: str | None
    status: str
    at: str


def call_key(tool: str, arguments: Mapping[str, Json]) -> str:
    """What makes two calls the same call: SHA-256 of tool and arguments, in hex."""
    return hashlib.sha256(
        dumps([tool, dict(arguments)]).encode("utf-8", "surrogatepass")
    ).hexdigest()


class Intents:
    """Stores intents and what became of them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def intend(
        self,
        trace_id: str,
        idx: int,
        tool: str,
        arguments: Mapping[str, Json],
        idempotency_key: str | None,
    ) -> str:
        """Write the intent down, synced to the disk, and return its id."""
        intent = new_id()

        def write(tx: Transaction) -> None:
            tx.conn.execute(
                insert(intents).values(
                    id=intent,
                    trace_id=trace_id,
                    idx=idx,
                    process_id=self._store.process_id,
                    tool=tool,
                    arguments=json_text(dict(arguments)),
                    call_key=call_key(tool, arguments),
                    idempotency_key=idempotency_key,
                    status="intended",
                    at=stamp(tx.now),
                )
            )

        await self._store.awrite(write, durable=True)
        return intent

    def settle(
        self, tx: Transaction, intent: str, outcome: Outcome, observation: Json = None
    ) -> None:
        """Write down what became of an intent, and of doubtful ones with its idempotency key."""
        told = {
            "status": outcome,
            "observation": json_text(observation),
            "ended_at": stamp(tx.now),
        }
        tx.conn.execute(update(intents).where(intents.c.id == intent).values(told))
        if outcome == "done":
            # Equal keys act once: the earlier call has happened too, now or then. Left in doubt,
            # its key would be used again for what the user wants done another time.
            key = select(intents.c.idempotency_key).where(intents.c.id == intent).scalar_subquery()
            doubtful = (intents.c.status == "in_doubt") & (intents.c.idempotency_key == key)
            tx.conn.execute(update(intents).where(doubtful).values(told))

    def doubtful(self, tool: str, arguments: Mapping[str, Json]) -> Intent | None:
        """An earlier equal call whose outcome is not known, or None."""
        found = self._select(self._open(), intents.c.call_key == call_key(tool, arguments))
        return found[0] if found else None

    def in_doubt(self) -> list[Intent]:
        """All external writes whose outcome is not known, oldest first."""
        return self._select(self._open())

    def resolve(self, intent: str, happened: bool, *, user_id: str) -> None:
        """A person says what became of a doubtful write.

        Raises:
            UserError: There is no such doubtful write.
        """
        open_ = self._open()

        def write(tx: Transaction) -> int:
            return tx.conn.execute(
                update(intents)
                .where(intents.c.id == intent, open_)
                .values(status="done" if happened else "failed", ended_at=stamp(tx.now))
            ).rowcount

        if not self._store.write(write):
            raise UserError(f"no external write {intent!r} is in doubt", "see `llmos doctor`")

    def settle_interrupted(self, tx: Transaction, process_ids: Iterable[str]) -> int:
        """After a crash: intents without an outcome become doubtful, and the user is told."""
        rows = tx.conn.execute(
            select(intents).where(
                intents.c.process_id.in_(list(process_ids)), intents.c.status == "intended"
            )
        ).all()
        for row in rows:
            self.settle(tx, row.id, "in_doubt")
            announce_doubt(tx, _intent(row), "the process ended before the call came back")
        return len(rows)

    def _open(self) -> ColumnElement[bool]:
        # Also without an outcome: what a process that died or ended left, though nobody has cleaned
        # up after it yet, and what a run left that is over.
        over = exists().where(traces.c.id == intents.c.trace_id, traces.c.status != "running")
        ended = exists().where(
            processes.c.id == intents.c.process_id, processes.c.ended_at.is_not(None)
        )
        dead = intents.c.process_id.in_(self._store.dead_processes())
        left = and_(intents.c.status == "intended", or_(over, ended, dead))
        return or_(intents.c.status == "in_doubt", left)

    def _select(self, *where: ColumnElement[bool]) -> list[Intent]:
        query = select(intents).where(*where).order_by(intents.c.at, intents.c.id)
        rows = self._store.read(lambda c: c.execute(query).all())
        return [_intent(row) for row in rows]


def announce_doubt(tx: Transaction, intent: Intent, why: str) -> None:
    """Tell the owner of the run that nobody knows whether a write happened."""
    owner = tx.conn.execute(
        select(traces.c.volume, traces.c.owner).where(traces.c.id == intent.trace_id)
    ).one()
    title = f"{intent.tool} may or may not have happened"
    event = tx.event(
        EventType.SYSTEM_ALERT,
        volume=owner.volume,
        owner=owner.owner,
        subject=intent.id,
        title=title,
        payload={
            "trace_id": intent.trace_id,
            "arguments": intent.arguments,
            "why": why,
            "in_doubt": True,
        },
    )
    tx.notify(
        event,
        audience=owner.volume,
        owner=owner.owner,
        title=title,
        description=f"{why}. Look, then say: llmos resolve {intent.id} happened|not",
        reason="an external write is never repeated by itself",
        finding=f"in_doubt:{intent.id}",
    )


def _intent(row: Row[tuple[Any, ...]]) -> Intent:
    return Intent(
        row.id,
        row.trace_id,
        row.idx,
        row.tool,
        row.arguments,
        row.idempotency_key,
        row.status,
        row.at,
    )
