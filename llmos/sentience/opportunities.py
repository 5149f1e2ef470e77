"""What could be better, counted from what is stored: no model has a say in it.

Each finding names its evidence: the runs, how many there were, what they cost.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from llmos.store import Store
from llmos.store.schema import artifacts, traces, usages, versions
from llmos.values import ArtifactType, Json, Mode, Verdict
from llmos.volumes import Outcome, Status

LOOKED_AT = 2000
"""The newest runs that are looked at."""
OFTEN = 3
"""Runs of one kind that are worth a word."""
EXITS_SHARE = 0.2
"""Share of a tool's uses that a guard stopped, from which on it is told."""
COSTLY_SHARE = 0.2
"""Share of all that was spent, from which on the goals of one kind are told to be costly."""
SHOWN = 5
"""Runs that are named as evidence; the newest."""

_BY_MODEL = (Mode.LEARNER.value, Mode.MIXED.value)
_VARYING = re.compile(r"\"[^\"]*\"|'[^']*'|\S*[\d@/\\]\S*")
"""Words of a goal that are values rather than wording: quoted, or with a digit, an @ or a slash."""


class OpportunityKind(StrEnum):
    """What could be done about it."""

    NO_TOOL = "no_tool"
    """A model does it again and again, and no tool was learnt."""
    SIDE_EXITS = "side_exits"
    """A tool is stopped by its guards again and again."""
    FAILING = "failing"
    """The last runs all failed."""
    COSTLY = "costly"
    """Much of all that was spent goes there."""


@dataclass(frozen=True, slots=True)
class Opportunity:
    """One finding with its evidence."""

    kind: OpportunityKind
    subject: str
    """Wording of the goals, or name of the tool."""
    told: str
    """One sentence for people."""
    runs: int
    """How many there were of what is told."""
    cost_usd: float
    """What these runs have cost."""
    trace_ids: tuple[str, ...]
    """The newest of them."""

    def as_dict(self) -> dict[str, Json]:
        """The finding as JSON."""
        return asdict(self) | {"kind": self.kind.value, "trace_ids": list(self.trace_ids)}


def detect_improvement_opportunities(store: Store, user_id: str) -> list[Opportunity]:
    """What could cost less or go wrong less often, the most costly first.

    Args:
        store: Where runs and tools are.
        user_id: Whose.
    """

    def read(conn: Connection) -> list[Opportunity]:
        kinds = _kinds(_newest(conn, user_id))
        explained = _explained(conn, user_id)
        found = [*_without_tool(kinds, explained), *_failing(kinds), *_costly(kinds)]
        return [*found, *_stopped(conn, user_id)]

    return sorted(store.read(read), key=lambda o: (-o.cost_usd, -o.runs, o.kind, o.subject))


def wording(folded: str) -> str:
    """A goal without its values: equal for goals that differ only in numbers, names and paths."""
    return _VARYING.sub("…", folded)


def _newest(conn: Connection, user_id: str) -> Sequence[Row[Any]]:
    columns = (traces.c.id, traces.c.folded, traces.c.mode, traces.c.verdict, traces.c.cost_micro)
    query: Select[Any] = (
        select(*columns)
        .where(traces.c.volume == "user", traces.c.owner == user_id, traces.c.status == "done")
        .order_by(traces.c.started_at.desc(), traces.c.id.desc())
        .limit(LOOKED_AT)
    )
    return conn.execute(query).all()


def _kinds(rows: Iterable[Row[Any]]) -> Mapping[str, list[Row[Any]]]:
    """Runs by the wording of their goals, the newest first."""
    kinds: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        kinds[wording(row.folded)].append(row)
    return kinds


