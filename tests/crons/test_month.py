"""A month of two teams: what the crons find, learn, share and take back, by a clock of our own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from llmos import LLMOS, LLMOSConfig, Mode
from llmos.cortex.processors import RecordedProcessor
from llmos.crons import CycleReport
from llmos.errors import PermissionDenied, UserError
from llmos.evolution.ir import Program, call
from llmos.evolution.ledger import doubt_sources
from llmos.evolution.proposals import ProposalStatus
from llmos.store.schema import events, usages
from llmos.values import ArtifactType, RunResult
from llmos.volumes import Status
from tests.conftest import TestClock
from tests.evolution.jobs import NOTE, ROOM, TEXT, write
from tests.evolution.office import Job, Lesson, Office, lessons, plugins

TOOL, INSIGHT = ArtifactType.TOOL, ArtifactType.INSIGHT


@dataclass
class Home:
    """One home, in which several people work."""

    path: Path
    cwd: Path
    clock: TestClock
    config: LLMOSConfig
    office: Office = field(default_factory=Office)
    opened: list[LLMOS] = field(default_factory=list)

    async def of(self, user: str, team: str | None, given: Sequence[Lesson] = ()) -> LLMOS:
        """The LLM OS of a person, whose model knows some lessons."""
        recordings = {lesson.goal: lesson.recording for lesson in given}
        os = LLMOS(
            home=self.path,
            user_id=user,
            team_id=team,
            cwd=self.cwd,
            clock=self.clock,
            config=self.config,
            processor=RecordedProcessor(recordings) if given else None,
            plugins=plugins(self.office),
        )
        self.opened.append(os)
        return await os.boot()

    async def do(self, os: LLMOS, lesson: Lesson) -> RunResult:
        """Let a person have a lesson done."""
        self.office.become(lesson.office)
        return await os.execute(lesson.goal)

    def later(self, **delta: float) -> None:
        self.clock.now += timedelta(**delta)


@pytest.fixture
async def house(home: Path, cwd: Path, clock: TestClock) -> AsyncIterator[Home]:
    made = Home(home, cwd, clock, LLMOSConfig(trust_users=True))
    yield made
    for os in made.opened:
        await os.shutdown()


GIVEN = lessons(NOTE, 1, 30)
FALCON = lessons(
    Job(
        'Post the note "{text}" in the {room}',
        Program((write("note.post", room=ROOM, text=call("concat", "Project Falcon: ", TEXT)),)),
    ),
    1,
    30,
)
"""The same with a constant that says something of whoever says it."""


async def cycle(os: LLMOS, level: str = "user", owner: str | None = None) -> CycleReport:
    return await os.kernel.run_cron_now(cron_level=level, owner_id=owner)


async def learns(house: Home, os: LLMOS, given: Sequence[Lesson]) -> CycleReport:
    for lesson in given:
        result = await house.do(os, lesson)
        assert result.success, result.error
        house.later(hours=5)
    return await cycle(os)


async def uses(house: Home, os: LLMOS, given: Sequence[Lesson]) -> None:
    for lesson in given:
        result = await house.do(os, lesson)
        assert result.mode is Mode.CRYSTALLIZED, result.decision.reason
        assert result.usage.total_tokens == 0
        house.later(hours=2)


def told(os: LLMOS) -> list[str]:
    return [str(n["title"]) for n in os.kernel.get_cron_notifications()]


async def alices_tool(house: Home, given: Sequence[Lesson] = ()) -> LLMOS:
    """Alice's tool, learnt and used often enough to be shared."""
    given = given or GIVEN
    alice = await house.of("alice", "engineering", given[:4])
    await learns(house, alice, given[:4])
    await uses(house, alice, known(given[4:], given[:4])[:6])
    await cycle(alice)
    return alice


def known(given: Sequence[Lesson], learnt: Sequence[Lesson]) -> list[Lesson]:
    """Lessons of rooms that those learnt have shown."""
    rooms = {str(x.steps[0].arguments["room"]) for x in learnt}
    goals = {x.goal for x in learnt}
    return [x for x in given if str(x.steps[0].arguments["room"]) in rooms and x.goal not in goals]


async def test_a_goal_that_comes_back_is_told_and_becomes_a_tool(house: Home) -> None:
    alice = await house.of("alice", "engineering", GIVEN[:4])
    report = await learns(house, alice, GIVEN[:4])
    assert {t.kind for t in report} >= {"tool", "insight"}
    (title,) = told(alice)
    assert "is common" in title and "4 runs in" in title


