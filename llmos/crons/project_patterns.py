"""What a goal comes to in each project: counted with its pattern, read without private runs.

What is private may become so after it was counted, or shared again: it is taken off when the counts
are read.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, insert, select, update

from llmos.evolution.tool import TOOL
from llmos.store import Transaction
from llmos.store.schema import (
    REPLAY,
    counted,
    patterns,
    private,
    project_patterns,
    projects,
    stamp,
    traces,
)
from llmos.values import Json, Trace, Usage

_SUMS = ("runs", "model_runs", "failed", "tokens")
_NEWEST = 500
"""Runs of a project in which those of a pattern are looked for."""


def modelled_by(source: str, usage: Usage) -> bool:
    """Whether a model made a run, alone or in part.

    Args:
        source: Of the run.
        usage: What it took.
    """
    return usage.total_tokens > 0 or not source.startswith((TOOL, REPLAY))


@dataclass(frozen=True, slots=True)
class InProject:
    """What goals of one pattern came to in one project."""

    project: str
    runs: int = 0
    model_runs: int = 0
    failed: int = 0
    tokens: int = 0
    last_at: str = ""

    @property
    def good(self) -> int:
        """Runs that nothing is known against."""
        return self.runs - self.failed

    @property
    def mean_tokens(self) -> float:
        """Tokens of a run that a model made, on average."""
        return self.tokens / self.model_runs if self.model_runs else 0.0

    def as_dict(self) -> dict[str, Json]:
        """The counts as JSON."""
        return {"project": self.project, **{name: getattr(self, name) for name in _SUMS}}


class ProjectCounts:
    """Counts the runs of a cycle, to be stored at once.

    Args:
        tx: The transaction that also counts the patterns.
        owner: Whose runs.
    """

    def __init__(self, tx: Transaction, owner: str) -> None:
        self._tx = tx
        self._owner = owner
        self._more: dict[tuple[str, str], InProject] = {}

    def count(self, key: str, trace: Trace, *, failed: bool) -> None:
        """Count a run that is new; one of no project leaves nothing."""
        if trace.project:
            at = stamp(trace.now if trace.now.tzinfo else trace.now.astimezone())
            model_runs, tokens = modelled_by(trace.source, trace.usage), trace.usage.total_tokens
            self._add(key, InProject(trace.project, 1, model_runs, failed, tokens, at))

    def judge(self, key: str, trace: Trace, *, failed: bool) -> None:
        """Move a run that was counted otherwise."""
        if trace.project:
            self._add(key, InProject(trace.project, failed=1 if failed else -1))

    def store(self) -> None:
        """Store what was counted."""
        for (key, _), one in self._more.items():
            add(self._tx, self._owner, key, one)

    def _add(self, key: str, one: InProject) -> None:
        known = self._more.get((key, one.project), InProject(one.project))
        self._more[key, one.project] = _sum(known, one)


def add(tx: Transaction, owner: str, key: str, more: InProject) -> None:
    """Add to the counts of one pattern in one project; what is negative is taken off."""
    p = project_patterns.c
    meant = (p.owner == owner) & (p.key == key) & (p.project == more.project)
    sums = {name: p[name] + getattr(more, name) for name in _SUMS}
    known = tx.conn.scalar(select(p.last_at).where(meant))
    if known is not None:
        last = max(known, more.last_at)
        tx.conn.execute(update(project_patterns).where(meant).values(**sums, last_at=last))
        return
    row = {name: getattr(more, name) for name in (*_SUMS, "project", "last_at")}
    tx.conn.execute(insert(project_patterns).values(owner=owner, key=key, **row))


def by_project(conn: Connection, owner: str, key: str, tool: str | None) -> list[InProject]:
    """What goals of a pattern came to in each project that is in use, the most runs first.

    Args:
        conn: Where to read.
        owner: Whose.
        key: Of the pattern.
        tool: The learned tool that does it: then all patterns that it does are meant.
    """
    found: dict[str, InProject] = {}
    p = project_patterns.c
    laid_aside = select(projects.c.name).where(
        projects.c.volume == "user",
        projects.c.owner == owner,
        projects.c.archived_at.is_not(None),
    )
    meant = _keys(p.key, owner, key, tool)
    sums = [func.sum(p[name]).label(name) for name in _SUMS]
    query = (
        select(p.project, *sums, func.max(p.last_at).label("last_at"))
        .where(p.owner == owner, meant, p.project.not_in(laid_aside))
        .group_by(p.project)
    )
    for row in conn.execute(query):
        counts = {name: int(getattr(row, name)) for name in _SUMS}
        found[row.project] = InProject(row.project, **counts, last_at=row.last_at)
    for project, hidden in _private(conn, owner, key, tool).items():
        if project in found:
            found[project] = _sum(found[project], hidden, sign=-1)
    left = [one for one in found.values() if one.runs > 0]
    return sorted(left, key=lambda one: (-one.runs, one.project))


def newest_tokens(
    conn: Connection, owner: str, key: str, tool: str | None, project: str, limit: int
) -> list[int]:
    """Tokens of the newest runs of a pattern that a model made in a project, without private ones.

    Args:
        conn: Where to read.
        owner: Whose.
        key: Of the pattern.
        tool: The learned tool that does it.
        project: Which project.
        limit: How many at most.
    """
    t = traces.c
    hidden = select(private.c.subject).where(
        private.c.volume == "user", private.c.owner == owner, private.c.kind == "trace"
    )
    newest = (
        select(t.id, t.usage, t.source, t.started_at)
        .where(t.volume == "user", t.owner == owner, t.project == project, t.id.not_in(hidden))
        .order_by(t.started_at.desc())
        .limit(_NEWEST)
        .subquery()
    )
    query = (
        select(newest.c.usage)
        .join(counted, (counted.c.trace_id == newest.c.id) & (counted.c.owner == owner))
        .where(_keys(counted.c.key, owner, key, tool))
        .order_by(newest.c.started_at.desc(), newest.c.id.desc())
    )
    tokens = (Usage(**json.loads(usage)).total_tokens for usage in conn.scalars(query))
    return [used for used in tokens if used][:limit]


def _keys(
    column: ColumnElement[Any], owner: str, key: str, tool: str | None
) -> ColumnElement[bool]:
    if tool is None:
        return column == key
    of_tool: Select[Any] = select(patterns.c.key).where(
        patterns.c.owner == owner, patterns.c.tool == tool
    )
    return column.in_(of_tool)


def _private(conn: Connection, owner: str, key: str, tool: str | None) -> dict[str, InProject]:
    """What of the counts is of runs that are private by themselves."""
    query = (
        select(traces.c.project, traces.c.usage, traces.c.source, counted.c.failed)
        .select_from(private)
        .join(counted, (counted.c.trace_id == private.c.subject) & (counted.c.owner == owner))
        .join(traces, traces.c.id == private.c.subject)
        .where(
            private.c.volume == "user",
            private.c.owner == owner,
            private.c.kind == "trace",
            traces.c.project.is_not(None),
            _keys(counted.c.key, owner, key, tool),
        )
    )
    found: dict[str, InProject] = defaultdict(lambda: InProject(""))
    for row in conn.execute(query):
        used = Usage(**json.loads(row.usage))
        model_runs = modelled_by(row.source, used)
        one = InProject(row.project, 1, model_runs, row.failed, used.total_tokens)
        found[row.project] = _sum(found[row.project], one)
    return found


def _sum(a: InProject, b: InProject, sign: int = 1) -> InProject:
    sums = {name: getattr(a, name) + sign * int(getattr(b, name)) for name in _SUMS}
    return replace(a, **sums, project=a.project or b.project, last_at=max(a.last_at, b.last_at))
