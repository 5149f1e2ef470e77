"""What a user's cron says of tools that keep leaving their jobs to the model."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from llmos import LLMOS
from llmos.crons import CycleReport
from llmos.crons.side_exits import kind_of
from llmos.store import Store
from llmos.values import ArtifactType, Step, Trace, Usage
from llmos.volumes import Outcome, Status, Version, record_usage
from tests.conftest import MakeOS

TOOL, INSIGHT = ArtifactType.TOOL, ArtifactType.INSIGHT
NAME = "stops-send-invoice"
CHANGED = "invoices/{n}.txt is not as it was when it was learnt"


def store_of(os: LLMOS) -> Store:
    return os.kernel._kernel.store


def tool(os: LLMOS, code: str = "v1") -> Version:
    """A tool in the user's volume; another code is another version of it."""
    volume = os.kernel.get_user_volume()
    content = {"code": code}
    return volume.put(None, TOOL, "send-invoice", content, author="alice", status=Status.ACTIVE)


async def used(os: LLMOS, version: Version, *reasons: str | None) -> list[str]:
    """Runs of the tool: None for one that it did, else why it stopped."""
    step = Step("Write", {"file_path": "out.txt"}, "written")
    goals = [f"Send invoice {version.digest[:4]} {i}" for i in range(len(reasons))]
    given = [Trace(goal, (step,), "Done.", usage=Usage(900)) for goal in goals]
    ids = await os.learn(given)

    def write(tx: Any) -> None:
        for run, reason in zip(ids, reasons, strict=True):
            outcome = Outcome.SERVED if reason is None else Outcome.SIDE_EXIT
            detail = reason or ""
            record_usage(tx, version, outcome, user_id="alice", trace_id=run, detail=detail)

    store_of(os).write(write)
    return ids


def stops(*numbers: int) -> list[str]:
    return [CHANGED.format(n=n) for n in numbers]


async def night(os: LLMOS) -> CycleReport:
    return await os.kernel.run_cron_now()


def told(os: LLMOS) -> dict[str, Any]:
    return dict(os.kernel.get_user_volume().get(INSIGHT, NAME).content)


def is_told(report: CycleReport) -> bool:
    return any(task.subject == NAME and task.kind == "insight" for task in report)


async def test_a_tool_that_stops_often_is_told_with_the_reason_and_the_runs(
    make_os: MakeOS,
) -> None:
    os = await make_os()
    version = tool(os)
    ids = await used(os, version, None, *stops(7), "the mailbox is full", *stops(8), *stops(9))
    assert is_told(await night(os))
    content = told(os)
    assert content["title"] == "send-invoice often stops and leaves it to the model: 4 of 5 runs"
    assert f"Most often (3 of 4): {CHANGED.format(n=9)}" in content["text"]
    assert f"llmos traces show {ids[-1][-6:].lower()}" in content["text"]
    evidence = content["evidence"]
    assert (evidence["runs"], evidence["side_exits"], evidence["reason_count"]) == (5, 4, 3)
    assert evidence["traces"] == [ids[4], ids[3], ids[2], ids[1]]
    (notified,) = [n for n in os.kernel.get_cron_notifications() if "send-invoice" in n["title"]]
    assert notified["title"] == content["title"]


async def test_two_stops_may_be_an_accident_and_few_among_many_are_none(make_os: MakeOS) -> None:
    os = await make_os()
    version = tool(os)
    await used(os, version, *stops(1, 2))
    assert not is_told(await night(os))
    await used(os, version, *[None] * 17, *stops(3))
    assert not is_told(await night(os))
    assert os.kernel.get_user_volume().find(INSIGHT, NAME) is None


async def test_it_is_told_again_only_where_it_has_become_more(make_os: MakeOS) -> None:
    os = await make_os()
    version = tool(os)
    counts = []
    for n in range(12):
        await used(os, version, *stops(n))
        counts += [n + 1] if is_told(await night(os)) else []
    assert counts == [3, 5, 10]


async def test_it_is_laid_aside_when_the_tool_does_its_job_again(make_os: MakeOS) -> None:
    os = await make_os()
    version = tool(os)
    await used(os, version, *stops(1, 2, 3))
    assert is_told(await night(os))
    await used(os, version, *[None] * 20)
    await night(os)
    found = os.kernel.get_user_volume().find(INSIGHT, NAME)
    assert found is not None and found.status is Status.ARCHIVED


async def test_a_new_version_begins_anew(make_os: MakeOS) -> None:
    os = await make_os()
    await used(os, tool(os), *stops(1, 2, 3))
    assert is_told(await night(os))
    better = tool(os, "v2")
    await used(os, better, None, *stops(4))
    await night(os)
    found = os.kernel.get_user_volume().find(INSIGHT, NAME)
    assert found is not None and found.status is Status.ARCHIVED
    await used(os, better, *stops(5, 6))
    assert is_told(await night(os))
    assert told(os)["evidence"]["side_exits"] == 3


async def test_runs_of_others_and_runs_that_a_trace_did_do_not_count(make_os: MakeOS) -> None:
    os = await make_os()
    version = tool(os)
    ids = await used(os, version, *stops(1, 2))

    def write(tx: Any) -> None:
        for run in ids:
            more = {"user_id": "bob", "detail": CHANGED}
            record_usage(tx, version, Outcome.SIDE_EXIT, trace_id=run, **more)
            record_usage(tx, version, Outcome.SIDE_EXIT, user_id="alice", trace_id=run)

    store_of(os).write(write)
    assert not is_told(await night(os))


@given(st.integers(0, 10**9), st.text("abc é", max_size=9))
def test_reasons_that_differ_in_a_value_are_of_one_kind(number: int, word: str) -> None:
    one = kind_of(f"step {number}: {word!r} of /tmp/{number}/x.txt is gone")
    assert one == kind_of("step 3: 'other' of in/y.txt is gone")
    assert one != kind_of("step 3: 'other' of in/y.txt is there")
