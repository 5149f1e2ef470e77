"""What audits claim, what they hold back, and what a night makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from llmos import Step, Trace, Verdict
from llmos.evolution.audits import (
    AuditStats,
    audit_stats,
    freeze,
    judge_audited,
    lift,
    record_audit,
)
from llmos.evolution.compiler import LearnReport
from llmos.evolution.ledger import judge_tool
from llmos.evolution.tool import TOOL as SOURCE
from llmos.evolution.tool import LearntTool
from llmos.memory.traces import Traces
from llmos.replay.eligible import LOWEST_STANDING
from llmos.store import Store
from llmos.store.schema import REPLAY, events, notifications, traces
from llmos.values import ArtifactType, Audit, AuditOutcome, Effect, EventType
from llmos.volumes import Caller, Status, Volume
from llmos.volumes.purge import purge
from tests.evolution.jobs import DUTY, NOTE
from tests.evolution.office import traces as runs_of
from tests.evolution.test_compiler import Wall, another, remember

TOOL = ArtifactType.TOOL


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.memory(Wall()) as opened:
        yield opened


@pytest.fixture
def volume(store: Store) -> Volume:
    return Volume(store, "user", "alice", caller=Caller.person("alice"))


async def a_tool(store: Store, volume: Volume, seed: int = 1) -> LearntTool:
    await remember(store, runs_of(NOTE, seed, 3))
    (name,) = another(store).learn().created
    return LearntTool.of(volume.get(TOOL, name))


async def audited(
    store: Store,
    source: str,
    outcome: AuditOutcome,
    given_: Sequence[Trace] = (),
    detail: str = "",
) -> list[str]:
    """Runs of a model that were compared with what a source would have done; their ids."""
    found = given_ or [Trace("Look around", (Step("look", {}, effect=Effect.READ),), "Nothing.")]
    ids = await Traces(store).learn([replace(t, id="") for t in found], "alice", None)
    for run_id in ids:
        record_audit(store, run_id, Audit(f"{source}", outcome, detail), "alice")
    return ids


def claim(store: Store, volume: Volume, tool: str | None = None) -> AuditStats:
    return store.read(lambda c: audit_stats(c, volume.place, tool=tool))


def frozen(store: Store, volume: Volume) -> str | None:
    return store.read(lambda c: freeze(c, volume.place, 0.01))


def proof_of(volume: Volume, name: str) -> Any:
    return dict(volume.get(TOOL, name).content)["proof"]


def different(trace: Trace) -> Trace:
    """The same goal, done with another text."""
    steps = [replace(s, arguments={**s.arguments, "text": "another"}) for s in trace.steps]
    return replace(trace, steps=tuple(steps), verdict=Verdict.CONFIRMED)


# --- the claim ---------------------------------------------------------------------------------


async def test_nothing_is_claimed_before_an_audit(store: Store, volume: Volume) -> None:
    found = claim(store, volume)
    assert (found.audited, found.at_most) == (0, None)
    assert str(found) == "no run was audited yet: nothing is claimed"


def test_the_claim_in_words_is_never_smaller_than_the_bound() -> None:
    assert str(AuditStats(12, 0, 3)) == (
        "of 12 audited runs 0 differed: at most 22.1 % wrong, at 95 %"
    )
    assert "at most 1.1 % wrong" in str(AuditStats(298, 0, 0))
    assert "at most 1 % wrong" in str(AuditStats(299, 0, 0))
    assert str(AuditStats(1, 1, 0)).endswith("at most 100 % wrong, at 95 %")


async def test_what_cannot_be_compared_counts_for_nothing(store: Store, volume: Volume) -> None:
    tool = await a_tool(store, volume)
    source = f"{SOURCE}{tool.label}"
    await audited(store, source, AuditOutcome.AGREED)
    await audited(store, source, AuditOutcome.INCOMPARABLE, detail="the model's run failed: no")
    found = claim(store, volume, tool.name)
    assert (found.audited, found.differed, found.not_comparable) == (1, 0, 1)
    assert claim(store, volume, "another-tool").audited == 0
    assert volume.get(TOOL, tool.name).status is Status.ACTIVE


async def test_a_run_found_wrong_later_turns_what_its_audit_says(
    store: Store, volume: Volume
) -> None:
    tool = await a_tool(store, volume)
    source = f"{SOURCE}{tool.label}"
    (same,) = await audited(store, source, AuditOutcome.AGREED)
    (other,) = await audited(store, source, AuditOutcome.DISAGREED, detail="text differs")
    for run_id in (same, other):
        await Traces(store).judge(run_id, Verdict.REFUTED, user_id="alice", by="person")
    found = claim(store, volume)
    # The first would have been as wrong; of the second nobody knows any more.
    assert (found.audited, found.differed, found.not_comparable) == (1, 1, 1)


async def test_another_users_audits_are_not_counted(store: Store, volume: Volume) -> None:
    tool = await a_tool(store, volume)
    await audited(store, f"{SOURCE}{tool.label}", AuditOutcome.AGREED)
    assert claim(store, Volume(store, "user", "bob", caller=Caller.person("bob"))).audited == 0


# --- a disagreement ----------------------------------------------------------------------------


async def test_a_disagreement_suspends_the_tool_and_says_what_differed(
    store: Store, volume: Volume
) -> None:
    tool = await a_tool(store, volume)
    await audited(store, f"{SOURCE}{tool.label}", AuditOutcome.DISAGREED, detail="text differs")
    assert volume.get(TOOL, tool.name).status is Status.QUARANTINED
    assert "text differs" in volume.changes(TOOL, tool.name)[0].why
    told = store.read(lambda c: c.execute(select(notifications)).one())
    assert tool.name in told.title
    assert "text differs" in told.description


async def test_a_trace_that_an_audit_contradicts_is_not_followed_again(
    store: Store, volume: Volume
) -> None:
    (trace,) = await remember(store, runs_of(NOTE, 1, 1))
    await audited(store, f"{REPLAY}{trace}", AuditOutcome.DISAGREED, detail="text differs")
    assert Traces(store).standing(trace) == LOWEST_STANDING


async def test_every_audit_is_told_in_the_event_log(store: Store, volume: Volume) -> None:
    tool = await a_tool(store, volume)
    outcomes = list(AuditOutcome)
    for outcome in outcomes:
        await audited(store, f"{SOURCE}{tool.label}", outcome)
    by_audit = select(events).where(events.c.actor == "audit", events.c.title.like("audit:%"))
    rows = store.read(lambda c: c.execute(by_audit.order_by(events.c.seq)).all())
    alarms = [row.type == EventType.SYSTEM_ALERT.value for row in rows]
    assert alarms == [outcome is AuditOutcome.DISAGREED for outcome in outcomes]


async def test_what_would_have_made_the_same_mistake_is_suspended_with_it(
    store: Store, volume: Volume
) -> None:
    tool = await a_tool(store, volume)
    (run_id,) = await audited(store, f"{SOURCE}{tool.label}", AuditOutcome.AGREED)
    wrong = await Traces(store).judge(run_id, Verdict.REFUTED, user_id="alice", by="person")
    judge_audited(store, wrong, "alice")
    assert volume.get(TOOL, tool.name).status is Status.QUARANTINED
    another(store).learn()
    assert proof_of(volume, tool.name)["disagreed"] == 1


async def test_of_a_tool_that_was_purged_nothing_is_suspended_or_counted(
    store: Store, volume: Volume
) -> None:
    tool = await a_tool(store, volume)
    (run_id,) = await audited(store, f"{SOURCE}{tool.label}", AuditOutcome.AGREED)
    alice = Caller.person("alice")
    store.write(lambda tx: purge(tx, alice, volume.place, TOOL, tool.name, ""))
    wrong = await Traces(store).judge(run_id, Verdict.REFUTED, user_id="alice", by="person")
    judge_audited(store, wrong, "alice")
    judge_tool(store, replace(wrong, source=f"{SOURCE}{tool.label}"), "alice")
    assert volume.list_artifacts(TOOL) == []


# --- the night ---------------------------------------------------------------------------------


async def test_an_audited_run_is_counted_once_by_the_night_when_it_agrees(
    store: Store, volume: Volume
) -> None:
    *given_, one = runs_of(NOTE, 1, 5)
    await remember(store, given_)
    (name,) = another(store).learn().created
    label = LearntTool.of(volume.get(TOOL, name)).label
    right = replace(one, verdict=Verdict.CONFIRMED)
    await audited(store, f"{SOURCE}{label}", AuditOutcome.AGREED, [right])
    for _ in range(2):
        another(store).learn()
    assert (proof_of(volume, name)["agreed"], proof_of(volume, name)["disagreed"]) == (1, 0)


async def test_an_audited_run_is_counted_once_by_the_night_when_it_differs(
    store: Store, volume: Volume
) -> None:
    *given_, one = runs_of(NOTE, 1, 5)
    await remember(store, given_)
    (name,) = another(store).learn().created
    label = LearntTool.of(volume.get(TOOL, name)).label
    (run_id,) = await audited(
        store, f"{SOURCE}{label}", AuditOutcome.DISAGREED, [different(one)], "text differs"
    )
    another(store).learn()
    assert proof_of(volume, name)["disagreed"] == 1
    # Looked at once more, since somebody said that it was right: it is the same disagreement.
    await Traces(store).judge(run_id, Verdict.CONFIRMED, user_id="alice", by="person")
    another(store).learn()
    assert proof_of(volume, name)["disagreed"] == 1


async def test_a_run_that_teaches_nothing_counts_by_its_audit_and_once(
    store: Store, volume: Volume
) -> None:
    *given_, one = runs_of(NOTE, 1, 5)
    await remember(store, given_)
    (name,) = another(store).learn().created
    label = LearntTool.of(volume.get(TOOL, name)).label
    # Nobody vouched for it, and it cannot be undone.
    unproven = replace(different(one), verdict=Verdict.COMPLETED)
    (run_id,) = await audited(store, f"{SOURCE}{label}", AuditOutcome.DISAGREED, [unproven])
    another(store).learn()
    assert proof_of(volume, name)["disagreed"] == 1
    await Traces(store).judge(run_id, Verdict.CONFIRMED, user_id="alice", by="person")
    another(store).learn()
    assert proof_of(volume, name)["disagreed"] == 1


async def test_a_disagreement_counts_where_the_run_looked_at_other_things(
    store: Store, volume: Volume
) -> None:
    *given_, one = runs_of(NOTE, 1, 5)
    await remember(store, given_)
    (name,) = another(store).learn().created
    label = LearntTool.of(volume.get(TOOL, name)).label
    # Such a run is not held against the program by itself: it called something else.
    astray = (
        Step("duty.add", {"room": "hall", "day": "2026-04-09"}, "Added.", effect=Effect.WRITE),
    )
    other = replace(one, steps=astray, verdict=Verdict.CONFIRMED)
    await audited(store, f"{SOURCE}{label}", AuditOutcome.DISAGREED, [other])
    another(store).learn()
    assert proof_of(volume, name)["disagreed"] == 1


async def test_a_disagreement_of_a_run_that_was_wrong_itself_does_not_count(
    store: Store, volume: Volume
) -> None:
    *given_, one = runs_of(NOTE, 1, 5)
    await remember(store, given_)
    (name,) = another(store).learn().created
    label = LearntTool.of(volume.get(TOOL, name)).label
    (run_id,) = await audited(store, f"{SOURCE}{label}", AuditOutcome.DISAGREED, [different(one)])
    await Traces(store).judge(run_id, Verdict.REFUTED, user_id="alice", by="person")
    another(store).learn()
    assert proof_of(volume, name)["disagreed"] == 0
    assert volume.get(TOOL, name).status is Status.QUARANTINED  # until a person takes it back


# --- too many disagreements --------------------------------------------------------------------


async def doubted(store: Store, volume: Volume) -> str:
    """A trace of which one audit of one differed; its source."""
    (trace,) = await remember(store, runs_of(NOTE, 1, 1))
    await audited(store, f"{REPLAY}{trace}", AuditOutcome.DISAGREED, detail="text differs")
    assert "1 of 1 audited runs differed" in str(frozen(store, volume))
    return f"{REPLAY}{trace}"


async def duty(store: Store) -> LearnReport:
    await remember(store, runs_of(DUTY, 4, 8))
    return another(store).learn()


async def test_while_too_many_audits_differ_no_new_tool_comes_into_use(
    store: Store, volume: Volume
) -> None:
    await doubted(store, volume)
    report = await duty(store)
    (name,) = report.created
    assert report.held == (name,)
    assert "1 of 1 audited runs differed" in report.frozen
    assert report.as_dict()["held"] == [name]
    assert volume.get(TOOL, name).status is Status.SHADOWING


async def test_clean_audits_let_held_tools_into_use(store: Store, volume: Volume) -> None:
    source = await doubted(store, volume)
    (name,) = (await duty(store)).held
    for _ in range(4):
        await audited(store, source, AuditOutcome.AGREED)
    assert another(store).learn().released == ()  # one of five is too many still
    await audited(store, source, AuditOutcome.AGREED)
    report = another(store).learn()
    assert (report.released, report.held, report.frozen) == ((name,), (), "")
    assert volume.get(TOOL, name).status is Status.ACTIVE


async def test_a_person_lets_held_tools_into_use(store: Store, volume: Volume) -> None:
    await doubted(store, volume)
    (name,) = (await duty(store)).held
    place = volume.place
    for lifted in (True, False):  # the second time there is nothing to lift
        assert store.write(lambda tx: lift(tx, place, user_id="alice", why="seen")) is lifted
    assert another(store).learn().released == (name,)
    assert volume.get(TOOL, name).status is Status.ACTIVE
    # What is claimed is not changed by it, and the next disagreement holds tools back again.
    assert claim(store, volume).differed == 1
    await audited(store, f"{SOURCE}{name}@{volume.get(TOOL, name).digest}", AuditOutcome.DISAGREED)
    assert frozen(store, volume) is not None


async def test_a_suspended_tool_is_not_in_use_again_by_being_learnt_anew(
    store: Store, volume: Volume
) -> None:
    tool = await a_tool(store, volume)
    (one,) = runs_of(NOTE, 9, 1)
    await audited(store, f"{SOURCE}{tool.label}", AuditOutcome.DISAGREED, [different(one)])
    assert another(store).learn().held == (tool.name,)
    assert volume.get(TOOL, tool.name).status is Status.SHADOWING


async def test_tools_in_use_stay_so_and_evolve_while_new_ones_are_held(
    store: Store, volume: Volume
) -> None:
    *given_, more = runs_of(NOTE, 1, 5)
    await remember(store, given_)
    (name,) = another(store).learn().created
    (trace,) = await remember(store, runs_of(DUTY, 4, 1))
    await audited(store, f"{REPLAY}{trace}", AuditOutcome.DISAGREED)
    await remember(store, [more])
    report = another(store).learn()
    assert (report.evolved, report.held) == ((name,), ())
    assert volume.get(TOOL, name).status is Status.ACTIVE


async def test_a_held_tool_that_a_person_put_in_use_waits_no_longer(
    store: Store, volume: Volume
) -> None:
    await doubted(store, volume)
    (name,) = (await duty(store)).held
    volume.set_status(TOOL, name, Status.ACTIVE, author="alice")
    report = another(store).learn()
    assert (report.held, report.released, report.frozen) == ((), (), "")
    assert volume.get(TOOL, name).status is Status.ACTIVE


async def test_a_held_tool_that_a_person_laid_aside_stays_there(
    store: Store, volume: Volume
) -> None:
    await doubted(store, volume)
    (name,) = (await duty(store)).held
    volume.archive(TOOL, name, author="alice")
    store.write(lambda tx: lift(tx, volume.place, user_id="alice", why=""))
    assert another(store).learn().released == ()
    assert volume.get(TOOL, name).status is Status.ARCHIVED


def test_an_audit_of_nothing_that_is_stored_is_refused(store: Store) -> None:
    from sqlalchemy.exc import IntegrityError

    with pytest.raises(IntegrityError):
        record_audit(store, "0" * 26, Audit(f"{REPLAY}{'0' * 26}", AuditOutcome.AGREED), "alice")
    assert store.read(lambda c: c.execute(select(traces)).all()) == []
