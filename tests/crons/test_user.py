"""What a user's cron says of runs: of those that fail, that nobody vouched for, that come back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from llmos import LLMOS
from llmos.crons import CycleReport
from llmos.values import ArtifactType, Effect, Footprint, Step, Trace, Usage, Verdict
from llmos.volumes import Status
from tests.conftest import MakeOS, TestClock

INSIGHT, SUGGESTION, TRACE = ArtifactType.INSIGHT, ArtifactType.SUGGESTION, ArtifactType.TRACE
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def run(n: int, verdict: Verdict = Verdict.COMPLETED, *, undoable: bool = False) -> Trace:
    """A run that wrote one file."""
    step = Step(
        "Write",
        {"file_path": f"n{n}.txt", "content": f"{n} apples"},
        "written",
        effect=Effect.WRITE,
        footprint=Footprint(undoable=undoable),
    )
    goal = f"Write '{n} apples' to n{n}.txt"
    error = "the disk is full" if verdict is Verdict.FAILED else ""
    at = NOW + timedelta(hours=n)
    return Trace(goal, (step,), "Done.", verdict, now=at, usage=Usage(900, 100), error=error)


async def night(os: LLMOS, given: Sequence[Trace] = ()) -> CycleReport:
    await os.learn(given)
    return await os.kernel.run_cron_now()


def kinds(report: CycleReport) -> list[str]:
    return [task.kind for task in report]


async def test_three_failures_in_a_row_are_told_and_one_success_takes_it_back(
    make_os: MakeOS, clock: TestClock
) -> None:
    os = await make_os()
    volume = os.kernel.get_user_volume()
    assert not volume.list_artifacts(INSIGHT)
    await night(os, [run(n, Verdict.FAILED) for n in range(2)])
    assert not volume.list_artifacts(INSIGHT), "two failures may be an accident"
    await night(os, [run(2, Verdict.FAILED)])
    (told,) = [a for a in volume.list_artifacts(INSIGHT) if a.name.startswith("failing-")]
    content = volume.get(INSIGHT, told.name).content
    assert "the disk is full" in content["text"]
    assert len(content["evidence"]["failures"]) == 3
    await night(os, [run(3)])
    assert volume.find(INSIGHT, told.name).status is Status.ARCHIVED  # type: ignore[union-attr]


async def test_what_nobody_vouched_for_is_asked_about_with_what_to_type(make_os: MakeOS) -> None:
    os = await make_os()
    report = await night(os, [run(n) for n in range(4)])
    assert not report.learnt.created, "what cannot be undone does not teach by itself"
    (asked,) = [t for t in report if t.kind == "suggestion"]
    content = os.kernel.get_user_volume().get(SUGGESTION, asked.subject).content
    command = content["action"]["command"]
    runs = [part.split()[2] for part in command.split(" && ")]
    assert len(runs) == 3
    for short in runs:
        await os.feedback(short, success=True)
    assert len((await night(os)).learnt.created) == 1
    found = os.kernel.get_user_volume().find(SUGGESTION, asked.subject)
    assert found is not None and found.status is Status.ARCHIVED


async def test_what_was_dismissed_stays_dismissed(make_os: MakeOS) -> None:
    os = await make_os()
    report = await night(os, [run(n) for n in range(4)])
    (asked,) = [t.subject for t in report if t.kind == "suggestion"]
    volume = os.kernel.get_user_volume()
    volume.archive(SUGGESTION, asked, author="alice")
    for n in range(4, 30):
        report = await night(os, [run(n)])
        assert "suggestion" not in kinds(report)
    assert volume.find(SUGGESTION, asked).status is Status.ARCHIVED  # type: ignore[union-attr]


async def test_what_a_person_has_changed_is_left_alone(make_os: MakeOS) -> None:
    os = await make_os()
    await night(os, [run(n) for n in range(3)])
    volume = os.kernel.get_user_volume()
    (insight,) = volume.list_artifacts(INSIGHT)
    volume.put(None, INSIGHT, insight.name, {"title": "mine", "text": "mine"}, author="alice")
    await night(os, [run(n) for n in range(3, 12)])
    assert volume.get(INSIGHT, insight.name).content == {"title": "mine", "text": "mine"}


async def test_the_same_is_told_again_only_where_there_is_more_of_it(make_os: MakeOS) -> None:
    os = await make_os()
    given = [run(n) for n in range(60)]
    told = [sum(t.kind == "insight" for t in await night(os, [g])) for g in given]
    assert [n + 1 for n, count in enumerate(told) if count] == [3, 5, 10, 20, 50]


async def test_a_summary_stands_beside_the_runs_and_never_in_their_place(make_os: MakeOS) -> None:
    os = await make_os()
    await night(os, [run(n) for n in range(12)])
    volume = os.kernel.get_user_volume()
    found = volume.list_artifacts(TRACE, limit=100)
    (summary,) = [a for a in found if a.name.startswith("family-")]
    told = volume.get(TRACE, summary.name).content["evidence"]
    assert (told["runs"], len(found)) == (12, 13)
    assert all(os.traces.get(run_id).steps for run_id in told["traces"])


async def test_a_run_that_is_judged_later_is_moved_and_not_counted_twice(make_os: MakeOS) -> None:
    os = await make_os()
    await night(os, [run(n) for n in range(5)])
    newest = os.traces.recent(limit=1)[0]
    await os.feedback(newest.id, success=False)
    await night(os)
    (pattern,) = os.kernel.analyze_volume("user")["patterns"]
    assert pattern["runs"] == 5


async def test_a_budget_of_work_leaves_the_rest_to_the_next_cycle(make_os: MakeOS) -> None:
    from llmos import LLMOSConfig

    os = await make_os(config=LLMOSConfig(cron_runs=4))
    report = await night(os, [run(n) for n in range(10)])
    assert (report.looked_at, report.why.startswith("budget exhausted")) == (4, True)
    seen = [report.looked_at]
    while (report := await os.kernel.run_cron_now()).looked_at:
        seen.append(report.looked_at)
    assert sum(seen) == 10


def about(word: str, n: int) -> Trace:
    """A run of a goal in which a word stands that is a part of what is written."""
    arguments = {"file_path": f"n{n}.txt", "content": f"The week of {word}.\n"}
    step = Step("Write", arguments, "written", effect=Effect.WRITE)
    goal = f"Note the week of {word} in n{n}.txt"
    at = NOW + timedelta(hours=n)
    return Trace(goal, (step,), "Done.", Verdict.CONFIRMED, now=at, usage=Usage(900, 100))


async def test_all_that_one_tool_does_is_one_finding(make_os: MakeOS) -> None:
    os = await make_os()
    words = ("alpha", "beta", "gamma", "delta", "omega")
    report = await night(os, [about(word, n) for n, word in enumerate(words)])
    (tool,) = report.learnt.created
    (told,) = [t for t in report if t.kind == "insight"]
    assert told.title == (
        f"“Note the week of … in …” is common: 5 runs in 1 day; now the tool {tool} does it "
        "without a model"
    )
    # More of the same says nothing new, and is counted with the rest.
    assert "insight" not in kinds(await night(os, [about("alpha", 5)]))
    content = os.kernel.get_user_volume().get(INSIGHT, told.subject).content
    assert content["evidence"]["runs"] == 5
    told_again = await night(os, [about(word, 6 + n) for n, word in enumerate(words)])
    (more,) = [t for t in told_again if t.kind == "insight"]
    assert more.subject == told.subject and "11 runs" in more.title
