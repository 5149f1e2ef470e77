"""Rows of facts and of where they were said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select

from llmos.memory.facts.fact import Evidence, Fact, FactKind, FactStatus
from llmos.store import Transaction
from llmos.store.schema import fact_evidence, facts, stamp
from llmos.values import EventType


def add_evidence(tx: Transaction, fact_id: str, source: str) -> None:
    """Note that a fact was said there, once."""
    known = (fact_evidence.c.fact_id == fact_id) & (fact_evidence.c.source == source)
    if tx.conn.execute(select(fact_evidence.c.fact_id).where(known)).first() is None:
        row = {"fact_id": fact_id, "source": source, "at": stamp(tx.now)}
        tx.conn.execute(insert(fact_evidence).values(row))


def tell(tx: Transaction, what: EventType, owner: str, fact_id: str, how: str) -> None:
    """Tell what became of a fact."""
    # Without the sentence: a purge of the run in which it was said must reach all of it.
    title = f"fact {fact_id[-6:].lower()} {how}"
    told = {"artifact": "fact", "name": fact_id.lower()}
    tx.event(what, owner=owner, actor=owner, subject=fact_id, title=title, payload=told)


def read_rows(conn: Connection, meant: ColumnElement[bool], limit: int) -> list[Row[Any]]:
    """Rows of facts, the newest first."""
    newest = (facts.c.at.desc(), facts.c.id.desc())
    return list(conn.execute(select(facts).where(meant).order_by(*newest).limit(limit)))


def facts_of(conn: Connection, rows: Sequence[Row[Any]], *, evidence: bool = True) -> list[Fact]:
    """Facts in the order of their rows.

    Args:
        conn: Where to read.
        rows: Of the table of facts.
        evidence: Also where they were said.
    """
    facts_ = [_fact(*row) for row in rows]
    if not facts_ or not evidence:
        return facts_
    found: dict[str, list[Evidence]] = {fact.id: [] for fact in facts_}
    of = fact_evidence.c.fact_id
    # There may be more of them than a statement may name.
    some = of.in_(list(found)) if len(found) < 400 else of.between(min(found), max(found))
    query = select(fact_evidence).where(some).order_by(fact_evidence.c.at, fact_evidence.c.source)
    for row in conn.execute(query):
        if row.fact_id in found:
            found[row.fact_id].append(Evidence(row.source, datetime.fromisoformat(row.at)))
    return [replace(fact, evidence=tuple(found[fact.id])) for fact in facts_]


# Every goal asks for all that hold, and what a row says changes only once.
@lru_cache(maxsize=4096)
def _fact(
    id: str,
    line: str,
    owner: str,
    project: str,
    kind: str,
    subject: str,
    sentence: str,
    key: str,
    status: str,
    successor: str | None,
    by: str,
    at: str,
    ended_at: str | None,
) -> Fact:
    return Fact(
        id=id,
        line=line,
        user_id=owner,
        project=project,
        kind=FactKind(kind),
        subject=subject,
        sentence=sentence,
        status=FactStatus(status),
        successor=successor or "",
        by=by,
        at=datetime.fromisoformat(at),
        ended_at=datetime.fromisoformat(ended_at) if ended_at else None,
    )