async def test_a_cycle_without_news_does_nothing_and_says_so(house: Home) -> None:
    alice = await house.of("alice", "engineering", GIVEN[:4])
    await learns(house, alice, GIVEN[:4])
    before = told(alice)
    for _ in range(20):
        report = await cycle(alice)
        assert (len(report), report.why, report.tokens) == (0, "nothing new", 0)
    assert told(alice) == before
    volume = alice.kernel.get_user_volume()
    assert all(len(volume.history(INSIGHT, a.name)) == 1 for a in volume.list_artifacts(INSIGHT))


async def test_a_tool_that_says_nothing_of_anybody_is_shared_by_itself(house: Home) -> None:
    alice = await alices_tool(house)
    report = await cycle(alice, "team", "engineering")
    assert [t.kind for t in report] == ["promotion"]
    assert alice.kernel.list_proposals() == []
    (made,) = alice.kernel.list_proposals(everything=True)
    assert made.status is ProposalStatus.APPLIED
    assert {g["light"] for g in made.evidence["gates"]} == {"green"}


async def test_what_only_her_runs_hold_waits_for_her(house: Home) -> None:
    alice = await alices_tool(house, FALCON)
    await cycle(alice, "team", "engineering")
    (waiting,) = alice.kernel.list_proposals()
    privacy = next(g for g in waiting.evidence["gates"] if g["name"] == "privacy")
    assert privacy["light"] == "review" and "Falcon" in privacy["why"]
    assert any("share" in title for title in told(alice))
    before = told(alice)
    await cycle(alice, "team", "engineering")
    assert told(alice) == before
    assert alice.kernel.may_decide(waiting)
    made = alice.kernel.approve_proposal(waiting.id[-6:])
    assert made.status is ProposalStatus.APPLIED
    assert alice.kernel.get_team_volume("engineering").list_artifacts(TOOL, Status.ACTIVE)


async def test_a_tool_that_two_have_found_is_shared_with_both_lineages(house: Home) -> None:
    alice = await alices_tool(house)
    bob = await house.of("bob", "engineering", GIVEN[10:16])
    await learns(house, bob, GIVEN[10:16])
    report = await cycle(alice, "team", "engineering")
    assert "promotion" in {t.kind for t in report}, [t.as_dict() for t in report]
    team = alice.kernel.get_team_volume("engineering")
    (artifact,) = team.list_artifacts(TOOL)
    version = team.get(TOOL, artifact.name)
    mine = alice.kernel.get_user_volume().list_artifacts(TOOL)
    theirs = bob.kernel.get_user_volume().list_artifacts(TOOL)
    assert version.status is Status.ACTIVE
    assert {a.current for a in mine} <= {version.parent, *version.lineage}
    assert {a.current for a in theirs} <= {version.parent, *version.lineage}
    assert not [x.goal for x in GIVEN if x.goal in str(version.content)]


async def shared(house: Home) -> tuple[LLMOS, LLMOS]:
    alice = await alices_tool(house)
    bob = await house.of("bob", "engineering", GIVEN[10:16])
    await learns(house, bob, GIVEN[10:16])
    await cycle(alice, "team", "engineering")
    return alice, bob


async def test_a_third_member_gets_it_without_a_model(house: Home) -> None:
    await shared(house)
    third = await house.of("user-3", "engineering")
    lesson = known(GIVEN[16:], GIVEN[:4])[0]
    result = await house.do(third, lesson)
    assert (result.mode, result.success) == (Mode.CRYSTALLIZED, True), result.decision.reason
    assert house.office.done == lesson.writes
    outsider = await house.of("user-4", "design")
    decision, _ = outsider.explain(lesson.goal)
    assert decision.mode is Mode.LEARNER


async def test_recall_takes_it_from_everybody_but_its_owner(house: Home) -> None:
    alice, _ = await shared(house)
    (mine,) = alice.kernel.get_user_volume().list_artifacts(TOOL)
    taken = alice.kernel.recall_tool(mine.name)
    assert [(v.volume, v.owner) for v in taken] == [("team", "engineering")]
    third = await house.of("user-3", "engineering")
    lesson = known(GIVEN[16:], GIVEN[:4])[0]
    assert third.explain(lesson.goal)[0].mode is Mode.LEARNER
    assert alice.explain(lesson.goal)[0].mode is Mode.CRYSTALLIZED
    assert alice.kernel.list_proposals() == []


