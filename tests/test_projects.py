"""What of one project reaches a run of another: a proven way, never its facts or agents."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llmos import LLMOS, LLMOSConfig, Mode, Trace, Verdict, tool
from llmos.cortex.processors import RecordedProcessor
from llmos.errors import UserError
from llmos.values import Context, Effect, Event, Limits, RunResult, Step, Syscalls, Usage
from llmos.volumes import Place
from tests.conftest import MakeOS, TestClock, recording
from tests.support.planner import Planner, part

WRITE = recording(
    "Write a greeting to hello.txt", ("Write", {"file_path": "hello.txt", "content": "hello\n"})
)
COPY = recording(
    "Copy in.txt",
    ("Read", {"file_path": "in.txt"}),
    ("Write", {"file_path": "out.txt", "content": "one\n"}),
)
KIND = "---\nname: kind\ndescription: For greetings.\n---\n\nBe kind.\n"


class Seeing(RecordedProcessor):
    """Plays recordings and keeps what it was shown."""

    def __init__(self, *recordings: Trace) -> None:
        super().__init__({t.goal: t for t in recordings})
        self.seen: list[Context] = []

    async def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        self.seen.append(context)
        async for event in super().run(goal, context, syscalls, limits):
            yield event


class Post:
    """Sends mail, and knows what it has sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

        @tool(effects="external", name="mail.send")
        def send(to: str, text: str = "") -> str:
            """Send a mail."""
            self.sent.append(f"{to} {text}".strip())
            return "sent"

        self.tool = send


MAIL = recording("Mail the report", ("mail.send", {"to": "bob@example.org"}))
ALLOWED = LLMOSConfig(allow=("mail.send",), error_budget=0.5)


# --- traces --------------------------------------------------------------------------------------


async def test_a_way_that_was_gone_in_one_project_is_free_in_another_while_its_guards_hold(
    make_os: MakeOS, cwd: Path
) -> None:
    web, api = cwd / "web", cwd / "api"
    for folder in (web, api):
        folder.mkdir()
        (folder / "in.txt").write_text("one\n")
    os = await make_os([COPY])
    assert (await os.execute(COPY.goal, project="web", cwd=web)).mode is Mode.LEARNER
    free = await os.execute(COPY.goal, project="api", cwd=api)
    assert (free.mode, (api / "out.txt").read_text()) == (Mode.FOLLOWER, "one\n")
    (api / "in.txt").write_text("two\n")
    (api / "out.txt").unlink()
    other = await os.execute(COPY.goal, project="api", cwd=api)
    assert other.side_exit is not None and "in.txt" in other.side_exit.reason


async def test_where_a_goal_was_done_in_the_project_nothing_of_another_is_followed(
    make_os: MakeOS,
) -> None:
    os = await make_os([WRITE])
    await os.execute(WRITE.goal, project="web")
    api = await os.execute(WRITE.goal, "LEARNER", project="api")
    for _ in range(3):  # the one of web has the better standing now
        await os.execute(WRITE.goal, project="web")
    decision, source = os.explain(WRITE.goal, project="api")
    assert (decision.mode, decision.source) == (Mode.FOLLOWER, api.trace_id)
    await os.feedback(api.trace_id, success=False)
    decision, source = os.explain(WRITE.goal, project="api")
    assert decision.mode is not Mode.FOLLOWER, "it was said to be wrong in this project"
    assert os.explain(WRITE.goal, project="web")[0].mode is Mode.FOLLOWER
    assert source is None or source.id != api.trace_id


async def test_what_reaches_outside_is_a_models_the_first_time_in_each_project(
    make_os: MakeOS,
) -> None:
    post = Post()
    os = await make_os([MAIL], plugins=[post.tool], config=ALLOWED)

    async def mailed(project: str | None) -> RunResult:
        result = await os.execute(MAIL.goal, project=project)
        await os.feedback(result.trace_id, success=True)
        return result

    for project in ("web", "api", None):
        first = await mailed(project)
        assert first.mode in (Mode.LEARNER, Mode.MIXED), first.decision.reason
        assert (await mailed(project)).mode is Mode.FOLLOWER
    assert "was done in" in os.explain(MAIL.goal, project="new")[0].reason


async def test_a_model_is_not_shown_in_one_project_what_was_told_in_another(
    make_os: MakeOS, cwd: Path
) -> None:
    (cwd / "in.txt").write_text("one\n")
    model = Seeing(COPY)
    os = await make_os(processor=model)
    web = await make_os(processor=model, project="web")
    web.facts.add("Always write secret-code")
    await web.execute(COPY.goal)
    (cwd / "in.txt").write_text("two\n")
    assert (await os.execute(COPY.goal, project="api")).mode is Mode.LEARNER
    (cwd / "in.txt").write_text("three\n")
    for context in model.seen[1:]:
        assert context.examples == () and "secret-code" not in str(context)
    assert (await web.execute(COPY.goal)).mode is Mode.MIXED, "in the project it is shown"


# --- facts and agents ----------------------------------------------------------------------------


async def test_facts_and_agents_of_a_project_are_for_its_runs_alone(make_os: MakeOS) -> None:
    model = Seeing(WRITE)
    web, api = [await make_os(processor=model, project=name) for name in ("web", "api")]
    web.facts.add("Always greet in German")
    web.kernel.agents.create(KIND)
    assert (await web.execute(WRITE.goal, agent="kind")).success
    assert "German" in model.seen[0].system and "Be kind." in model.seen[0].system
    for os in (api, await make_os(processor=model)):
        with pytest.raises(UserError, match="no agent 'kind'"):
            await os.execute(WRITE.goal, agent="kind")
        assert "kind" not in {row.name for row in os.kernel.agents.listed(everything=True)}
        assert "kind" not in os.explain(WRITE.goal, agent="auto")[0].reason
        result = await os.execute(WRITE.goal, "LEARNER")
        assert result.success and "German" not in str(model.seen[-1])
    assert (await web.execute(WRITE.goal, agent="kind")).mode is Mode.FOLLOWER


