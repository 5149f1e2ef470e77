"""Audits: now and then a model does what would have been free, and is compared with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from llmos import LLMOS, LLMOSConfig, Mode, Trace
from llmos.cortex.processors import RecordedProcessor
from llmos.errors import RunStopped
from llmos.kernel.permissions import Approval, ApprovalRequest
from llmos.memory.traces import Scope
from llmos.plugins.tool import tool
from llmos.store.schema import audits
from llmos.values import ArtifactType, AuditOutcome, RunResult, Usage
from llmos.volumes import Status
from tests.conftest import MakeOS, TestClock, recording
from tests.cortex.test_crystallized import ALLOWED, Place, _orders, taught, tools
from tests.evolution.jobs import CLEAR, NOTE
from tests.evolution.office import Lesson, Office, lessons, plugins
from tests.support.chance import Always, Never

TOOL = ArtifactType.TOOL


@pytest.fixture
async def place(make_os: MakeOS, clock: TestClock) -> Place:
    office = Office()
    return Place(make_os, clock, office, await make_os([], plugins=plugins(office)))


def outcome_of(result: RunResult) -> AuditOutcome | None:
    return result.audit.outcome if result.audit else None


def servable(place: Place, given: Sequence[Lesson]) -> Lesson:
    """The first of some lessons that a tool would do."""
    return next(x for x in given if place.os.explain(x.goal)[0].mode is Mode.CRYSTALLIZED)


async def with_a_tool(place: Place, **more: Any) -> tuple[Place, Lesson]:
    """A place where a tool was learnt, and a new goal for it."""
    place = await taught(place, lessons(NOTE, 1, 4), **more)
    return place, servable(place, lessons(NOTE, 2, 8))


def otherwise(lesson: Lesson) -> Lesson:
    """What a model does that gets the text wrong."""
    steps = [replace(s, arguments={**s.arguments, "text": "another"}) for s in lesson.steps]
    return replace(lesson, steps=tuple(steps))


# --- of learned tools --------------------------------------------------------------------------


async def test_a_drawn_run_is_made_by_the_model_and_compared(place: Place) -> None:
    place, lesson = await with_a_tool(place)
    place = await place.again([lesson], rng=Always())
    result = await place.do(lesson)
    assert (result.mode, outcome_of(result)) == (Mode.LEARNER, AuditOutcome.AGREED)
    assert result.decision.mode is Mode.CRYSTALLIZED
    assert result.usage.total_tokens > 0
    assert place.office.done == lesson.writes  # once: the tool only looked ahead
    (name,) = tools(place)
    assert place.os.kernel.get_audits(name).audited == 1
    assert place.os.kernel.get_audit(result.trace_id) == result.audit
    usage = place.os.kernel.get_usage(place.os.kernel.get_user_volume().list_artifacts(TOOL)[0])
    assert usage.uses == 0


async def test_a_run_that_is_not_drawn_is_free_as_ever(place: Place) -> None:
    place, lesson = await with_a_tool(place)
    place = await place.again([lesson], rng=Never())
    result = await place.do(lesson)
    assert (result.mode, result.audit, result.usage.total_tokens) == (Mode.CRYSTALLIZED, None, 0)


async def test_the_share_of_audited_runs_is_the_setting(place: Place) -> None:
    place, lesson = await with_a_tool(place)
    place = await place.again([lesson], rng=Random(7), config=LLMOSConfig(audit_rate=0.3))
    drawn = [(await place.do(lesson)).audit is not None for _ in range(40)]
    rng = Random(7)
    assert drawn == [rng.random() < 0.3 for _ in range(40)]


async def test_the_same_seed_draws_the_same_runs_and_none_with_a_rate_of_zero(
    place: Place,
) -> None:
    place, lesson = await with_a_tool(place)
    place = await place.again([lesson], rng=Always(), config=LLMOSConfig(audit_rate=0.0))
    assert (await place.do(lesson)).audit is None


async def test_a_model_that_writes_something_else_suspends_the_tool_at_once(
    place: Place,
) -> None:
    place, lesson = await with_a_tool(place)
    (name,) = tools(place)
    other = otherwise(lesson)
    place = await place.again([other], rng=Always())
    result = await place.do(lesson)
    assert outcome_of(result) is AuditOutcome.DISAGREED
    assert result.audit is not None
    assert "text of write 1 (note.post) would have been" in result.audit.detail
    volume = place.os.kernel.get_user_volume()
    assert volume.get(TOOL, name).status is Status.QUARANTINED
    assert place.os.explain(lesson.goal)[0].mode is not Mode.CRYSTALLIZED
    # The night counts it, once, by the run itself.
    await place.os.feedback(result.trace_id, success=True)
    await place.night()
    content: dict[str, Any] = dict(volume.get(TOOL, name).content)
    assert (content["proof"]["agreed"], content["proof"]["disagreed"]) == (0, 1)
    assert place.os.explain(lessons(NOTE, 3, 1)[0].goal)[0].mode is not Mode.CRYSTALLIZED


async def test_an_agreeing_run_is_counted_by_the_night_once(place: Place) -> None:
    place, lesson = await with_a_tool(place)
    (name,) = tools(place)
    place = await place.again([lesson], rng=Always())
    assert outcome_of(await place.do(lesson)) is AuditOutcome.AGREED
    await place.night()
    content: dict[str, Any] = dict(place.os.kernel.get_user_volume().get(TOOL, name).content)
    assert (content["proof"]["runs"], content["proof"]["agreed"]) == (5, 1)


async def test_reads_of_looking_ahead_are_no_part_of_the_models_run(place: Place) -> None:
    given = lessons(CLEAR, 3, 5)
    place = await taught(place, given[:4])
    lesson = servable(place, given)
    place = await place.again([lesson], rng=Always())
    result = await place.do(lesson)
    assert outcome_of(result) is AuditOutcome.AGREED
    assert [s.tool for s in result.steps] == [s.tool for s in lesson.steps]
    looked = place.os.traces.recent(Scope("alice"), limit=2)[-1]
    assert looked.goal == f"(only looked ahead) {lesson.goal}"
    assert not any(s.effect.writes for s in place.os.traces.get(looked.id).steps)


async def test_a_tool_that_would_have_stopped_is_not_compared_and_runs_as_ever(
    place: Place,
) -> None:
    given = lessons(CLEAR, 3, 5)
    place = await taught(place, given[:4])
    lesson = servable(place, [x for x in given if x.writes])
    broken = replace(lesson, office=lesson.office.copy())
    for book in broken.office.books:
        del book["code"]
    place = await place.again([lesson], rng=Always())
    result = await place.do(broken)
    assert outcome_of(result) is AuditOutcome.INCOMPARABLE
    assert result.audit is not None
    assert "would have stopped" in result.audit.detail
    assert result.side_exit is not None


async def test_where_the_model_fails_before_it_writes_the_free_run_is_made(place: Place) -> None:
    place, lesson = await with_a_tool(place)
    place = await place.again(lessons(CLEAR, 3, 1), rng=Always())  # it knows nothing of the goal
    result = await place.do(lesson)
    assert (result.mode, result.success) == (Mode.CRYSTALLIZED, True)
    assert outcome_of(result) is AuditOutcome.INCOMPARABLE
    assert place.office.done == lesson.writes
    (name,) = tools(place)
    assert place.os.kernel.get_user_volume().get(TOOL, name).status is Status.ACTIVE


async def test_what_a_failed_try_cost_is_told_and_not_called_saved(place: Place) -> None:
    place, lesson = await with_a_tool(place)
    failing = replace(lesson.recording, steps=(), error="overloaded")
    model = RecordedProcessor({lesson.goal: failing})
    place = await place.again(processor=model, rng=Always())
    result = await place.do(lesson)
    assert (result.mode, result.success) == (Mode.CRYSTALLIZED, True)
    assert (result.usage.total_tokens, result.cost_usd) == (1050, 0.01)
    (artifact,) = place.os.kernel.get_user_volume().list_artifacts(TOOL)
    assert place.os.kernel.get_usage(artifact).tokens_saved == 0


async def test_a_look_ahead_that_fails_does_not_fail_the_goal(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, lesson = await with_a_tool(place)
    place = await place.again([lesson], rng=Always())

    async def stopped(task: Any) -> Any:
        raise RunStopped("the run made 200 calls, the most it may")

    monkeypatch.setattr("llmos.cortex.audit.foresee", stopped)
    result = await place.do(lesson)
    assert (result.mode, result.success) == (Mode.CRYSTALLIZED, True)
    assert outcome_of(result) is AuditOutcome.INCOMPARABLE


# --- when none is drawn ------------------------------------------------------------------------


async def test_no_audit_without_a_model(place: Place) -> None:
    place, lesson = await with_a_tool(place)
    place = await place.again(rng=Always())
    result = await place.do(lesson)
    assert (result.mode, result.audit) == (Mode.CRYSTALLIZED, None)


@pytest.mark.parametrize("asked", [{"mode": "CRYSTALLIZED"}, {"max_cost_usd": 0.0}])
async def test_no_audit_where_the_run_must_be_free(place: Place, asked: dict[str, Any]) -> None:
    place, lesson = await with_a_tool(place)
    place = await place.again([lesson], rng=Always())
    result = await place.do(lesson, **asked)
    assert (result.mode, result.audit) == (Mode.CRYSTALLIZED, None)
    assert place.os.explain(lesson.goal, "CRYSTALLIZED")[0].audit_rate == 0.0


async def test_no_audit_where_the_money_might_not_last(place: Place) -> None:
    place, lesson = await with_a_tool(place)  # a run of the model cost 0.01 each
    place = await place.again([lesson], rng=Always())
    result = await place.do(lesson, max_cost_usd=0.015)
    assert result.audit is None
    place.os.kernel.economy.set_limit(
        "user:alice", place.os.kernel.economy.status("user:alice").spent_usd
    )
    assert (await place.do(servable(place, lessons(NOTE, 3, 8)))).audit is None


async def test_nothing_is_drawn_by_explaining(place: Place) -> None:
    place, lesson = await with_a_tool(place)
    rng = Random(3)
    place = await place.again([lesson], rng=rng)
    state = rng.getstate()
    decision, _ = place.os.explain(lesson.goal)
    assert decision.audit_rate == LLMOSConfig().audit_rate
    assert rng.getstate() == state


# --- external writes, and people ---------------------------------------------------------------


async def test_what_writes_outside_is_drawn_more_often_and_nobody_is_asked_twice(
    place: Place,
) -> None:
    for seed in (10, 20):
        given = _orders(seed, ["attic", "hall", "annex"])
        place = await place.again(given, config=ALLOWED)
        for lesson in given:
            result = await place.do(lesson, mode="LEARNER")
            await place.os.feedback(result.trace_id, success=True)
        await place.night()
    asked: list[str] = []

    async def approve(request: ApprovalRequest) -> Approval:
        asked.append(request.tool.name)
        return Approval("approve", "yes")

    lesson = _orders(40, ["hall"])[0]
    place = await place.again([lesson], rng=Always(), approver=approve)
    assert place.os.explain(lesson.goal)[0].audit_rate == LLMOSConfig().audit_rate_external
    result = await place.do(lesson)
    assert outcome_of(result) is AuditOutcome.AGREED
    assert asked == ["courier.order"]
    assert place.office.done == lesson.writes


async def test_a_write_that_a_person_refused_is_no_disagreement(place: Place) -> None:
    place, lesson = await with_a_tool(place)
    place = await place.again([lesson], rng=Always(), config=LLMOSConfig(ask=("note.post",)))
    result = await place.do(lesson)
    assert outcome_of(result) is AuditOutcome.INCOMPARABLE
    (name,) = tools(place)
    assert place.os.kernel.get_user_volume().get(TOOL, name).status is Status.ACTIVE


async def test_a_check_that_says_no_to_the_model_says_nothing_of_the_tool(place: Place) -> None:
    place, lesson = await with_a_tool(place)
    place = await place.again([lesson], rng=Always())
    result = await place.do(lesson, check=lambda result: False)
    assert outcome_of(result) is AuditOutcome.INCOMPARABLE
    assert result.audit is not None
    assert "the check did not pass" in result.audit.detail


async def test_a_run_said_wrong_later_counts_against_what_would_have_done_the_same(
    place: Place,
) -> None:
    place, lesson = await with_a_tool(place)
    (name,) = tools(place)
    place = await place.again([lesson], rng=Always())
    result = await place.do(lesson)
    assert outcome_of(result) is AuditOutcome.AGREED
    await place.os.feedback(result.trace_id, success=False)
    assert place.os.kernel.get_user_volume().get(TOOL, name).status is Status.QUARANTINED
    assert place.os.kernel.get_audits(name).differed == 1


# --- of traces ---------------------------------------------------------------------------------


def writing(goal: str, *contents: str) -> Trace:
    calls = [("Write", {"file_path": "a.txt", "content": text}) for text in contents]
    return replace(recording(goal, *calls), usage=Usage(900, 10), cost_usd=0.01)


GOAL = "Write the plan"


async def followable(make_os: MakeOS, cwd: Path) -> LLMOS:
    """An LLM OS that could follow a trace of the goal, which left no file behind."""
    os = await make_os([writing(GOAL, "plan")])
    first = await os.execute(GOAL)
    await os.undo(first.trace_id)
    assert not (cwd / "a.txt").exists()
    return os


async def test_a_trace_is_audited_like_a_tool(make_os: MakeOS, cwd: Path) -> None:
    await followable(make_os, cwd)
    os = await make_os([writing(GOAL, "plan")], rng=Always())
    result = await os.execute(GOAL)
    assert (result.mode, outcome_of(result)) == (Mode.LEARNER, AuditOutcome.AGREED)
    assert result.audit is not None
    assert result.audit.source.startswith("replay:")
    assert (cwd / "a.txt").read_text() == "plan"


async def test_the_same_files_in_the_end_are_the_same_whatever_the_way(
    make_os: MakeOS, cwd: Path
) -> None:
    await followable(make_os, cwd)
    os = await make_os([writing(GOAL, "draft", "plan")], rng=Always())
    assert outcome_of(await os.execute(GOAL)) is AuditOutcome.AGREED


async def test_a_trace_that_differs_is_not_followed_again(make_os: MakeOS, cwd: Path) -> None:
    await followable(make_os, cwd)
    os = await make_os([writing(GOAL, "another plan")], rng=Always())
    result = await os.execute(GOAL)
    assert outcome_of(result) is AuditOutcome.DISAGREED
    assert result.audit is not None
    assert "content of write 1 (Write)" in result.audit.detail
    await os.undo(result.trace_id)
    decision, trace = os.explain(GOAL)
    assert trace is not None
    assert (decision.mode, trace.id) == (Mode.FOLLOWER, result.trace_id)
    assert any("an audit of it differed" in why for why in decision.refused)


async def test_a_goal_that_is_done_already_may_be_done_again(make_os: MakeOS, cwd: Path) -> None:
    os = await followable(make_os, cwd)
    await os.execute(GOAL)  # followed: the file is there now
    os = await make_os([writing(GOAL, "plan")], rng=Always())
    assert outcome_of(await os.execute(GOAL)) is AuditOutcome.AGREED


async def test_a_trace_whose_guards_fail_is_not_compared(make_os: MakeOS, cwd: Path) -> None:
    await followable(make_os, cwd)
    (cwd / "a.txt").write_text("somebody else's")
    os = await make_os([writing(GOAL, "plan")], rng=Always())
    result = await os.execute(GOAL)
    assert outcome_of(result) is AuditOutcome.INCOMPARABLE
    assert result.side_exit is not None


async def test_ids_that_are_new_every_time_are_no_difference(make_os: MakeOS, cwd: Path) -> None:
    numbers = iter(range(1000, 9000, 1000))

    @tool(effects="write", name="event.create", ids=["event_id"], undo=lambda a, r: None)
    def create(title: str) -> dict[str, str]:
        """Create an event."""
        return {"event_id": f"E-{next(numbers):06d}"}

    @tool(effects="write", name="event.rename", ids=["event_id"], undo=lambda a, r: None)
    def rename(event_id: str, title: str) -> str:
        """Rename an event."""
        return "renamed"

    def made(event_id: str) -> Trace:
        return recording(
            GOAL,
            ("event.create", {"title": "a"}),
            ("event.rename", {"event_id": event_id, "title": "b"}),
        )

    os = await make_os([made("E-001000")], plugins=[create, rename])
    await os.execute(GOAL)
    os = await make_os([made("E-002000")], plugins=[create, rename], rng=Always())
    assert outcome_of(await os.execute(GOAL)) is AuditOutcome.AGREED
    os = await make_os([made("E-009999")], plugins=[create, rename], rng=Always())
    assert outcome_of(await os.execute(GOAL)) is AuditOutcome.DISAGREED


async def test_what_only_answers_is_never_audited(make_os: MakeOS, cwd: Path) -> None:
    (cwd / "a.txt").write_text("milk")
    goal = "What is in a.txt?"
    asked = recording(goal, ("Read", {"file_path": "a.txt"}), output="Milk.")
    os = await make_os([asked], rng=Always())
    await os.execute(goal)
    result = await os.execute(goal)
    assert (result.mode, result.audit) == (Mode.FOLLOWER, None)
    assert os.explain(goal)[0].audit_rate == 0.0


async def test_a_run_that_ends_before_its_time_leaves_no_audit(
    make_os: MakeOS, cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await followable(make_os, cwd)
    os = await make_os([writing(GOAL, "plan")], rng=Always())

    async def broken(*args: Any) -> Any:
        raise RuntimeError("power cut")

    monkeypatch.setattr("llmos.cortex.goal_run.GoalRun._checked", broken)
    with pytest.raises(RuntimeError, match="power cut"):
        await os.execute(GOAL)
    assert os._kernel.store.read(lambda c: c.execute(select(audits)).all()) == []
