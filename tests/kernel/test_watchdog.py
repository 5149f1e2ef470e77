"""A run that goes nowhere is ended, and stays ended."""

from __future__ import annotations

import time
from typing import Any

import pytest

from llmos.errors import RunStopped
from llmos.kernel.watchdog import Bounds, Watchdog


def repeat(watchdog: Watchdog, *calls: tuple[str, dict[str, Any], Any]) -> None:
    for tool, arguments, observation in calls:
        watchdog.before_call()
        watchdog.after_call(tool, arguments, observation)


CALL = ("Read", {"file_path": "a", "limit": 2}, {"x": 1})
SAME = ("Read", {"limit": 2, "file_path": "a"}, {"x": 1})


def test_a_run_may_make_so_many_calls_and_no_more() -> None:
    watchdog = Watchdog(Bounds(calls=3))
    for _ in range(3):
        watchdog.before_call()
    with pytest.raises(RunStopped, match="3 calls") as e:
        watchdog.before_call()
    assert "max_calls" in e.value.hint


def test_the_same_call_with_the_same_result_is_a_loop() -> None:
    watchdog = Watchdog(Bounds(repeats=4))
    repeat(watchdog, CALL, SAME, CALL)
    with pytest.raises(RunStopped, match="4 times in a row"):
        repeat(watchdog, SAME)


@pytest.mark.parametrize(
    "other",
    [
        ("Read", {"file_path": "a", "limit": 2}, {"x": 2}),
        ("Read", {"file_path": "b", "limit": 2}, {"x": 1}),
        ("Edit", {"file_path": "a", "limit": 2}, {"x": 1}),
    ],
)
def test_another_call_or_another_result_in_between_is_none(other: Any) -> None:
    watchdog = Watchdog(Bounds(repeats=3))
    for _ in range(5):
        repeat(watchdog, CALL, CALL, other)
    assert watchdog.stopped is None


def test_waiting_for_something_that_changes_is_no_loop() -> None:
    watchdog = Watchdog(Bounds(repeats=2))
    repeat(watchdog, *[("Bash", {"command": "date"}, str(i)) for i in range(50)])
    assert watchdog.stopped is None


@pytest.mark.parametrize("odd", [float("nan"), b"bytes", {1, 2}, "\ud800", {"k": object()}])
def test_any_observation_can_be_looked_at(odd: Any) -> None:
    repeat(Watchdog(Bounds()), ("Read", {"x": odd}, odd))


def test_time_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    watchdog = Watchdog(Bounds(wall_s=10))
    now = 109.0
    watchdog.before_call()
    assert watchdog.left_s == 1.0
    now = 110.0
    with pytest.raises(RunStopped, match="longer than 10 s") as e:
        watchdog.before_call()
    assert "run_wall_s" in e.value.hint
    now = 500.0
    assert watchdog.left_s == 0.0


def test_the_wait_before_the_start_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    watchdog = Watchdog(Bounds(wall_s=10))
    now = 150.0
    watchdog.start()
    assert watchdog.left_s == 10.0
    watchdog.before_call()


def test_the_calls_that_are_left_are_told() -> None:
    watchdog = Watchdog(Bounds(calls=2))
    left = []
    for _ in range(2):
        left.append(watchdog.calls_left)
        watchdog.before_call()
    assert [*left, watchdog.calls_left] == [2, 1, 0]


def test_a_stopped_run_stays_stopped_for_the_first_reason() -> None:
    watchdog = Watchdog(Bounds())
    first = watchdog.stop("the user cancelled it")
    assert watchdog.stop("something later") is first
    for _ in range(2):
        with pytest.raises(RunStopped, match="the user cancelled it"):
            watchdog.before_call()
    assert watchdog.stopped is first


def test_a_library_that_swallows_the_error_cannot_go_on() -> None:
    watchdog = Watchdog(Bounds(repeats=2))
    repeat(watchdog, CALL)
    with pytest.raises(RunStopped):
        repeat(watchdog, CALL)
    with pytest.raises(RunStopped, match="in a row"):
        watchdog.before_call()
