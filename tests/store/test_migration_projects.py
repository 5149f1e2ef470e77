"""A home from before projects were known by name knows those that were used in it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from sqlalchemy import create_engine, select, text
from sqlalchemy.pool import NullPool

from llmos.crons import patterns
from llmos.memory.facts import Facts
from llmos.memory.projects import Projects
from llmos.memory.sessions import Sessions
from llmos.memory.traces import Traces
from llmos.store import Store
from llmos.store.address import database_of
from llmos.store.schema import project_patterns
from llmos.values import Trace, Usage, Verdict
from tests.support.databases import Database

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
GOALS = [
    Trace("Say '1'", (), "1", now=NOW, usage=Usage(90, 10), project="web"),
    Trace("Say '2'", (), "2", Verdict.FAILED, now=NOW, usage=Usage(50, 0, 7, 3), project="web"),
    Trace("Say '3'", (), "3", now=NOW, usage=Usage(1, 1), project="api"),
    Trace("Say '4'", (), "4", now=NOW, usage=Usage(1, 1)),
]


def used(store: Store) -> None:
    """Runs that are counted, a session and a fact, in projects."""
    traces = Traces(store)
    ids = asyncio.run(traces.learn(GOALS, "alice", None))
    given = list(traces.by_ids(ids).values())
    store.write(lambda tx: patterns.count(tx, "alice", given))
    Sessions(store, "alice").begin(store.home, "talk")
    Facts(store, "bob", "notes").add("Always be brief")


def known(store: Store) -> tuple[list[str], list[str], list[tuple[object, ...]]]:
    p = project_patterns.c
    query = select(p.project, p.runs, p.model_runs, p.failed, p.tokens).order_by(p.project)
    names = [sorted(q.name for q in Projects(store, u).listed()) for u in ("alice", "bob")]
    return names[0], names[1], store.read(lambda c: [tuple(r) for r in c.execute(query).all()])


def as_before(database: Database) -> None:
    """Take the tables away again."""
    engine = create_engine(database_of(database.home, database.url).url, poolclass=NullPool)
    with engine.begin() as connection:
        for statement in (
            "DROP TABLE projects",
            "DROP TABLE project_patterns",
            "DROP INDEX traces_by_project",
            "DROP INDEX traces_worked",
            "CREATE INDEX traces_by_goal ON traces (goal_key, volume, owner)",
            "UPDATE alembic_version SET version_num = '0007_memory'",
        ):
            connection.execute(text(statement))


def test_what_was_used_before_is_known_after(new_database: Database) -> None:
    with new_database.open() as store:
        used(store)
        before = known(store)
    as_before(new_database)
    with new_database.open() as store:
        assert known(store) == before
    assert before == (
        ["api", "talk", "web"],
        ["notes"],
        [("api", 1, 1, 0, 2), ("web", 2, 2, 1, 160)],
    )
