"""Learned programs run, reach nothing but granted tools, and use up no more than they may."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from textwrap import dedent, indent
from types import MappingProxyType
from typing import Any

import pytest

from llmos.errors import LLMOSError, SandboxError
from llmos.plugins import program
from llmos.plugins.program import ProgramLimits, ProgramRunner
from llmos.plugins.program_told import as_json
from llmos.values import Json

ECHO = frozenset({"echo"})
SMALL = ProgramLimits(wall_s=0.5, memory_mb=16, calls=5, output_bytes=10_000, source_bytes=10_000)

Run = Callable[..., Awaitable[Json]]


def children() -> set[int]:
    """Processes whose parent this one is, zombies included."""
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid():
            found.add(int(name))
    return found


async def echo(tool: str, arguments: dict[str, Json]) -> Json:
    return {"tool": tool, **arguments}


async def kill(pids: set[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    while any(state(pid) not in ("Z", "") for pid in pids):
        await asyncio.sleep(0.01)


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


@pytest.fixture
async def runner() -> AsyncIterator[ProgramRunner]:
    before = children()
    made = ProgramRunner()
    yield made
    await made.aclose()
    assert children() <= before


@pytest.fixture
def run(runner: ProgramRunner) -> Run:
    """Runs the body of a function ``f``."""

    async def run(
        body: str,
        host: program.Host = echo,
        arguments: Mapping[str, Json] = MappingProxyType({}),
        allowed: frozenset[str] = ECHO,
        limits: ProgramLimits = SMALL,
    ) -> Json:
        source = f"def f({', '.join(arguments)}):\n{indent(dedent(body), '    ')}\n"
        return await runner.run(source, "f", arguments, host, allowed=allowed, limits=limits)

    return run


# --- What a program can do ----------------------------------------------------------------------


async def test_program_calls_tools_and_returns_json(run: Run) -> None:
    made: list[tuple[str, dict[str, Json]]] = []

    async def host(tool: str, arguments: dict[str, Json]) -> Json:
        made.append((tool, arguments))
        return [{"n": n} for n in range(3)]

    body = """
        rows = call("list", kind=kind)
        for row in rows:
            call("mark", {"n": row["n"], "tool": "same name"})
        return {"sum": sum(row["n"] for row in rows), "none": None, "half": 0.5, "yes": True}
    """
    result = await run(body, host, arguments={"kind": "ä"}, allowed=frozenset({"list", "mark"}))
    assert result == {"sum": 3, "none": None, "half": 0.5, "yes": True}
    assert made[0] == ("list", {"kind": "ä"})
    assert made[1:] == [("mark", {"n": n, "tool": "same name"}) for n in range(3)]


@pytest.mark.parametrize(
    "value", [None, True, 0, -1, 2**80, 0.5, "ä\n𝄞", [], {}, [1, [2, {"a": None}]], {"": ""}]
)
async def test_json_comes_through_as_it_is(run: Run, value: Json) -> None:
    async def host(tool: str, arguments: dict[str, Json]) -> Json:
        assert arguments == {"v": value}
        return arguments["v"]

    got = await run("return call('echo', v=v)", host, arguments={"v": value})
    assert (got, type(got)) == (value, type(value))


async def test_what_a_program_prints_goes_nowhere(
    run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    assert await run("print('x' * 1000)\nreturn 1") == 1
    assert capfd.readouterr() == ("", "")


async def test_time_of_a_call_is_not_the_programs(run: Run) -> None:
    async def slow(tool: str, arguments: dict[str, Json]) -> Json:
        await asyncio.sleep(0.3)
        return 1

    assert await run("return call('echo') + call('echo') + call('echo')", slow) == 3


async def test_calls_are_made_in_the_task_of_the_caller(run: Run) -> None:
    async def host(tool: str, arguments: dict[str, Json]) -> Json:
        return asyncio.current_task() is me

    me = asyncio.current_task()
    assert await run("return call('echo')", host) is True


async def test_two_programs_at_once_do_not_see_each_other(runner: ProgramRunner) -> None:
    source = """
