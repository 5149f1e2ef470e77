"""The chain that every tool call goes through, whoever makes it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from llmos import LLMOS, LLMOSConfig, Trace, Verdict
from llmos.kernel.admission import HookCall, Hooks
from llmos.kernel.permissions import Approval, ApprovalRequest
from llmos.plugins import ToolContext, ToolError
from llmos.plugins.tool import tool
from llmos.values import CallResult, Context, Done, Event, Limits, Syscalls
from tests.conftest import MakeOS, recording


class Script:
    """A processor that makes the calls it is given and keeps what came back."""

    name = "script"

    def __init__(self, *calls: tuple[str, Mapping[str, Any]], together: bool = False) -> None:
        self.calls = calls
        self.together = together
        self.results: list[CallResult] = []

    async def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        if self.together:
            self.results += await asyncio.gather(*(syscalls.call(t, a) for t, a in self.calls))
        else:
            for name, arguments in self.calls:
                self.results.append(await syscalls.call(name, arguments))
        yield Done("done")

    async def aclose(self) -> None:
        pass


async def run(make_os: MakeOS, script: Script, **more: Any) -> tuple[LLMOS, Any]:
    os = await make_os(processor=script, **more)
    return os, await os.execute("Do it")


@tool(effects="read", name="raises")
def raises() -> str:
    """Raise."""
    raise RuntimeError("kaputt")


@tool(effects="read", name="expected")
def expected() -> str:
    """Fail on purpose."""
    raise ToolError("not today")


@tool(effects="read", name="no_json")
def no_json() -> Any:
    """Return what is no JSON."""
    return object()


@tool(effects="read", name="hangs", timeout_s=0.1)
def hangs() -> str:
    """Hang."""
    import time

    time.sleep(3)
    return "never"


@tool(effects="read", name="echo")
def echo(text: str, times: int = 1) -> str:
    """Say it again."""
    return text * times


BAD = [
    ("nothing_like_it", {}, "there is no tool"),
    ("echo", {}, "text: Field required"),
    ("echo", {"text": "a", "times": "many"}, "times"),
    ("echo", {"text": "a", "volume": 11}, "volume"),
    ("raises", {}, "RuntimeError: kaputt"),
    ("expected", {}, "not today"),
    ("no_json", {}, "no_json"),
    ("hangs", {}, "within 0.1 s"),
]


@pytest.mark.parametrize(
    ("name", "arguments", "told"), BAD, ids=[b[0] + str(len(b[1])) for b in BAD]
)
async def test_what_goes_wrong_with_a_call_is_one_line_for_the_model(
    make_os: MakeOS, name: str, arguments: dict[str, Any], told: str
) -> None:
    script = Script((name, arguments), ("echo", {"text": "still here"}))
    os, result = await run(make_os, script, plugins=[raises, expected, no_json, hangs, echo])
    assert script.results[0].is_error
    assert told in script.results[0].text
    assert "\n" not in script.results[0].text
    assert script.results[1].observation == "still here"
    assert result.success
    assert os.traces.get(result.trace_id).steps[-1].observation == "still here"


async def test_a_refused_call_is_no_step(make_os: MakeOS) -> None:
    script = Script(("echo", {}), ("echo", {"text": "a"}))
    _, result = await run(make_os, script, plugins=[echo])
    assert [s.arguments for s in result.steps] == [{"text": "a"}]
    assert script.results[0].step is None


async def test_a_file_that_is_not_utf8_is_said_and_left_alone(make_os: MakeOS, cwd: Path) -> None:
    (cwd / "x.bin").write_bytes(b"\xff\xfe\x00a")
    script = Script(
        ("Read", {"file_path": "x.bin"}),
        ("Edit", {"file_path": "x.bin", "old_string": "a", "new_string": "b"}),
    )
    await run(make_os, script)
    assert all(r.is_error for r in script.results)
    assert (cwd / "x.bin").read_bytes() == b"\xff\xfe\x00a"


async def test_writes_stay_inside_the_working_directory(
    make_os: MakeOS, cwd: Path, tmp_path: Path, home: Path
) -> None:
    (cwd / "link").symlink_to(tmp_path)
    targets = ["../out.txt", str(tmp_path / "out.txt"), "link/out.txt", str(home / "llmos.db")]
    script = Script(*(("Write", {"file_path": t, "content": "x"}) for t in targets))
    await run(make_os, script)
    assert all(r.is_error for r in script.results)
    assert not (tmp_path / "out.txt").exists()


async def test_no_tool_reads_the_home(make_os: MakeOS, home: Path) -> None:
    script = Script(("Read", {"file_path": str(home / "config.toml")}))
    await run(make_os, script, config=LLMOSConfig(allow=("Read(/**)",)))
    assert script.results[0].is_error
    assert "home of LLM OS" in script.results[0].text


async def test_deny_wins_over_allow(make_os: MakeOS, cwd: Path) -> None:
    config = LLMOSConfig(allow=("Write(src/**)",), deny=("Write(src/secret/**)",))
    script = Script(
        ("Write", {"file_path": "src/a.txt", "content": "a"}),
        ("Write", {"file_path": "src/secret/b.txt", "content": "b"}),
    )
    await run(make_os, script, config=config)
    assert [r.is_error for r in script.results] == [False, True]
    assert not (cwd / "src/secret").exists()


async def test_hooks_see_refuse_and_change_calls(make_os: MakeOS) -> None:
    seen: list[str] = []

    def before(call: HookCall) -> Approval | None:
        if call.arguments.get("text") == "bad":
            return Approval("reject", "not that word")
        if call.arguments.get("text") == "mild":
            return Approval("modify", "stronger", {"text": "strong"})
        return None

    async def after(call: HookCall) -> None:
        assert call.step is not None
        seen.append(str(call.step.observation))

    script = Script(("echo", {"text": "bad"}), ("echo", {"text": "mild"}))
    await run(make_os, script, plugins=[echo], hooks=Hooks((before,), (after,)))
    assert "not that word" in script.results[0].text
    assert script.results[1].observation == "strong"
    assert seen == ["strong"]


async def test_what_a_hook_changed_is_checked_again(make_os: MakeOS, cwd: Path) -> None:
    def outside(call: HookCall) -> Approval:
        return Approval("modify", "elsewhere", {"file_path": "../x.txt", "content": "x"})

    script = Script(("Write", {"file_path": "x.txt", "content": "x"}))
    await run(make_os, script, hooks=Hooks((outside,)))
    assert script.results[0].is_error
    assert not (cwd.parent / "x.txt").exists()


async def test_an_external_call_asks_and_a_person_may_approve_or_not(make_os: MakeOS) -> None:
    sent: list[str] = []

    @tool(effects="external", name="mail.send")
    def send(to: str) -> str:
        """Send."""
        sent.append(to)
        return "sent"

    async def only_bob(request: ApprovalRequest) -> Approval:
        good = request.arguments["to"] == "bob"
        return Approval("approve" if good else "reject", "bob only")

    script = Script(("mail.send", {"to": "eve"}), ("mail.send", {"to": "bob"}))
    await run(make_os, script, plugins=[send], approver=only_bob)
    assert sent == ["bob"]
    assert "bob only" in script.results[0].text


async def test_parallel_calls_of_a_run_are_made_one_after_the_other(make_os: MakeOS) -> None:
    busy = 0

    @tool(effects="read", name="slow")
    async def slow(n: int) -> int:
        """Take a moment."""
        nonlocal busy
        busy += 1
        assert busy == 1
        await asyncio.sleep(0.01)
        busy -= 1
        return n

    script = Script(*(("slow", {"n": n}) for n in range(5)), together=True)
    _, result = await run(make_os, script, plugins=[slow])
    assert [s.observation for s in result.steps] == [0, 1, 2, 3, 4]


async def test_a_loop_of_equal_calls_ends_the_run_as_failed(make_os: MakeOS) -> None:
    script = Script(*[("echo", {"text": "again"})] * 50)
    os, result = await run(make_os, script, plugins=[echo])
    assert (result.success, result.verdict) == (False, Verdict.FAILED)
    assert "in a row" in result.error
    assert len(result.steps) == LLMOSConfig().max_repeats
    assert os.traces.get(result.trace_id).verdict is Verdict.FAILED


async def test_a_run_makes_no_more_calls_than_it_may(make_os: MakeOS) -> None:
    script = Script(*(("echo", {"text": str(n)}) for n in range(50)))
    _, result = await run(make_os, script, plugins=[echo], config=LLMOSConfig(max_calls=7))
    assert len(result.steps) == 7
    assert "7 calls" in result.error


async def test_a_stuck_processor_ends_by_the_wall_clock_and_the_money_comes_back(
    make_os: MakeOS,
) -> None:
    class Stuck(Script):
        async def run(self, *args: Any) -> AsyncIterator[Event]:
            await asyncio.sleep(60)
            yield Done("never")

    os, result = await run(make_os, Stuck(), config=LLMOSConfig(run_wall_s=0.2))
    assert (result.success, result.verdict) == (False, Verdict.FAILED)
    assert "wall clock" in result.error
    assert os.kernel.economy.status("system").reserved_usd == 0


async def test_a_processor_that_raises_fails_the_run_and_nothing_else(make_os: MakeOS) -> None:
    class Broken(Script):
        async def run(self, *args: Any) -> AsyncIterator[Event]:
            raise ZeroDivisionError("oops")
            yield Done("never")

    os, result = await run(make_os, Broken())
    assert result.verdict is Verdict.FAILED
    assert "ZeroDivisionError" in result.error
    assert os.kernel.economy.status("system").reserved_usd == 0


async def test_a_cancelled_run_is_recorded_as_failed_with_what_it_did(
    make_os: MakeOS, cwd: Path
) -> None:
    waiting = asyncio.Event()

    class Waits(Script):
        async def run(
            self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
        ) -> AsyncIterator[Event]:
            await syscalls.call("Write", {"file_path": "a.txt", "content": "a"})
            waiting.set()
            await asyncio.sleep(60)
            yield Done("never")

    os = await make_os(processor=Waits())
    task = asyncio.create_task(os.execute("Do it"))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (trace,) = os.traces.recent()
    assert (trace.verdict, trace.error) == (Verdict.FAILED, "the run was cancelled")
    await os.undo(trace.id)
    assert not (cwd / "a.txt").exists()


async def test_an_external_write_without_outcome_is_doubtful_and_not_repeated(
    make_os: MakeOS,
) -> None:
    calls: list[str] = []

    @tool(effects="external", name="pay", timeout_s=0.2)
    async def pay(amount: int) -> str:
        """Pay."""
        calls.append(str(amount))
        await asyncio.sleep(5)
        return "paid"

    allow = LLMOSConfig(allow=("pay",))
    script = Script(("pay", {"amount": 3}), ("pay", {"amount": 3}), ("pay", {"amount": 4}))
    os, _ = await run(make_os, script, plugins=[pay], config=allow)
    assert calls == ["3", "4"]
    assert "may already have happened" in script.results[1].text
    titles = [n["title"] for n in os.kernel.get_cron_notifications()]
    assert any("pay may or may not have happened" in t for t in titles)


async def test_with_an_idempotency_key_a_doubtful_write_is_repeated_under_the_same_key(
    make_os: MakeOS,
) -> None:
    keys: list[str] = []

    @tool(effects="external", name="pay", idempotency_key="key")
    def pay(amount: int, key: str) -> str:
        """Pay."""
        keys.append(key)
        if len(keys) == 1:
            raise ConnectionError("reset by peer")
        return "paid"

    script = Script(("pay", {"amount": 3}), ("pay", {"amount": 3}))
    await run(make_os, script, plugins=[pay], config=LLMOSConfig(allow=("pay",)))
    assert len(keys) == 2
    assert keys[0] == keys[1]
    assert script.results[1].observation == "paid"


async def test_the_prefix_of_a_side_exit_is_not_written_again(make_os: MakeOS, cwd: Path) -> None:
    (cwd / "in.txt").write_text("1")

    @tool(effects="read", name="late", reads=["late:x"])
    def late() -> str:
        """A state that changes."""
        return (cwd / "state").read_text() if (cwd / "state").exists() else "old"

    @tool(effects="write", name="mark", undo=lambda arguments, result: None)
    def mark() -> str:
        """Write somewhere unknown."""
        marks.append("x")
        return "marked"

    marks: list[str] = []
    goal = recording("Go", ("mark", {}), ("late", {}), output="went")
    os = await make_os([goal], plugins=[late, mark])
    await os.execute(goal.goal)
    (cwd / "state").write_text("new")
    script = Script(("mark", {}))
    other = await make_os(processor=script, plugins=[late, mark])
    result = await other.execute(goal.goal)
    assert result.side_exit is not None
    assert [s.tool for s in result.side_exit.committed] == ["mark", "late"]
    assert script.results[0].text.startswith("done as step 0")
    assert marks == ["x", "x"], "once by the first run, once by the second"


async def test_the_tool_context_tells_the_runs_clock_and_folder(
    make_os: MakeOS, cwd: Path, clock: Any
) -> None:
    seen: list[ToolContext] = []

    @tool(effects="read", name="where")
    def where(context: ToolContext) -> str:
        """Where am I?"""
        seen.append(context)
        return "here"

    await run(make_os, Script(("where", {})), plugins=[where])
    assert (seen[0].cwd, seen[0].now) == (cwd.resolve(), clock.now)


async def test_many_runs_at_once_hold_the_budget_to_the_cent(make_os: MakeOS) -> None:
    traces = [Trace(f"goal {n}", (), f"answer {n}", cost_usd=0.05) for n in range(50)]
    os = await make_os(traces, budget_usd=1.0, config=LLMOSConfig(parallel_runs=50))
    from llmos.errors import LowBatteryError

    results = await asyncio.gather(
        *(os.execute(t.goal, max_cost_usd=0.05) for t in traces), return_exceptions=True
    )
    paid = [r for r in results if not isinstance(r, BaseException)]
    refused = [r for r in results if isinstance(r, LowBatteryError)]
    assert (len(paid), len(refused)) == (20, 30)
    status = os.kernel.economy.status("system")
    assert (status.spent_usd, status.reserved_usd) == (pytest.approx(1.0), 0)


# --- reads that are made together ----------------------------------------------------------------


class Together(Script):
    """A processor that makes its calls at once, as a learned tool makes its reads."""

    async def run(
        self, goal: str, context: Context, syscalls: Any, limits: Limits
    ) -> AsyncIterator[Event]:
        calls = syscalls.calls  # beneath the toolbox: what a learned tool calls
        admitted = [await calls.admit(name, arguments) for name, arguments in self.calls]
        self.left = calls.calls_left
        self.made = await calls.perform_together(admitted)
        self.left -= calls.calls_left
        yield Done("done")


def meeting(people: int) -> Any:
    """A read that comes back when it is under way ``people`` times at once."""
    met = threading.Barrier(people, timeout=5)

    @tool(effects="read", name="meet")
    def meet(number: int) -> int:
        """Wait for the others."""
        met.wait()
        time.sleep(0.01 * (people - number))
        return number

    return meet


async def test_reads_made_together_are_recorded_in_the_order_they_were_given(
    make_os: MakeOS,
) -> None:
    heard: list[Any] = []
    hooks = Hooks((), (lambda call: heard.append(call.arguments["number"]),))
    script = Together(*(("meet", {"number": k}) for k in range(4)))
    os, result = await run(make_os, script, plugins=[meeting(4)], hooks=hooks)
    assert result.success, result.error
    assert [s.observation for s in script.made] == [0, 1, 2, 3]
    assert [s.observation for s in os.traces.get(result.trace_id).steps] == [0, 1, 2, 3]
    assert heard == [0, 1, 2, 3]
    assert script.left == 4


async def test_one_of_several_reads_that_fails_leaves_the_others(make_os: MakeOS) -> None:
    script = Together(("echo", {"text": "a"}), ("raises", {}), ("echo", {"text": "b"}))
    _, result = await run(make_os, script, plugins=[echo, raises])
    assert [s.is_error for s in result.steps] == [False, True, False]
    assert [s.observation for s in result.steps[::2]] == ["a", "b"]


async def test_reads_made_together_are_recorded_when_they_are_cut_short(make_os: MakeOS) -> None:
    script = Together(("echo", {"text": "a"}), ("sleeps", {}))

    @tool(effects="read", name="sleeps")
    async def sleeps() -> str:
        """Sleep."""
        await asyncio.sleep(30)
        return "never"

    os = await make_os(processor=script, plugins=[echo, sleeps], config=LLMOSConfig(run_wall_s=0.3))
    result = await os.execute("Do it")
    assert not result.success
    steps = os.traces.get(result.trace_id).steps
    assert [(s.tool, s.is_error) for s in steps] == [("echo", False), ("sleeps", True)]


async def test_only_reads_are_made_together(make_os: MakeOS, cwd: Path) -> None:
    write = ("Write", {"file_path": "x.txt", "content": "x"})
    _, result = await run(make_os, Together(("Glob", {"pattern": "*"}), write))
    assert not result.success
    assert "only reads are made together" in result.error
    assert (result.steps, list(cwd.iterdir())) == ((), [])
