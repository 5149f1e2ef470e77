"""Whether a trace may be followed at all, before anybody looks at the world."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.replay.eligible import EXAMPLE, LOWEST_STANDING, Situation, refusals
from llmos.values import Change, Effect, Footprint, Step, Trace, Verdict

NOW = datetime(2026, 3, 2, 9, 7, tzinfo=UTC)
HERE = Situation(NOW + timedelta(days=1), {"Read": "r1", "Write": "w1", "mail": "m1", "Web": "o1"})

READ = Step("Read", {}, "text", effect=Effect.READ)
OPEN = Step("Web", {}, "text", effect=Effect.OPEN_READ)
WRITE = Step("Write", {}, "ok", effect=Effect.WRITE, footprint=Footprint(undoable=True))
LASTING = replace(WRITE, footprint=Footprint(undoable=False))
CHANGE = Change("file:/a", None, "ab")
SEND = Step("mail", {}, "sent", effect=Effect.EXTERNAL)


def why(*steps: Step, standing: int = 0, here: Situation = HERE, **more: Any) -> str:
    trace = Trace("Do it", steps, "Done.", now=NOW, tools={"Read": "r1", "Write": "w1"})
    return "; ".join(refusals(replace(trace, **more), standing, here))


def test_a_good_trace_of_reads_and_undoable_writes_may_be_followed() -> None:
    for verdict in (Verdict.VERIFIED, Verdict.CONFIRMED, Verdict.COMPLETED):
        assert why(READ, WRITE, verdict=verdict) == ""
        assert why(READ, verdict=verdict) == ""


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.REFUTED])
def test_a_failed_or_refuted_one_may_not(verdict: Verdict) -> None:
    assert verdict.value in why(WRITE, verdict=verdict)


def test_a_quarantined_one_may_not_whatever_its_verdict() -> None:
    assert "quarantined" in why(WRITE, verdict=Verdict.VERIFIED, quarantined=True)


def test_one_whose_replays_keep_failing_may_not() -> None:
    assert "failing" in why(WRITE, standing=LOWEST_STANDING)
    assert why(WRITE, standing=LOWEST_STANDING + 1) == ""


def test_one_that_depended_on_earlier_turns_needs_the_same_turns() -> None:
    assert "turns" in why(WRITE, context_digest="ab")
    assert "turns" in why(WRITE, here=replace(HERE, context_digest="ab"))
    assert why(WRITE, context_digest="ab", here=replace(HERE, context_digest="ab")) == ""


def test_a_tool_that_is_gone_or_has_changed_is_named() -> None:
    assert "no tool 'Read'" in why(READ, WRITE, here=replace(HERE, tools={"Write": "w1"}))
    told = why(READ, WRITE, here=replace(HERE, tools={"Read": "r2", "Write": "w1"}))
    assert "'Read' has changed" in told and "Write" not in told


def test_tools_that_the_run_did_not_use_do_not_matter() -> None:
    assert why(WRITE, here=replace(HERE, tools={"Write": "w1", "New": "n1"})) == ""


@pytest.mark.parametrize("verdict", [Verdict.VERIFIED, Verdict.CONFIRMED])
def test_lasting_and_external_writes_need_somebody_who_vouches(verdict: Verdict) -> None:
    for step in (LASTING, SEND):
        assert "confirmed" in why(READ, step)
        assert why(READ, step, verdict=verdict) == ""


def test_an_external_write_that_failed_is_not_repeated_even_if_confirmed() -> None:
    assert "failed" in why(replace(SEND, is_error=True), SEND, verdict=Verdict.CONFIRMED)


FAILED = replace(WRITE, is_error=True, footprint=Footprint(writes=(CHANGE,), undoable=True))


def test_a_run_whose_writes_all_failed_did_nothing_worth_repeating() -> None:
    for verdict in (Verdict.VERIFIED, Verdict.CONFIRMED, Verdict.COMPLETED):
        assert "none of its writes" in why(READ, FAILED, FAILED, verdict=verdict)


def test_a_run_that_ended_with_a_failed_write_needs_somebody_who_vouches() -> None:
    assert "last write failed" in why(WRITE, FAILED)
    assert why(WRITE, FAILED, verdict=Verdict.CONFIRMED) == ""
    assert why(FAILED, WRITE) == "", "a failure that was mended is a part of the way"


def test_what_was_done_after_an_example_on_trust_is_not_followed() -> None:
    assert "example" in why(WRITE, source=f"{EXAMPLE}01ARZ3NDEKTSV4RRFFQ69G5FAV")


@pytest.mark.parametrize("named", ["/work/a", "~/a"])
def test_a_goal_that_names_its_folder_means_that_very_folder(
    named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/work")
    goal = f"Tidy {named} up"
    elsewhere = replace(HERE, cwd="/work/b")
    assert "names the folder" in why(WRITE, goal=goal, cwd="/work/a", here=elsewhere)
    assert why(WRITE, goal=goal, cwd="/work/a", here=replace(HERE, cwd="/work/a")) == ""
    assert why(WRITE, goal="Tidy up", cwd="/work/a", here=elsewhere) == ""


def test_an_answer_that_nothing_guards_goes_to_the_model() -> None:
    assert "model alone" in why()
    assert "differ" in why(READ, OPEN)
    for verdict in (Verdict.VERIFIED, Verdict.CONFIRMED):
        assert why(OPEN, verdict=verdict) and why(verdict=verdict)


def test_unless_the_user_turned_the_answer_cache_on() -> None:
    cached = replace(HERE, answer_cache=True)
    assert why(here=cached) == why(OPEN, here=cached) == ""


def test_the_answer_cache_excuses_no_write() -> None:
    cached = replace(HERE, answer_cache=True)
    assert why(SEND, here=cached) and why(LASTING, here=cached)


def test_a_relative_time_is_told() -> None:
    assert "tomorrow" in why(WRITE, goal="Do it tomorrow")


def test_all_reasons_are_told_at_once() -> None:
    told = why(SEND, verdict=Verdict.REFUTED, quarantined=True, goal="Do it now", standing=-9)
    assert told.count(";") >= 4


STEPS = st.lists(st.sampled_from([READ, OPEN, WRITE, LASTING, SEND]), max_size=4)


@given(STEPS, st.sampled_from(Verdict), st.booleans())
def test_no_external_write_is_ever_followed_without_evidence(
    steps: list[Step], verdict: Verdict, cache: bool
) -> None:
    told = why(*steps, verdict=verdict, here=replace(HERE, answer_cache=cache))
    if SEND in steps and not verdict.evidence:
        assert told
    if not told:
        assert verdict.good
        assert steps or cache
