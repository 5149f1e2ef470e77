"""A run that holds what a private one holds is private by itself, whenever it is made."""

from __future__ import annotations

from llmos import LLMOS, Mode
from llmos.cortex.plans import Part, Plan
from llmos.cortex.plans.plan import GOAL, step_of
from llmos.values import ArtifactType, Trace
from llmos.volumes import Place, is_private
from llmos.volumes.together import PART
from tests.conftest import MakeOS, recording
from tests.support.planner import Planner

MINE = Place("user", "alice")
WRITE = recording("Write a", ("Write", {"file_path": "a.txt", "content": "a\n"}))
OTHER = recording("Write b", ("Write", {"file_path": "b.txt", "content": "b\n"}))
PLAN = Plan((Part("a", WRITE.goal), Part("b", OTHER.goal)))


def private(os: LLMOS, run_id: str) -> bool:
    return os._kernel.store.read(lambda c: is_private(c, MINE, "trace", run_id))


def test_a_step_of_a_plan_has_one_name() -> None:
    assert PART == GOAL


async def test_a_replay_of_a_private_run_is_private(make_os: MakeOS) -> None:
    os = await make_os([WRITE])
    first = await os.execute(WRITE.goal)
    before = await os.execute(WRITE.goal)
    os.kernel.keep_private(True, ArtifactType.TRACE, first.trace_id)
    after = await os.execute(WRITE.goal)
    assert (before.mode, after.mode) == (Mode.FOLLOWER, Mode.FOLLOWER)
    assert private(os, before.trace_id) and private(os, after.trace_id)
    os.kernel.keep_private(False, ArtifactType.TRACE, first.trace_id)
    assert not private(os, after.trace_id), "what is shared again, is with all that holds it"
    assert not private(os, (await os.execute(WRITE.goal)).trace_id)


async def test_what_a_model_does_anew_is_not(make_os: MakeOS) -> None:
    os = await make_os([WRITE])
    first = await os.execute(WRITE.goal)
    os.kernel.keep_private(True, ArtifactType.TRACE, first.trace_id)
    assert not private(os, (await os.execute(WRITE.goal, "LEARNER")).trace_id)


async def test_a_plan_of_which_a_part_replays_a_private_run_is_private_as_a_whole(
    make_os: MakeOS,
) -> None:
    os = await make_os([WRITE, OTHER])
    first = await os.execute(WRITE.goal)
    os.kernel.keep_private(True, ArtifactType.TRACE, first.trace_id)
    whole = await os.execute("Write both", plan=PLAN)
    assert whole.success
    runs = [t for t in os.traces.recent() if whole.trace_id in (t.id, t.part_of)]
    assert len(runs) == 3 and all(private(os, run.id) for run in runs)


async def test_a_private_plan_that_is_done_again_is_private_with_its_parts(
    make_os: MakeOS,
) -> None:
    os = await make_os([WRITE, OTHER])
    whole = await os.execute("Write both", plan=PLAN)
    os.kernel.keep_private(True, ArtifactType.TRACE, whole.trace_id)
    again = await os.execute("Write both")
    assert again.mode is Mode.ORCHESTRATOR and again.usage.total_tokens == 0
    runs = [t for t in os.traces.recent() if again.trace_id in (t.id, t.part_of)]
    assert len(runs) == 3 and all(private(os, run.id) for run in runs)


async def test_a_plan_that_is_taken_up_again_goes_with_the_one_whose_answers_it_has(
    make_os: MakeOS,
) -> None:
    planner = Planner(broken={"Write 'b' to b.txt"})
    os = await make_os(processor=planner)
    parts = Plan((Part("a", "Write 'a' to a.txt"), Part("b", "Write 'b' to b.txt", after=("a",))))
    failed = await os.execute("Write both", plan=parts)
    planner.broken.clear()
    os.kernel.keep_private(True, ArtifactType.TRACE, failed.trace_id)
    resumed = await os.resume(failed.trace_id)
    assert resumed.success
    runs = [t.id for t in os.traces.recent(limit=100)]
    assert len(runs) == 5 and all(private(os, run) for run in runs)
    os.kernel.keep_private(False, ArtifactType.TRACE, resumed.trace_id)
    assert not any(private(os, run) for run in runs)
    os.kernel.keep_private(True, ArtifactType.TRACE, failed.trace_id)
    assert all(private(os, run) for run in runs)
    os.kernel.purge(ArtifactType.TRACE, failed.trace_id)
    assert os.traces.recent() == [], "the other one holds the same answer"


async def test_a_plan_that_was_imported_goes_with_no_run_of_another_person(
    make_os: MakeOS,
) -> None:
    bob, alice = await make_os(user_id="bob"), await make_os()
    (theirs,) = await bob.learn([Trace("Write a", (), "a")])
    step = step_of(PLAN.parts[0], theirs, "a", failed=False, seconds=0.0)
    (mine,) = await alice.learn([Trace("Write both", (step,), mode=Mode.ORCHESTRATOR)])
    assert alice.kernel.keep_private(True, ArtifactType.TRACE, mine)
    alice.kernel.purge(ArtifactType.TRACE, mine)
    assert [t.id for t in alice.traces.recent()] == [theirs]