seen = []
def f(name):
    seen.append(name)
    call("echo")
    seen.append(name)
    return seen
"""
    both = asyncio.Barrier(2)

    async def meet(tool: str, arguments: dict[str, Json]) -> Json:
        await both.wait()
        return None

    results = await asyncio.gather(
        *(runner.run(source, "f", {"name": n}, meet, allowed=ECHO) for n in ("a", "b"))
    )
    assert results == [["a", "a"], ["b", "b"]]


async def test_nothing_is_left_of_a_program_for_the_next_one(run: Run) -> None:
    await run("global left\nleft = 1\nreturn left")
    with pytest.raises(SandboxError, match=r"raised NameError: name 'left' is not defined"):
        await run("return left")


async def test_more_programs_than_workers_take_turns() -> None:
    before = children()
    runner = ProgramRunner(workers=2)
    source = "def f(n):\n    return call('echo', n=n)['n']"
    runs = [runner.run(source, "f", {"n": n}, echo, allowed=ECHO) for n in range(20)]
    assert await asyncio.gather(*runs) == list(range(20))
    # Other runners of this process may still be ending theirs.
    assert len(children() - before) <= 2
    await runner.aclose()


async def test_program_gives_up_when_no_worker_becomes_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(program, "WAIT_S", 0.05)
    runner = ProgramRunner(workers=1)
    inner = "def f():\n    return 1"

    async def nested(tool: str, arguments: dict[str, Json]) -> Json:
        return await runner.run(inner, "f", {}, nested, allowed=ECHO)

    with pytest.raises(SandboxError, match="no worker became free"):
        await runner.run("def f():\n    call('echo')", "f", {}, nested, allowed=ECHO)
    assert await runner.run(inner, "f", {}, nested, allowed=ECHO) == 1
    await runner.aclose()


# --- Escapes ------------------------------------------------------------------------------------

MISSING = r"the program imported '\w+', which the sandbox does not have"
UNKNOWN = r"the program called '\w+', which does not exist"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        *((f"import {name}", MISSING) for name in ("subprocess", "socket", "ctypes", "shutil")),
        ("try:\n    import socket\nexcept BaseException:\n    return 1", MISSING),
        ("import os\nreturn os.system('id')", "AttributeError"),
        ("import os\nreturn os.environ['HOME']", "asked for 'os.environ'"),
        ("import os\nreturn os.listdir('/')", "asked for '"),
        ("import sys\nreturn sys.modules", "AttributeError"),
        ("return open('/etc/passwd').read()", "asked for 'open'"),
        ("try:\n    open('x', 'w')\nexcept BaseException:\n    return 1", "asked for 'open'"),
        ("from pathlib import Path\nreturn Path('/etc/passwd').read_text()", "asked for '"),
        ("return __import__('os')", UNKNOWN),
        ("return globals()", UNKNOWN),
        ("return input()", UNKNOWN),
        ("return breakpoint()", UNKNOWN),
        ("return compile('1', 'a', 'eval')", UNKNOWN),
        ("return __builtins__", "NameError"),
        ("return eval(\"__import__('os')\")", UNKNOWN),
        ("exec('import socket')", MISSING),
        ("return ().__class__.__mro__[-1].__subclasses__()", "AttributeError"),
        ("return getattr((), '__class__')", "AttributeError"),
        ("return getattr(call, '__globals__')", "AttributeError"),
        ("return getattr(call, '__code__')", "AttributeError"),
        ("return '{0.__class__.__mro__}'.format(())", "AttributeError"),
        ("return type.__subclasses__(type)", "AttributeError"),
        ("return f.__globals__", "AttributeError"),
        ("from datetime import datetime\nreturn str(datetime.now())", "asked for 'datetime.now'"),
        ("import time\nreturn time.time()", "asked for 'time.time'"),
        ("import time\ntime.sleep(9)", "asked for 'time.sleep'"),
        ("import random\nreturn random.random()", "asked for 'os.urandom'"),
    ],
)
async def test_program_reaches_nothing(run: Run, body: str, says: str) -> None:
    async def host(tool: str, arguments: dict[str, Json]) -> Json:
        raise AssertionError("nothing was to be called")

    with pytest.raises(SandboxError, match=says) as caught:
        await run(body, host)
    assert "\n" not in caught.value.message


FORBIDDEN = {
    "by its name": "call('send', to='bob')",
    "as a dict": "call('send', {'to': 'bob'})",
    "caught": "try:\n    call('send')\nexcept:\n    return 1",
    "past call": "_llmos_call('send', {}, {})",
    "in other text": "eval(\"call('send')\")",
}


@pytest.mark.parametrize("how", FORBIDDEN)
async def test_tool_that_was_not_granted_does_not_reach_the_host(run: Run, how: str) -> None:
    made: list[str] = []

    async def host(tool: str, arguments: dict[str, Json]) -> Json:
        made.append(tool)
        return None

    with pytest.raises(SandboxError, match="called 'send', which was not granted to it"):
        await run(f"call('echo')\n{FORBIDDEN[how]}\ncall('echo')", host)
    assert made == ["echo"]


@pytest.mark.parametrize(
    "call",
    [
        "call(1)",
        "call('echo', 1)",
        "call('echo', ['a'])",
        "_llmos_call('echo')",
        "_llmos_call('echo', {}, {}, a=1)",
        "_llmos_call('echo', None, None)",
        "_llmos_call(tool='echo')",
    ],
)
async def test_call_of_another_form_does_not_reach_the_host(run: Run, call: str) -> None:
    with pytest.raises(SandboxError, match="otherwise than as call"):
        await run(call)


@pytest.mark.parametrize("name", ["call", "f()", "f\nimport os", "", "lambda", "1"])
async def test_function_is_a_name_and_no_code(runner: ProgramRunner, name: str) -> None:
    with pytest.raises(SandboxError, match="is not a usable name"):
        await runner.run("def f():\n    return 1", name, {}, echo, allowed=ECHO)


# --- Limits -------------------------------------------------------------------------------------

SLOW = r"ran longer than 0\.5 s"
LARGE = "needed more than 16 MB"
LONG = "the program returned more than 10,000 bytes"
STUBBORN = "while True:\n    try:\n        {}\n    except:\n        pass"
SHARED = "a = [0] * 1000\nfor _ in range(5):\n    a = [a] * 1000\n"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("while True:\n    pass", SLOW),
        (STUBBORN.format("while True: pass"), SLOW),
        ("return sum(range(10 ** 12))", SLOW),
        ("while True:\n    print('x' * 1000)", SLOW),
        ("x = []\nwhile True:\n    x.append('a' * 100)", LARGE),
        ("x = [0]\n" + STUBBORN.format("x += x"), LARGE),
        ("return 'a' * 10 ** 10", LARGE),
        ("return [0] * 10 ** 10", LARGE),
        ("return 10 ** 10 ** 8", LARGE),
        ("return 1 << 10 ** 10", LARGE),
        ("x = 3\nwhile True:\n    x = x * x", f"{LARGE}|{SLOW}"),
        ("return sorted(range(10 ** 8))", LARGE),
        ("return f()", "raised RecursionError"),
        ("x = []\nfor _ in range(10 ** 5):\n    x = [x]\nreturn x", "raised RecursionError"),
        ("return eval('(' * 10 ** 5 + ')' * 10 ** 5)", "nested"),
        (STUBBORN.format("nothing"), "too many names"),
        (SHARED + "return a", f"{LARGE}|{SLOW}"),
        (SHARED + "_llmos_call('echo', {}, {'a': a})", "with more than 10,000 bytes"),
        ("return 'a' * 20_000", LONG),
        ("return list(range(9_000))", LONG),
        ("return {str(n): n for n in range(2_000)}", LONG),
        ("return 'ä' * 9_000", LONG),
        ("call('echo', text='a' * 20_000)", "called 'echo' with more than 10,000 bytes"),
        ("for _ in range(100):\n    call('echo')", "made more than 5 calls"),
        (STUBBORN.format("call('echo')"), "made more than 5 calls"),
    ],
)  # fmt: skip
async def test_limit_ends_the_program_and_the_next_one_runs(run: Run, body: str, says: str) -> None:
    began = time.monotonic()
    with pytest.raises(SandboxError, match=says):
        await run(body)
    assert time.monotonic() - began < 5
    assert await run("return call('echo', n=1)") == {"tool": "echo", "n": 1}


async def test_host_is_not_called_more_often_than_allowed(run: Run) -> None:
    made: list[str] = []

    async def host(tool: str, arguments: dict[str, Json]) -> Json:
        made.append(tool)
        return None

    await run("for _ in range(5):\n    call('echo')", host)
    assert len(made) == 5
    with pytest.raises(SandboxError, match="more than 5 calls"):
        await run("for _ in range(6):\n    call('echo')", host)
    assert len(made) == 10


async def test_long_source_is_not_run(run: Run) -> None:
    with pytest.raises(SandboxError, match="text is longer than 10,000 bytes"):
        await run(f"return 1 # {'ä' * 6_000}")


# --- Wrong programs -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return (1, 2)", "returned a value of type tuple"),
        ("return [{1, 2}]", "returned what is no JSON"),
        ("return b'a'", "returned what is no JSON"),
        ("return f", "returned what is no JSON: TypeError: Object of type function"),
        ("return {'a': [len]}", "returned what is no JSON"),
        ("return {1: 2}", "returned a dict with keys that are no text"),
        ("return float('nan')", "returned what is no JSON"),
        ("return [float('inf')]", "returned what is no JSON"),
        ("a = []\na.append(a)\nreturn a", "returned what is no JSON: ValueError: Circular"),
        ("from datetime import date\nreturn date(2024, 1, 1)", "returned what is no JSON"),
        ("class A:\n    x = 1\nreturn A()", "returned what is no JSON"),
        ("return 10 ** 5000", "returned what is no JSON|raised ValueError"),
        ("call('echo', a=(1,))", "called 'echo' with a value of type tuple"),
        ("call('echo', a=f)", r"raised TypeError: Object of type function.* \(line 2\)"),
    ],
)
async def test_what_is_no_json_does_not_leave_the_program(run: Run, body: str, says: str) -> None:
    async def host(tool: str, arguments: dict[str, Json]) -> Json:
        raise AssertionError("nothing was to be called")

    with pytest.raises(SandboxError, match=says):
        await run(body, host)


INSIDE = "def g():\n    raise ValueError('no\\nway')\ndef f():\n    g()"
TOO_FEW = "raised TypeError: f() missing 1 required positional argument: 'a'"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def f():\n    {}['x']", "raised KeyError: 'x' (line 2)"),
        ("def f():\n\n    return 1 / 0", "raised ZeroDivisionError: division by zero (line 3)"),
        (INSIDE, "raised ValueError: no way (line 2)"),
        ("def f(:\n", "has a SyntaxError"),
        ("def f():\n    x = '''", "has a SyntaxError"),
        ("def f():\n    return 1\nif True:", "has a SyntaxError"),
        ("@staticmethod", "has a SyntaxError"),
        ("x = \\", "has a SyntaxError"),
        ("def f():\n    yield 1", "raised NotImplementedError"),
        ("def g():\n    return 1", "called 'f', which does not exist"),
        ("def f(a):\n    return 1", TOO_FEW),
        ("async def f():\n    return 1", "returned what is no JSON: TypeError: Object of type"),
        ("call('echo')\ndef f():\n    return 1", "called 'call', which does not exist"),
        ("f = 1", "raised TypeError: 'int' object is not callable"),
        ("def f():\n    return '\ud800'", "'s text holds half a character"),
        ("def f():\n    raise ValueError('x' * 10000)", "raised ValueError: xxx"),
    ],
)  # fmt: skip
async def test_failure_is_told_in_one_line(
    runner: ProgramRunner, source: str, message: str
) -> None:
    with pytest.raises(SandboxError) as caught:
        await runner.run(source, "f", {}, echo, allowed=ECHO, limits=SMALL)
    assert message in caught.value.message
    assert len(caught.value.message) < 700 and "\n" not in caught.value.message


async def test_arguments_that_are_no_json_are_an_error(run: Run) -> None:
    for value in (object(), "\ud800"):
        with pytest.raises(SandboxError):
            await run("return 1", arguments={"a": value})


def test_json_that_is_small_but_endless_when_written_is_refused_at_once() -> None:
    value: list[Any] = []
    for _ in range(100):
        value = [value, value]
    with pytest.raises(SandboxError, match="it was more than 1,000,000 bytes"):
        as_json(value, 1_000_000, "it was")


# --- What the host raises -----------------------------------------------------------------------


class Stop(BaseException):
    """Control flow of the kernel."""


class Exit(LLMOSError):
    """An error of the kernel."""


CATCHING = """
    try:
        call("echo")
    {clause}
        pass
    finally:
        call("echo")
    call("echo")
    return 1
