"""A run's row in the store, from its first moment to its verdict, also across crashes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sqlalchemy import bindparam, exists, insert, or_, select, update

from llmos.kernel.economy import Economy
from llmos.kernel.intents import Intents
from llmos.kernel.journal import Journal
from llmos.kernel.places import Places
from llmos.kernel.projects import note_project
from llmos.kernel.quotas import Quotas
from llmos.kernel.text import json_text, plain
from llmos.store import Store, Transaction
from llmos.store.schema import dumps, intents, processes, stamp, traces
from llmos.values import Decision, EventType, Json, Mode, SideExit, Usage, Verdict

DIED = "the process ended before the run did"
"""What is told of a run that nobody ended."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is known of a run when it begins."""

    id: str
    goal: str
    folded: str
    goal_key: str
    user_id: str
    team_id: str | None
    project: str | None
    context_digest: str
    now: datetime
    cwd: str
    check: str | None
    part_of: str = ""
    agent: str = ""
    """What the model works as, with its version."""
    session_id: str = ""
    """The prompt's session that it is a turn of."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of a run."""

    mode: Mode
    verdict: Verdict
    output: str
    usage: Usage
    cost_usd: float
    duration_s: float
    decision: Decision
    source: str = "run"
    model: str = ""
    error: str = ""
    tools: Mapping[str, str] | None = None
    side_exit: SideExit | None = None
    already_done: bool = False
    novel: bool = False
    """Nothing was known of the goal."""
    looked: bool = False
    """It only looked ahead: nobody wanted its outcome."""
    refused: int = 0
    """Calls of the model that a rule or a person refused."""
    context: Json = None
    """Names and sizes of what the model was shown; None where none worked."""
    left_usd: float | None = None
    """What was left of the budget when it was decided; None without a limit."""
    offer: Mapping[str, Json] | None = None
    """Which tools the model was given and why; None where that were all."""


# Put together once: every run stores them.
_INSERT = insert(traces)
_END = update(traces).where(traces.c.id == bindparam("run"))

_ENDED_TOO_EARLY = select(processes.c.id).where(
    processes.c.ended_at.is_not(None),
    or_(
        exists().where(traces.c.process_id == processes.c.id, traces.c.status == "running"),
        exists().where(intents.c.process_id == processes.c.id, intents.c.status == "intended"),
    ),
)
"""Processes that closed their store in the midst of a run."""


