"""L2 memory: sessions of the prompt. A turn is a run; only which session it is of is stored.

So a turn is there as soon as its run has ended, whatever happens to the prompt after that, and
what a resumed session shows a model are the very turns that it would have shown before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Select, func, insert, or_, select, update

from llmos.errors import UserError
from llmos.kernel.places import Places
from llmos.kernel.projects import note_project
from llmos.store import Store, Transaction, new_id
from llmos.store.schema import parse_stamp, sessions, stamp, traces
from llmos.values import Turn


@dataclass(frozen=True, slots=True)
class StoredSession:
    """One session of the prompt, without what was said."""

    id: str
    project: str | None
    cwd: str
    started_at: datetime
    last_at: datetime
    """When its newest turn began."""
    turns: int
    last_goal: str


@dataclass(frozen=True, slots=True)
class SessionTurn:
    """One turn of a session."""

    run_id: str
    at: datetime
    turn: Turn


class Sessions:
    """The sessions of one user."""

    def __init__(self, store: Store, user_id: str) -> None:
        self._store = store
        self._user = user_id

    def begin(self, cwd: Path, project: str | None) -> str:
        """Store a new session; returns its id.

        Args:
            cwd: Where its goals work.
            project: What they belong to.
        """
        session_id = new_id()
        row = {"id": session_id, "user_id": self._user, "project": project, "cwd": str(cwd)}

        def write(tx: Transaction) -> None:
            note_project(tx, "user", self._user, project)
            tx.conn.execute(insert(sessions).values(**row, started_at=stamp(tx.now)))

        self._store.write(write)
        return session_id

    def turns(self, session_id: str, limit: int = 20) -> list[SessionTurn]:
        """The newest turns of a session, oldest first: runs that have ended, however they did.

        Args:
            session_id: Its id, in full.
            limit: How many at most.
        """
        query = (
            select(traces)
            .where(
                traces.c.session_id == session_id,
                traces.c.owner == self._user,
                traces.c.status == "done",
            )
            .order_by(traces.c.started_at.desc(), traces.c.id.desc())
            .limit(limit)
        )
        rows = self._store.read(lambda c: c.execute(query).all())
        return [_turn(row) for row in reversed(rows)]

    def take_back(self, run_id: str) -> None:
        """The run was undone: it is no turn any more."""
        mine = (traces.c.id == run_id) & (traces.c.owner == self._user)

        def write(tx: Transaction) -> None:
            tx.conn.execute(update(traces).where(mine).values(session_id=None))

        self._store.write(write)

    def listed(self, *, project: str | None = None, limit: int = 20) -> list[StoredSession]:
        """Sessions with turns, the one with the newest turn first.

        Args:
            project: Only those of it; all when left out.
            limit: How many at most.
        """
        query = self._query(limit)
        if project is not None:
            query = query.where(sessions.c.project == project)
        return self._read(query)

    def last(self, cwd: Path) -> StoredSession:
        """The newest session of a folder.

        Raises:
            UserError: There is none.
        """
        found = self._read(self._query(1).where(sessions.c.cwd == str(cwd)))
        if not found:
            raise UserError(f"there is no session in {str(cwd)!r}", "see: llmos sessions")
        return found[0]

    def get(self, session_id: str) -> StoredSession:
        """One session.

        Args:
            session_id: Its id, or its first or last characters, at least four.

        Raises:
            UserError: None or several match.
        """
        text = session_id.strip().upper()
        if len(text) < 4 or not text.isalnum():
            raise UserError(f"{session_id!r} is not the id of a session", "see: llmos sessions")
        part = or_(sessions.c.id.between(text, f"{text}~"), sessions.c.id.endswith(text))
        found = self._read(self._query(2).where(part))
        if not found:
            raise UserError(f"there is no session {session_id!r}", "see: llmos sessions")
        if len(found) > 1:
            raise UserError(
                f"several sessions have {session_id!r} in their id", "give more of the id"
            )
        return found[0]

    def _query(self, limit: int) -> Select[Any]:
        last = func.max(traces.c.started_at).label("last_at")
        return (
            select(sessions, last, func.count(traces.c.id).label("turns"))
            .join(traces, (traces.c.session_id == sessions.c.id) & (traces.c.status == "done"))
            .where(sessions.c.user_id == self._user)
            .group_by(sessions.c.id)
            .order_by(last.desc(), sessions.c.id.desc())
            .limit(limit)
        )

    def _read(self, query: Select[Any]) -> list[StoredSession]:
        rows = self._store.read(lambda c: c.execute(query).all())
        return [self._session(row) for row in rows]

    def _session(self, row: Row[Any]) -> StoredSession:
        newest: Sequence[SessionTurn] = self.turns(row.id, 1)
        return StoredSession(
            id=row.id,
            project=row.project,
            cwd=row.cwd,
            started_at=parse_stamp(row.started_at),
            last_at=parse_stamp(row.last_at),
            turns=row.turns,
            last_goal=newest[-1].turn.goal if newest else "",
        )


def _turn(row: Row[Any]) -> SessionTurn:
    said = str(Places.of(Path(row.cwd)).absolute(row.output)) or row.error
    return SessionTurn(row.id, parse_stamp(row.started_at), Turn(row.goal, said))