async def test_wrong_said_by_one_takes_it_from_all_at_once(house: Home) -> None:
    await shared(house)
    third = await house.of("user-3", "engineering")
    fourth = await house.of("user-5", "engineering")
    lesson, other = known(GIVEN[16:], GIVEN[:4])[:2]
    result = await house.do(third, lesson)
    assert fourth.explain(other.goal)[0].mode is Mode.CRYSTALLIZED
    await third.feedback(result.trace_id, success=False)
    assert third.explain(other.goal)[0].mode is Mode.LEARNER
    assert fourth.explain(other.goal)[0].mode is Mode.LEARNER
    report = await cycle(third, "team", "engineering")
    assert any(t.kind == "alert" for t in report)
    team = third.kernel.get_team_volume("engineering")
    assert {a.status for a in team.list_artifacts(TOOL)} == {Status.QUARANTINED}


async def test_wrong_said_of_the_source_takes_its_copies_from_all(house: Home) -> None:
    alice, _ = await shared(house)
    third = await house.of("user-3", "engineering")
    lesson, other = known(GIVEN[16:], GIVEN[:4])[:2]
    result = await house.do(alice, lesson)
    assert result.mode is Mode.CRYSTALLIZED
    assert third.explain(other.goal)[0].mode is Mode.CRYSTALLIZED
    await alice.feedback(result.trace_id, success=False)
    assert third.explain(other.goal)[0].mode is Mode.LEARNER


async def test_wrong_said_of_a_copy_puts_its_source_aside_and_tells_the_owner(
    house: Home,
) -> None:
    alice, _ = await shared(house)
    third = await house.of("user-3", "engineering")
    lesson, other = known(GIVEN[16:], GIVEN[:4])[:2]
    result = await house.do(third, lesson)
    assert alice.explain(other.goal)[0].mode is Mode.CRYSTALLIZED
    await third.feedback(result.trace_id, success=False, note="a secret of mine")
    assert alice.explain(other.goal)[0].mode is not Mode.CRYSTALLIZED
    (mine,) = alice.kernel.get_user_volume().list_artifacts(TOOL)
    assert mine.status is Status.QUARANTINED
    (told_of,) = [
        n for n in alice.kernel.get_cron_notifications() if "its copy was wrong" in n["title"]
    ]
    said = str(told_of["description"])
    assert "a user of the team volume of engineering said that a run of its copy" in said
    alice.kernel.take_back(said.rpartition(" ")[2])
    house.later(hours=1)
    assert alice.explain(other.goal)[0].mode is Mode.CRYSTALLIZED


async def test_who_said_wrong_of_a_copy_and_of_which_run_is_told_to_nobody(house: Home) -> None:
    alice, _ = await shared(house)
    third = await house.of("user-3", "engineering")
    (lesson,) = known(GIVEN[16:], GIVEN[:4])[:1]
    result = await house.do(third, lesson)
    before = alice.kernel.hub.get_activity_feed(1000, 1000)
    await third.feedback(result.trace_id, success=False, note="a secret of mine")
    new = [e for e in alice.kernel.hub.get_activity_feed(1000, 1000) if e not in before]
    assert new
    uses = alice._kernel.store.read(
        lambda c: c.execute(select(usages).where(usages.c.owner == "alice")).all()
    )
    everything = f"{new} {alice.kernel.get_cron_notifications()} {uses}"
    for secret in (
        "user-3",
        "a secret of mine",
        result.trace_id,
        result.trace_id[-6:],
        lesson.goal,
    ):
        assert secret not in everything


async def test_the_owner_who_used_the_copy_is_told_of_the_run(house: Home) -> None:
    """Copies in other teams go too: they are the same program."""
    alice, _ = await shared(house)
    third = await house.of("user-3", "engineering")
    lesson = known(GIVEN[16:], GIVEN[:4])[0]
    result = await house.do(third, lesson)
    store = alice._kernel.store
    (version,) = alice.kernel.get_team_volume("engineering").list_artifacts(TOOL)
    copy = alice.kernel.get_team_volume("engineering").get(TOOL, version.name)
    store.write(lambda tx: doubt_sources(tx, store, copy, "alice", result.trace_id))
    said = [str(n["description"]) for n in alice.kernel.get_cron_notifications()]
    assert any(f"your run {result.trace_id[-6:]}" in text for text in said)


