"""A tool that a model helped to make, from the first question to the first free run."""

from __future__ import annotations

from llmos import Mode, Trace
from llmos.cortex.processors import RecordedProcessor
from llmos.evolution.questions import VALUE
from llmos.values import ArtifactType, Usage
from tests.conftest import MakeOS, TestClock
from tests.evolution.office import Office, lessons, plugins
from tests.evolution.test_propose import ANNOUNCE, RIGHT


async def test_a_helped_tool_runs_free_after_later_runs_of_the_model_have_agreed(
    make_os: MakeOS, clock: TestClock
) -> None:
    given = lessons(ANNOUNCE, 1, 12, lambda lesson: "clocks" not in lesson.goal)
    answer = Trace(VALUE, (), RIGHT, model="small-1", usage=Usage(500, 60), cost_usd=0.004)
    known = {lesson.goal: lesson.recording for lesson in given[:11]} | {VALUE: answer}
    # A question is known by its first line.
    processor = RecordedProcessor(known, fold=lambda goal: goal.partition("\n")[0])
    office = Office()
    os = await make_os([], plugins=plugins(office), processor=processor)
    for lesson in given[:6]:
        clock.now = lesson.now
        await os.execute(lesson.goal)
    report = (await os.kernel.run_cron_now(propose=True)).learnt
    (name,) = report.created
    assert (report.usage.total_tokens, report.proposer) == (560, "recorded:small-1")
    assert os.kernel.economy.status("user:alice").spent_usd > 0.06
    for lesson in given[6:11]:
        clock.now = lesson.now
        result = await os.execute(lesson.goal)
        assert result.mode is Mode.LEARNER, "it is not trusted yet"
        await os.kernel.run_cron_now()
    tool = os.kernel.get_user_volume().get(ArtifactType.TOOL, name).content
    assert (tool["proof"]["agreed"], tool["proof"]["prior"]) == (5, [7, 3])
    office.done.clear()
    clock.now = given[11].now
    result = await os.execute(given[11].goal)
    assert (result.mode, result.usage.total_tokens) == (Mode.CRYSTALLIZED, 0)
    assert office.done == given[11].writes
