"""Traces: stored runs, found again by their goal, judged by feedback."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    update,
)

from llmos.errors import UserError
from llmos.kernel.projects import note_project
from llmos.kernel.recorder import footprint_from
from llmos.kernel.text import json_text, plain
from llmos.memory.fold import fold, goal_key
from llmos.store import Store, Transaction, new_id
from llmos.store.schema import NO_REPLAY, REPLAY, events, feedback, stamp, steps, traces
from llmos.values import Effect, EventType, Mode, Step, Trace, Usage, Verdict

_BATCH = 400
"""Ids in one query: SQLite takes at most 999 parameters."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored trace that may serve a goal."""

    trace: Trace
    standing: int = 0
    """Clean replays less failed ones."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose traces are meant."""

    user_id: str


_GOOD = [verdict.value for verdict in Verdict if verdict.good]

_RANK = case(
    (traces.c.verdict == Verdict.VERIFIED.value, 0),
    (traces.c.verdict == Verdict.CONFIRMED.value, 1),
    (traces.c.verdict == Verdict.COMPLETED.value, 2),
    else_=3,
)


# Put together once: every goal asks them.
WORKED_ON = select(traces).where(
    traces.c.goal_key == bindparam("key"),
    traces.c.volume == "user",
    traces.c.owner == bindparam("owner"),
    traces.c.status == "done",
    NO_REPLAY,
)
"""What was done of a goal but replays, of which there may be any number."""
_NEAR = case(
    (
        (func.coalesce(traces.c.project, "") == bindparam("project"))
        & (traces.c.verdict != Verdict.FAILED.value),
        0,
    ),
    else_=1,
)
"""What decides in the project comes first: however often a goal has failed there, that it was said
to be wrong is seen within any limit."""
_AGE = (traces.c.started_at.desc(), traces.c.id.desc())
_BEST = WORKED_ON.order_by(
    _NEAR, traces.c.quarantined, _RANK, traces.c.standing.desc(), *_AGE
).limit(bindparam("most"))
_NEWEST = (
    WORKED_ON.where(traces.c.verdict.in_(_GOOD), traces.c.quarantined.is_(False))
    .order_by(_NEAR, *_AGE)
    .limit(1)
)
_STEPS = select(steps).where(steps.c.trace_id == bindparam("run")).order_by(steps.c.idx)


