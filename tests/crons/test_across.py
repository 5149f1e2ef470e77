"""What a user's cron says across projects, from what it counted and from nothing private."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from llmos import LLMOS
from llmos.crons import CycleReport, project_patterns
from llmos.store.schema import project_patterns as counts
from llmos.values import ArtifactType, Effect, Footprint, RunResult, Step, Trace, Usage, Verdict
from llmos.volumes import Caller, Outcome, Place, Status, Volume, record_usage
from llmos.volumes.roles import join
from tests.conftest import MakeOS, recording

INSIGHT, SUGGESTION, TOOL = ArtifactType.INSIGHT, ArtifactType.SUGGESTION, ArtifactType.TOOL
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
KIND = "---\nname: kind\ndescription: For apples.\n---\n\nBe kind.\n"


def run(n: int, project: str, verdict: Verdict = Verdict.COMPLETED, *, tokens: int = 1000) -> Trace:
    """A run that wrote one file which nobody can take back, so that no tool comes of it."""
    step = Step(
        "Write",
        {"file_path": f"n{n}.txt", "content": f"{n} apples"},
        "written",
        effect=Effect.WRITE,
        footprint=Footprint(undoable=False),
    )
    return Trace(
        f"Write '{n} apples' to n{n}.txt",
        (step,),
        "Done.",
        verdict,
        now=NOW + timedelta(hours=n),
        usage=Usage(tokens, 0),
        project=project,
    )


def runs(project: str, count: int, *, failed: int = 0, **more: Any) -> list[Trace]:
    verdicts = [Verdict.FAILED] * failed + [Verdict.COMPLETED] * (count - failed)
    return [run(n, project, verdict, **more) for n, verdict in enumerate(verdicts)]


async def night(os: LLMOS, given: Sequence[Trace] = ()) -> CycleReport:
    await os.learn(given)
    return await os.kernel.run_cron_now()


def found(os: LLMOS, beginning: str, type: ArtifactType = INSIGHT) -> list[dict[str, Any]]:
    """What is in the user's volume, and was not laid aside."""
    volume = os.kernel.get_user_volume()
    return [
        dict(volume.get(type, a.name).content)
        for a in volume.list_artifacts(type)
        if a.name.startswith(beginning) and not a.status.out_of_use
    ]


async def test_a_goal_that_is_done_in_several_projects_is_told_with_its_counts(
    make_os: MakeOS,
) -> None:
    os = await make_os()
    await night(os, runs("web", 2))
    assert found(os, "across-") == [], "one project is none across"
    report = await night(os, [*runs("api", 1, failed=1), run(9, "")])
    (told,) = found(os, "across-")
    assert told["title"] == "“Write '…' to …” is done in 2 projects (web and api): 3 runs"
    assert [(p["project"], p["runs"], p["failed"]) for p in told["evidence"]["projects"]] == [
        ("web", 2, 0),
        ("api", 1, 1),
    ]
    assert any(t.subject.startswith("across-") for t in report)
    assert "done in 2 projects" in os.kernel.format_activity_report()
    assert not any(t.subject.startswith("across-") for t in await night(os, runs("web", 1)))


async def test_what_is_private_is_not_counted_whenever_it_was_made_so(make_os: MakeOS) -> None:
    os = await make_os()
    (secret, *_) = await os.learn(runs("api", 3))
    os.kernel.keep_private(True, ArtifactType.TRACE, secret)
    await night(os, runs("web", 2))
    (told,) = found(os, "across-")
    assert {p["project"]: p["runs"] for p in told["evidence"]["projects"]} == {"web": 2, "api": 2}
    for other in os.traces.recent(project="api"):
        os.kernel.keep_private(True, ArtifactType.TRACE, other.id)
    await night(os, runs("web", 1))
    assert found(os, "across-") == [], "only one project is left"
    os.kernel.keep_private(False, ArtifactType.TRACE, secret)
    await night(os, runs("web", 1))
    assert len(found(os, "across-")) == 1


