"""Which runs of a wording make a tool, where no program explains them all."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from llmos.evolution.learner import Learner
from llmos.values import Effect, Json, Step, Trace, Verdict

NOW = datetime(2025, 3, 3, 9, tzinfo=UTC)
DAYS = ["2025-03-04", "2025-03-07", "2025-03-11", "2025-03-20", "2025-04-01", "2025-04-09"]
ROOMS = ["hall", "attic", "cellar", "garden", "porch", "shed"]


def cancel(k: int, *, late: bool = False, free: bool = False) -> Trace:
    """A run that looks at a day of a room up to midnight, or up to the second before it."""
    day, room = DAYS[k], ROOMS[k]
    rows: Json = [] if free else [{"id": f"b{10 * k + j}", "room": room} for j in range(2)]
    asked = {"room": room, "until": f"{day} 23:59:59" if late else day}
    look = Step("booking.find", asked, rows, False, Effect.READ)
    gone = [Step("booking.cancel", {"id": row["id"]}, "ok", False, Effect.WRITE) for row in rows]
    goal = f"cancel every booking of {room} on {day}"
    return Trace(goal, (look, *gone), "", Verdict.CONFIRMED, NOW, id=f"c{k}")


def learnt(runs: Iterable[Trace]) -> Learner:
    learner = Learner()
    for run in runs:
        learner.add(run)
    learner.learn()
    return learner


def runs(late: Collection[int] = (), free: Collection[int] = ()) -> list[Trace]:
    return [cancel(k, late=k in late, free=k in free) for k in range(len(DAYS))]


def taught(learner: Learner) -> list[list[str]]:
    return [sorted(t.id for t in f.traces) for f in learner.families.values()]


def test_most_runs_that_asked_for_the_same_make_a_tool_and_the_rest_is_told_of() -> None:
    learner = learnt(runs(late=(1, 4)))
    assert taught(learner) == [["c0", "c2", "c3", "c5"]]
    (left,) = learner.loose
    assert sorted(t.id for t in left.traces) == ["c1", "c4"]
    assert left.why == "it was done otherwise than in most runs"
    (reading,) = learner.parse("cancel every booking of attic on 2025-05-02")
    assert reading.slots.keys() <= {"room", "until"}


def test_half_of_them_is_not_most() -> None:
    assert not learnt(runs(late=(1, 3, 4))).families


def test_a_run_that_is_left_out_and_came_out_as_no_other_did_forbids_it() -> None:
    assert not learnt(runs(late=(1, 4), free=(1,))).families
    assert taught(learnt(runs(late=(1, 4), free=(1, 2)))) == [["c0", "c2", "c3", "c5"]]
