"""The internal state turns the knobs of real runs, and runs move the internal state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from llmos import LLMOS, LLMOSConfig, Mode, tool
from llmos.cortex.processors import RecordedProcessor
from llmos.kernel.permissions import Approval, ApprovalRequest
from llmos.sentience import SET_POINT, LatentMode, Trigger
from llmos.values import Context, Event, EventType, Limits, Syscalls
from tests.conftest import MakeOS, recording
from tests.support.chance import Always, Sometimes

WRITE = recording("Write hello to hello.txt", ("Write", {"file_path": "hello.txt", "content": "x"}))


def alert(os: LLMOS, times: int) -> None:
    """As if audits had found so many free runs wrong."""
    for _ in range(times):
        os._kernel.store.write(
            lambda tx: tx.event(
                EventType.SYSTEM_ALERT, owner="alice", payload={"audit": "disagreed"}
            )
        )


def happened(os: LLMOS) -> list[set[Trigger]]:
    return [set(m.triggers) for m in reversed(os.kernel.get_state_history())]


async def test_runs_and_words_about_them_move_the_state(make_os: MakeOS) -> None:
    os = await make_os([WRITE])
    assert os.kernel.get_internal_state().valence == SET_POINT
    await os.execute(WRITE.goal)
    again = await os.execute(WRITE.goal)
    assert again.mode is Mode.FOLLOWER
    await os.feedback(again.trace_id, success=False)
    await os.execute("Do what nobody recorded")
    assert happened(os) == [
        {Trigger.TASK_SUCCESS, Trigger.NOVEL_TASK},
        {Trigger.TASK_SUCCESS, Trigger.TASK_REPETITION},
        # The replay and its trace were judged by one word.
        {Trigger.FEEDBACK_BAD, Trigger.SAFETY_VIOLATION},
        {Trigger.TASK_FAILURE, Trigger.NOVEL_TASK},
    ]


async def test_a_check_that_refutes_a_free_run_is_a_violation_and_is_counted_once(
    make_os: MakeOS,
) -> None:
    os = await make_os([WRITE])
    await os.execute(WRITE.goal)
    result = await os.execute(WRITE.goal, check="false")
    assert result.mode is Mode.FOLLOWER and not result.success
    assert happened(os)[1:] == [{Trigger.TASK_FAILURE, Trigger.SAFETY_VIOLATION}]


async def test_what_was_wrong_makes_audits_more_frequent_and_the_decision_says_why(
    make_os: MakeOS,
) -> None:
    os = await make_os([WRITE])
    await os.execute(WRITE.goal)
    before, _ = os.explain(WRITE.goal)
    assert before.audit_rate == LLMOSConfig().audit_rate
    assert "safety" not in before.reason
    alert(os, 1)
    after, _ = os.explain(WRITE.goal)
    assert after.audit_rate == pytest.approx(0.212, abs=0.01)
    assert "safety is 0.35 (set-point 0.5), so that audits are" in after.reason


async def test_turned_off_nothing_goes_by_it_and_nothing_is_stored(make_os: MakeOS) -> None:
    os = await make_os([WRITE], config=LLMOSConfig(enable_sentience=False))
    await os.execute(WRITE.goal)
    alert(os, 9)
    decision, _ = os.explain(WRITE.goal)
    assert decision.audit_rate == LLMOSConfig().audit_rate
    assert os.kernel.get_state_history() == []


async def test_an_audit_is_felt_and_the_look_ahead_for_it_is_not(
    make_os: MakeOS, cwd: Path
) -> None:
    (cwd / "in.txt").write_text("1 2 3\n")
    goal = recording(
        "Sum in.txt into out.txt",
        ("Read", {"file_path": "in.txt"}),
        ("Write", {"file_path": "out.txt", "content": "6\n"}),
    )
    os = await make_os([goal], rng=Always())
    await os.execute(goal.goal)
    (cwd / "out.txt").unlink()
    result = await os.execute(goal.goal)
    assert result.audit is not None
    assert happened(os) == [
        {Trigger.TASK_SUCCESS, Trigger.NOVEL_TASK},
        {Trigger.TASK_SUCCESS},
        {Trigger.AUDIT_AGREED},
    ]


async def test_an_audit_that_only_the_state_has_drawn_is_no_part_of_what_is_claimed(
    make_os: MakeOS,
) -> None:
    os = await make_os([WRITE], rng=Sometimes())
    await os.execute(WRITE.goal)
    assert (await os.execute(WRITE.goal)).audit is None  # the configured rate is below a tenth
    alert(os, 1)
    audit = (await os.execute(WRITE.goal)).audit
    assert audit is not None and audit.extra
    (row,) = os.kernel.list_audits()
    assert row.audit == audit
    stats = os.kernel.get_audits()
    assert (stats.audited, stats.at_most) == (0, None)


@tool(effects="external", name="mail.send")
def send(to: str) -> str:
    """Send a mail."""
    return f"sent to {to}"


MAIL = recording("Send a mail to bob", ("mail.send", {"to": "bob"}))
ALLOWED = LLMOSConfig(allow=("mail.send",))


async def test_cautious_every_external_write_asks_also_where_a_rule_allows_it(
    make_os: MakeOS,
) -> None:
    asked: list[str] = []

    async def approve(request: ApprovalRequest) -> Approval:
        asked.append(request.permission.explanation)
        return Approval("approve")

    os = await make_os([MAIL], plugins=[send], config=ALLOWED, approver=approve)
    assert (await os.execute(MAIL.goal)).success
    assert asked == []
    alert(os, 5)
    assert os.kernel.get_internal_state().mode is LatentMode.CAUTIOUS
    assert (await os.execute(MAIL.goal)).success
    (told,) = asked
    assert "so that every external write asks; see `llmos state`" in told


async def test_where_nobody_can_be_asked_the_refusals_do_not_make_it_worse(
    make_os: MakeOS,
) -> None:
    os = await make_os([MAIL], plugins=[send], config=ALLOWED)
    alert(os, 4)
    low = os.kernel.get_internal_state().valence
    assert low.safety == pytest.approx(-0.1)
    for k in range(8):
        result = await os.execute(MAIL.goal)
        assert not result.success, k
    assert os.kernel.get_internal_state().valence.safety > -0.02
    for _ in range(2):
        await os.execute(MAIL.goal)
    assert (await os.execute(MAIL.goal)).success


class Overheard(RecordedProcessor):
    """Keeps what it was told."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.system: list[str] = []

    def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        self.system.append(context.system)
        return super().run(goal, context, syscalls, limits)


@pytest.mark.parametrize("shown", [False, True])
async def test_a_model_is_told_the_state_only_if_asked_to_and_its_trace_is_followed_all_the_same(
    make_os: MakeOS, shown: bool
) -> None:
    processor = Overheard({WRITE.goal: WRITE})
    os = await make_os(processor=processor, config=LLMOSConfig(show_state_to_model=shown))
    await os.execute(WRITE.goal)
    (system,) = processor.system
    assert system.startswith("[INTERNAL_STATE]") == shown == bool(system)
    alert(os, 1)  # it would be told something else now
    assert (await os.execute(WRITE.goal)).mode is Mode.FOLLOWER
