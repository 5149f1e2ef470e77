"""What a run that has ended says of what it followed: its audit, its tool, its trace."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from llmos.cortex.modes import Outcome
from llmos.evolution.audits import record_audit
from llmos.evolution.ledger import judge_tool, record_run
from llmos.evolution.tool import Reading
from llmos.memory.traces import Traces
from llmos.store import Store
from llmos.store.schema import REPLAY
from llmos.values import Decision, Mode, RunResult, Verdict


async def tell(
    store: Store,
    traces: Traces,
    user_id: str,
    decision: Decision,
    readings: Sequence[Reading],
    outcome: Outcome,
    result: RunResult,
) -> None:
    """Store it.

    Args:
        store: Of the home.
        traces: The stored runs; this one is among them.
        user_id: Whose run it was.
        decision: What was to be done.
        readings: Of the learned tools, the one that was served first.
        outcome: What the mode did.
        result: The same after its check.
    """
    if result.audit is not None:
        await asyncio.to_thread(record_audit, store, result.trace_id, result.audit, user_id)
    if readings and result.mode is not Mode.LEARNER:
        await asyncio.to_thread(record_run, store, readings[0].tool, result, user_id)
        if result.verdict is Verdict.REFUTED:
            await asyncio.to_thread(judge_tool, store, traces.get(result.trace_id), user_id)
    source = _followed(decision, outcome)
    if source is None:
        return
    if decision.mode is Mode.ORCHESTRATOR:
        await traces.replayed(source, clean=result.success)
    elif outcome.mode is Mode.FOLLOWER and result.verdict is Verdict.REFUTED:
        await traces.judge(source, Verdict.REFUTED, user_id=user_id, by="check", note=result.error)
    elif outcome.replay_clean is not None:
        await traces.replayed(source, clean=outcome.replay_clean)


def _followed(decision: Decision, outcome: Outcome) -> str | None:
    """The trace that the run has something to say of."""
    replayed = outcome.source.startswith(REPLAY)
    if decision.mode is Mode.CRYSTALLIZED:
        return decision.otherwise if replayed else None
    if decision.mode is Mode.ORCHESTRATOR:
        return decision.source if replayed else None
    return decision.source if decision.mode is Mode.FOLLOWER else None
