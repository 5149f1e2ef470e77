"""The exams of an agent: goals of its kind that were done right, on the side they belong to.

They are the user's own runs. Where the agent failed, runs of the same family of goals that were
good count too, whoever made them: they show how it is done. What failed and was never done right
is told as a reason, and judges nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from llmos.cortex.agents import StoredAgent
from llmos.cortex.agents.exams import Exam
from llmos.cortex.agents.families import family_of
from llmos.cortex.agents.records import Run, runs_of
from llmos.cortex.agents.rewriting import is_held_out
from llmos.kernel.places import Places
from llmos.memory.fold import goal_key
from llmos.memory.traces import Traces
from llmos.store import Store
from llmos.store.schema import feedback
from llmos.store.schema import traces as table
from llmos.values import Json, Trace
from llmos.volumes import Place, privacy

MOST = 20
"""Exams on either side: each costs a run of a model."""
_FAILURES, _READ, _STEPS = 5, 200, 30


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that went wrong."""

    id: str
    goal: str
    why: str


@dataclass(frozen=True, slots=True)
class Material:
    """What a new text is made of, and what it is judged by."""

    learn: tuple[Exam, ...]
    held_out: tuple[Exam, ...]
    failures: tuple[Failure, ...]
    """Of goals that are not held out, the newest first."""

    @property
    def ids(self) -> list[str]:
        """The runs that a new text may hold something of."""
        return [*(exam.id for exam in self.learn), *(failure.id for failure in self.failures)]


def material_for(
    store: Store,
    traces: Traces,
    user_id: str,
    stored: StoredAgent,
    tools: Collection[str],
    places: Places,
) -> Material:
    """Read the exams of an agent in its current version.

    Not among them: runs that are kept private (an agent may be shared some day), that belong to a
    project (the agent works in all of them), that stand in its file as an example, that took up an
    earlier turn, that a replay began, or that used a tool that the agent has not.

    Args:
        store: Where runs are.
        traces: The same, as traces.
        user_id: Whose.
        stored: The agent.
        tools: Those that it is granted.
        places: The folders of now.
    """
    every = store.read(lambda c: runs_of(c, user_id))
    mine = [run for run in every if run.agent == stored.label]
    bad = [run for run in mine if not run.good]
    wanted = [run for run in mine if run.good] + _shown_how(bad, every)
    newest: dict[str, str] = {}
    for run in wanted:
        newest.setdefault(goal_key(run.goal), run.id)
    ids = [i for i in newest.values() if i not in stored.agent.text]
    usable = store.read(lambda c: _usable(c, user_id, ids[:_READ]))
    found = traces.by_ids(usable)
    exams = [Exam.of(found[i], places) for i in usable if i in found and _fits(found[i], tools)]
    judged = [exam for exam in exams if exam.can_be_judged]
    learn = [exam for exam in judged if not is_held_out(exam.goal)]
    held_out = [exam for exam in judged if is_held_out(exam.goal)]
    told = store.read(lambda c: _failures(c, user_id, bad))
    return Material(tuple(learn[:MOST]), tuple(held_out[:MOST]), tuple(told))


def _shown_how(bad: Sequence[Run], every: Sequence[Run]) -> list[Run]:
    """Good runs, by whomever, of the families in which some went wrong."""
    found: dict[str, Run] = {}
    seen: set[str] = set()
    for run in bad:
        if run.id not in seen:
            family = family_of(run.goal, every)
            seen |= {one.id for one in family}
            found |= {one.id: one for one in family if one.good}
    return list(found.values())


def _fits(trace: Trace, tools: Collection[str]) -> bool:
    used = {step.tool for step in trace.steps}
    whole = not trace.prefix and len(trace.steps) <= _STEPS
    return whole and used <= set(tools)


def _usable(conn: Connection, user_id: str, ids: Sequence[str]) -> list[str]:
    place = Place("user", user_id)
    seen = {
        row.id: row.context
        for row in conn.execute(
            select(table.c.id, table.c.context).where(
                table.c.id.in_(ids), table.c.project.is_(None)
            )
        )
    }
    alone = [i for i in ids if i in seen and not _took_up(seen[i])]
    return [i for i in alone if not privacy.is_private(conn, place, "trace", i)]


def _took_up(context: str | None) -> bool:
    pieces: list[Mapping[str, Json]] = json.loads(context) if context else []
    return any(piece.get("source") == "turn" and piece.get("shown") for piece in pieces)


def _failures(conn: Connection, user_id: str, bad: Sequence[Run]) -> list[Failure]:
    ids = _usable(conn, user_id, [run.id for run in bad if not is_held_out(run.goal)][:_READ])
    errors = {
        row.id: row.error
        for row in conn.execute(select(table.c.id, table.c.error).where(table.c.id.in_(ids)))
    }
    said = select(feedback.c.trace_id, feedback.c.note).where(
        feedback.c.trace_id.in_(ids), feedback.c.by == "person", feedback.c.note != ""
    )
    notes = {row.trace_id: row.note for row in conn.execute(said.order_by(feedback.c.at))}
    goals = {run.id: run.goal for run in bad}
    told = {i: notes.get(i) or errors[i] or "somebody said that it was wrong" for i in ids}
    return [Failure(i, goals[i], told[i]) for i in ids[:_FAILURES]]
