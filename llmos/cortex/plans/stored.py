"""Plans that were carried out: what is left of one, and how it is taken back."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, select

from llmos.cortex.plans.orders import DonePart
from llmos.cortex.plans.plan import PLAN, Plan, is_plan, run_of
from llmos.errors import UserError
from llmos.kernel.places import Places
from llmos.kernel.undo import Undo, Undone
from llmos.memory.traces import Traces
from llmos.store import Store
from llmos.store.schema import journal, traces
from llmos.values import Mode, RunResult, Step, Trace, Verdict


def answer_of(traces: Traces, result: RunResult, places: Places) -> str:
    """What a part says to others that ask.

    One that found all as it was says only that; what it said when it was done still holds, since
    everything that it was made from was compared.

    Args:
        traces: The stored runs.
        result: The part's run.
        places: Of that run.
    """
    source = result.decision.source
    if not (result.already_done and result.mode is Mode.FOLLOWER and source):
        return result.output
    return str(places.absolute(traces.get(source).output))


def left_of(store: Store, trace: Trace) -> tuple[Plan, dict[str, DonePart]]:
    """The plan of a run, and which of its parts stand as they were done.

    Args:
        store: Where runs are.
        trace: A plan's run.

    Raises:
        UserError: It had no plan, or all of it is done.
    """
    stored = store.read(
        lambda c: c.scalar(select(traces.c.decision).where(traces.c.id == trace.id))
    )
    made = json.loads(stored or "{}").get("bindings", {}).get(PLAN)
    if made is None:
        raise UserError(
            f"run {trace.id[-6:]} had no plan that could be taken up again",
            "run the goal anew: llmos run GOAL",
        )
    plan = Plan.from_json(made, trace.goal)
    done = store.read(lambda c: dict(_standing(c, trace.steps)))
    if len(done) == len(plan.parts):
        raise UserError(f"all {len(done)} parts of run {trace.id[-6:]} are done")
    return plan, done


def _standing(conn: Connection, steps: Sequence[Step]) -> list[tuple[str, DonePart]]:
    """Parts that went well, that nobody called wrong since, and that were not taken back."""
    runs = {run_of(s): s for s in steps if not s.is_error and run_of(s)}
    good = [v.value for v in Verdict if v.good]
    query = select(traces.c.id).where(
        traces.c.id.in_(runs), traces.c.verdict.in_(good), traces.c.quarantined.is_(False)
    )
    undone = select(journal.c.trace_id).where(
        journal.c.trace_id.in_(runs), journal.c.undone_at.is_not(None)
    )
    kept = set(conn.scalars(query)) - set(conn.scalars(undone))
    return [
        (str(step.arguments["id"]), DonePart(run, str(step.observation["answer"])))
        for run, step in runs.items()
        if run in kept
    ]


async def undo_plan(undo: Undo, traces: Traces, trace: Trace, actor: str) -> Undone:
    """Take back what the parts of a plan have changed, the last one first.

    A part that cannot be taken back is named in what is left; the others are all the same.

    Args:
        undo: Takes single runs back.
        traces: The stored runs.
        trace: The plan's run.
        actor: Who asks.

    Raises:
        UserError: Nothing of it could be taken back.
    """
    done, problems = Undone(), list[str]()
    for step in sorted(trace.steps, key=run_of, reverse=True):
        if not run_of(step):
            continue
        part = traces.get(run_of(step))
        try:
            if is_plan(part.steps):
                one = await undo_plan(undo, traces, part, actor)
            else:
                one = await undo.undo(part.id, actor=actor)
        except UserError as e:
            if any(s.effect.writes for s in part.steps):
                problems.append(f"part {step.arguments['id']}: {e.message}")
            continue
        done = Undone(
            done.restored + one.restored,
            done.removed + one.removed,
            done.called + one.called,
            done.left + one.left,
        )
    if not (done.restored or done.removed or done.called):
        why = f": {'; '.join(problems)}" if problems else ""
        raise UserError(f"there is nothing to undo in run {trace.id[-6:]}{why}")
    return Undone(done.restored, done.removed, done.called, (*done.left, *problems))
