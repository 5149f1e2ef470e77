"""What the good runs that a user may read have used: bounded queries, the newest runs alone."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from llmos.cortex.tool_search.examples import Made, Seen, examples
from llmos.cortex.tool_search.ranking import Used
from llmos.kernel.places import Places
from llmos.store import Store
from llmos.store.schema import REPLAY, steps, traces
from llmos.values import Verdict
from llmos.volumes import Place
from llmos.volumes.access import Access, Caller, may
from llmos.volumes.reading import in_place

RUNS = 300
"""Runs that are looked at for what was used; the newest."""
EXAMPLE_RUNS = 100
"""Runs that examples are taken from, likewise."""
CALLS = 4
"""Calls of one tool that examples are made of, the newest."""
ARGUMENTS = 2_000
"""Characters of stored arguments beyond which a call makes no short example."""
OBSERVATION = 8_000
"""Characters of an earlier result beyond which it is not searched, and the call left out."""


class Past:
    """Good runs of one user and of the user's team, as far as they may be read.

    Args:
        store: Where they are.
        user_id: Whose run asks.
        team_id: That user's team.
        places: The folders of the run that asks.
        project: That it belongs to: what was told in another one is shown to nobody else.
    """

    def __init__(
        self,
        store: Store,
        user_id: str,
        team_id: str | None,
        places: Places,
        project: str | None = None,
    ) -> None:
        self._store = store
        self._caller = Caller.person(user_id)
        team = [Place("team", team_id)] if team_id else []
        self._volumes = [Place("user", user_id), *team]
        self._places = places
        here = traces.c.project == project if project else traces.c.project.is_(None)
        self._open = here | (traces.c.context_digest == "")

    def used(self) -> list[Used]:
        """What the newest good runs were for and which tools they used, the newest first."""
        return self._store.read(self._used)

    def examples(self, tools: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """By tool one or two examples of arguments: of the user's own runs, else the team's."""

        def read(c: Connection) -> dict[str, tuple[str, ...]]:
            found: dict[str, tuple[str, ...]] = {}
            for place in self._readable(c):
                open_ = [name for name in tools if name not in found]
                found |= examples(self._made(c, place, open_))
            return found

        return self._store.read(read)

    def _used(self, c: Connection) -> list[Used]:
        goals: dict[str, str] = {}
        for place in self._readable(c):
            goals |= {row.id: row.goal for row in c.execute(_good(place, RUNS - len(goals)))}
        tools: dict[str, list[str]] = defaultdict(list)
        query = select(steps.c.trace_id, steps.c.tool).distinct().where(_of(goals))
        for row in c.execute(query.order_by(steps.c.trace_id, steps.c.tool)):
            tools[row.trace_id].append(row.tool)
        return [Used(goal, tuple(tools[i])) for i, goal in goals.items() if i in tools]

    def _readable(self, c: Connection) -> list[Place]:
        return [p for p in self._volumes if may(c, self._caller, p, Access.READ)]

    def _made(self, c: Connection, place: Place, tools: Sequence[str]) -> list[Made]:
        good = _good(place, EXAMPLE_RUNS).where(self._open)
        goals = {row.id: row.goal for row in c.execute(good)}
        if not tools or not goals:
            return []
        query = (
            select(steps.c.trace_id, steps.c.idx, steps.c.tool, steps.c.arguments)
            .where(_of(goals), steps.c.tool.in_(tools), steps.c.is_error.is_(False))
            .where(func.length(steps.c.arguments) <= ARGUMENTS)
            .order_by(steps.c.trace_id.desc(), steps.c.idx)
        )
        kept: dict[str, list[Any]] = defaultdict(list)
        for row in c.execute(query):
            if len(kept[row.tool]) < CALLS:
                kept[row.tool].append(row)
        rows = [row for several in kept.values() for row in several]
        seen = _seen(c, sorted({row.trace_id for row in rows}))
        return [
            self._call(row, goals[row.trace_id], before)
            for row in rows
            if (before := _before(seen[row.trace_id], row.idx)) is not None
        ]

    def _call(self, row: Any, goal: str, before: Sequence[Seen]) -> Made:
        arguments = self._places.absolute(json.loads(row.arguments))
        told = [Seen(s.tool, str(self._places.absolute(s.text))) for s in before]
        return Made(row.tool, arguments, goal, told)


def _good(place: Place, limit: int) -> Any:
    """The newest runs of a volume that a model made and nothing is known against."""
    good = [v.value for v in Verdict if v.good]
    return (
        select(traces.c.id, traces.c.goal)
        .where(
            in_place(traces, place),
            traces.c.status == "done",
            traces.c.verdict.in_(good),
            traces.c.quarantined.is_(False),
            traces.c.source.not_like(f"{REPLAY}%"),
            traces.c.source.not_like("tool:%"),
        )
        .order_by(traces.c.started_at.desc(), traces.c.id.desc())
        .limit(max(0, limit))
    )


def _of(goals: dict[str, str]) -> ColumnElement[bool]:
    return steps.c.trace_id.in_(list(goals))


def _seen(c: Connection, ids: Sequence[str]) -> dict[str, list[tuple[int, str, str | None]]]:
    """By run the results of its steps; None where one is too long to be searched."""
    found: dict[str, list[tuple[int, str, str | None]]] = defaultdict(list)
    text = func.substr(steps.c.observation, 1, OBSERVATION + 1).label("text")
    query = select(steps.c.trace_id, steps.c.idx, steps.c.tool, text)
    for row in c.execute(query.where(steps.c.trace_id.in_(ids)).order_by(steps.c.idx)):
        whole = row.text if len(row.text) <= OBSERVATION else None
        found[row.trace_id].append((row.idx, row.tool, whole))
    return found


def _before(results: Sequence[tuple[int, str, str | None]], idx: int) -> list[Seen] | None:
    """The results before a step; None where one of them cannot be searched."""
    earlier = [(tool, text) for k, tool, text in results if k < idx]
    if any(text is None for _, text in earlier):
        return None
    return [Seen(tool, text or "") for tool, text in earlier]
