"""What a user's goals have in common: counted once per run, as runs end and are judged.

A pattern is a goal with its typed parts left open. It is counted from the trace, never from what
was counted before, so that a cycle costs what is new and a run that is judged later is moved, not
counted twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from llmos.crons.project_patterns import ProjectCounts, modelled_by
from llmos.evolution.masking import mask
from llmos.evolution.tool import TOOL
from llmos.store import Transaction
from llmos.store.schema import REPLAY, counted, dumps, parse_stamp, patterns, stamp
from llmos.values import Json, Trace

_LONGEST = 160
"""Characters of a shape or an example that is kept."""

_BATCH = 400
"""Ids in one query: SQLite takes at most 999 parameters."""

_SUMS = ("runs", "model_runs", "free_runs", "failed", "tokens", "cost_micro")

_TRACES = 50
"""Runs that a pattern names; the rest are found by their shape in ``counted``."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One recurring goal of one user."""

    owner: str
    key: str
    shape: str
    """The goal with ``…`` where goals like it differ."""
    example: str
    """The newest of its goals."""
    tool: str | None
    """The learned tool that does it."""
    runs: int = 0
    model_runs: int = 0
    """Runs that a model made, alone or in part."""
    free_runs: int = 0
    """Runs without a model."""
    failed: int = 0
    failing: int = 0
    """Failed runs since the last good one."""
    tokens: int = 0
    cost_micro: int = 0
    traces: tuple[str, ...] = ()
    """Ids of its first runs."""
    failures: tuple[str, ...] = ()
    """Ids of the newest failed runs."""
    first_at: str = ""
    last_at: str = ""
    told: str = ""
    """What it is called, where that is not its shape; not stored."""

    @property
    def title(self) -> str:
        """What it is called for people."""
        return self.told or self.shape

    @property
    def days(self) -> int:
        """Days from its first run to its last, the first included."""
        return (self.end - self.begin).days + 1

    @property
    def begin(self) -> datetime:
        """When its first run was."""
        return parse_stamp(self.first_at)

    @property
    def end(self) -> datetime:
        """When its last run was."""
        return parse_stamp(self.last_at)

    @property
    def cost_usd(self) -> float:
        """What its runs have cost."""
        return self.cost_micro / 1_000_000

    @property
    def slug(self) -> str:
        """A part of names that tells this pattern from others."""
        words = "".join(c if c.isascii() and c.isalnum() else " " for c in self.shape.lower())
        return f"{'-'.join(words.split())[:40].strip('-') or 'goal'}-{self.key[:6]}"

    def as_dict(self) -> dict[str, Json]:
        """The pattern as JSON."""
        return {
            "shape": self.shape,
            "tool": self.tool,
            "runs": self.runs,
            "model_runs": self.model_runs,
            "free_runs": self.free_runs,
            "failed": self.failed,
            "tokens": self.tokens,
            "cost_usd": self.cost_usd,
            "first": self.first_at,
            "last": self.last_at,
            "traces": list(self.traces),
        }


def count(tx: Transaction, owner: str, traces: Iterable[Trace]) -> set[str]:
    """Count runs, each once; the keys of the patterns that this changed.

    Args:
        tx: The transaction that also moves the watermark.
        owner: Whose runs.
        traces: Runs that are new, or were judged anew, in order.
    """
    counting = _Counting(tx, owner)
    given = list(traces)
    before = counting.known([t.id for t in given])
    for trace in given:
        counting.count(trace, before.get(trace.id))
    return counting.store()


