"""Running a tool: time limits, results as JSON, failures as one line."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from llmos.errors import UserError
from llmos.plugins import (
    ToolContext,
    ToolError,
    ToolFailed,
    ToolTimeout,
    invoke,
    tool,
    tool_of,
)
from llmos.values import Json


@dataclass
class Point:
    x: int
    y: int


async def result_of(value: Any, context: ToolContext) -> Json:
    @tool(effects="read")
    def give() -> Any:
        """Give."""
        return value() if callable(value) else value

    return await invoke(tool_of(give), context, {}, 5.0)


async def test_plain_function_runs_in_a_daemon_thread(context: ToolContext) -> None:
    @tool(effects="read")
    def where(context: ToolContext) -> list[Any]:
        """Tell where this runs."""
        thread = threading.current_thread()
        return [thread is threading.main_thread(), thread.daemon, str(context.cwd)]

    assert await invoke(tool_of(where), context, {}, 5.0) == [False, True, str(context.cwd)]


async def test_async_function_runs_in_the_loop(context: ToolContext) -> None:
    @tool(effects="read")
    async def where(context: ToolContext) -> bool:
        """Tell where this runs."""
        await asyncio.sleep(0)
        return threading.current_thread() is threading.main_thread()

    assert await invoke(tool_of(where), context, {}, 5.0) is True


async def test_threads_are_used_again(context: ToolContext) -> None:
    names = {await result_of(threading.get_ident, context) for _ in range(20)}
    assert len(names) <= 2


async def test_context_variables_reach_the_thread(context: ToolContext) -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("set")
    assert await result_of(variable.get, context) == "set"


@pytest.mark.parametrize(
    ("value", "json"),
    [
        (None, None),
        (True, True),
        ("text", "text"),
        ({"a": [1, 2.5, {"b": None}]}, {"a": [1, 2.5, {"b": None}]}),
        ((1, 2), [1, 2]),
        ({3, 1, 2}, [1, 2, 3]),
        ({"seen": frozenset({"b", "a"})}, {"seen": ["a", "b"]}),
        (Point(1, 2), {"x": 1, "y": 2}),
        (date(2026, 3, 2), "2026-03-02"),
        (Path("/x/y"), "/x/y"),
        ({1: "a"}, {"1": "a"}),
    ],
)
async def test_result_becomes_json(value: Any, json: Json, context: ToolContext) -> None:
    result = await result_of(lambda: value, context)
    assert result == json
    assert type(result) is type(json)


def circular() -> Any:
    a: list[Any] = []
    a.append(a)
    return a


@pytest.mark.parametrize(
    "value",
    [
        object(),
        float("nan"),
        {"deep": [float("inf")]},
        b"\xff\xfe",
        "lone \ud800 surrogate",
        lambda: circular(),
        threading.Lock(),
    ],
    ids=["object", "nan", "infinity", "bytes", "surrogate", "circular", "lock"],
)
async def test_result_that_is_no_json_is_a_clear_error(value: Any, context: ToolContext) -> None:
    with pytest.raises(ToolFailed, match="give returned what is no JSON: ") as e:
        await result_of(value, context)
    assert "\n" not in e.value.message


def raising(error: BaseException) -> Any:
    def act() -> Any:
        raise error

    return act


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("bad\n  value"), "ValueError: bad value"),
        (KeyError("x"), "KeyError: 'x'"),
        (RuntimeError(), "RuntimeError"),
        (SystemExit(3), "SystemExit: 3"),
        (StopIteration("x"), "StopIteration: x"),
        (UserError("not yours"), "UserError: not yours"),
        (Unprintable(), "Unprintable: (its text cannot be shown)"),
        (ValueError("x" * 10_000), "ValueError: " + "x" * 500 + "…"),
    ],
)
async def test_exception_of_a_tool_is_told_on_one_line(
    error: BaseException, line: str, context: ToolContext
) -> None:
    with pytest.raises(ToolFailed) as e:
        await result_of(raising(error), context)
    assert e.value.message == line


async def test_exception_of_an_async_tool_is_told_the_same(context: ToolContext) -> None:
    @tool(effects="read")
    async def fail(how: str) -> str:
        """Fail."""
        if how == "exit":
            raise SystemExit(3)
        if how == "cancel":
            raise asyncio.CancelledError
        raise ValueError("bad")

    with pytest.raises(ToolFailed, match=r"^SystemExit: 3$"):
        await invoke(tool_of(fail), context, {"how": "exit"}, 5.0)
    with pytest.raises(ToolFailed, match=r"^ValueError: bad$"):
        await invoke(tool_of(fail), context, {"how": "raise"}, 5.0)
    with pytest.raises(ToolFailed, match="cancelled itself"):
        await invoke(tool_of(fail), context, {"how": "cancel"}, 5.0)


async def test_expected_failure_keeps_its_text(context: ToolContext) -> None:
    with pytest.raises(ToolError) as e:
        await result_of(raising(ToolError("line one\nline two")), context)
    assert e.value.message == "line one\nline two"


async def test_hung_tool_times_out_and_the_loop_goes_on(context: ToolContext) -> None:
    let_go = threading.Event()
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)

    beside = asyncio.ensure_future(tick())
    with pytest.raises(ToolTimeout, match=r"give gave no result within 0\.05 s"):

        @tool(effects="read")
        def give() -> None:
            """Hang."""
            let_go.wait(30)

        await invoke(tool_of(give), context, {}, 0.05)
    beside.cancel()
    let_go.set()
    assert ticks > 1


async def test_async_tool_is_cancelled_at_its_time_limit(context: ToolContext) -> None:
    cleaned_up: list[bool] = []

    @tool(effects="read")
    async def hang() -> None:
        """Hang."""
        try:
            await asyncio.sleep(60)
        finally:
            cleaned_up.append(True)

    with pytest.raises(ToolTimeout):
        await invoke(tool_of(hang), context, {}, 0.02)
    assert cleaned_up == [True]


async def test_own_timeout_error_of_a_tool_is_not_the_time_limit(context: ToolContext) -> None:
    with pytest.raises(ToolFailed, match=r"^TimeoutError: theirs$") as e:
        await result_of(raising(TimeoutError("theirs")), context)
    assert not isinstance(e.value, ToolTimeout)


async def test_cancelling_the_call_cancels_an_async_tool(context: ToolContext) -> None:
    cleaned_up: list[bool] = []
    started = asyncio.Event()

    @tool(effects="read")
    async def hang() -> None:
        """Hang."""
        try:
            started.set()
            await asyncio.sleep(60)
        finally:
            cleaned_up.append(True)

    call = asyncio.ensure_future(invoke(tool_of(hang), context, {}, 60))
    await started.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert cleaned_up == [True]


async def test_many_calls_at_once_each_get_their_own_result(context: ToolContext) -> None:
    @tool(effects="read")
    def echo(x: int) -> int:
        """Echo."""
        return x

    calls = (invoke(tool_of(echo), context, {"x": i}, 20.0) for i in range(50))
    assert await asyncio.gather(*calls) == list(range(50))


def test_hung_tool_does_not_keep_the_process_alive(tmp_path: Path) -> None:
    program = tmp_path / "hang.py"
    program.write_text(
        "import asyncio, time\n"
        "from datetime import datetime, UTC\n"
        "from pathlib import Path\n"
        "from llmos.plugins import ToolContext, ToolTimeout, invoke, tool, tool_of\n"
        "@tool(effects='read')\n"
        "def hang() -> None:\n"
        "    'Hang.'\n"
        "    time.sleep(600)\n"
        "context = ToolContext(Path('/'), Path('/nowhere'), datetime.now(UTC))\n"
        "try:\n"
        "    asyncio.run(invoke(tool_of(hang), context, {}, 0.05))\n"
        "except ToolTimeout:\n"
        "    print('timed out')\n"
    )
    ran = subprocess.run(
        [sys.executable, str(program)],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        timeout=60,
    )
    assert (ran.stdout, ran.returncode) == (b"timed out\n", 0)