def _explained(conn: Connection, user_id: str) -> set[str]:
    """Ids of the runs that a tool in use, or about to be, was made from."""
    mine = (artifacts.c.volume == "user") & (artifacts.c.owner == user_id)
    used = artifacts.c.status.in_([Status.ACTIVE.value, Status.SHADOWING.value])
    query = (
        select(versions.c.lineage)
        .join(artifacts, artifacts.c.id == versions.c.artifact_id)
        .where(mine, used, artifacts.c.type == ArtifactType.TOOL.value)
        .where(artifacts.c.current == versions.c.digest)
    )
    return {name for text in conn.scalars(query) for name in json.loads(text)}


def _without_tool(
    kinds: Mapping[str, list[Row[Any]]], explained: set[str]
) -> Iterator[Opportunity]:
    for subject, rows in kinds.items():
        made = [r for r in rows if r.mode in _BY_MODEL and Verdict(r.verdict).good]
        if len(made) >= OFTEN and not explained.intersection(r.id for r in rows):
            told = f"a model did this {len(made)} times, and well; no tool has been learnt of it"
            yield _found(OpportunityKind.NO_TOOL, subject, told, made)


def _failing(kinds: Mapping[str, list[Row[Any]]]) -> Iterator[Opportunity]:
    for subject, rows in kinds.items():
        good = next((k for k, r in enumerate(rows) if Verdict(r.verdict).good), len(rows))
        if good >= OFTEN:
            told = f"the last {good} runs of this have all failed"
            yield _found(OpportunityKind.FAILING, subject, told, rows[:good])


def _costly(kinds: Mapping[str, list[Row[Any]]]) -> Iterator[Opportunity]:
    spent = sum(r.cost_micro for rows in kinds.values() for r in rows)
    for subject, rows in kinds.items():
        paid = [r for r in rows if r.cost_micro]
        own = sum(r.cost_micro for r in paid)
        if len(paid) >= OFTEN and own >= COSTLY_SHARE * spent:
            told = f"{len(paid)} runs of this took {own / spent:.0%} of all that was spent"
            yield _found(OpportunityKind.COSTLY, subject, told, paid)


def _stopped(conn: Connection, user_id: str) -> Iterator[Opportunity]:
    mine = (artifacts.c.volume == "user") & (artifacts.c.owner == user_id)
    uses = usages.c.outcome.in_([o.value for o in Outcome if o.is_use])
    query = (
        select(artifacts.c.id, artifacts.c.name, usages.c.outcome, func.count().label("n"))
        .join(artifacts, artifacts.c.id == usages.c.artifact_id)
        .where(mine, uses, artifacts.c.status == Status.ACTIVE.value)
        .group_by(artifacts.c.id, artifacts.c.name, usages.c.outcome)
    )
    counts: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for row in conn.execute(query):
        counts[row.id, row.name][row.outcome] = row.n
    for (artifact, name), by in counts.items():
        exits, all_uses = by.get(Outcome.SIDE_EXIT.value, 0), sum(by.values())
        if exits >= OFTEN and exits >= EXITS_SHARE * all_uses:
            told = f"a guard stopped the tool in {exits} of {all_uses} uses"
            rows = _exits(conn, artifact)
            yield _found(OpportunityKind.SIDE_EXITS, name, told, rows)


def _exits(conn: Connection, artifact: str) -> Sequence[Row[Any]]:
    """The runs in which a guard stopped a tool, the newest first."""
    stopped = (usages.c.artifact_id == artifact) & (usages.c.outcome == Outcome.SIDE_EXIT.value)
    query: Select[Any] = (
        select(traces.c.id, traces.c.cost_micro)
        .join(usages, usages.c.trace_id == traces.c.id)
        .where(stopped)
        .order_by(usages.c.at.desc(), usages.c.id.desc())
    )
    return conn.execute(query).all()


def _found(kind: OpportunityKind, subject: str, told: str, rows: Sequence[Row[Any]]) -> Opportunity:
    cost = sum(r.cost_micro for r in rows) / 1_000_000
    return Opportunity(kind, subject, told, len(rows), cost, tuple(r.id for r in rows[:SHOWN]))
