"""The projects of a user: what is kept of each, which there are, and laying one aside.

A project is a name that runs, sessions, facts and artifacts carry. It is there from its first use
on and is never deleted: what was done in it stays with whose it is.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from llmos.errors import UserError
from llmos.kernel.projects import note_project
from llmos.memory.facts import Fact, Facts
from llmos.memory.facts.fact import FactStatus
from llmos.store import Store, Transaction
from llmos.store.schema import artifacts, facts, parse_stamp, projects, sessions, stamp, traces
from llmos.values import Mode, Usage, check_name
from llmos.volumes import Place

_FREE = (Mode.CRYSTALLIZED.value, Mode.FOLLOWER.value, Mode.ORCHESTRATOR.value)
_SHORTEST, _LONG = 3, 7
"""Characters of a name from which on one letter, and two, that differ may be a slip."""


@dataclass(frozen=True, slots=True)
class Project:
    """One project and what is kept of it."""

    name: str
    first_at: datetime
    """Of its first use."""
    last_at: datetime
    """When its newest run or session began, or its newest fact or artifact came."""
    archived_at: datetime | None = None
    runs: int = 0
    """Whole runs that have ended; what is a part of a plan is not counted by itself."""
    free_runs: int = 0
    """Of them those that took no tokens, since a trace or a tool did the job."""
    tokens: int = 0
    cost_usd: float = 0.0
    sessions: int = 0
    facts: int = 0
    """Those that hold in it alone."""
    artifacts: int = 0
    """Those of its own volume."""

    @property
    def free_share(self) -> float:
        """Share of its runs that were free; 0 where there was none."""
        return self.free_runs / self.runs if self.runs else 0.0


class Projects:
    """The projects of one user.

    Args:
        store: Where they are kept.
        user_id: Whose.
    """

    def __init__(self, store: Store, user_id: str) -> None:
        self._store = store
        self._user = user_id

    def listed(self, *, everything: bool = False, limit: int | None = None) -> list[Project]:
        """The projects, the last used first.

        Args:
            everything: Those that are laid aside too.
            limit: How many at most.
        """
        found = self._store.read(self._all)
        shown = [p for p in found if everything or p.archived_at is None]
        return sorted(shown, key=lambda p: (p.last_at, p.name), reverse=True)[:limit]

    def get(self, name: str) -> Project:
        """One project.

        Raises:
            UserError: There is none of that name; the hint names those that are like it.
        """
        check_name(name, "project")
        for project in self._store.read(lambda c: self._all(c, name)):
            return project
        raise UserError(f"there is no project {name!r}", self._others(name))

    def facts(self, name: str) -> list[Fact]:
        """The facts that hold in a project alone, the newest first."""
        return [f for f in Facts(self._store, self._user, name).listed() if f.project]

    def is_known(self, name: str) -> bool:
        """Whether it was ever used."""
        return name in self._names()

    def near(self, name: str) -> list[str]:
        """Projects that may be meant by a name that none has, by a slip of one or two letters."""
        return sorted(known for known in self._names() if known != name and _near(name, known))

    def require_usable(self, name: str) -> None:
        """Let nothing new come into a project that was laid aside, or into one by a slip.

        A name that is new and like no other may be used.

        Raises:
            UserError: It was laid aside, or it is nearly the name of another.
        """
        near = self.slips(name)
        if near:
            meant = " or ".join(f"--project {one}" for one in near[:3])
            raise UserError(
                f"there is no project {name!r}",
                f"did you mean {meant}? If it is to be a new one: llmos projects new {name}",
            )

    def slips(self, name: str) -> list[str]:
        """The projects that may be meant by a name that is new; none where it is known.

        Raises:
            UserError: It was laid aside.
        """
        known = self._names()
        if known.get(check_name(name, "project")):
            raise UserError(
                f"project {name!r} is archived", f"take it back: llmos projects restore {name}"
            )
        return [] if name in known else self.near(name)

    def new(self, name: str) -> Project:
        """Begin a project, whatever others are called.

        Raises:
            UserError: There is one of that name already.
        """
        check_name(name, "project")
        if not self._store.write(lambda tx: note_project(tx, "user", self._user, name)):
            raise UserError(f"there is a project {name!r}", f"see: llmos projects show {name}")
        return self.get(name)

    def archive(self, name: str) -> Project:
        """Lay a project aside: nothing is deleted, and nothing new comes into it.

        Raises:
            UserError: There is none of that name.
        """
        return self._lay(name, aside=True)

    def restore(self, name: str) -> Project:
        """Take a project back that was laid aside.

        Raises:
            UserError: There is none of that name.
        """
        return self._lay(name, aside=False)

    # --- small things --------------------------------------------------------------------------

    def _lay(self, name: str, *, aside: bool) -> Project:
        def write(tx: Transaction) -> None:
            at = stamp(tx.now) if aside else None
            mine = self._mine & (projects.c.name == name)
            tx.conn.execute(update(projects).where(mine).values(archived_at=at))

        if (self.get(name).archived_at is not None) != aside:
            self._store.write(write)
        return self.get(name)

    @property
    def _mine(self) -> Any:
        return (projects.c.volume == "user") & (projects.c.owner == self._user)

    def _names(self) -> dict[str, bool]:
        """All names, and whether each is laid aside."""
        query = select(projects.c.name, projects.c.archived_at).where(self._mine)
        rows = self._store.read(lambda c: c.execute(query).all())
        return {row.name: row.archived_at is not None for row in rows}

    def _others(self, name: str) -> str:
        near = self.near(name)
        if near:
            return f"did you mean {' or '.join(near[:3])}?"
        return "see: llmos projects" if self._names() else 'begin one: llmos run "…" --project NAME'

    def _all(self, c: Connection, name: str | None = None) -> list[Project]:
        meant = self._mine if name is None else self._mine & (projects.c.name == name)
        found = {row.name: _blank(row) for row in c.execute(select(projects).where(meant))}
        for row in c.execute(self._runs(name)):
            if row.project in found:
                found[row.project] = _with_runs(found[row.project], row)
        for what, rows in self._counts(c):
            for project, count, last in rows:
                if project in found:
                    last_at = max(found[project].last_at, parse_stamp(last))
                    counted: dict[str, Any] = {what: count, "last_at": last_at}
                    found[project] = replace(found[project], **counted)
        return list(found.values())

    def _runs(self, name: str | None) -> Any:
        """Sums of runs; those that took the same are one row, and most took nothing."""
        mine = (traces.c.volume == "user") & (traces.c.owner == self._user)
        mine &= traces.c.project.is_not(None) if name is None else traces.c.project == name
        alike = (traces.c.project, traces.c.mode, traces.c.usage)
        sums = (
            func.count().label("runs"),
            func.sum(traces.c.cost_micro).label("micro"),
            func.max(traces.c.started_at).label("last"),
        )
        whole = (traces.c.status == "done") & traces.c.part_of.is_(None)
        return select(*alike, *sums).where(mine, whole).group_by(*alike)

    def _counts(self, c: Connection) -> list[tuple[str, list[tuple[str, int, str]]]]:
        """By what is counted: project, how many, and the newest of them."""
        count = func.count()
        said = select(facts.c.project, count, func.max(facts.c.at)).where(
            facts.c.owner == self._user,
            facts.c.project != "",
            facts.c.status == FactStatus.CURRENT.value,
        )
        talked = select(sessions.c.project, count, func.max(sessions.c.started_at)).where(
            sessions.c.user_id == self._user, sessions.c.project.is_not(None)
        )
        # ";" comes after ":": whatever the project is called, its volume lies in between.
        own = artifacts.c.owner.between(f"{self._user}:", f"{self._user};")
        kept = select(artifacts.c.owner, count, func.max(artifacts.c.updated_at)).where(
            artifacts.c.volume == "user", own
        )
        made = c.execute(kept.group_by(artifacts.c.owner))
        return [
            ("facts", [(p, n, at) for p, n, at in c.execute(said.group_by(facts.c.project))]),
            (
                "sessions",
                [(p, n, at) for p, n, at in c.execute(talked.group_by(sessions.c.project))],
            ),
            ("artifacts", [(Place("user", o).project, n, at) for o, n, at in made]),
        ]


def _blank(row: Row[Any]) -> Project:
    at = parse_stamp(row.at)
    archived = parse_stamp(row.archived_at) if row.archived_at else None
    return Project(row.name, at, at, archived)


def _with_runs(project: Project, row: Row[Any]) -> Project:
    tokens = Usage(**json.loads(row.usage)).total_tokens
    free = row.mode in _FREE and tokens == 0
    return replace(
        project,
        runs=project.runs + row.runs,
        free_runs=project.free_runs + (row.runs if free else 0),
        tokens=project.tokens + tokens * row.runs,
        cost_usd=project.cost_usd + row.micro / 1_000_000,
        last_at=max(project.last_at, parse_stamp(row.last)),
    )


def _near(name: str, known: str) -> bool:
    """Whether one may be a slip of the other: few letters differ, and not only numbers do."""
    longest = max(len(name), len(known))
    if min(len(name), len(known)) < _SHORTEST or _unnumbered(name) == _unnumbered(known):
        return False
    same_letters = Counter(name) == Counter(known)
    return _distance(name, known) <= (1 if longest < _LONG and not same_letters else 2)


def _unnumbered(name: str) -> str:
    return "".join(c for c in name if not c.isdigit())


def _distance(a: str, b: str) -> int:
    """Letters to put in, to take out or to change (V. I. Levenshtein, 1966)."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (left != right))
    return row[-1]