class Runs:
    """Begins, ends and recovers runs."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        intents: Intents,
        economy: Economy,
        quotas: Quotas | None = None,
    ) -> None:
        self._quotas = quotas
        self._store = store
        self._journal = journal
        self._intents = intents
        self._economy = economy

    async def begin(self, run: Beginning) -> None:
        """Store the run: one that dies leaves a failed trace, not nothing.

        Raises:
            UserError: As many runs of the user or the team are at work as may be.
        """
        row = {
            **_blank(),
            "id": run.id,
            "owner": run.user_id,
            "user_id": run.user_id,
            "team_id": run.team_id,
            "project": run.project,
            "process_id": self._store.process_id,
            "goal": run.goal,
            "folded": run.folded,
            "goal_key": run.goal_key,
            "context_digest": run.context_digest,
            "now": run.now.isoformat(),
            "cwd": run.cwd,
            "check": run.check,
            "part_of": run.part_of or None,
            "agent": run.agent,
            "session_id": run.session_id or None,
        }

        def write(tx: Transaction) -> None:
            if self._quotas is not None and not run.part_of:
                self._quotas.require_runs(tx.conn, run.user_id, run.team_id)
            note_project(tx, "user", run.user_id, run.project)
            tx.conn.execute(_INSERT, {**row, "started_at": stamp(tx.now)})
            tx.event(
                EventType.TASK_STARTED,
                owner=run.user_id,
                actor=run.user_id,
                subject=run.id,
                title=_title(run.goal),
            )

        await self._store.awrite(write)

    async def end(
        self,
        run: Beginning,
        ending: Ending,
        places: Places,
        also: Callable[[Transaction], None] = lambda tx: None,
    ) -> None:
        """Store the outcome and tell it, in one transaction.

        Args:
            run: As it began.
            ending: What became of it.
            places: Folders that are stored by name.
            also: What becomes true together with it.
        """
        ending = replace(ending, output=plain(ending.output), error=plain(ending.error))
        row = _ended(ending, places)
        side_exit = plain(ending.side_exit.reason) if ending.side_exit else None

        def write(tx: Transaction) -> None:
            tx.conn.execute(_END, {**row, "ended_at": stamp(tx.now), "run": run.id})
            good = ending.verdict.good
            tx.event(
                EventType.TASK_COMPLETED if good else EventType.TASK_FAILED,
                owner=run.user_id,
                actor=run.user_id,
                subject=run.id,
                title=_title(run.goal),
                payload={
                    "mode": ending.mode.value,
                    "verdict": ending.verdict.value,
                    "tokens": ending.usage.total_tokens,
                    "cost_usd": ending.cost_usd,
                    "duration_s": round(ending.duration_s, 6),
                    "already_done": ending.already_done,
                    "error": ending.error,
                    "side_exit": side_exit,
                    "novel": ending.novel,
                    "looked": ending.looked,
                    "refused": ending.refused,
                    "left_usd": ending.left_usd,
                },
            )
            also(tx)

        await self._store.awrite(write)

    def recover(self) -> int:
        """Close what processes that died have left open; returns how many runs that were.

        Their runs become ``failed``, their external writes without an outcome ``in_doubt``, their
        reservations free, their file changes undoable.
        """
        dead = self._store.dead_processes()
        gone = [*dead, *self._store.read(lambda c: list(c.scalars(_ENDED_TOO_EARLY)))]
        if not gone:
            return 0
        found = self._store.write(lambda tx: self._close(tx, dead, gone))
        self._economy.expire()
        return found

    def _close(self, tx: Transaction, dead: list[str], gone: list[str]) -> int:
        rows = tx.conn.execute(
            select(traces.c.id, traces.c.owner, traces.c.goal).where(
                traces.c.process_id.in_(gone), traces.c.status == "running"
            )
        ).all()
        for row in rows:
            tx.conn.execute(
                update(traces)
                .where(traces.c.id == row.id)
                .values(
                    status="done",
                    verdict=Verdict.FAILED.value,
                    error=DIED,
                    ended_at=stamp(tx.now),
                )
            )
            tx.event(
                EventType.TASK_FAILED,
                owner=row.owner,
                actor="kernel",
                subject=row.id,
                title=_title(row.goal),
                payload={"verdict": "failed", "error": DIED},
            )
        self._journal.settle_interrupted(tx, [row.id for row in rows])
        self._intents.settle_interrupted(tx, gone)
        for process in dead:
            self._store.end_process(tx, process)
        return len(rows)


def _ended(ending: Ending, places: Places) -> dict[str, object]:
    decision = asdict(ending.decision) | {"already_done": ending.already_done}
    if ending.offer is not None:
        decision["offer"] = dict(ending.offer)
    if ending.side_exit is not None:
        decision["side_exit"] = {
            "step": ending.side_exit.step,
            "reason": ending.side_exit.reason,
            "committed": len(ending.side_exit.committed),
        }
    return {
        "status": "done",
        "mode": ending.mode.value,
        "model": ending.model,
        "output": places.relative(ending.output),
        "verdict": ending.verdict.value,
        "error": ending.error,
        "usage": dumps(asdict(ending.usage)),
        "cost_micro": round(ending.cost_usd * 1_000_000),
        "duration_s": repr(round(ending.duration_s, 6)),
        "tools": dumps(dict(ending.tools or {})),
        "source": ending.source,
        "decision": json_text(places.relative(decision)),
        "context": None if ending.context is None else json_text(ending.context),
    }


def _blank() -> dict[str, object]:
    return {
        "volume": "user",
        "status": "running",
        "agent": "",
        "mode": "",
        "model": "",
        "output": "",
        "verdict": Verdict.FAILED.value,
        "error": "",
        "usage": dumps(asdict(Usage())),
        "cost_micro": 0,
        "duration_s": "0",
        "tools": "{}",
        "source": "run",
        "decision": "{}",
        "quarantined": False,
        "standing": 0,
    }


def _title(goal: str) -> str:
    line = " ".join(goal.split())
    return line if len(line) <= 120 else f"{line[:119]}…"
