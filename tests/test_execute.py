"""The story of a goal, end to end: real home, files and tools; only the model is recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmos import Mode, Trace, Verdict
from llmos.errors import LowBatteryError, NeedsProcessor, PermissionDenied, UserError
from llmos.plugins.tool import tool
from llmos.values import Usage
from tests.conftest import MakeOS, TestClock, recording

WRITE = recording(
    "Write a greeting to hello.txt",
    ("Write", {"file_path": "hello.txt", "content": "hello\n"}),
    output="Wrote hello.txt.",
)


async def test_second_run_of_a_goal_replays_for_zero_tokens(make_os: MakeOS, cwd: Path) -> None:
    os = await make_os([WRITE])
    first = await os.execute(WRITE.goal)
    assert (first.mode, first.verdict, first.success) == (Mode.LEARNER, Verdict.COMPLETED, True)
    (cwd / "hello.txt").unlink()

    second = await os.execute(WRITE.goal)
    assert (second.mode, second.success, second.already_done) == (Mode.FOLLOWER, True, False)
    assert second.usage.total_tokens == 0
    assert second.side_exit is None
    assert (cwd / "hello.txt").read_text() == "hello\n"
    assert second.output == "Wrote hello.txt."


async def test_a_goal_whose_result_is_already_there_is_done_without_doing_anything(
    make_os: MakeOS, cwd: Path
) -> None:
    os = await make_os([WRITE])
    await os.execute(WRITE.goal)
    before = (cwd / "hello.txt").stat().st_mtime_ns
    result = await os.execute(WRITE.goal)
    assert (result.mode, result.success, result.already_done) == (Mode.FOLLOWER, True, True)
    assert (cwd / "hello.txt").stat().st_mtime_ns == before
    assert result.steps == ()


async def test_a_target_that_somebody_changed_is_not_overwritten(
    make_os: MakeOS, cwd: Path
) -> None:
    os = await make_os([WRITE])
    await os.execute(WRITE.goal)
    (cwd / "hello.txt").write_text("mine")
    result = await os.execute(WRITE.goal, mode="FOLLOWER")
    assert result.side_exit is not None
    assert "hello.txt" in result.side_exit.reason
    assert result.side_exit.step == 0
    assert result.side_exit.committed == ()


async def test_replay_stops_before_first_write_when_a_read_changed(
    make_os: MakeOS, cwd: Path
) -> None:
    (cwd / "in.txt").write_text("1 2 3\n")
    goal = recording(
        "Sum in.txt into out.txt",
        ("Read", {"file_path": "in.txt"}),
        ("Write", {"file_path": "out.txt", "content": "6\n"}),
    )
    os = await make_os([goal])
    await os.execute(goal.goal)
    (cwd / "out.txt").unlink()
    (cwd / "in.txt").write_text("1 2 4\n")

    other = await make_os(processor=None, home=os.home)
    result = await other.execute(goal.goal)
    assert result.side_exit is not None
    assert result.side_exit.step == 1
    assert [s.tool for s in result.side_exit.committed] == ["Read"]
    assert not (cwd / "out.txt").exists()
    assert result.success is False
    assert "model" in result.error


async def test_the_model_takes_over_after_a_side_exit_with_the_committed_prefix(
    make_os: MakeOS, cwd: Path
) -> None:
    (cwd / "in.txt").write_text("1 2 3\n")
    first = recording(
        "Sum in.txt into out.txt",
        ("Read", {"file_path": "in.txt"}),
        ("Write", {"file_path": "out.txt", "content": "6\n"}),
    )
    os = await make_os([first])
    await os.execute(first.goal)
    (cwd / "out.txt").unlink()
    (cwd / "in.txt").write_text("1 2 4\n")
    now = recording(
        first.goal,
        ("Read", {"file_path": "in.txt"}),
        ("Write", {"file_path": "out.txt", "content": "7\n"}),
    )
    os = await make_os([now])
    result = await os.execute(first.goal)
    assert (result.mode, result.success) == (Mode.MIXED, True)
    assert result.side_exit is not None
    assert [s.tool for s in result.steps] == ["Read", "Write"], "no step is executed twice"
    assert (cwd / "out.txt").read_text() == "7\n"


async def test_a_run_without_model_names_the_ways_to_get_one(
    make_os: MakeOS, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")
    os = await make_os()
    with pytest.raises(NeedsProcessor) as e:
        await os.execute("Do something new")
    assert "ANTHROPIC_API_KEY" in e.value.message + e.value.hint
    assert os.traces.recent() == []


async def test_a_wrong_answer_takes_the_trace_out_of_use(make_os: MakeOS, cwd: Path) -> None:
    os = await make_os([WRITE])
    first = await os.execute(WRITE.goal)
    (cwd / "hello.txt").unlink()
    second = await os.execute(WRITE.goal)
    await os.feedback(second.trace_id, success=False, note="wrong greeting")
    decision, _ = os.explain(WRITE.goal)
    assert decision.mode is Mode.LEARNER
    assert "refuted" in decision.reason
    assert os.traces.get(first.trace_id).quarantined


async def test_a_passed_check_verifies_and_a_failed_one_refutes(make_os: MakeOS) -> None:
    os = await make_os([WRITE])
    good = await os.execute(WRITE.goal, check="grep -q hello hello.txt")
    assert good.verdict is Verdict.VERIFIED
    bad = await os.execute(WRITE.goal, check="grep -q goodbye hello.txt", mode="LEARNER")
    assert (bad.verdict, bad.success) == (Verdict.REFUTED, False)


async def test_a_replay_has_to_pass_the_check_of_its_original(make_os: MakeOS, cwd: Path) -> None:
    os = await make_os([WRITE])
    first = await os.execute(WRITE.goal, check="test ! -e broken")
    (cwd / "hello.txt").unlink()
    (cwd / "broken").touch()
    second = await os.execute(WRITE.goal)
    assert (second.mode, second.success, second.verdict) == (
        Mode.FOLLOWER,
        False,
        Verdict.REFUTED,
    )
    assert os.traces.get(first.trace_id).quarantined


async def test_an_answer_from_no_tool_at_all_is_not_replayed(make_os: MakeOS) -> None:
    os = await make_os([Trace("What is love?", (), "Baby don't hurt me.")])
    await os.execute("What is love?")
    again = await os.execute("What is love?")
    assert again.mode is Mode.LEARNER


async def test_the_answer_cache_labels_what_it_gives_back(make_os: MakeOS) -> None:
    from llmos import LLMOSConfig

    os = await make_os(
        [Trace("What is love?", (), "Baby don't hurt me.")],
        config=LLMOSConfig(answer_cache=True),
    )
    await os.execute("What is love?")
    again = await os.execute("What is love?")
    assert again.mode is Mode.FOLLOWER
    assert "answer of 2026-03-02" in again.output


async def test_tomorrow_is_followed_only_on_the_same_day(
    make_os: MakeOS, cwd: Path, clock: TestClock
) -> None:
    goal = recording(
        "Note that I am away tomorrow",
        ("Write", {"file_path": "away.txt", "content": "2026-03-03\n"}),
    )
    os = await make_os([goal])
    await os.execute(goal.goal)
    (cwd / "away.txt").unlink()
    clock.forward(hours=3)
    assert os.explain(goal.goal)[0].mode is Mode.FOLLOWER
    clock.forward(days=1)
    decision, _ = os.explain(goal.goal)
    assert decision.mode is Mode.MIXED
    assert "2026-03" in decision.reason


async def test_an_external_write_is_followed_only_after_somebody_vouched(make_os: MakeOS) -> None:
    sent: list[str] = []

    @tool(effects="external", name="mail.send")
    def send(to: str) -> str:
        """Send a mail."""
        sent.append(to)
        return "sent"

    goal = recording("Mail bob", ("mail.send", {"to": "bob@example.org"}))
    from llmos import LLMOSConfig

    os = await make_os([goal], plugins=[send], config=LLMOSConfig(allow=("mail.send",)))
    first = await os.execute(goal.goal)
    assert sent == ["bob@example.org"]
    assert any("cannot be undone" in w for w in first.warnings)
    assert os.explain(goal.goal)[0].mode is Mode.MIXED
    await os.feedback(first.trace_id, success=True)
    second = await os.execute(goal.goal)
    assert (second.mode, second.success) == (Mode.FOLLOWER, True)
    assert len(sent) == 2


async def test_undo_restores_every_byte(make_os: MakeOS, cwd: Path) -> None:
    (cwd / "hello.txt").write_bytes(b"old\r\n\xff")
    (cwd / "hello.txt").chmod(0o640)
    goal = recording(
        "Greet",
        ("Write", {"file_path": "hello.txt", "content": "hello\n"}),
        ("Write", {"file_path": "deep/er/new.txt", "content": "new\n"}),
    )
    os = await make_os([goal])
    result = await os.execute(goal.goal)
    undone = await os.undo(result.trace_id)
    assert (cwd / "hello.txt").read_bytes() == b"old\r\n\xff"
    assert (cwd / "hello.txt").stat().st_mode & 0o777 == 0o640
    assert not (cwd / "deep").exists()
    assert undone.left == ()
    with pytest.raises(UserError, match="nothing to undo"):
        await os.undo(result.trace_id)


async def test_undo_refuses_where_someone_changed_a_file_since(make_os: MakeOS, cwd: Path) -> None:
    goal = recording(
        "Greet",
        ("Write", {"file_path": "a.txt", "content": "a\n"}),
        ("Write", {"file_path": "b.txt", "content": "b\n"}),
    )
    os = await make_os([goal])
    result = await os.execute(goal.goal)
    (cwd / "b.txt").write_text("mine")
    with pytest.raises(UserError, match=r"b\.txt"):
        await os.undo(result.trace_id)
    assert (cwd / "a.txt").exists(), "nothing is undone where not everything can be"


async def test_failed_runs_are_paid_for(make_os: MakeOS) -> None:
    paid = Trace("Try", (), "", usage=Usage(10, 5), cost_usd=0.25)
    os = await make_os([paid], budget_usd=1.0)
    result = await os.execute("Try")
    assert (result.success, result.cost_usd) == (False, 0.25)
    assert os.kernel.economy.status("system").spent_usd == pytest.approx(0.25)


async def test_a_run_none_of_whose_writes_succeeded_has_failed(make_os: MakeOS, cwd: Path) -> None:
    from tests.kernel.test_syscalls import Script

    edit = {"file_path": "a.txt", "old_string": "x", "new_string": "y"}
    (cwd / "a.txt").write_text("nothing of it")
    os = await make_os(processor=Script(("Edit", edit)))
    result = await os.execute("Replace x by y in a.txt")
    assert (result.success, result.verdict) == (False, Verdict.FAILED)
    assert "none of its 1 writes succeeded" in result.error


async def test_an_empty_budget_refuses_the_model_but_not_the_replay(
    make_os: MakeOS, cwd: Path
) -> None:
    from dataclasses import replace

    os = await make_os([replace(WRITE, cost_usd=1.0)], budget_usd=1.0)
    await os.execute(WRITE.goal)
    (cwd / "hello.txt").unlink()
    with pytest.raises(LowBatteryError):
        await os.execute("Something else")
    assert (await os.execute(WRITE.goal)).success


async def test_another_users_run_is_neither_followed_nor_judged_nor_undone(
    make_os: MakeOS, cwd: Path
) -> None:
    os = await make_os([WRITE])
    run = await os.execute(WRITE.goal)
    bob = await make_os([WRITE], user_id="bob")
    assert bob.explain(WRITE.goal)[0].mode is Mode.LEARNER
    with pytest.raises(PermissionDenied):
        await bob.feedback(run.trace_id, success=True)
    with pytest.raises(PermissionDenied):
        await bob.undo(run.trace_id)


@pytest.mark.parametrize("goal", ["", "   \n", "x" * 1_000_000, "a\udc80b", "a\0b"])
async def test_an_unusable_goal_is_one_clear_error(make_os: MakeOS, goal: str) -> None:
    os = await make_os([WRITE])
    with pytest.raises(UserError) as e:
        await os.execute(goal)
    assert "\n" not in e.value.message
    assert os.traces.recent() == []


async def test_a_user_id_that_is_a_path_is_refused(make_os: MakeOS) -> None:
    with pytest.raises(UserError, match="user id"):
        await make_os(user_id="../../x")