async def test_an_agent_of_a_project_goes_before_the_users_of_that_name(make_os: MakeOS) -> None:
    os = await make_os(processor=Seeing(WRITE))
    web = await make_os(processor=Seeing(WRITE), project="web")
    os.kernel.agents.create(KIND)
    web.kernel.agents.create(KIND.replace("Be kind.", "Be kinder."))
    told = [o.kernel.agents.get("kind").agent.prompt for o in (os, web)]
    assert told == ["Be kind.", "Be kinder."]
    await os.execute(WRITE.goal, agent="kind")
    assert web.explain(WRITE.goal, agent="kind")[0].mode is not Mode.FOLLOWER
    web.kernel.agents.archive("kind")
    assert web.explain(WRITE.goal, agent="kind")[0].mode is Mode.FOLLOWER


async def test_a_plan_that_names_agents_is_made_anew_in_another_project(make_os: MakeOS) -> None:
    parts = [part("a", "Write 'a' to a.txt", agent="kind")]
    web = await make_os(processor=Planner(lambda goal: parts), project="web")
    web.kernel.agents.create(KIND)
    first = await web.execute("Write it", mode="ORCHESTRATOR")
    assert first.success and web.explain("Write it")[0].source == first.trace_id
    decision, _ = web.explain("Write it", project="api")
    assert decision.source != first.trace_id
    assert "its parts name agents, and it was taken apart in another project" in decision.reason


async def test_an_agent_that_a_plan_brings_is_of_its_project(make_os: MakeOS) -> None:
    said = {
        "parts": [part("a", "Write 'a' to a.txt", agent="poet")],
        "agents": [{"name": "poet", "description": "Writes.", "prompt": "Be.", "tools": ["Write"]}],
    }
    web = await make_os(processor=Planner(lambda goal: json.dumps(said)), project="web")
    assert (await web.execute("Write it", mode="ORCHESTRATOR")).success
    assert web.kernel.agents.get("poet").place == Place("user", "alice").of("web")
    assert (await make_os()).kernel.agents.find("poet") is None


# --- learned tools -------------------------------------------------------------------------------


def mails(project: str, numbers: range, now: datetime) -> list[Trace]:
    """Runs that each sent a mail and were right."""
    return [
        Trace(
            f"Mail '{n} apples' to bob",
            (
                Step(
                    "mail.send",
                    {"to": "bob@example.org", "text": f"{n} apples"},
                    "sent",
                    effect=Effect.EXTERNAL,
                ),
            ),
            "Done.",
            Verdict.CONFIRMED,
            now=now + timedelta(hours=n),
            usage=Usage(900, 100),
            project=project,
        )
        for n in numbers
    ]


async def test_a_tool_that_reaches_outside_serves_the_projects_where_the_job_was_done(
    make_os: MakeOS,
) -> None:
    post, goal = Post(), "Mail '77 apples' to bob"
    os = await make_os([], plugins=[post.tool], config=ALLOWED)
    await os.learn(mails("web", range(1, 12), datetime(2026, 3, 1, tzinfo=UTC)))
    assert (await os.kernel.run_cron_now()).learnt.created
    assert os.explain(goal, project="web")[0].mode is Mode.CRYSTALLIZED
    decision, _ = os.explain(goal, project="api")
    assert decision.mode is Mode.LEARNER
    assert "it writes to the outside, which was not done in project api yet" in decision.reason
    assert os.explain(goal)[0].mode is Mode.LEARNER
    await os.learn(mails("api", range(12, 13), datetime(2026, 3, 1, tzinfo=UTC)))
    await os.kernel.run_cron_now()
    assert os.explain(goal, project="api")[0].mode is Mode.CRYSTALLIZED
    assert os.explain(goal)[0].mode is Mode.LEARNER
    assert (await os.execute(goal, project="api")).success
    assert post.sent == ["bob@example.org 77 apples"]


async def test_a_run_that_nobody_vouched_for_brings_no_tool_that_reaches_outside_into_its_project(
    make_os: MakeOS,
) -> None:
    post, goal = Post(), "Mail '77 apples' to bob"
    os = await make_os([], plugins=[post.tool], config=ALLOWED)
    await os.learn(mails("web", range(1, 12), datetime(2026, 3, 1, tzinfo=UTC)))
    (one,) = mails("api", range(12, 13), datetime(2026, 3, 1, tzinfo=UTC))
    # In this project the same words mean another bob, and the learner has not seen it.
    step = replace(one.steps[0], arguments={"to": "bob@api.example.org", "text": "12 apples"})
    await os.learn([replace(one, steps=(step,), verdict=Verdict.COMPLETED)])
    assert (await os.kernel.run_cron_now()).learnt.created
    assert os.explain(goal, project="web")[0].mode is Mode.CRYSTALLIZED
    assert os.explain(goal, project="api")[0].mode is Mode.LEARNER


async def test_imported_runs_are_of_the_project_in_which_they_are_learnt(
    make_os: MakeOS, clock: TestClock
) -> None:
    os: LLMOS = await make_os(project="web")
    (run_id,) = await os.learn([Trace("Say hi", (), "Hi.")])
    assert os.traces.get(run_id).project == "web"
    with pytest.raises(UserError, match="not a usable name"):
        await os.learn([Trace("Say hi", (), "Hi.", project="../x")])