class _Counting:
    """Counts many runs at the cost of the patterns that they are of."""

    def __init__(self, tx: Transaction, owner: str) -> None:
        self._tx = tx
        self._owner = owner
        self._patterns: dict[str, Pattern] = {}
        self._rows: dict[str, dict[str, object]] = {}
        self._projects = ProjectCounts(tx, owner)

    def known(self, ids: Sequence[str]) -> dict[str, tuple[str, bool]]:
        """Of the runs that are counted already: their patterns, and whether they failed."""
        found: dict[str, tuple[str, bool]] = {}
        for k in range(0, len(ids), _BATCH):
            part = counted.c.trace_id.in_(ids[k : k + _BATCH])
            rows = self._tx.conn.execute(
                select(counted).where(counted.c.owner == self._owner, part)
            )
            found |= {row.trace_id: (row.key, row.failed) for row in rows}
        return found

    def count(self, trace: Trace, before: tuple[str, bool] | None) -> None:
        """Count a run, or move one that was counted otherwise."""
        failed = not trace.verdict.good
        if before is None:
            pattern = self._of(trace)
            self._patterns[pattern.key] = _with(pattern, trace, failed)
            row = {"owner": self._owner, "trace_id": trace.id, "key": pattern.key, "failed": failed}
            self._rows[trace.id] = row
            self._projects.count(pattern.key, trace, failed=failed)
        elif before[1] != failed:
            mine = (counted.c.owner == self._owner) & (counted.c.trace_id == trace.id)
            self._tx.conn.execute(update(counted).where(mine).values(failed=failed))
            known = self._pattern(before[0])
            assert known is not None
            self._patterns[known.key] = _judged(known, trace.id, failed)
            self._projects.judge(known.key, trace, failed=failed)

    def store(self) -> set[str]:
        """Store what was counted; the keys of the patterns that this changed."""
        if self._rows:
            self._tx.conn.execute(insert(counted), list(self._rows.values()))
        for pattern in self._patterns.values():
            _store(self._tx, pattern)
        self._projects.store()
        return set(self._patterns)

    def _of(self, trace: Trace) -> Pattern:
        """The pattern that a run belongs to, as it is now.

        One that a tool or a trace made is of the pattern of what it was learnt from.
        """
        known = None
        if trace.source.startswith(TOOL):
            known = self._of_tool(trace.source.removeprefix(TOOL).partition("@")[0])
        elif trace.source.startswith(REPLAY):
            known = self._of_run(trace.source.removeprefix(REPLAY))
        if known is None:
            shape, key = shape_of(trace)
            known = self._pattern(key) or Pattern(self._owner, key, shape, "", None)
        return known

    def _pattern(self, key: str) -> Pattern | None:
        return self._patterns.get(key) or find(self._tx.conn, self._owner, key)

    def _of_tool(self, name: str) -> Pattern | None:
        own = (patterns.c.owner == self._owner) & (patterns.c.tool == name)
        most = select(patterns.c.key).where(own).order_by(patterns.c.runs.desc()).limit(1)
        near = next((p for p in self._patterns.values() if p.tool == name), None)
        key = near.key if near is not None else self._tx.conn.scalar(most)
        return None if key is None else self._pattern(key)

    def _of_run(self, trace_id: str) -> Pattern | None:
        if trace_id in self._rows:
            return self._pattern(str(self._rows[trace_id]["key"]))
        mine = (counted.c.owner == self._owner) & (counted.c.trace_id == trace_id)
        key = self._tx.conn.scalar(select(counted.c.key).where(mine))
        return None if key is None else self._pattern(key)


def find(conn: Connection, owner: str, key: str) -> Pattern | None:
    """One pattern of a user, or None."""
    mine = (patterns.c.owner == owner) & (patterns.c.key == key)
    row = conn.execute(select(patterns).where(mine)).first()
    return None if row is None else _pattern(row)


def of_tool(conn: Connection, owner: str, tool: str, told: str) -> Pattern:
    """All that a tool does as one pattern: that of its first run, with the counts of all.

    Goals that only the tool knows to be of one kind are told of once, not each by itself.

    Args:
        conn: Where to read.
        owner: Whose.
        tool: A tool that `link` has noted for at least one pattern.
        told: What it is called, where there are several.
    """
    mine = (patterns.c.owner == owner) & (patterns.c.tool == tool)
    query = select(patterns).where(mine).order_by(patterns.c.first_at, patterns.c.key)
    several = [_pattern(row) for row in conn.execute(query)]
    first, newest = several[0], max(several, key=lambda p: p.last_at)
    if len(several) == 1:
        return first
    sums = {name: sum(getattr(p, name) for p in several) for name in _SUMS}
    return replace(
        first,
        **sums,
        example=newest.example,
        failing=newest.failing,
        traces=tuple(t for p in several for t in p.traces)[:_TRACES],
        failures=tuple(t for p in several for t in p.failures)[-_TRACES:],
        last_at=newest.last_at,
        told=told,
    )


def frequent(conn: Connection, owners: Sequence[str], limit: int = 10) -> list[Pattern]:
    """The patterns of some users with the most runs."""
    query = select(patterns).where(patterns.c.owner.in_(list(owners)))
    most = query.order_by(patterns.c.runs.desc(), patterns.c.last_at.desc()).limit(limit)
    return [_pattern(row) for row in conn.execute(most)]