"""


@pytest.mark.parametrize("clause", ["except:", "except Exception:", "except BaseException:"])
@pytest.mark.parametrize("error", [Stop("now"), Exit("side exit"), ValueError("x"), TimeoutError()])
async def test_what_the_host_raises_comes_out_unchanged(
    run: Run, clause: str, error: BaseException
) -> None:
    made: list[str] = []

    async def host(tool: str, arguments: dict[str, Json]) -> Json:
        made.append(tool)
        raise error

    with pytest.raises(type(error)) as caught:
        await run(CATCHING.format(clause=clause), host)
    assert caught.value is error
    assert len(made) == 1
    assert await run("return 1") == 1


# --- Workers ------------------------------------------------------------------------------------


async def busy(run: Run, body: str, host: program.Host = echo) -> asyncio.Task[Json]:
    """A program that has been running for a moment."""
    task = asyncio.ensure_future(run(body, host, limits=ProgramLimits(wall_s=60)))
    await asyncio.sleep(0.3)
    return task


async def test_cancelled_task_ends_its_program(run: Run) -> None:
    task = await busy(run, "while True:\n    pass")
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 2
    assert await run("return 1") == 1


async def test_task_cancelled_at_any_moment_leaves_a_runner_that_works(run: Run) -> None:
    for delay in (0, 0, 0.0001, 0.0005, 0.001, 0.002, 0.005):
        task = asyncio.ensure_future(run("while True:\n    pass", limits=ProgramLimits(wall_s=60)))
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)
    assert await run("return 1") == 1


async def test_cancelled_call_ends_the_program(run: Run) -> None:
    made: list[str] = []

    async def host(tool: str, arguments: dict[str, Json]) -> Json:
        made.append(tool)
        await asyncio.sleep(60)

    task = await busy(run, "try:\n    call('echo')\nexcept:\n    call('echo')", host)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert made == ["echo"]
    assert await run("return 1") == 1


async def test_killed_worker_ends_its_program_alone(run: Run) -> None:
    before = children()
    task = await busy(run, "while True:\n    pass")
    await kill(children() - before)
    # Started once more, as nothing had been called: a worker may have died while it was idle.
    await asyncio.sleep(0.3)
    assert not task.done()
    await kill(children() - before)
    with pytest.raises(SandboxError, match="the program's worker died"):
        await task
    assert await run("return 1") == 1


async def test_program_whose_worker_died_after_a_call_is_not_started_again(run: Run) -> None:
    made: list[str] = []
    before = children()

    async def host(tool: str, arguments: dict[str, Json]) -> Json:
        made.append(tool)
        await kill(children() - before)
        return None

    with pytest.raises(SandboxError, match="the program's worker died"):
        await run("call('echo')\nreturn 1", host)
    assert made == ["echo"]


async def test_workers_killed_while_idle_are_not_noticed(run: Run) -> None:
    before = children()
    both = asyncio.Barrier(3)

    async def meet(tool: str, arguments: dict[str, Json]) -> Json:
        await both.wait()
        return None

    await asyncio.gather(*(run("return call('echo')", meet) for _ in range(3)))
    workers = children() - before
    assert len(workers) == 3
    await kill(workers)
    assert await run("return call('echo', n=1)['n']") == 1


async def test_close_ends_programs_under_way() -> None:
    before, runner = children(), ProgramRunner()
    source = "def f():\n    call('echo')\n    while True:\n        pass"
    go = asyncio.Event()

    async def wait(tool: str, arguments: dict[str, Json]) -> Json:
        await go.wait()
        return None

    limits = ProgramLimits(wall_s=60)
    computing = asyncio.ensure_future(
        runner.run(source, "f", {}, echo, allowed=ECHO, limits=limits)
    )
    calling = asyncio.ensure_future(runner.run(source, "f", {}, wait, allowed=ECHO, limits=limits))
    await asyncio.sleep(0.3)
    await asyncio.wait_for(runner.aclose(), 5)
    with pytest.raises(SandboxError, match="closed while the program ran"):
        await computing
    go.set()
    with pytest.raises(SandboxError, match="is closed"):
        await calling
    with pytest.raises(SandboxError, match="is closed"):
        await runner.run("def f():\n    return 1", "f", {}, echo, allowed=ECHO)
    await runner.aclose()
    assert children() <= before


async def test_no_worker_is_started_before_the_first_program() -> None:
    before, runner = children(), ProgramRunner()
    assert children() == before
    await runner.aclose()


async def test_missing_interpreter_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MONTY_BIN", str(tmp_path / "none"))
    with pytest.raises(SandboxError, match="cannot be started") as caught:
        await run("return 1")
    assert "install" in caught.value.hint


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_importing_llmos_and_the_runner_does_not_load_the_interpreter() -> None:
    ran = python(
        "import sys, llmos.boot, llmos.surfaces.cli, llmos.plugins.program\n"
        "llmos.plugins.program.ProgramRunner()\n"
        "print([m for m in sys.modules if 'monty' in m])"
    )
    assert ran.stdout == "[]\n", ran.stderr


@pytest.mark.parametrize("close", [True, False])
def test_process_ends_cleanly_after_a_program(close: bool) -> None:
    code = f"""
import asyncio
from llmos.plugins.program import ProgramRunner
async def host(tool, arguments): return 1
async def main():
    runner = ProgramRunner()
    source, allowed = "def f(): return call('t')", frozenset({{"t"}})
    print(await runner.run(source, "f", {{}}, host, allowed=allowed))
    if {close}: await runner.aclose()
asyncio.run(main())
"""
    for _ in range(3):
        ran = python(code)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "1\n", "")


async def test_a_call_that_failed_is_raised_where_it_was_made(run: Run) -> None:
    async def host(tool: str, arguments: dict[str, Json]) -> Json:
        if arguments["n"] > 1:
            raise program.CallFailed("no more than one")
        return arguments["n"]

    caught = """
        try:
            return [call("echo", n=n) for n in (1, 2)]
        except RuntimeError as e:
            return str(e)
    """
    assert await run(caught, host=host) == "no more than one"
    with pytest.raises(SandboxError, match=r"RuntimeError: no more than one \(line 3\)"):
        await run("\nreturn call('echo', n=2)", host=host)
