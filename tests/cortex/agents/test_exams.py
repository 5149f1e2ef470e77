"""An exam is answered from the record and touches nothing; what leaves the record is not shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from llmos.cortex.agents.exams import Exam, RecordedWorld, Sat
from llmos.errors import RunStopped
from llmos.kernel.places import Places
from llmos.store.schema import dumps
from llmos.values import CallResult, Change, Effect, Footprint, Step, ToolSpec, Trace

NOW = datetime(2026, 3, 2, tzinfo=UTC)
HERE = Places("/here", "/people/p", "/tmp")
SPECS = [ToolSpec(name, "", {}) for name in ("Read", "Write", "Bash")]
Call = tuple[str, dict[str, Any]]


def read(path: str, seen: str) -> Step:
    return Step("Read", {"file_path": path}, seen, effect=Effect.READ)


def write(path: str, content: str, is_error: bool = False) -> Step:
    wrote = Footprint(writes=(Change(f"file:{path}", None, "d"),), undoable=True)
    arguments = {"file_path": path, "content": content}
    return Step("Write", arguments, "ok", is_error, Effect.WRITE, wrote)


def call(step: Step) -> Call:
    return step.tool, dict(step.arguments)


def world(*steps: Step, output: str = "Done.") -> RecordedWorld:
    exam = Exam("01", "Do it", NOW, steps, output, HERE)
    same = lambda tool, arguments, places: f"{tool} {dumps(dict(arguments))}"  # noqa: E731
    return RecordedWorld(exam, SPECS, same)


async def sat(
    there: RecordedWorld, calls: Sequence[Call], output: str = "Done."
) -> tuple[Sat, list[CallResult]]:
    came = []
    for tool, arguments in calls:
        try:
            came.append(await there.call(tool, arguments))
        except RunStopped:
            break
    return there.judged(output), came


ORDERS = read("orders", "3 boxes")
FIRST, SECOND = write("a", "1"), write("b", "2")


async def test_a_run_that_keeps_to_the_record_is_right() -> None:
    got, came = await sat(world(ORDERS, FIRST, SECOND), [call(s) for s in (ORDERS, FIRST, SECOND)])
    assert got.right and [c.observation for c in came] == ["3 boxes", "ok", "ok"]


async def test_reads_may_be_left_out_and_made_again() -> None:
    assert (await sat(world(ORDERS, FIRST), [call(FIRST)]))[0].right
    again = [call(ORDERS), call(ORDERS), call(FIRST)]
    assert (await sat(world(ORDERS, FIRST), again))[0].right


@pytest.mark.parametrize(
    ("calls", "why"),
    [
        ([call(FIRST)], "without the call of Write that was due"),
        ([call(SECOND), call(FIRST)], "left the record with a call of Write"),
        ([call(FIRST), call(ORDERS), call(SECOND)], "left the record with a call of Read"),
        ([call(read("other", "?"))], "left the record with a call of Read"),
        ([("Write", {"file_path": "a", "content": "9"})], "left the record"),
        ([call(FIRST), call(SECOND), call(SECOND)], "left the record"),
    ],
)
async def test_what_nobody_knows_the_answer_to_ends_the_run(calls: list[Call], why: str) -> None:
    got, _ = await sat(world(ORDERS, FIRST, SECOND), calls)
    assert not got.right and why in got.why


async def test_a_read_is_answered_as_it_was_between_the_same_writes() -> None:
    there = world(read("n", "1"), FIRST, read("n", "2"), SECOND)
    got, came = await sat(there, [call(read("n", "")), call(FIRST), call(read("n", ""))])
    assert [c.observation for c in came] == ["1", "ok", "2"] and not got.right


async def test_a_write_that_failed_then_need_not_be_made() -> None:
    failed = write("x", "0", is_error=True)
    assert (await sat(world(failed, FIRST), [call(FIRST)]))[0].right
    _, came = await sat(world(failed, FIRST), [call(failed), call(FIRST)])
    assert [c.is_error for c in came] == [True, False]


async def test_a_tool_that_the_agent_has_not_is_refused_as_in_a_run() -> None:
    there = world(FIRST)
    got, came = await sat(there, [("Mail", {"to": "all"}), call(FIRST)])
    assert came[0].is_error and "does not use it" in str(came[0].observation) and got.right


async def test_where_nothing_is_written_the_answer_decides() -> None:
    assert (await sat(world(ORDERS, output="3 boxes."), [], " 3  Boxes"))[0].right
    got, _ = await sat(world(ORDERS, output="3 boxes."), [], "4 boxes")
    assert got.why == "its answer is another one"
    assert (await sat(world(FIRST, output="3"), [call(FIRST)], "Written."))[0].right


async def test_a_run_that_does_not_end_by_itself_or_goes_round_is_not_right() -> None:
    there = world(FIRST)
    await there.call(*call(FIRST))
    assert there.judged("Done.", "it took longer than 1 s").why == "it took longer than 1 s"
    got, _ = await sat(world(ORDERS, FIRST), [call(ORDERS)] * 100)
    assert got.why == "it went round in circles" and len(got.calls) < 30


def test_a_run_that_says_and_writes_nothing_is_no_exam() -> None:
    assert not Exam("01", "g", NOW, (ORDERS,), " ", HERE).can_be_judged
    assert Exam("01", "g", NOW, (FIRST,), "", HERE).can_be_judged


def test_an_exam_is_in_the_folders_of_its_run() -> None:
    trace = Trace("Do /old/it", (read("$CWD/a", "$HOME/b"),), cwd="/old", now=NOW, id="01")
    exam = Exam.of(trace, HERE)
    (step,) = exam.steps
    assert (step.arguments["file_path"], step.observation) == ("/old/a", "/people/p/b")
    assert exam.places == Places("/old", "/people/p", "/tmp")