def by_key(conn: Connection, owners: Sequence[str], key: str) -> list[Pattern]:
    """What some users have of one pattern."""
    meant = (patterns.c.key == key) & patterns.c.owner.in_(list(owners))
    return [_pattern(row) for row in conn.execute(select(patterns).where(meant))]


def common(conn: Connection, owners: Sequence[str], users: int, limit: int) -> list[str]:
    """Keys of the patterns that at least so many of some users have, the most frequent first."""
    mine = select(patterns.c.key).where(patterns.c.owner.in_(list(owners)))
    several = mine.group_by(patterns.c.key).having(func.count() >= users)
    most = several.order_by(func.sum(patterns.c.runs).desc(), patterns.c.key).limit(limit)
    return list(conn.scalars(most))


def link(tx: Transaction, owner: str, tool: str, trace_ids: Iterable[str]) -> set[str]:
    """Note that a tool does what some runs did; the keys of their patterns."""
    ids = list(trace_ids)[:500]
    mine = (counted.c.owner == owner) & counted.c.trace_id.in_(ids)
    keys = set(tx.conn.scalars(select(counted.c.key).where(mine).distinct()))
    meant = (patterns.c.owner == owner) & patterns.c.key.in_(keys)
    tx.conn.execute(update(patterns).where(meant).values(tool=tool))
    return keys


def unlink(tx: Transaction, owner: str, tool: str) -> set[str]:
    """Note that a tool is gone; the keys of the patterns that it did."""
    meant = (patterns.c.owner == owner) & (patterns.c.tool == tool)
    keys = set(tx.conn.scalars(select(patterns.c.key).where(meant)))
    tx.conn.execute(update(patterns).where(meant).values(tool=None))
    return keys


def shape_of(trace: Trace) -> tuple[str, str]:
    """The goal with its typed parts left open, and the key that such goals share."""
    masked = mask(trace.goal, trace.steps)
    told, at = [], 0
    for span in masked.spans:
        told += [masked.goal[at : span.start], "…"]
        at = span.end
    shape = " ".join("".join([*told, masked.goal[at:]]).split())
    key = hashlib.sha256("\0".join(masked.key()).encode("utf-8", "surrogatepass")).hexdigest()
    return _clipped(shape), key


def _with(pattern: Pattern, trace: Trace, failed: bool) -> Pattern:
    at = stamp(trace.now if trace.now.tzinfo else trace.now.astimezone())
    modelled = modelled_by(trace.source, trace.usage)
    newest = not pattern.last_at or at >= pattern.last_at
    return replace(
        pattern,
        example=_clipped(" ".join(trace.goal.split())) if newest else pattern.example,
        runs=pattern.runs + 1,
        model_runs=pattern.model_runs + modelled,
        free_runs=pattern.free_runs + (not modelled),
        failed=pattern.failed + failed,
        failing=pattern.failing + 1 if failed else 0,
        tokens=pattern.tokens + trace.usage.total_tokens,
        cost_micro=pattern.cost_micro + round(trace.cost_usd * 1_000_000),
        traces=(*pattern.traces, trace.id)[:_TRACES],
        failures=(*pattern.failures, trace.id)[-_TRACES:] if failed else pattern.failures,
        first_at=min(pattern.first_at or at, at),
        last_at=max(pattern.last_at, at),
    )


def _judged(pattern: Pattern, trace_id: str, failed: bool) -> Pattern:
    others = tuple(i for i in pattern.failures if i != trace_id)
    return replace(
        pattern,
        failed=pattern.failed + (1 if failed else -1),
        failing=pattern.failing + 1 if failed else 0,
        failures=(*others, trace_id)[-_TRACES:] if failed else others,
    )


def _store(tx: Transaction, pattern: Pattern) -> None:
    row = {c.name: getattr(pattern, c.name) for c in patterns.columns}
    row |= {"traces": dumps(list(pattern.traces)), "failures": dumps(list(pattern.failures))}
    mine = (patterns.c.owner == pattern.owner) & (patterns.c.key == pattern.key)
    if tx.conn.execute(update(patterns).where(mine).values(row)).rowcount == 0:
        tx.conn.execute(insert(patterns), row)


def _pattern(row: Row[Any]) -> Pattern:
    told = dict(row._mapping)
    told |= {name: tuple(json.loads(told[name])) for name in ("traces", "failures")}
    return Pattern(**told)


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