async def test_what_a_user_cron_proposes_is_told_in_its_users_feed_alone(house: Home) -> None:
    await alices_tool(house)
    store = house.opened[0]._kernel.store
    kinds = events.c.type == "PROPOSAL_CREATED"
    rows = store.read(
        lambda c: c.execute(
            select(events.c.volume, events.c.owner, events.c.actor).where(kinds)
        ).all()
    )
    assert set(rows) == {("user", "alice", "user-cron")}


async def test_no_cron_writes_into_a_feed_of_others_but_to_ask_an_owner(house: Home) -> None:
    await shared(house)
    await cycle(house.opened[0], "system")
    own = {"user-cron": "user", "team-cron": "team", "system-cron": "system"}
    store = house.opened[0]._kernel.store
    rows = store.read(
        lambda c: c.execute(select(events.c.actor, events.c.volume, events.c.type)).all()
    )
    foreign = {(r.actor, r.volume, r.type) for r in rows if own.get(r.actor, r.volume) != r.volume}
    assert foreign <= {("team-cron", "user", "PROPOSAL_CREATED")}


async def test_what_is_private_is_not_shared(house: Home) -> None:
    alice = await alices_tool(house)
    alice.kernel.keep_private()
    bob = await house.of("bob", "engineering", GIVEN[10:16])
    await learns(house, bob, GIVEN[10:16])
    await cycle(alice, "team", "engineering")
    assert alice.kernel.get_team_volume("engineering").list_artifacts(TOOL) == []


async def test_a_rejected_proposal_is_not_made_again(house: Home) -> None:
    alice = await alices_tool(house)
    (proposal,) = alice.kernel.list_proposals()
    alice.kernel.reject_proposal(proposal.id, "mine")
    await uses(house, alice, known(GIVEN[16:], GIVEN[:4])[:3])
    await cycle(alice)
    await cycle(alice, "team", "engineering")
    assert alice.kernel.list_proposals() == []
    (kept,) = alice.kernel.list_proposals(everything=True)
    assert kept.status is ProposalStatus.REJECTED


async def test_a_stranger_decides_nothing(house: Home) -> None:
    alice = await alices_tool(house)
    (proposal,) = alice.kernel.list_proposals()
    outsider = await house.of("user-4", "design")
    with pytest.raises(PermissionDenied):
        outsider.kernel.approve_proposal(proposal.id)
    with pytest.raises(UserError):
        outsider.kernel.recall_tool(proposal.name)


async def test_a_second_team_brings_it_to_everybody(house: Home) -> None:
    alice, bob = await shared(house)
    third = await house.of("user-3", "engineering")
    more = known(GIVEN[16:], GIVEN[:4])
    for os in (alice, bob, third):
        for lesson in more[:3]:
            result = await house.do(os, lesson)
            assert result.mode in (Mode.CRYSTALLIZED, Mode.FOLLOWER)
    house.later(days=20)
    await cycle(alice, "team", "engineering")
    await cycle(alice, "system", "system")
    made = alice.kernel.list_proposals(everything=True)
    names = [(p.target.volume, p.status.value) for p in made]
    assert ("system", "applied") in names, names
    stranger = await house.of("user-4", "design")
    result = await house.do(stranger, more[1])
    assert result.mode is Mode.CRYSTALLIZED, result.decision.reason


async def test_what_nobody_uses_is_archived_and_can_be_restored(house: Home) -> None:
    alice = await alices_tool(house)
    (mine,) = alice.kernel.get_user_volume().list_artifacts(TOOL)
    house.later(days=89)
    await cycle(alice, "system", "system")
    assert alice.kernel.get_user_volume().find(TOOL, mine.name) is not None
    house.later(days=3)
    report = await cycle(alice, "system", "system")
    assert mine.name in [t.subject for t in report if t.kind == "archive"]
    volume = alice.kernel.get_user_volume()
    assert volume.list_artifacts(TOOL, Status.ACTIVE) == []
    volume.restore(TOOL, mine.name, author="alice")
    assert volume.list_artifacts(TOOL, Status.ACTIVE) != []


async def test_nobody_is_told_more_than_three_things_a_day(house: Home) -> None:
    alice = await house.of("alice", "engineering", GIVEN)
    for lesson in GIVEN[:12]:
        await house.do(alice, replace(lesson, goal=lesson.goal))
        await cycle(alice)
    assert len(told(alice)) <= 3
