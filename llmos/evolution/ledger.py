"""What the usage ledger is told of learned tools: runs, and what was said of them later."""

from __future__ import annotations

from llmos.evolution.tool import TOOL, LearntTool
from llmos.store import Store, Transaction
from llmos.values import ArtifactType, Mode, RunResult, Trace, Verdict
from llmos.volumes import Caller, Outcome, Status, Volume, record_usage


def record_run(store: Store, tool: LearntTool, result: RunResult, user_id: str) -> None:
    """Note that a tool was set to work, and how that came out.

    Args:
        store: Where the ledger is.
        tool: The tool.
        result: Of the run.
        user_id: Whose run it was.
    """
    volume = Volume(store, "user", user_id, caller=Caller.person(user_id))
    mode = Mode.MIXED if tool.holes else Mode.CRYSTALLIZED
    served = result.side_exit is None and result.mode is mode
    saved_usd = tool.mean_cost_usd - result.cost_usd
    outcome = Outcome.SERVED if served else Outcome.SIDE_EXIT

    def write(tx: Transaction) -> None:
        record_usage(
            tx,
            volume.version(tool.digest, tx=tx),
            outcome,
            user_id=user_id,
            trace_id=result.trace_id,
            # A model may have tried in vain before: what that took is not saved.
            tokens_saved=tool.mean_tokens - result.usage.total_tokens if served else 0,
            cost_saved_micro=round(saved_usd * 1_000_000) if served else 0,
            detail=result.side_exit.reason[:500] if result.side_exit else "",
        )

    store.write(write)


def judge_tool(store: Store, trace: Trace, user_id: str) -> None:
    """Note what somebody said of a run that a tool made; "wrong" takes the version out of use.

    Args:
        store: Where the ledger is.
        trace: The run, with its verdict.
        user_id: Who said so.
    """
    if not trace.source.startswith(TOOL):
        return
    name, _, digest = trace.source.removeprefix(TOOL).partition("@")
    volume = Volume(store, "user", trace.user_id, caller=Caller.person(user_id))
    wrong = trace.verdict is Verdict.REFUTED

    def write(tx: Transaction) -> None:
        version = volume.version(digest, tx=tx)
        outcome = Outcome.WRONG if wrong else Outcome.RIGHT
        record_usage(tx, version, outcome, user_id=user_id, trace_id=trace.id)
        if wrong and not version.status.out_of_use:
            why = f"run {trace.id[-6:]} of it was wrong"
            volume.set_status(
                ArtifactType.TOOL,
                name,
                Status.QUARANTINED,
                version=digest,
                author=user_id,
                why=why,
                tx=tx,
            )

    store.write(write)
