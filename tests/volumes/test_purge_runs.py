"""A run that is purged is really gone, with all that was made from it; nothing else is."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import insert, select

from llmos import LLMOS, Step
from llmos.cortex.plans import Part, Plan
from llmos.errors import PermissionDenied, UserError
from llmos.store.schema import events, intents, metadata, patterns, traces
from llmos.values import ArtifactType, Mode, Trace, Usage, Verdict
from llmos.volumes import Caller, Place
from llmos.volumes.purge_runs import purge_run
from tests.conftest import MakeOS, recording
from tests.support.planner import Planner

TRACE, TOOL, INSIGHT = ArtifactType.TRACE, ArtifactType.TOOL, ArtifactType.INSIGHT
SECRET = "theheronsings"
MINE = Place("user", "alice")


def note(text: str, name: str) -> Trace:
    arguments = {"file_path": f"{name}.txt", "content": text}
    step = Step("Write", arguments, f"wrote {name}.txt")
    goal = f"Write a note called '{text}' to {name}.txt"
    return Trace(goal, (step,), "Done.", Verdict.VERIFIED, usage=Usage(100), cost_usd=0.01)


NOTES = [note("milk", "shop"), note("tea", "todo"), note(SECRET, "desk")]


async def learnt(os: LLMOS) -> None:
    """Alice learns from some runs, one of which holds a secret."""
    await os.learn(NOTES)
    await os.kernel.run_cron_now()


def dump(os: LLMOS) -> str:
    tables = metadata.sorted_tables
    rows = os._kernel.store.read(
        lambda c: [(t.name, row) for t in tables for row in c.execute(select(t)).all()]
    )
    return "\n".join(map(str, rows))


def secret_run(os: LLMOS) -> str:
    query = select(traces.c.id).where(traces.c.goal.contains(SECRET))
    return str(os._kernel.store.read(lambda c: c.execute(query).scalar_one()))


async def test_nothing_of_what_it_said_is_left_and_what_was_made_from_it_is_gone(
    make_os: MakeOS,
) -> None:
    os = await make_os()
    await learnt(os)
    run = secret_run(os)
    volume = os.kernel.get_user_volume()
    assert volume.list_artifacts(TOOL)
    going = os.kernel.would_purge(TRACE, run)
    assert {v.type for v in going} >= {TOOL, INSIGHT}
    assert SECRET in dump(os)
    assert os.kernel.purge(TRACE, run, why="private") == len(going)
    assert SECRET not in dump(os)
    assert volume.list_artifacts(TOOL) == []
    (gone,) = [e for e in os.kernel.hub.get_activity_feed() if "with all that" in e.what]
    assert gone.what.startswith(f"run {run[-6:].lower()}")
    with pytest.raises(UserError, match="there is no run"):
        os.kernel.purge(TRACE, run)


async def test_other_runs_stay_and_the_job_is_learnt_from_new_ones(make_os: MakeOS) -> None:
    os = await make_os()
    await learnt(os)
    os.kernel.purge(TRACE, secret_run(os))
    assert len(os.traces.recent()) == 2
    await os.learn([note("ink", "list"), note("wax", "door"), note("tape", "box")])
    await os.kernel.run_cron_now()
    (tool,) = os.kernel.get_user_volume().list_artifacts(TOOL)
    content = os.kernel.get_user_volume().get(TOOL, tool.name).content
    assert SECRET not in json.dumps(content)


async def test_what_others_made_from_it_goes_too_and_numbers_of_events_stay(
    make_os: MakeOS,
) -> None:
    os = await make_os()
    await learnt(os)
    store, run = os._kernel.store, secret_run(os)
    before = store.read(lambda c: c.scalars(select(events.c.seq)).all())
    os.kernel.purge(TRACE, run)
    after = store.read(lambda c: c.scalars(select(events.c.seq)).all())
    assert set(before) <= set(after)
    counts = store.read(lambda c: c.execute(select(patterns.c.traces, patterns.c.runs)).all())
    assert all(run not in row.traces for row in counts)


async def test_one_whose_write_is_in_doubt_is_refused(make_os: MakeOS) -> None:
    os = await make_os()
    await learnt(os)
    run = secret_run(os)
    row = {
        "id": "0" * 26,
        "trace_id": run,
        "idx": 0,
        "process_id": "p",
        "tool": "mail",
        "arguments": "{}",
        "call_key": "k",
        "status": "in_doubt",
        "at": "",
    }
    os._kernel.store.write(lambda tx: tx.conn.execute(insert(intents), row))
    with pytest.raises(UserError, match="nobody knows whether"):
        os.kernel.purge(TRACE, run)
    assert SECRET in dump(os)


@pytest.mark.parametrize("caller", [Caller.person("bob"), Caller.user_cron("alice")])
async def test_only_its_owner_or_an_admin_purges_a_run(make_os: MakeOS, caller: Caller) -> None:
    os = await make_os()
    await learnt(os)
    run = secret_run(os)
    with pytest.raises(PermissionDenied):
        os._kernel.store.write(lambda tx: purge_run(tx, caller, MINE, run, ""))


async def test_replays_go_with_the_run_that_they_repeat(make_os: MakeOS) -> None:
    arguments = {"file_path": "n.txt", "content": SECRET}
    goal = f"Write '{SECRET}' to n.txt"
    os = await make_os([recording(goal, ("Write", arguments))])
    first = await os.execute(goal)
    for _ in range(2):
        again = await os.execute(goal)
        assert again.mode is Mode.FOLLOWER
    os.kernel.purge(TRACE, first.trace_id)
    assert SECRET not in dump(os)
    assert os.traces.recent() == []


@pytest.mark.parametrize("of", ["plan", "part"])
async def test_a_plan_goes_as_a_whole(make_os: MakeOS, of: str) -> None:
    os = await make_os(processor=Planner())
    plan = Plan.of([Part("a", f"Write '{SECRET}' to a.txt"), Part("b", "Write {{a}} to b.txt")])
    result = await os.execute("Prepare all", plan=plan)
    kept = await os.execute("Write 'milk' to c.txt")
    part = result.steps[0].observation["run"]
    assert SECRET in dump(os)
    os.kernel.purge(TRACE, result.trace_id if of == "plan" else part)
    assert SECRET not in dump(os)
    assert [t.id for t in os.traces.recent()] == [kept.trace_id]


@pytest.mark.parametrize("of", ["plan", "part"])
async def test_a_plan_is_private_as_a_whole(make_os: MakeOS, of: str) -> None:
    os = await make_os(processor=Planner())
    plan = Plan.of([Part("a", "Write 'a' to a.txt"), Part("b", "Write 'b' to b.txt")])
    result = await os.execute("Prepare all", plan=plan)
    other = await os.execute("Write 'milk' to c.txt")
    part = result.steps[0].observation["run"]
    named = result.trace_id if of == "plan" else part
    assert os.kernel.keep_private(True, TRACE, named)
    kept = {one.subject for one in os.kernel.get_private()}
    assert kept == {result.trace_id, *(s.observation["run"] for s in result.steps)}
    assert other.trace_id not in kept
    assert not os.kernel.keep_private(True, TRACE, part), "it was private with its plan"
    assert os.kernel.keep_private(False, TRACE, named)
    assert os.kernel.get_private() == []
