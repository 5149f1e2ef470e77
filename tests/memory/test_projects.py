"""Which projects there are, what is in them, and names that are nearly those of others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos import LLMOSConfig
from llmos.errors import UserError
from llmos.memory.projects import Projects
from llmos.store import Store
from llmos.values import Mode, Trace, Usage, Verdict
from tests.conftest import MakeOS, TestClock, recording

HELLO = recording(
    "Write a greeting to hello.txt", ("Write", {"file_path": "hello.txt", "content": "hello\n"})
)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,12}", fullmatch=True)


@contextmanager
def projects(*names: str) -> Iterator[Projects]:
    with Store.memory(lambda: datetime(2026, 3, 2, tzinfo=UTC)) as store:
        found = Projects(store, "alice")
        for name in names:
            found.new(name)
        yield found


async def test_a_project_is_there_from_its_first_run_on_with_what_it_took(
    make_os: MakeOS, clock: TestClock
) -> None:
    os = await make_os([HELLO])
    assert os.projects.listed() == []
    await os.execute(HELLO.goal, project="web")
    clock.forward(hours=1)
    assert (await os.execute(HELLO.goal, project="web")).mode is Mode.FOLLOWER
    await os.learn([Trace("Say hi", (), "Hi.", usage=Usage(900, 100), cost_usd=0.5, project="web")])
    await os.execute(HELLO.goal)
    (web,) = os.projects.listed()
    assert (web.name, web.runs, web.free_runs, web.tokens, web.cost_usd) == ("web", 3, 1, 1000, 0.5)
    assert web.free_share == pytest.approx(1 / 3)
    assert (web.last_at - web.first_at).total_seconds() == 3600


async def test_facts_sessions_and_agents_begin_a_project_too(make_os: MakeOS) -> None:
    os = await make_os(project="web")
    os.facts.add("Always be brief")
    os.kernel.agents.create("---\nname: kind\ndescription: Kind.\n---\n\nBe kind.\n")
    os.sessions.begin(os.home, "api")
    counts = {p.name: (p.facts, p.artifacts, p.sessions, p.runs) for p in os.projects.listed()}
    assert counts == {"web": (1, 1, 0, 0), "api": (0, 0, 1, 0)}
    assert [f.sentence for f in os.projects.facts("web")] == ["Always be brief"]


async def test_projects_are_their_users_alone(make_os: MakeOS) -> None:
    alice, bob = await make_os([HELLO]), await make_os(user_id="bob")
    await alice.execute(HELLO.goal, project="web")
    assert bob.projects.listed() == [] and bob.projects.near("wob") == []
    with pytest.raises(UserError, match="no project 'web'") as caught:
        bob.projects.get("web")
    assert "did you mean" not in caught.value.hint
    await bob.learn([Trace("Say hi", (), "Hi.", verdict=Verdict.CONFIRMED, project="web")])
    assert [p.runs for p in alice.projects.listed()] == [1]


async def test_nothing_new_comes_into_a_project_that_was_archived(make_os: MakeOS) -> None:
    os = await make_os([HELLO])
    await os.execute(HELLO.goal, project="web")
    assert os.projects.archive("web").archived_at is not None
    assert os.projects.listed() == []
    with pytest.raises(UserError, match="archived") as caught:
        await os.execute(HELLO.goal, project="web")
    assert caught.value.hint == "take it back: llmos projects restore web"
    with pytest.raises(UserError, match="archived"):
        await os.learn([Trace("Say hi", (), "Hi.", project="web")])
    assert os.projects.get("web").runs == 1, "nothing is deleted"
    os.projects.restore("web")
    assert (await os.execute(HELLO.goal, project="web")).mode is Mode.FOLLOWER


async def test_a_program_is_warned_of_a_name_that_is_nearly_anothers(make_os: MakeOS) -> None:
    os = await make_os([HELLO], config=LLMOSConfig())
    first = await os.execute(HELLO.goal, project="website")
    slip = await os.execute(HELLO.goal, project="wesbite")
    assert first.warnings == ()
    assert slip.warnings == ("new project 'wesbite'; there is also 'website'",)
    assert (await os.execute(HELLO.goal, project="wesbite")).warnings == ()


@pytest.mark.parametrize(
    "name, near",
    [
        ("webs", ["web"]),
        ("wbe", ["web"]),
        ("wbesite", ["website"]),
        ("websiet", ["website"]),
        ("api-v3", []),
        ("ap", []),
        ("shop", []),
        ("web", []),
    ],
)
def test_a_slip_is_told_from_a_name_of_its_own(name: str, near: list[str]) -> None:
    with projects("web", "website", "api-v1", "api-v2") as found:
        assert found.near(name) == near


@settings(max_examples=30, deadline=None)
@given(name=NAMES, known=st.lists(NAMES, unique=True, max_size=4))
def test_a_name_is_refused_for_one_that_is_nearly_the_same(name: str, known: list[str]) -> None:
    with projects(*known) as found:
        near = found.near(name)
        assert name not in near and set(near) <= set(known)
        if name in known or not near:
            found.require_usable(name)
            return
        with pytest.raises(UserError) as caught:
            found.require_usable(name)
        assert near[0] in caught.value.hint and f"llmos projects new {name}" in caught.value.hint
        found.new(name)
        found.require_usable(name)


def test_what_is_there_is_not_begun_again() -> None:
    with projects("web") as found, pytest.raises(UserError, match="there is a project 'web'"):
        found.new("web")
