"""What events are to the internal state; their payloads are those that the kernel writes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.sentience.triggers import ends_run, triggers_of
from llmos.sentience.valence import Trigger
from llmos.values import EventType, Mode, Verdict

DONE, FAILED = EventType.TASK_COMPLETED, EventType.TASK_FAILED
TOLD = EventType.ARTIFACT_EVOLVED
RUN = {"mode": "LEARNER", "verdict": "completed", "cost_usd": 0.0, "left_usd": 10.0}
FREE = RUN | {"mode": "CRYSTALLIZED"}
JUDGED = {"artifact": "trace", "by": "person", "mode": "LEARNER"}
T = Trigger


@pytest.mark.parametrize(
    ("kind", "told", "expected"),
    [
        (DONE, RUN, {T.TASK_SUCCESS}),
        (DONE, FREE, {T.TASK_SUCCESS, T.TASK_REPETITION}),
        (DONE, FREE | {"mode": "FOLLOWER"}, {T.TASK_SUCCESS, T.TASK_REPETITION}),
        (DONE, RUN | {"novel": True}, {T.TASK_SUCCESS, T.NOVEL_TASK}),
        (DONE, RUN | {"cost_usd": 0.5}, {T.TASK_SUCCESS, T.HIGH_COST}),
        (DONE, RUN | {"cost_usd": 0.49}, {T.TASK_SUCCESS}),
        (DONE, RUN | {"cost_usd": 9.0, "left_usd": None}, {T.TASK_SUCCESS}),
        (DONE, RUN | {"left_usd": 0.0}, {T.TASK_SUCCESS}),
        (DONE, RUN | {"mode": "MIXED", "side_exit": "changed"}, {T.TASK_SUCCESS, T.SIDE_EXIT}),
        (FAILED, RUN | {"verdict": "failed"}, {T.TASK_FAILURE}),
        (FAILED, {"verdict": "failed", "error": "the process ended"}, {T.TASK_FAILURE}),
        (FAILED, RUN | {"verdict": "refuted"}, {T.TASK_FAILURE}),
        (FAILED, FREE | {"verdict": "refuted"}, {T.TASK_FAILURE, T.SAFETY_VIOLATION}),
        (FAILED, FREE | {"verdict": "failed"}, {T.TASK_FAILURE}),
        (EventType.SYSTEM_ALERT, {"audit": "disagreed"}, {T.SAFETY_VIOLATION}),
        (EventType.SYSTEM_ALERT, {"in_doubt": True}, {T.SAFETY_VIOLATION}),
        (EventType.SYSTEM_ALERT, {}, set()),
        (EventType.HEALTH_CHECK, {"audit": "agreed"}, {T.AUDIT_AGREED}),
        (EventType.HEALTH_CHECK, {"audit": "not_comparable"}, set()),
        (EventType.ARTIFACT_CREATED, {"artifact": "tool"}, {T.TOOL_DISCOVERY}),
        (EventType.ARTIFACT_CREATED, {"artifact": "trace"}, set()),
        (TOLD, JUDGED | {"verdict": "confirmed"}, {T.FEEDBACK_GOOD}),
        (TOLD, JUDGED | {"verdict": "refuted"}, {T.FEEDBACK_BAD}),
        (
            TOLD,
            JUDGED | {"verdict": "refuted", "mode": "FOLLOWER"},
            {T.FEEDBACK_BAD, T.SAFETY_VIOLATION},
        ),
        (TOLD, {"artifact": "trace", "undo": True}, set()),
        (EventType.TASK_STARTED, {}, set()),
    ],
)
def test_what_an_event_is(kind: EventType, told: dict[str, Any], expected: set[Trigger]) -> None:
    found = triggers_of(kind, told)
    assert set(found) == expected
    assert len(found) == len(expected)


def test_a_check_and_its_verdict_are_one_thing_and_so_are_a_replay_and_its_trace() -> None:
    refuted = JUDGED | {"verdict": "refuted"}
    assert triggers_of(TOLD, refuted | {"by": "check"}) == ()
    assert triggers_of(TOLD, refuted | {"through": "01J"}) == ()


def test_a_run_that_failed_because_a_call_was_refused_is_no_fault() -> None:
    assert triggers_of(FAILED, RUN | {"verdict": "failed", "refused": 1}) == ()
    stopped = RUN | {"mode": "MIXED", "side_exit": "not permitted", "refused": 1}
    assert triggers_of(DONE, stopped) == (T.TASK_SUCCESS,)
    assert T.TASK_FAILURE in triggers_of(FAILED, RUN | {"verdict": "refuted", "refused": 1})


def test_a_run_that_only_looked_ahead_is_nothing() -> None:
    assert triggers_of(DONE, FREE | {"looked": True}) == ()
    assert not ends_run(DONE, FREE | {"looked": True})
    assert ends_run(DONE, FREE) and ends_run(FAILED, RUN)
    assert not ends_run(EventType.TASK_STARTED, {})


@given(
    st.sampled_from(EventType),
    st.fixed_dictionaries(
        {},
        optional={
            "mode": st.sampled_from([m.value for m in Mode]),
            "verdict": st.sampled_from([v.value for v in Verdict]),
            "side_exit": st.sampled_from([None, "changed"]),
            "cost_usd": st.floats(0, 10),
            "left_usd": st.none() | st.floats(-1, 10),
            "refused": st.integers(0, 3),
            "novel": st.booleans(),
            "artifact": st.sampled_from(["tool", "trace"]),
            "by": st.sampled_from(["person", "check"]),
        },
    ),
)
def test_no_event_is_the_same_thing_twice(kind: EventType, told: dict[str, Any]) -> None:
    found = triggers_of(kind, told)
    assert len(set(found)) == len(found) <= 5