async def test_nothing_of_another_person_is_counted(make_os: MakeOS) -> None:
    alice, bob = await make_os(), await make_os(user_id="bob")
    await bob.learn(runs("api", 5))
    await night(alice, runs("web", 5))
    await bob.kernel.run_cron_now()
    assert found(alice, "across-") == found(bob, "across-") == []


async def test_a_project_that_was_archived_is_left_out(make_os: MakeOS) -> None:
    os = await make_os()
    await os.learn(runs("api", 3))
    os.projects.archive("api")
    await night(os, runs("web", 3))
    assert found(os, "across-") == []


async def test_where_the_same_goes_right_more_often_is_told_only_with_enough_runs(
    make_os: MakeOS,
) -> None:
    os = await make_os()
    await night(os, [*runs("web", 4), *runs("api", 4, failed=4)])
    assert found(os, "better-") == [], "four runs each say nothing"
    await night(os, [*runs("web", 6), *runs("api", 6, failed=4)])
    (told,) = found(os, "better-")
    assert "goes right more often in web (10 of 10) than in api (2 of 10)" in told["title"]
    await night(os, runs("api", 90))
    assert found(os, "better-") == [], "it does not differ any more"


async def test_where_the_same_takes_markedly_less_is_told(make_os: MakeOS) -> None:
    os = await make_os()
    await night(os, [*runs("web", 5, tokens=400), *runs("api", 5, tokens=700)])
    assert found(os, "better-") == [], "not twice as much"
    await night(os, runs("shop", 6, tokens=2000))
    (told,) = found(os, "better-")
    assert "takes a model 400 tokens in web and 2,000 in shop" in told["title"]


async def test_one_dear_run_does_not_make_a_project_dear(make_os: MakeOS) -> None:
    os = await make_os()
    dear = [*runs("api", 5, tokens=400), *runs("api", 1, tokens=90_000)]
    await night(os, [*runs("web", 6, tokens=400), *dear])
    assert found(os, "better-") == []


async def test_a_judged_run_is_moved_and_a_purged_one_is_gone(make_os: MakeOS) -> None:
    os = await make_os()
    (first, *_) = await os.learn(runs("web", 3))
    await night(os)
    await os.feedback(first, success=False)
    await night(os)

    def counted() -> list[tuple[Any, ...]]:
        query = select(counts.c.project, counts.c.runs, counts.c.failed, counts.c.tokens)
        return [tuple(r) for r in os._kernel.store.read(lambda c: c.execute(query).all())]

    assert counted() == [("web", 3, 1, 3000)]
    os.kernel.purge(ArtifactType.TRACE, first)
    assert counted() == [("web", 2, 0, 2000)]


# --- facts and agents ----------------------------------------------------------------------------


async def test_a_fact_of_several_projects_is_offered_to_all_once(make_os: MakeOS) -> None:
    web, api = await make_os(project="web"), await make_os(project="api")
    fact = web.facts.add("Always be brief").fact
    await night(web)
    assert found(web, "general-fact", SUGGESTION) == []
    api.facts.add("always be brief.")
    await night(web)
    (told,) = found(web, "general-fact", SUGGESTION)
    assert told["evidence"]["projects"] == ["api", "web"]
    assert "brief" not in str(told), "a purge of what was said must reach all of it"
    assert not list(await night(web))
    command = told["action"]["command"]
    assert command.startswith("llmos facts general ")
    general = web.facts.generalise(command.split()[-1]).fact
    assert (general.project, general.sentence.lower().rstrip(".")) == ("", "always be brief")
    for os in (web, api):
        assert [f.id for f in os.facts.current()] == [general.id]
    assert web.facts.get(fact.id).successor == general.id
    await night(web)
    assert found(web, "general-fact", SUGGESTION) == []


