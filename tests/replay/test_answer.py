"""A recorded answer is given back only where all that it was made from has been seen again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from llmos.replay.answer import answer, dated, done_before, rendered
from llmos.replay.compare import Renames
from llmos.values import Change, Effect, Footprint, Json, Step, Trace

NOW = datetime(2026, 3, 2, 9, 7, tzinfo=UTC)


def read(observation: Json = "3 lines", effect: Effect = Effect.READ) -> Step:
    return Step("Read", {"file_path": "in.txt"}, observation, effect=effect)


def write(observation: Json = "ok", **arguments: Json) -> Step:
    return Step("Write", arguments or {"file_path": "out.txt"}, observation, effect=Effect.WRITE)


def trace(*steps: Step, output: str = "There are 3 lines.") -> Trace:
    return Trace("Count", steps, output, now=NOW)


def test_the_recorded_text_comes_back_when_every_observation_did() -> None:
    steps = (read(), write())
    assert answer(trace(*steps), steps, Renames()) == "There are 3 lines."


@pytest.mark.parametrize("i", [0, 1, 2])
def test_an_observation_that_came_out_otherwise_is_told_as_it_is(i: int) -> None:
    steps = [read(), write(), read("end")]
    live = list(steps)
    live[i] = replace(steps[i], observation="4 lines")
    got = answer(trace(*steps), live, Renames())
    assert "3 lines" not in got
    assert "Write(out.txt)" in got


def test_an_answer_with_an_open_read_in_it_is_never_a_recorded_text() -> None:
    steps = (read("sunny", Effect.OPEN_READ), write())
    got = answer(trace(*steps, output="It is sunny."), steps, Renames())
    assert "sunny" not in got
    assert "Write(out.txt)" in got


def test_fresh_ids_are_told_in_place_of_the_recorded_ones() -> None:
    renames = Renames()
    renames.add("ev_1", "ev_2", "here")
    then, now = write("made ev_1"), write("made ev_2")
    assert answer(trace(then, output="Made ev_1."), [now], renames) == "Made ev_2."


def test_a_small_fresh_number_makes_the_answer_be_told_anew() -> None:
    renames = Renames()
    renames.add(5, 7, "here")
    then, now = write({"id": 5}), write({"id": 7})
    got = answer(trace(then, output="Made number 5."), [now], renames)
    assert "5" not in got and "7" in got


def test_a_live_run_of_another_length_is_a_bug() -> None:
    with pytest.raises(ValueError):
        answer(trace(read(), write()), [read()], Renames())


def test_a_rendered_answer_names_writes_and_the_last_observation() -> None:
    got = rendered([read("secret"), write(), write("fine", command="x" * 500)])
    assert "Write(out.txt)" in got and got.endswith("fine")
    assert "secret" not in got and "x" * 100 not in got


def test_a_long_observation_is_cut() -> None:
    assert len(rendered([write("x" * 100_000)])) < 3000


def test_nothing_at_all_can_be_rendered() -> None:
    assert rendered([]) == "Done again, step by step:"


def done(*names: str) -> str:
    changes = tuple(Change(f"file:/w/{name}", None, "ab") for name in names)
    return done_before(trace(replace(write(), footprint=Footprint(writes=changes))))


def test_what_is_already_done_is_named_once_with_the_date() -> None:
    assert done("a") == "Already done: /w/a is as the run of 2026-03-02 09:07 left it."
    assert done("b", "a", "b").startswith("Already done: /w/a, /w/b are as")
    assert "and 2 more are" in done(*"abcdefg")


def test_a_cached_answer_carries_its_date() -> None:
    got = dated(trace(output="42"))
    assert got.startswith("42\n") and "answer of 2026-03-02" in got