class Traces:
    """Reads and judges the traces of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def candidates(
        self, goal: str, scope: Scope, *, limit: int = 5, project: str | None = None
    ) -> list[Candidate]:
        """Traces of the same goal, the best first: by evidence, standing, age.

        A replay is no evidence of its own and is not among them. Where there are more than the
        limit, the newest good one is the last of them: it knows the world as it was of late. Where
        the goal was done in the project, or said to be wrong there, that alone counts; else what
        was done elsewhere does.

        Args:
            goal: The user's sentence.
            scope: Whose.
            limit: How many at most.
            project: The project that the goal is said in; None for none.
        """
        asked = {"key": goal_key(goal), "owner": scope.user_id, "project": project or ""}

        def read(c: Connection) -> list[Row[Any]]:
            rows = list(c.execute(_BEST, {**asked, "most": limit}).all())
            if len(rows) == limit > 1:
                last = c.execute(_NEWEST, asked).first()
                if last is not None and last.id not in {row.id for row in rows}:
                    rows[-1] = last
            return rows

        rows = self._store.read(read)
        # An index on a digest finds the folded goal; two goals with one digest are still two.
        same = [row for row in rows if row.folded == fold(goal)]
        own = [row for row in same if (row.project or "") == (project or "")]
        if any(row.verdict != Verdict.FAILED.value for row in own):
            same = sorted(own, key=lambda row: row.quarantined)
        return [Candidate(self._with_steps(row), row.standing) for row in same]

    def get(self, trace_id: str) -> Trace:
        """One trace with its steps.

        Args:
            trace_id: Its id, or its first or last characters, at least four.

        Raises:
            UserError: None or several match.
        """
        return self._with_steps(self._row(trace_id))

    def standing(self, trace_id: str) -> int:
        """Clean replays of a trace less failed ones."""
        return int(self._row(trace_id).standing)

    def project(self, trace_id: str) -> str | None:
        """The project that a run belongs to."""
        project: str | None = self._row(trace_id).project
        return project

    def side_exit(self, trace_id: str) -> tuple[int, str] | None:
        """At which step a replay or a learned tool stopped, and why; None where none did."""
        told = json.loads(self._row(trace_id).decision).get("side_exit")
        return (int(told["step"]), str(told["reason"])) if isinstance(told, dict) else None

    def recent(
        self,
        scope: Scope | None = None,
        *,
        limit: int = 20,
        imported: bool = True,
        whole: bool = False,
        project: str | None = None,
    ) -> list[Trace]:
        """The newest traces first, without steps.

        Args:
            scope: Whose; everybody's when left out.
            limit: How many at most.
            imported: Also those of what others did, elsewhere.
            whole: Leave out parts of plans.
            project: Only runs of it.
        """
        newest = (traces.c.started_at.desc(), traces.c.id.desc())
        query: Select[Any] = select(traces).order_by(*newest).limit(limit)
        if scope is not None:
            query = query.where(traces.c.volume == "user", traces.c.owner == scope.user_id)
        if not imported:
            query = query.where(traces.c.process_id.is_not(None))
        if whole:
            query = query.where(traces.c.part_of.is_(None))
        if project is not None:
            query = query.where(traces.c.project == project)
        return [_trace(row, ()) for row in self._store.read(lambda c: c.execute(query).all())]

    def touched(
        self, scope: Scope, since: int, limit: int | None = None, *, failed: bool = False
    ) -> tuple[list[str], int]:
        """Runs that ended or were judged after an event, and the number of the newest event.

        Args:
            scope: Whose.
            since: Number of an event; 0 for all.
            limit: How many events at most, the oldest first.
            failed: Runs that failed too.
        """
        kinds = [EventType.TASK_COMPLETED, EventType.ARTIFACT_CREATED, EventType.ARTIFACT_EVOLVED]
        kinds += [EventType.TASK_FAILED] if failed else []
        query = (
            select(events.c.subject, events.c.seq)
            .join(traces, traces.c.id == events.c.subject)
            .where(
                events.c.volume == "user",
                events.c.owner == scope.user_id,
                events.c.seq > since,
                events.c.type.in_([k.value for k in kinds]),
            )
            .order_by(events.c.seq)
            .limit(limit)
        )
        rows = self._store.read(lambda c: c.execute(query).all())
        return list(dict.fromkeys(r.subject for r in rows)), max(
            (r.seq for r in rows), default=since
        )

    def by_ids(self, ids: Iterable[str]) -> dict[str, Trace]:
        """The traces with these ids, as they are stored; those that are not there are left out."""
        found: dict[str, Trace] = {}
        wanted = list(dict.fromkeys(ids))
        for k in range(0, len(wanted), _BATCH):
            part = wanted[k : k + _BATCH]
            query = select(traces).where(traces.c.id.in_(part), traces.c.status == "done")
            their = select(steps).where(steps.c.trace_id.in_(part)).order_by(steps.c.idx)
            rows, step_rows = self._store.read(
                lambda c, q=query, t=their: (c.execute(q).all(), c.execute(t).all())  # type: ignore[misc]
            )
            by_trace: dict[str, list[Row[Any]]] = {}
            for row in step_rows:
                by_trace.setdefault(row.trace_id, []).append(row)
            found.update({r.id: _trace(r, by_trace.get(r.id, ())) for r in rows})
        return found

    async def learn(self, given: Sequence[Trace], user_id: str, team_id: str | None) -> list[str]:
        """Store traces made elsewhere; returns their ids.

        Args:
            given: Traces with paths as they were, or with ``$CWD`` and the like.
            user_id: Whose they become.
            team_id: That user's team.
        """
        ids = [new_id() for _ in given]

        def write(tx: Transaction) -> None:
            for trace, trace_id in zip(given, ids, strict=True):
                _insert(tx, trace, trace_id, user_id, team_id)

        await self._store.awrite(write)
        return ids

    async def judge(
        self, trace_id: str, verdict: Verdict, *, user_id: str, by: str, note: str = ""
    ) -> Trace:
        """Write down what somebody or something says of a run.

        A refutation quarantines the trace, and the trace that it was a replay of. Praise of a
        replay is praise of the trace it followed.

        Args:
            trace_id: Id, or its beginning or end.
            verdict: ``verified``, ``confirmed`` or ``refuted``.
            user_id: Who says so.
            by: ``person``, ``check`` or ``replay``.
            note: Their words.

        Raises:
            UserError: There is no such run, or it is not over.
        """
        row = self._row(trace_id)
        if row.status == "running":
            raise UserError(
                f"run {row.id[-6:]} is not over, so it cannot be judged",
                "wait for it or cancel it, then say it again",
            )
        followed = row.source.removeprefix(REPLAY) if row.source.startswith(REPLAY) else None

        def write(tx: Transaction) -> None:
            _judge(tx, row.id, row.owner, verdict, user_id, by, note)
            if followed is not None:
                _judge(tx, followed, row.owner, verdict, user_id, by, note, through=row.id)

        await self._store.awrite(write)
        return self.get(row.id)

    async def replayed(self, trace_id: str, *, clean: bool) -> None:
        """Count a replay for or against the trace it followed; a failure weighs twice."""
        change = 1 if clean else -2

        def write(tx: Transaction) -> None:
            bounded = case((traces.c.standing + change > 10, 10), else_=traces.c.standing + change)
            tx.conn.execute(update(traces).where(traces.c.id == trace_id).values(standing=bounded))

        await self._store.awrite(write)

    def _row(self, trace_id: str) -> Row[Any]:
        text = trace_id.strip().upper()
        if len(text) < 4 or not text.isalnum():
            raise UserError(f"{trace_id!r} is not the id of a trace", "see `llmos traces list`")
        # What is shown are the last characters: the first ones tell the time, many ids share them.
        part = or_(traces.c.id.between(text, f"{text}~"), traces.c.id.endswith(text))
        query = select(traces).where(traces.c.id == text if len(text) == 26 else part).limit(2)
        rows = self._store.read(lambda c: c.execute(query).all())
        if not rows:
            raise UserError(f"there is no trace {trace_id!r}", "see `llmos traces list`")
        if len(rows) > 1:
            raise UserError(f"several traces have {trace_id!r} in their id", "give more of the id")
        return rows[0]

    def _with_steps(self, row: Row[Any]) -> Trace:
        return _trace(row, self._store.read(lambda c: c.execute(_STEPS, {"run": row.id}).all()))


def newest_good(
    conn: Connection, user_id: str, limit: int, shown: ColumnElement[bool]
) -> list[str]:
    """Ids of a user's newest runs that a model made and nothing is known against.

    Args:
        conn: Where to read.
        user_id: Whose.
        limit: How many at most.
        shown: Condition on the ids of runs: which of them may be seen.
    """
    mine = select(traces.c.id).where(
        traces.c.volume == "user",
        traces.c.owner == user_id,
        traces.c.status == "done",
        traces.c.verdict.in_(_GOOD),
        traces.c.quarantined.is_(False),
        traces.c.source.not_like(f"{REPLAY}%"),
        traces.c.source.not_like("tool:%"),
        shown,
    )
    newest = mine.order_by(traces.c.started_at.desc(), traces.c.id.desc()).limit(limit)
    return list(conn.scalars(newest))


def _trace(row: Row[Any], step_rows: Sequence[Row[Any]]) -> Trace:
    return Trace(
        goal=row.goal,
        steps=tuple(_step(s) for s in step_rows),
        output=row.output,
        verdict=Verdict(row.verdict),
        now=datetime.fromisoformat(row.now),
        id=row.id,
        user_id=row.user_id,
        team_id=row.team_id,
        agent=row.agent,
        mode=Mode(row.mode) if row.mode else Mode.LEARNER,
        model=row.model,
        usage=Usage(**json.loads(row.usage)),
        cost_usd=row.cost_micro / 1_000_000,
        duration_s=float(row.duration_s),
        cwd=row.cwd,
        context_digest=row.context_digest,
        tools=json.loads(row.tools),
        check=row.check,
        source=row.source,
        error=row.error,
        part_of=row.part_of or "",
        prefix=_prefix(row.decision),
        quarantined=row.quarantined,
        project=row.project or "",
    )


def _prefix(decision: str) -> int:
    if '"side_exit"' not in decision:
        return 0
    told = json.loads(decision).get("side_exit")
    return int(told["committed"]) if isinstance(told, dict) else 0


def _step(row: Row[Any]) -> Step:
    return Step(
        row.tool,
        json.loads(row.arguments),
        json.loads(row.observation),
        row.is_error,
        Effect(row.effect),
        footprint_from(json.loads(row.footprint)),
        float(row.duration_s),
    )


def _insert(
    tx: Transaction, trace: Trace, trace_id: str, user_id: str, team_id: str | None
) -> None:
    note_project(tx, "user", user_id, trace.project)
    tx.conn.execute(
        insert(traces).values(
            id=trace_id,
            volume="user",
            owner=user_id,
            user_id=user_id,
            team_id=team_id,
            project=trace.project or None,
            status="done",
            goal=trace.goal,
            folded=fold(trace.goal),
            goal_key=goal_key(trace.goal),
            context_digest=trace.context_digest,
            now=(trace.now if trace.now.tzinfo else trace.now.astimezone()).isoformat(),
            agent=trace.agent,
            mode=trace.mode.value,
            model=trace.model,
            cwd="",
            output=plain(trace.output),
            verdict=trace.verdict.value,
            error=plain(trace.error),
            usage=json_text(asdict(trace.usage)),
            cost_micro=round(trace.cost_usd * 1_000_000),
            duration_s=repr(trace.duration_s),
            tools=json_text(dict(trace.tools)),
            # A check that came with a foreign trace is a command from a stranger: never kept.
            check=None,
            # Only a run of this home has followed a trace of this home.
            source="learn" if re.match(f"run$|{REPLAY}", trace.source) else trace.source,
            decision="{}",
            quarantined=False,
            standing=0,
            started_at=stamp(tx.now),
            ended_at=stamp(tx.now),
        )
    )
    if trace.steps:
        rows = [_step_row(trace_id, i, step) for i, step in enumerate(trace.steps)]
        tx.conn.execute(insert(steps), rows)
    tx.event(
        EventType.ARTIFACT_CREATED,
        owner=user_id,
        actor=user_id,
        subject=trace_id,
        title=f"learnt a trace of {trace.goal[:100]!r}",
        payload={"artifact": "trace", "source": trace.source},
    )


def _step_row(trace_id: str, idx: int, step: Step) -> dict[str, object]:
    return {
        "trace_id": trace_id,
        "idx": idx,
        "tool": step.tool,
        "arguments": json_text(dict(step.arguments)),
        "observation": json_text(step.observation),
        "is_error": step.is_error,
        "effect": step.effect.value,
        "footprint": json_text(asdict(step.footprint)),
        "duration_s": repr(step.duration_s),
    }


def _judge(
    tx: Transaction,
    trace_id: str,
    owner: str,
    verdict: Verdict,
    user_id: str,
    by: str,
    note: str,
    through: str = "",
) -> None:
    own = (traces.c.id == trace_id) & (traces.c.owner == owner)
    row = tx.conn.execute(select(traces.c.verdict, traces.c.mode).where(own)).first()
    if row is None:
        return
    known = row.verdict
    tx.conn.execute(
        insert(feedback).values(
            id=new_id(),
            trace_id=trace_id,
            user_id=user_id,
            verdict=verdict.value,
            by=by,
            note=note,
            at=stamp(tx.now),
        )
    )
    # A person's "right" does not take a passed check away.
    kept = known == Verdict.VERIFIED.value and verdict is Verdict.CONFIRMED
    tx.conn.execute(
        update(traces)
        .where(traces.c.id == trace_id)
        .values(verdict=known if kept else verdict.value, quarantined=verdict is Verdict.REFUTED)
    )
    tx.event(
        EventType.ARTIFACT_EVOLVED,
        owner=user_id,
        actor=user_id,
        subject=trace_id,
        title=f"trace {trace_id[-6:]} is {verdict.value} by {by}",
        payload={
            "artifact": "trace",
            "verdict": verdict.value,
            "was": known,
            "note": note,
            "by": by,
            "mode": row.mode,
            "through": through,
        },
    )