async def test_a_fact_that_was_said_in_private_alone_is_not_offered(make_os: MakeOS) -> None:
    goal = recording("Always be brief", ("Glob", {"pattern": "*"}))
    os = await make_os([goal])
    said: list[RunResult] = []
    for project in ("web", "api"):
        said.append(await os.execute(goal.goal, "LEARNER", project=project))
    os.kernel.keep_private(True, ArtifactType.TRACE, said[0].trace_id)
    await night(os)
    assert found(os, "general-fact", SUGGESTION) == []
    os.kernel.keep_private(False, ArtifactType.TRACE, said[0].trace_id)
    await night(os)
    assert len(found(os, "general-fact", SUGGESTION)) == 1


@pytest.mark.parametrize("name", ["kind", "fact-finder"])
async def test_an_agent_that_is_proven_in_one_project_is_offered_to_those_that_do_the_same(
    make_os: MakeOS, name: str
) -> None:
    goals = [
        recording(
            f"Write '{n} apples' to n{n}.txt",
            ("Write", {"file_path": f"n{n}.txt", "content": f"{n} apples"}),
        )
        for n in range(4)
    ]
    web = await make_os(goals, project="web")
    web.kernel.agents.create(KIND.replace("kind", name, 1))
    for goal in goals[:3]:
        await web.execute(goal.goal, agent=name)
    await night(web)
    assert found(web, f"general-{name}", SUGGESTION) == [], "nobody else does it"
    await web.execute(goals[0].goal, "LEARNER", project="api")
    await web.execute(goals[3].goal, agent=name)
    await night(web)
    (told,) = found(web, f"general-{name}", SUGGESTION)
    command = f"llmos volumes promote {name} --type agent --project web"
    assert told["action"]["command"] == command
    assert (told["evidence"]["good"], told["evidence"]["elsewhere"]) == (4, {"api": 1})
    assert not list(await night(web)), "it stays"
    assert len(found(web, f"general-{name}", SUGGESTION)) == 1
    web.kernel.make_general(ArtifactType.AGENT, name, "web")
    await web.execute(goals[3].goal, "LEARNER", agent=name)
    await night(web)
    assert found(web, f"general-{name}", SUGGESTION) == [], "it is there for all"


# --- the team ------------------------------------------------------------------------------------


async def test_a_team_hears_of_a_shared_tool_in_several_projects_without_their_names(
    make_os: MakeOS,
) -> None:
    alice, bob = await make_os(team_id="red"), await make_os(user_id="bob", team_id="red")
    store = alice._kernel.store
    team = Volume(store, "team", "red", caller=Caller.person("alice"))
    tool = team.put(None, TOOL, "mail-it", {"code": "pass"}, author="alice", status=Status.ACTIVE)

    async def used(os: LLMOS, project: str) -> str:
        (run_id,) = await os.learn([run(0, project)])
        store.write(
            lambda tx: record_usage(tx, tool, Outcome.SERVED, user_id=os.user_id, trace_id=run_id)
        )
        return run_id

    async def told() -> list[str]:
        await alice.kernel.run_cron_now("team", "red")
        names = [a.name for a in team.list_artifacts(INSIGHT) if a.name.startswith("projects-")]
        return [str(team.get(INSIGHT, name).content) for name in names]

    await used(alice, "alpha")
    secret = await used(bob, "beta")
    bob.kernel.keep_private(True, ArtifactType.TRACE, secret)
    assert await told() == [], "what is private is not counted"
    await used(bob, "beta")
    (text,) = await told()
    assert "serves 2 projects of 2 people: 2 uses" in text
    assert "alpha" not in text and "beta" not in text


def test_where_there_is_no_project_nothing_is_counted(home: Any) -> None:
    from llmos.store import Store

    with Store.memory(lambda: NOW) as store:
        store.write(lambda tx: join(tx, "red", "alice"))
        found = store.read(lambda c: project_patterns.by_project(c, "alice", "k", None))
    assert found == [] and Place("team", "red").project == ""
