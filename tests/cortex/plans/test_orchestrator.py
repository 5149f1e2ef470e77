"""A goal in parts: known ones are free, failed ones are told, and the plan itself is learnt."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from llmos import LLMOS, LLMOSConfig, Mode, Verdict
from llmos.cortex.plans import GOAL, Part, Plan
from llmos.errors import LowBatteryError, NeedsProcessor, UserError
from llmos.values import Event, PartBegan, PartEnded, RunResult
from llmos.volumes import Place
from tests.conftest import MakeOS
from tests.support.planner import DONE, PLANNED, Parts, Planner, part

WHOLE = "Prepare the meeting"


def two(goal: str) -> Parts:
    return [part("head", "Write 'head' to head.txt"), part("body", "Write 'body' to body.txt")]


def chain(*ids: str) -> Plan:
    """Parts that wait for each other in a row."""
    return Plan.of(
        [Part(n, f"Write '{n}' to {n}.txt", ids[k - 1 : k] if k else ()) for k, n in enumerate(ids)]
    )


def files(cwd: Path) -> set[str]:
    return {p.name for p in cwd.iterdir()}


def modes(os: LLMOS, result: RunResult) -> dict[str, Mode]:
    return {s.arguments["id"]: os.traces.get(s.observation["run"]).mode for s in result.steps}


# --- the way of a plan -------------------------------------------------------------------------


async def test_the_model_takes_it_apart_and_each_part_is_a_run(make_os: MakeOS, cwd: Path) -> None:
    planner = Planner(two)
    os = await make_os(processor=planner)
    result = await os.execute(WHOLE, mode="ORCHESTRATOR")
    assert (result.mode, result.verdict) == (Mode.ORCHESTRATOR, Verdict.COMPLETED)
    assert files(cwd) == {"head.txt", "body.txt"}
    assert result.usage == PLANNED + DONE + DONE
    assert result.output == "head: Wrote head.\nbody: Wrote body."
    trace = os.traces.get(result.trace_id)
    assert [s.tool for s in trace.steps] == [GOAL, GOAL]
    # What the parts cost stands with them: added up over all runs it counts once.
    assert trace.usage == PLANNED
    assert [os.traces.get(s.observation["run"]).usage for s in trace.steps] == [DONE, DONE]


async def test_the_second_time_nothing_is_asked_of_a_model(make_os: MakeOS, cwd: Path) -> None:
    planner = Planner(two)
    os = await make_os(processor=planner)
    first = await os.execute(WHOLE, mode="ORCHESTRATOR")
    await os.undo(first.trace_id)
    assert files(cwd) == set()
    again = await os.execute(WHOLE)
    assert (again.mode, again.usage.total_tokens) == (Mode.ORCHESTRATOR, 0)
    assert again.decision.source == first.trace_id
    assert set(modes(os, again).values()) == {Mode.FOLLOWER}
    assert len(planner.asked) == 1
    assert files(cwd) == {"head.txt", "body.txt"}


async def test_known_parts_of_a_new_plan_are_free(make_os: MakeOS) -> None:
    planner = Planner()
    os = await make_os(processor=planner)
    for known in ("a", "b", "c", "d"):
        await os.undo((await os.execute(f"Write '{known}' to {known}.txt")).trace_id)
    result = await os.execute(WHOLE, plan=chain("a", "b", "c", "d", "e", "f"))
    assert result.success
    assert result.usage == DONE + DONE
    assert [m for m in modes(os, result).values()] == [Mode.FOLLOWER] * 4 + [Mode.LEARNER] * 2


async def test_words_alone_never_make_a_plan(make_os: MakeOS) -> None:
    planner = Planner(two)
    os = await make_os(processor=planner)
    await os.execute("Write 'x' to x.txt and then Write 'y' to y.txt")
    assert planner.asked == []


async def test_independent_parts_go_at_once_and_others_wait(make_os: MakeOS) -> None:
    free = asyncio.Event()
    planner = Planner(slow={"Write 'a' to a.txt": free, "Write 'b' to b.txt": free})
    os = await make_os(processor=planner)
    parts = [Part(n, f"Write '{n}' to {n}.txt") for n in "ab"]
    parts.append(Part("c", "Write 'c' to c.txt", ("a", "b")))
    running = asyncio.ensure_future(os.execute(WHOLE, plan=Plan.of(parts)))
    while planner.at_once < 2:
        await asyncio.sleep(0.01)
    assert sorted(planner.worked) == ["Write 'a' to a.txt", "Write 'b' to b.txt"]
    free.set()
    assert (await running).success
    assert planner.worked[-1] == "Write 'c' to c.txt"


async def test_plans_do_not_wait_for_slots_that_they_hold(make_os: MakeOS) -> None:
    os = await make_os(processor=Planner(), config=LLMOSConfig(parallel_runs=1))
    both = [os.execute(f"{WHOLE} {k}", plan=chain("a", "b")) for k in range(3)]
    results = await asyncio.wait_for(asyncio.gather(*both), 30)
    assert all(r.success for r in results)


async def test_an_answer_stands_where_a_part_asks_for_it(make_os: MakeOS, cwd: Path) -> None:
    os = await make_os(processor=Planner())
    plan = Plan.of(
        [Part("a", "Write 'a' to a.txt"), Part("b", "Write the answer '{{a}}' to b.txt")]
    )
    for _ in range(2):
        result = await os.execute(WHOLE, plan=plan)
        assert result.success, result.error
        assert (cwd / "b.txt").read_text() == "Wrote a.\n"
    # The second time nothing was left to do: what was answered then still holds.
    assert set(modes(os, result).values()) == {Mode.FOLLOWER}


async def test_each_part_is_told_as_it_begins_and_ends(make_os: MakeOS) -> None:
    os, told = await make_os(processor=Planner()), list[Event]()
    await os.execute(WHOLE, plan=chain("a", "b"), on_event=told.append)
    assert [(type(e), e.id) for e in told if isinstance(e, (PartBegan, PartEnded))] == [
        (PartBegan, "a"),
        (PartEnded, "a"),
        (PartBegan, "b"),
        (PartEnded, "b"),
    ]


async def test_the_check_of_a_part_decides_for_it(make_os: MakeOS) -> None:
    os = await make_os(processor=Planner())
    plan = Plan.of([Part("a", "Write 'a' to a.txt", check="grep -q b a.txt")])
    result = await os.execute(WHOLE, plan=plan)
    assert result.verdict is Verdict.FAILED
    assert "part a failed: the check did not pass" in result.error


# --- what goes wrong ---------------------------------------------------------------------------


async def test_a_failed_part_takes_only_those_along_that_need_it(
    make_os: MakeOS, cwd: Path
) -> None:
    planner = Planner(broken={"Write 'b' to b.txt"})
    os = await make_os(processor=planner)
    plan = Plan.of([*chain("a", "b", "c").parts, Part("x", "Write 'x' to x.txt")])
    result = await os.execute(WHOLE, plan=plan)
    assert not result.success
    assert result.error == (
        "part b failed: I cannot do that; not begun for want of it: c; done: a, x"
    )
    assert files(cwd) == {"a.txt", "x.txt"}
    assert [s.is_error for s in result.steps] == [False, True, False]


async def test_a_failed_plan_is_no_plan_for_the_next_time(make_os: MakeOS) -> None:
    planner = Planner(two, broken={"Write 'body' to body.txt"})
    os = await make_os(processor=planner)
    await os.execute(WHOLE, mode="ORCHESTRATOR")
    assert os.explain(WHOLE)[0].mode is Mode.LEARNER


async def test_it_is_taken_up_where_it_failed(make_os: MakeOS, cwd: Path) -> None:
    planner = Planner(broken={"Write 'b' to b.txt"})
    os = await make_os(processor=planner)
    failed = await os.execute(WHOLE, plan=chain("a", "b", "c"))
    planner.broken.clear()
    planner.worked.clear()
    result = await os.resume(failed.trace_id)
    assert result.success
    assert planner.worked == ["Write 'b' to b.txt", "Write 'c' to c.txt"]
    assert files(cwd) == {"a.txt", "b.txt", "c.txt"}
    with pytest.raises(UserError, match="all 3 parts"):
        await os.resume(result.trace_id)


async def test_it_is_taken_up_in_its_own_project_or_in_none(make_os: MakeOS) -> None:
    planner = Planner(broken={"Write 'b' to b.txt"})
    os = await make_os(processor=planner)
    failed = [await os.execute(WHOLE, plan=chain("a", "b"), project=p) for p in (None, "api")]
    planner.broken.clear()
    web = await make_os(processor=planner, project="web")
    resumed = await web.resume(failed[0].trace_id)
    assert web.traces.project(resumed.trace_id) is None and web.projects.is_known("web") is False
    web.projects.archive("api")
    with pytest.raises(UserError, match="project 'api' is archived"):
        await web.resume(failed[1].trace_id)
    web.projects.restore("api")
    resumed = await web.resume(failed[1].trace_id)
    assert web.traces.project(resumed.trace_id) == "api"


async def test_a_part_that_was_taken_back_is_done_again(make_os: MakeOS, cwd: Path) -> None:
    planner = Planner(broken={"Write 'b' to b.txt"})
    os = await make_os(processor=planner)
    failed = await os.execute(WHOLE, plan=chain("a", "b"))
    await os.undo(failed.trace_id)
    planner.broken.clear()
    assert (await os.resume(failed.trace_id)).success
    assert files(cwd) == {"a.txt", "b.txt"}


async def test_a_run_without_a_plan_cannot_be_taken_up(make_os: MakeOS) -> None:
    os = await make_os(processor=Planner())
    result = await os.execute("Write 'a' to a.txt")
    with pytest.raises(UserError, match="had no plan"):
        await os.resume(result.trace_id)


async def test_undo_takes_back_all_parts_the_last_first(make_os: MakeOS, cwd: Path) -> None:
    (cwd / "a.txt").write_text("before\n")
    os = await make_os(processor=Planner())
    plan = Plan.of([Part("a", "Write 'a' to a.txt"), Part("b", "Write 'b' to a.txt", ("a",))])
    result = await os.execute(WHOLE, plan=plan)
    assert (cwd / "a.txt").read_text() == "b\n"
    await os.undo(result.trace_id)
    assert (cwd / "a.txt").read_text() == "before\n"
    with pytest.raises(UserError, match="nothing to undo"):
        await os.undo(result.trace_id)


async def test_a_cancelled_plan_ends_its_parts(make_os: MakeOS) -> None:
    planner = Planner(slow={"Write 'a' to a.txt": asyncio.Event()})
    os = await make_os(processor=planner)
    running = asyncio.ensure_future(os.execute(WHOLE, plan=chain("a", "b")))
    while not planner.worked:
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    told = {t.goal: t.error for t in os.traces.recent()}
    assert told == {
        WHOLE: "the run was cancelled",
        "Write 'a' to a.txt": "the run was cancelled",
    }
    # Its slot is free again.
    assert (await os.execute("Write 'z' to z.txt")).success


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("I would rather not.", "the answer is not JSON"),
        ('{"steps": []}', "no object of agents and parts"),
        ([part("a", "Do it", "b")], "waits for 'b'"),
        ([part("a", WHOLE)], "the whole goal again"),
        ([part("a", "Do it", agent="nobody")], "names the agent 'nobody'"),
    ],
)
async def test_what_is_no_plan_is_told_to_the_model_once(
    make_os: MakeOS, said: Parts | str, told: str
) -> None:
    planner = Planner(lambda goal: said)
    os = await make_os(processor=planner)
    result = await os.execute(WHOLE, mode="ORCHESTRATOR")
    assert (result.verdict, result.steps) == (Verdict.FAILED, ())
    assert told in result.error
    assert result.usage == PLANNED + PLANNED
    assert [told in asked for asked in planner.asked] == [False, True]


async def test_without_a_model_only_what_is_known_can_be_done(make_os: MakeOS) -> None:
    os = await make_os()
    with pytest.raises(NeedsProcessor):
        await os.execute(WHOLE, mode="ORCHESTRATOR")
    result = await os.execute(WHOLE, plan=chain("a"))
    assert "part a failed: no language model is configured" in result.error


# --- money -------------------------------------------------------------------------------------


async def test_the_budget_is_shared_by_the_parts_and_never_exceeded(make_os: MakeOS) -> None:
    planner = Planner(cost_usd=0.10)
    os = await make_os(processor=planner)
    parts = [Part(n, f"Write '{n}' to {n}.txt") for n in "abcd"]
    result = await os.execute(WHOLE, max_cost_usd=1.0, plan=Plan.of(parts))
    assert result.success
    assert list(planner.limits.values()) == pytest.approx([0.25] * 4)
    assert result.cost_usd == pytest.approx(0.40)


async def test_what_a_part_leaves_goes_to_those_after_it(make_os: MakeOS) -> None:
    planner = Planner(cost_usd=0.10)
    os = await make_os(processor=planner)
    await os.execute(WHOLE, max_cost_usd=0.9, plan=chain("a", "b", "c"))
    assert list(planner.limits.values()) == pytest.approx([0.3, 0.4, 0.7])


async def test_planning_is_paid_from_the_same_purse(make_os: MakeOS) -> None:
    planner = Planner(two, cost_usd=0.10)
    os = await make_os(processor=planner)
    result = await os.execute(WHOLE, mode="ORCHESTRATOR", max_cost_usd=0.5)
    assert list(planner.limits.values()) == pytest.approx([0.2, 0.2])
    assert result.cost_usd == pytest.approx(0.3)
    spent = 10.0 - (os.kernel.economy.status("system").left_usd or 0.0)
    assert spent == pytest.approx(0.3)


async def test_nothing_left_to_plan_with_is_told_before_anything_begins(make_os: MakeOS) -> None:
    os = await make_os(processor=Planner(two, cost_usd=0.1), budget_usd=0.0)
    with pytest.raises(LowBatteryError):
        await os.execute(WHOLE, mode="ORCHESTRATOR")
    assert os.traces.recent() == []


# --- plans within plans, and what is learnt ----------------------------------------------------


async def test_a_part_may_have_a_plan_of_its_own(make_os: MakeOS, cwd: Path) -> None:
    os = await make_os(processor=Planner())
    inner = await os.execute("Prepare the room", plan=chain("a", "b"))
    await os.undo(inner.trace_id)
    outer = await os.execute(WHOLE, plan=Plan.of([Part("room", "Prepare the room")]))
    assert outer.success, outer.error
    assert (modes(os, outer), outer.usage.total_tokens) == ({"room": Mode.ORCHESTRATOR}, 0)
    await os.undo(outer.trace_id)
    assert files(cwd) == set()


async def test_a_plan_that_has_itself_as_a_part_stops(make_os: MakeOS) -> None:
    os = await make_os(processor=Planner())
    await os.execute("Prepare the room", plan=chain("a"))
    await os.execute("Prepare the house", plan=Plan.of([Part("r", "Prepare the room")]))
    circle = Plan.of([Part("h", "Prepare the house")])
    result = await os.execute("Prepare the room", plan=circle)
    assert "has itself as a part" in result.error


async def test_a_plan_that_recurs_becomes_a_tool(make_os: MakeOS, cwd: Path) -> None:
    def week(goal: str) -> Parts:
        team = goal.split("'")[1]
        name = goal.split()[-1]
        head = part("head", f"Write the heading '{team}' to {name}")
        return [head, part("body", f"Write the tasks '{team}' to tasks-{name}", "head")]

    planner = Planner(week)
    os = await make_os(processor=planner)
    for team in ("alpha", "beta", "gamma"):
        goal = f"Prepare the week of '{team}' in {team}.txt"
        result = await os.execute(goal, mode="ORCHESTRATOR")
        for run in [result.trace_id, *(s.observation["run"] for s in result.steps)]:
            await os.feedback(run, success=True)
    await os.kernel.run_cron_now()
    new = "Prepare the week of 'omega' in omega.txt"
    parts = os.explain_parts(new)
    assert [how and how.mode for _, how in parts] == [Mode.CRYSTALLIZED, Mode.CRYSTALLIZED]
    result = await os.execute(new)
    assert (result.mode, result.usage.total_tokens) == (Mode.ORCHESTRATOR, 0)
    assert result.verdict is Verdict.COMPLETED
    assert (cwd / "tasks-omega.txt").read_text() == "omega\n"
    assert len(planner.asked) == 3
    # A word that no run had where another was is not taken on trust.
    assert os.explain("Prepare the month of 'omega' in omega.txt")[0].mode is Mode.LEARNER


async def test_a_known_job_is_shown_to_the_model_that_plans(make_os: MakeOS) -> None:
    planner = Planner(two)
    os = await make_os(processor=planner)
    for name in ("a", "b", "c"):
        made = await os.execute(f"Write the report '{name}' to {name}.txt")
        await os.feedback(made.trace_id, success=True)
    await os.kernel.run_cron_now()
    await os.execute("Prepare the report of the week", mode="ORCHESTRATOR")
    assert "write the report '{content}' to {file_path}" in planner.asked[0]


async def test_a_plan_that_somebody_called_wrong_is_not_made_again(make_os: MakeOS) -> None:
    planner = Planner(two)
    os = await make_os(processor=planner)
    result = await os.execute(WHOLE, mode="ORCHESTRATOR")
    await os.feedback(result.trace_id, success=False)
    assert os.explain(WHOLE)[0].mode is Mode.LEARNER


# --- agents ------------------------------------------------------------------------------------


def said(parts: Parts, *agents: dict[str, Any]) -> str:
    return json.dumps({"parts": parts, "agents": list(agents)})


POET = {
    "name": "poet",
    "description": "Writes verse.",
    "prompt": "You are a poet.",
    "tools": ["Write"],
}


async def test_a_part_is_done_by_the_agent_that_it_names(make_os: MakeOS) -> None:
    planner = Planner(lambda goal: [part("a", "Write 'a' to a.txt", agent="coder")])
    os = await make_os(processor=planner)
    result = await os.execute(WHOLE, mode="ORCHESTRATOR")
    assert result.success, result.error
    assert '"coder": ' in planner.asked[0]
    done = os.traces.get(result.steps[0].observation["run"])
    assert done.agent.startswith("coder@")
    assert (await os.execute(WHOLE)).usage.total_tokens == 0


async def test_an_agent_that_is_lacking_is_made_and_told(make_os: MakeOS) -> None:
    parts = [part("a", "Write 'a' to a.txt", agent="poet")]
    os = await make_os(processor=Planner(lambda goal: said(parts, POET)))
    result = await os.execute(WHOLE, mode="ORCHESTRATOR")
    assert result.success, result.error
    assert result.warnings == ("the agent poet was made for this: llmos agents show poet",)
    poet = os.kernel.agents.get("poet")
    assert (poet.agent.prompt, poet.agent.tools) == ("You are a poet.", ("Write",))
    assert poet.place == Place("user", "alice")
    assert os.traces.get(result.steps[0].observation["run"]).agent == poet.label


@pytest.mark.parametrize(
    ("agents", "told"),
    [
        ([POET | {"name": "coder"}], "there is an agent 'coder' already"),
        ([POET | {"name": "../x"}], "'../x'"),
        ([POET | {"prompt": ""}], "a name, a description and a prompt"),
        ([POET | {"tools": "Write"}], "a list of tools"),
        ([POET | {"model": "dear"}], "an object of"),
        ([POET] * 4, "at most 3"),
    ],
)
async def test_no_agent_comes_of_what_is_none(
    make_os: MakeOS, agents: list[dict[str, Any]], told: str
) -> None:
    parts = [part("a", "Write 'a' to a.txt", agent="poet")]
    os = await make_os(processor=Planner(lambda goal: said(parts, *agents)))
    result = await os.execute(WHOLE, mode="ORCHESTRATOR")
    assert told in result.error
    assert all(row.name != "poet" for row in os.kernel.agents.listed())


async def test_an_agent_that_no_part_names_is_not_made(make_os: MakeOS) -> None:
    os = await make_os(processor=Planner(lambda goal: said(two(goal), POET)))
    assert (await os.execute(WHOLE, mode="ORCHESTRATOR")).success
    assert all(row.name != "poet" for row in os.kernel.agents.listed())


async def test_what_is_taken_up_again_is_done_by_the_same_agent(make_os: MakeOS) -> None:
    planner = Planner(broken={"Write 'b' to b.txt"})
    os = await make_os(processor=planner)
    failed = await os.execute(WHOLE, plan=chain("a", "b"), agent="coder")
    planner.broken.clear()
    result = await os.resume(failed.trace_id)
    assert result.success, result.error
    part = os.traces.get(result.steps[1].observation["run"])
    assert part.agent == os.traces.get(failed.trace_id).agent != ""
