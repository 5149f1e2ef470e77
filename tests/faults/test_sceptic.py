"""Attempts to break the promise: replay is sound or it stops.

Each test is a way in which a replay, an undo or a success could be wrong, and says what happens
instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmos import LLMOSConfig, Mode, Step, Trace, Verdict
from llmos.errors import LLMOSError, UserError
from llmos.plugins import sandbox
from llmos.plugins.tool import tool
from llmos.values import Change, Context, Done, Effect, Event, Footprint, Limits, Syscalls
from tests.conftest import MakeOS, recording

needs_sandbox = pytest.mark.skipif(
    sandbox.available() is not None, reason=f"no sandbox: {sandbox.available()}"
)

Call = tuple[str, dict[str, Any]]


class Script:
    """A model that makes these calls, one list for each time that it is asked."""

    name = "script"
    free = True

    def __init__(self, *turns: list[Call]) -> None:
        self.turns = list(turns)
        self.seen: list[Any] = []

    async def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        """Make the next list of calls."""
        for name, arguments in self.turns.pop(0):
            self.seen.append(await syscalls.call(name, arguments))
        yield Done("Done.", model=self.name)

    async def aclose(self) -> None:
        """Nothing to release."""


def write(path: str, content: str) -> Call:
    return "Write", {"file_path": path, "content": content}


def bash(command: str) -> Call:
    return "Bash", {"command": command}


def read(path: str) -> Call:
    return "Read", {"file_path": path}


# --- the wrong thing for free ------------------------------------------------------------------


async def test_what_was_only_seen_in_a_worked_example_is_no_basis_for_a_free_run(
    make_os: MakeOS, cwd: Path
) -> None:
    (cwd / "notes").write_text("one")
    (cwd / "style").write_text("formal")
    os = await make_os(
        processor=Script(
            [read("notes"), read("style"), write("out", "formal one")],
            # The example shows the style, so the model does not look again.
            [write("out", "formal two")],
            [read("style"), write("out", "casual two")],
        )
    )
    assert (await os.execute("Summarise")).success
    (cwd / "out").unlink()
    (cwd / "notes").write_text("two")
    assert (await os.execute("Summarise")).mode is Mode.MIXED
    (cwd / "out").unlink()
    (cwd / "style").write_text("casual")
    assert (await os.execute("Summarise")).mode is Mode.MIXED
    assert (cwd / "out").read_text() == "casual two"


async def test_a_run_that_looked_at_all_the_example_told_is_followed(
    make_os: MakeOS, cwd: Path
) -> None:
    (cwd / "notes").write_text("one")
    os = await make_os(
        processor=Script(
            [read("notes"), write("out", "one")],
            [write("out", "two")],  # the replay has read the notes again
        )
    )
    await os.execute("Summarise")
    (cwd / "out").unlink()
    (cwd / "notes").write_text("two")
    assert (await os.execute("Summarise")).mode is Mode.MIXED
    (cwd / "out").unlink()
    again = await os.execute("Summarise")
    assert (again.mode, (cwd / "out").read_text()) == (Mode.FOLLOWER, "two")


async def test_a_goal_that_names_its_folder_is_not_followed_in_another(
    make_os: MakeOS, cwd: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    goal = f"Write {cwd} into a.txt"
    os = await make_os([recording(goal, write("a.txt", str(cwd)))])
    assert (await os.execute(goal)).success
    await os.execute(goal, cwd=other)
    assert (other / "a.txt").read_text() == str(cwd)


async def test_a_hook_that_changes_arguments_again_stops_the_replay(
    make_os: MakeOS, cwd: Path
) -> None:
    from llmos.kernel.admission import HookCall, Hooks
    from llmos.kernel.permissions import Approval

    def sign(call: HookCall) -> Approval:
        content = f"{call.arguments['content']}!"
        return Approval("modify", arguments={**call.arguments, "content": content})

    os = await make_os(processor=Script([write("a.txt", "hi")]), hooks=Hooks(pre_tool_use=(sign,)))
    assert (await os.execute("Greet")).success
    (cwd / "a.txt").unlink()
    os._processor = Script([])
    again = await os.execute("Greet")
    assert again.side_exit is not None
    assert not (cwd / "a.txt").exists()


# --- strangers' traces -------------------------------------------------------------------------


@needs_sandbox
@pytest.mark.parametrize("verdict", [Verdict.COMPLETED, Verdict.VERIFIED])
async def test_a_learnt_command_with_an_unknown_world_is_not_replayed(
    make_os: MakeOS, cwd: Path, verdict: Verdict
) -> None:
    (cwd / "precious").write_text("x")
    os = await make_os(processor=Script([]))
    command = {"command": "rm -f precious"}
    step = Step(
        "Bash", command, "(no output)", effect=Effect.WRITE, footprint=Footprint({}, (), True)
    )
    await os.learn([Trace("Clean up", (step,), "Cleaned.", verdict)])
    await os.execute("Clean up")
    assert (cwd / "precious").exists()


async def test_a_learnt_trace_whose_writes_all_failed_is_no_success(
    make_os: MakeOS, cwd: Path
) -> None:
    (cwd / "d").mkdir()
    os = await make_os()
    change = Change(f"file:{cwd}/d", "dir:dir", "dir:dir")
    step = Step(
        "Write",
        {"file_path": "d", "content": "x"},
        "d is a folder: Glob lists what is in it",
        is_error=True,
        effect=Effect.WRITE,
        footprint=Footprint({}, (change,), True),
    )
    await os.learn([Trace("Save", (step,), "Saved.", Verdict.VERIFIED)])
    assert os.explain("Save")[0].mode is not Mode.FOLLOWER


async def test_a_learnt_failure_that_would_now_succeed_is_not_made(
    make_os: MakeOS, cwd: Path
) -> None:
    os = await make_os(processor=Script([]))
    failed = Step(
        "Write",
        {"file_path": "a/b.txt", "content": "x"},
        "cannot write a/b.txt: Not a directory",
        is_error=True,
        effect=Effect.WRITE,
        footprint=Footprint({}, (), True),
    )
    done = Step(
        "Write",
        {"file_path": "c.txt", "content": "x"},
        "The file c.txt has been created.",
        effect=Effect.WRITE,
        footprint=Footprint({}, (Change(f"file:{cwd}/c.txt", None, "0" * 64),), True),
    )
    await os.learn([Trace("Save", (failed, done), "Saved.", Verdict.VERIFIED)])
    result = await os.execute("Save")
    assert result.side_exit is not None
    assert result.side_exit.committed == ()
    assert not (cwd / "a").exists()


async def test_a_learnt_trace_is_bound_to_the_tools_of_that_day(make_os: MakeOS) -> None:
    def make(text: str) -> Any:
        if text == "old":

            @tool(effects="read", name="look")
            def look() -> str:
                """Look."""
                return "x"
        else:

            @tool(effects="read", name="look")
            def look() -> str:
                """Look closer."""
                return "x" + ""

        return look

    os = await make_os(plugins=[make("old")])
    await os.learn([Trace("Look", (Step("look", {}, "x"),), "x")])
    assert os.explain("Look")[0].mode is Mode.FOLLOWER
    await os.shutdown()
    changed = await make_os(plugins=[make("new")])
    assert changed.explain("Look")[0].mode is not Mode.FOLLOWER


# --- outside -----------------------------------------------------------------------------------


@needs_sandbox
async def test_a_link_made_during_a_replay_opens_no_way_out(
    make_os: MakeOS, cwd: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    os = await make_os(processor=Script([bash(f"ln -s {outside} link"), write("b", "x")], []))
    first = await os.execute("Link")
    assert first.success, first.error
    made = os.traces.get(first.trace_id)
    (cwd / "link").unlink()
    (cwd / "b").unlink()
    evil = Step(
        "Write",
        {"file_path": "link/evil", "content": "x"},
        "The file link/evil has been created.",
        effect=Effect.WRITE,
        footprint=Footprint({}, (Change("file:$CWD/link/evil", None, "0" * 64),), True),
    )
    await os.learn([replace(made, goal="Link and write", steps=(made.steps[0], evil))])
    result = await os.execute("Link and write")
    assert not (outside / "evil").exists()
    assert result.side_exit is not None


async def test_a_target_that_moves_while_a_person_is_asked_is_not_written(
    make_os: MakeOS, cwd: Path, tmp_path: Path
) -> None:
    from llmos.kernel.permissions import Approval, ApprovalRequest

    outside = tmp_path / "outside"
    outside.mkdir()

    async def swap(request: ApprovalRequest) -> Approval:
        (cwd / "d").symlink_to(outside)
        return Approval("approve")

    os = await make_os(
        processor=Script([write("d/a", "x")]),
        approver=swap,
        config=LLMOSConfig(ask=("Write(d/**)",)),
    )
    await os.execute("Save")
    assert not (outside / "a").exists()


@needs_sandbox
async def test_a_command_in_the_home_is_denied(make_os: MakeOS, home: Path) -> None:
    script = Script([bash("touch x; ls"), write("y", "y")])
    os = await make_os(processor=script)
    await os.execute("Touch", cwd=home)
    assert all(r.is_error for r in script.seen)
    assert not (home / "x").exists()


# --- dirty exits -------------------------------------------------------------------------------


def payments(log: list[str], fail: list[str]) -> list[Any]:
    @tool(effects="external", name="pay")
    def pay(to: str, amount: float = 1.0, note: str = "") -> str:
        """Pay."""
        if fail:
            raise RuntimeError(fail.pop())
        log.append(to)
        return f"paid {to}"

    return [pay]


async def test_a_payment_in_doubt_stops_the_replay_before_its_first_write(
    make_os: MakeOS, cwd: Path
) -> None:
    log: list[str] = []
    fail: list[str] = []
    pay = ("pay", {"to": "bob"})
    os = await make_os(
        processor=Script([write("a", "x"), pay], [pay], []),
        plugins=payments(log, fail),
        config=LLMOSConfig(allow=("pay",)),
    )
    first = await os.execute("Pay bob")
    await os.feedback(first.trace_id, success=True)
    (cwd / "a").unlink()
    fail.append("the line broke")
    await os.execute("Just pay")  # its outcome is not known
    result = await os.execute("Pay bob")
    assert result.side_exit is not None
    assert not (cwd / "a").exists()
    assert log == ["bob"]


async def test_a_trace_with_more_calls_than_a_run_may_make_is_not_begun(
    make_os: MakeOS, cwd: Path
) -> None:
    trace = recording("Save all", *[write(f"f{i}", "x") for i in range(4)])
    os = await make_os([trace])
    assert (await os.execute(trace.goal)).success
    for f in cwd.iterdir():
        f.unlink()
    await os.shutdown()
    small = await make_os([trace], config=LLMOSConfig(max_calls=2))
    result = await small.execute(trace.goal, mode="FOLLOWER")
    assert result.side_exit is not None
    assert result.side_exit.committed == ()


# --- no step twice, no success for nothing -----------------------------------------------------


async def test_a_committed_payment_is_recognised_however_it_is_spelled(make_os: MakeOS) -> None:
    log: list[str] = []
    notes = ["one"]

    @tool(effects="read", name="look")
    def look() -> str:
        """Look."""
        return notes[0]

    script = Script(
        [("pay", {"to": "bob", "amount": 5}), ("look", {})],
        [("pay", {"to": "bob", "amount": 5.0, "note": ""}), ("look", {})],
    )
    os = await make_os(
        processor=script,
        plugins=[*payments(log, []), look],
        config=LLMOSConfig(allow=("pay",)),
    )
    first = await os.execute("Pay bob")
    await os.feedback(first.trace_id, success=True)
    notes[0] = "two"
    result = await os.execute("Pay bob")
    assert result.side_exit is not None
    assert log == ["bob", "bob"], "once in each run"
    assert "done as step 0" in script.seen[-2].text


async def test_a_step_that_failed_is_not_reported_as_done(make_os: MakeOS) -> None:
    log: list[str] = []
    fail: list[str] = []
    pay = ("pay", {"to": "bob"})
    script = Script([pay, ("pay", {"to": "carol"})], [pay])
    os = await make_os(
        processor=script, plugins=payments(log, fail), config=LLMOSConfig(allow=("pay",))
    )
    first = await os.execute("Pay")
    await os.feedback(first.trace_id, success=True)
    fail.append("the line broke")
    result = await os.execute("Pay", mode="AUTO")
    assert result.side_exit is not None
    assert script.seen[-1].is_error


async def test_a_committed_write_may_be_made_again_once_it_was_overwritten(
    make_os: MakeOS, cwd: Path
) -> None:
    notes = ["one"]

    @tool(effects="read", name="look")
    def look() -> str:
        """Look."""
        return notes[0]

    script = Script(
        [write("a", "x"), ("look", {})], [write("a", "x"), write("a", "y"), write("a", "x")]
    )
    os = await make_os(processor=script, plugins=[look])
    await os.execute("Save")
    (cwd / "a").unlink()
    notes[0] = "two"
    result = await os.execute("Save")
    assert result.side_exit is not None
    assert "done as step 0" in script.seen[-3].text
    assert (cwd / "a").read_text() == "x"


# --- undo --------------------------------------------------------------------------------------


@needs_sandbox
async def test_a_command_that_makes_too_many_files_is_not_called_undoable(
    make_os: MakeOS, cwd: Path
) -> None:
    (cwd / "a").write_text("a")
    os = await make_os(
        processor=Script([bash("for i in 1 2 3 4 5 6; do echo x > f$i; done")]),
        config=LLMOSConfig(snapshot_files=3),
    )
    result = await os.execute("Make files")
    assert result.warnings, "it says that this cannot be taken back"
    assert not result.steps[0].footprint.undoable


@needs_sandbox
async def test_an_undo_waits_for_a_command_in_the_same_folder(make_os: MakeOS, cwd: Path) -> None:
    os = await make_os(processor=Script([write("a", "x")], [bash("touch busy; sleep 1; rm busy")]))
    first = await os.execute("Save")
    second = asyncio.create_task(os.execute("Sleep"))
    while not (cwd / "busy").exists():
        await asyncio.sleep(0.01)
    await os.undo(first.trace_id)
    slept = await second
    assert all("/a" not in c.resource for s in slept.steps for c in s.footprint.writes)


# --- hanging, money, ends ----------------------------------------------------------------------


def nothing_is_open(os: Any) -> None:
    kernel = os._kernel
    assert kernel.economy.status("system").reserved_usd == 0
    running = kernel.store.read(
        lambda c: c.exec_driver_sql("select id from traces where status = 'running'").all()
    )
    assert running == []


async def test_a_run_cancelled_in_its_check_is_over(make_os: MakeOS, cwd: Path) -> None:
    os = await make_os([recording("Save", write("a", "x"))])
    task = asyncio.create_task(os.execute("Save", check="touch checking; sleep 20"))
    while not (cwd / "checking").exists():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    nothing_is_open(os)


async def test_a_run_cancelled_at_any_moment_leaves_nothing_open(
    make_os: MakeOS, cwd: Path
) -> None:
    os = await make_os([recording("Save", write("a", "x"), write("b", "x"))])
    for ticks in range(0, 40):
        task = asyncio.create_task(os.execute("Save", mode="LEARNER"))
        for _ in range(ticks):
            await asyncio.sleep(0.0005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0.01)
        nothing_is_open(os)


@pytest.mark.parametrize("usd", [-5.0, float("nan")])
async def test_a_senseless_limit_is_refused_and_moves_no_money(
    make_os: MakeOS, cwd: Path, usd: float
) -> None:
    os = await make_os([replace(recording("Save", write("a", "x")), cost_usd=0.01)], budget_usd=1.0)
    with pytest.raises(UserError):
        await os.execute("Save", max_cost_usd=usd)
    nothing_is_open(os)
    assert os._kernel.economy.status("system").left_usd == 1.0


async def test_a_replay_does_not_wait_for_ever_for_its_folder(
    make_os: MakeOS, cwd: Path, home: Path
) -> None:
    from llmos.kernel.lease import Lease

    trace = recording("Save", write("a", "x"))
    os = await make_os([trace])
    await os.execute("Save")
    await os.shutdown()
    (cwd / "a").unlink()
    os = await make_os([trace], config=LLMOSConfig(run_wall_s=1.0))
    async with Lease(home, cwd.resolve()).held():
        result = await asyncio.wait_for(os.execute("Save"), 8)
    assert not result.success
    nothing_is_open(os)


async def test_waiting_in_the_queue_does_not_use_up_the_run(make_os: MakeOS, cwd: Path) -> None:
    release = asyncio.Event()

    @tool(effects="read", name="wait")
    async def wait() -> str:
        """Wait."""
        await release.wait()
        return "x"

    os = await make_os(
        processor=Script([("wait", {})], [write("a", "x")]),
        plugins=[wait],
        config=LLMOSConfig(parallel_runs=1, run_wall_s=2.0),
    )
    first = asyncio.create_task(os.execute("Wait"))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(os.execute("Save"))
    await asyncio.sleep(1.9)
    release.set()
    await first
    result = await second
    assert result.success, result.error


async def test_two_replays_at_once_do_it_once(make_os: MakeOS, cwd: Path) -> None:
    trace = recording("Save", write("a", "x"), write("b", "x"))
    os = await make_os([trace])
    await os.execute("Save")
    (cwd / "a").unlink()
    (cwd / "b").unlink()
    both = await asyncio.gather(os.execute("Save"), os.execute("Save"))
    assert sorted(r.already_done for r in both) == [False, True]
    assert all(r.success and r.mode is Mode.FOLLOWER for r in both)


async def test_a_target_that_became_a_folder_or_a_link_is_left_alone(
    make_os: MakeOS, cwd: Path
) -> None:
    trace = recording("Save", write("a", "x"))
    os = await make_os([trace])
    await os.execute("Save")
    os._processor = Script([], [], [])
    (cwd / "a").unlink()
    (cwd / "a").mkdir()
    assert (await os.execute("Save")).side_exit is not None
    (cwd / "a").rmdir()
    (cwd / "a").symlink_to("elsewhere")
    assert (await os.execute("Save")).side_exit is not None
    assert not (cwd / "elsewhere").exists()


async def test_a_read_that_failed_then_guards_like_any_other(make_os: MakeOS, cwd: Path) -> None:
    os = await make_os(processor=Script([read("config"), write("a", "default")], []))
    await os.execute("Save")
    (cwd / "a").unlink()
    (cwd / "config").write_text("special")
    result = await os.execute("Save")
    assert result.side_exit is not None
    assert not (cwd / "a").exists()


async def test_a_replay_cancelled_between_writes_can_be_undone(make_os: MakeOS, cwd: Path) -> None:
    hold = asyncio.Event()
    hold.set()

    @tool(effects="read", name="wait", reads=[f"file:{cwd}/a"])
    async def wait() -> str:
        """Wait."""
        await hold.wait()
        return "x"

    os = await make_os(
        processor=Script([write("a", "x"), ("wait", {}), write("b", "y")]), plugins=[wait]
    )
    await os.execute("Save")
    (cwd / "a").unlink()
    (cwd / "b").unlink()
    hold.clear()
    task = asyncio.create_task(os.execute("Save"))
    while not (cwd / "a").exists():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    nothing_is_open(os)
    newest = os.traces.recent(limit=1)[0]
    assert newest.verdict is Verdict.FAILED
    await os.undo(newest.id)
    assert list(cwd.iterdir()) == []


async def test_nothing_is_followed_where_nothing_is_known(make_os: MakeOS) -> None:
    os = await make_os()
    with pytest.raises(LLMOSError):
        await os.execute("Nothing is known of this", mode="FOLLOWER")


async def test_a_cwd_reached_through_a_link_is_the_same_folder(
    make_os: MakeOS, cwd: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(cwd)
    os = await make_os([recording("Save", write("a", "x"))])
    await os.execute("Save", cwd=tmp_path / "link")
    again = await os.execute("Save", cwd=cwd)
    assert (again.mode, again.already_done) == (Mode.FOLLOWER, True)


@needs_sandbox
@pytest.mark.parametrize("change", ["mkdir empty", "touch .hidden", "chmod +x tool", "ln -s a l"])
async def test_a_command_is_guarded_by_all_that_it_could_have_seen(
    make_os: MakeOS, cwd: Path, change: str
) -> None:
    import subprocess

    (cwd / "tool").write_text("#!/bin/sh")
    os = await make_os(processor=Script([bash("ls -laR | wc -l > count")], []))
    await os.execute("Count")
    (cwd / "count").unlink()
    subprocess.run(change, shell=True, cwd=cwd, check=True)
    result = await os.execute("Count")
    assert result.side_exit is not None
    assert not (cwd / "count").exists()


async def test_an_edit_of_all_places_needs_the_file_as_it_was(make_os: MakeOS, cwd: Path) -> None:
    edit = {"file_path": "a", "old_string": "x", "new_string": "y", "replace_all": True}
    (cwd / "a").write_text("x 1 x")
    os = await make_os(processor=Script([("Edit", edit)], []))
    await os.execute("Replace")
    (cwd / "a").write_text("x 2 x")
    assert (await os.execute("Replace")).side_exit is not None
    assert (cwd / "a").read_text() == "x 2 x"


async def test_an_open_source_that_changed_stops_the_write_behind_it(
    make_os: MakeOS, cwd: Path
) -> None:
    news = ["quiet"]

    @tool(effects="open_read", name="news")
    def top() -> str:
        """The news."""
        return news[0]

    os = await make_os(processor=Script([("news", {}), write("a", "quiet")], []), plugins=[top])
    await os.execute("Save the news")
    (cwd / "a").unlink()
    news[0] = "loud"
    assert (await os.execute("Save the news", mode="FOLLOWER")).side_exit is not None
    assert not (cwd / "a").exists()


async def test_a_clock_that_went_back_does_not_make_tomorrow_the_same_day(
    make_os: MakeOS, cwd: Path, clock: Any
) -> None:
    os = await make_os([recording("Plan tomorrow", write("2026-03-03", "x"))])
    await os.execute("Plan tomorrow")
    (cwd / "2026-03-03").unlink()
    clock.forward(days=-1)
    assert os.explain("Plan tomorrow")[0].mode is not Mode.FOLLOWER


async def test_a_hook_that_breaks_ends_the_run_and_its_write_can_be_undone(
    make_os: MakeOS, cwd: Path
) -> None:
    from llmos.kernel.admission import HookCall, Hooks

    def broken(call: HookCall) -> None:
        raise OSError("no audit today")

    trace = recording("Save", write("a", "x"), write("b", "x"))
    os = await make_os([trace])
    await os.execute("Save")
    await os.shutdown()
    for f in cwd.iterdir():
        f.unlink()
    os = await make_os([trace], hooks=Hooks(post_tool_use=(broken,)))
    with pytest.raises(OSError, match="audit"):
        await os.execute("Save")
    nothing_is_open(os)
    await os.undo(os.traces.recent(limit=1)[0].id)
    assert list(cwd.iterdir()) == []


async def test_the_same_files_written_by_two_runs_are_undone_by_the_later_one_first(
    make_os: MakeOS, cwd: Path
) -> None:
    os = await make_os(processor=Script([write("a", "x")], [write("a", "y")]))
    first, second = await os.execute("One"), await os.execute("Two")
    with pytest.raises(UserError):
        await os.undo(first.trace_id)
    await os.undo(second.trace_id)
    assert (cwd / "a").read_text() == "x"
    with pytest.raises(UserError):
        await os.undo(second.trace_id)
    await os.undo(first.trace_id)
    assert not (cwd / "a").exists()


async def test_another_users_trace_is_no_candidate(make_os: MakeOS, cwd: Path) -> None:
    os = await make_os([recording("Save", write("a", "x"))])
    await os.execute("Save")
    (cwd / "a").unlink()
    bob = await make_os(user_id="bob")
    assert bob.explain("Save")[0].mode is Mode.LEARNER


async def test_a_trace_refuted_meanwhile_is_not_followed_again(make_os: MakeOS, cwd: Path) -> None:
    os = await make_os([recording("Save", write("a", "x"))])
    first = await os.execute("Save")
    (cwd / "a").unlink()
    again = await os.execute("Save")
    await os.feedback(first.trace_id, success=False)
    assert os.explain("Save")[0].mode is not Mode.FOLLOWER
    await os.undo(again.trace_id)
    assert not (cwd / "a").exists()


async def test_a_link_that_leads_elsewhere_now_is_not_written_through(
    make_os: MakeOS, cwd: Path
) -> None:
    (cwd / "one").write_text("1")
    (cwd / "two").write_text("1")
    (cwd / "link").symlink_to("one")
    os = await make_os(processor=Script([write("link", "x")], []))
    await os.execute("Save")
    (cwd / "one").write_text("1")
    (cwd / "link").unlink()
    (cwd / "link").symlink_to("two")
    assert (await os.execute("Save")).side_exit is not None
    assert (cwd / "two").read_text() == "1"


async def test_a_check_that_names_its_folder_tests_the_folder_of_the_replay(
    make_os: MakeOS, cwd: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    os = await make_os([recording("Save", write("a", "x"))])
    first = await os.execute("Save", check=f"test -f {cwd}/a")
    assert first.verdict is Verdict.VERIFIED
    (cwd / "a").unlink()
    assert (await os.execute("Save", cwd=other)).verdict is Verdict.VERIFIED


async def test_a_run_is_not_judged_before_it_is_over(make_os: MakeOS, cwd: Path) -> None:
    hold = asyncio.Event()

    @tool(effects="read", name="wait")
    async def wait() -> str:
        """Wait."""
        await hold.wait()
        return "x"

    os = await make_os(processor=Script([write("a", "x"), ("wait", {})]), plugins=[wait])
    task = asyncio.create_task(os.execute("Save"))
    while not (cwd / "a").exists():
        await asyncio.sleep(0.01)
    with pytest.raises(UserError, match="not over"):
        await os.feedback(os.traces.recent(limit=1)[0].id, success=False)
    hold.set()
    assert (await task).success


@needs_sandbox
async def test_a_command_that_wrote_and_then_failed_is_not_followed_unconfirmed(
    make_os: MakeOS, cwd: Path
) -> None:
    os = await make_os(processor=Script([write("a", "x"), bash("echo x > b; false")]))
    assert (await os.execute("Save")).success
    assert os.explain("Save")[0].mode is not Mode.FOLLOWER
