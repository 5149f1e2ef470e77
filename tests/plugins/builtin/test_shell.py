"""``Bash``, in the sandbox and out of it: the same tests for both."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.plugins import Tool, ToolContext, ToolError, ToolTimeout, invoke, sandbox
from llmos.plugins.builtin.process import MAX_OUTPUT
from llmos.plugins.builtin.shell import bash_tool, same_output
from llmos.values import Effect

Bash = Callable[..., Awaitable[str]]


@pytest.fixture(params=["sandboxed", "plain"])
def bash(request: pytest.FixtureRequest) -> Tool:
    if request.param == "sandboxed" and (reason := sandbox.available()):
        pytest.skip(reason)
    return bash_tool(request.param == "sandboxed")


@pytest.fixture
def sh(bash: Tool, context: ToolContext) -> Bash:
    async def call(command: str, **more: object) -> str:
        values = bash.validate({"command": command, **more})
        return str(await invoke(bash, context, values, context.timeout_s))

    return call


@pytest.fixture
async def alive(tmp_path: Path) -> AsyncIterator[Callable[[str], Awaitable[bool]]]:
    """Tells whether a process whose command line holds a word is alive."""

    async def look(word: str) -> bool:
        for _ in range(100):
            found = False
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    found |= word.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
                except OSError:
                    continue
            if not found:
                return False
            await asyncio.sleep(0.02)  # a killed process takes a moment to go
        return True

    yield look


async def test_output_and_errors_come_together_in_order(sh: Bash) -> None:
    assert await sh("echo one; echo two >&2; echo three") == "one\ntwo\nthree"


async def test_silence_is_said(sh: Bash) -> None:
    assert await sh("true", description="nothing") == "(no output)"


async def test_it_is_bash_in_the_working_directory(sh: Bash, cwd: Path) -> None:
    assert await sh("[[ a == a ]] && pwd && echo x > made.txt") == str(cwd)
    assert (cwd / "made.txt").read_text() == "x\n"


async def test_failure_tells_exit_code_and_output(sh: Bash) -> None:
    with pytest.raises(ToolError) as e:
        await sh("echo before; exit 3")
    assert e.value.message == "Exit code 3\nbefore"
    with pytest.raises(ToolError, match=r"^Exit code 1$"):
        await sh("false")
    with pytest.raises(ToolError, match=r"^Exit code 137"):
        await sh("kill -9 $$")


async def test_there_is_no_input(sh: Bash) -> None:
    assert await sh("cat; read x || echo none") == "none"


async def test_output_that_is_no_text_is_told_as_text(sh: Bash) -> None:
    assert await sh(r"printf 'caf\xe9'") == "caf\ufffd"


async def test_long_output_loses_its_middle(sh: Bash) -> None:
    out = await sh("printf 'begin\n'; yes | head -c 100000; echo end")
    assert out.startswith("begin\ny\n")
    assert out.endswith("y\nend")
    assert f"(… {6 + 100_000 + 4 - MAX_OUTPUT} characters left out …)" in out
    assert len(out) < MAX_OUTPUT + 100


async def test_endless_output_is_stopped_in_bounded_memory(sh: Bash) -> None:
    with pytest.raises(ToolError, match=r"^Command timed out after 0\.3 s\ny\n") as e:
        await sh("yes", timeout=300)
    assert len(e.value.message) < MAX_OUTPUT + 200


async def test_time_limit_tells_the_output_so_far(sh: Bash) -> None:
    with pytest.raises(ToolError) as e:
        await sh("echo started; sleep 60", timeout=300)
    assert e.value.message == "Command timed out after 0.3 s\nstarted"


async def test_kernels_time_limit_is_the_upper_bound(bash: Tool, context: ToolContext) -> None:
    short = replace(context, timeout_s=0.4)
    values = bash.validate({"command": "sleep 60", "timeout": 600_000})
    with pytest.raises(ToolError, match=r"timed out after 0\.38 s"):
        await invoke(bash, short, values, 20.0)


STAYING = [
    "sleep 98{n} & echo started",
    "(sleep 98{n} &) ; echo started",
    "nohup sleep 98{n} >/dev/null 2>&1 & echo started",
    "setsid sleep 98{n} & echo started",
    "setsid setsid nohup sleep 98{n} </dev/null >/dev/null 2>&1 & sleep 0.1; echo started",
    "trap '' TERM HUP INT; sleep 98{n} & echo started",
]


@pytest.mark.parametrize("command", STAYING)
async def test_nothing_outlives_the_call(
    sh: Bash, alive: Callable[[str], Awaitable[bool]], command: str
) -> None:
    number = str(STAYING.index(command))
    assert await sh(command.replace("{n}", number)) == "started"
    assert not await alive(f"sleep\x0098{number}\x00")


@pytest.mark.parametrize("command", ["sleep 971", "setsid sleep 972 & wait", "sleep 973 | cat"])
async def test_nothing_outlives_the_time_limit(
    sh: Bash, alive: Callable[[str], Awaitable[bool]], command: str
) -> None:
    with pytest.raises(ToolError, match="timed out"):
        await sh(command, timeout=200)
    assert not await alive("sleep\x0097")


async def test_nothing_writes_once_the_call_has_returned(sh: Bash, cwd: Path) -> None:
    for i in range(12):
        writer = f"(while :; do echo x >> made{i}; done) >/dev/null 2>&1 &"
        await sh(f"{writer * 4} sleep 0.02")
        size = (cwd / f"made{i}").stat().st_size
        await asyncio.sleep(0.01)
        assert (cwd / f"made{i}").stat().st_size == size


async def test_command_inherits_no_open_files(sh: Bash) -> None:
    # The fourth is the folder that is being listed.
    assert [Path(p).name for p in (await sh("echo /proc/self/fd/*")).split()] == list("0123")


@pytest.mark.parametrize("how", ["cancel", "timeout"])
async def test_nothing_outlives_a_cancelled_call(
    bash: Tool, context: ToolContext, cwd: Path, alive: Callable[[str], Awaitable[bool]], how: str
) -> None:
    values = bash.validate({"command": "touch started; setsid sleep 961 & sleep 962"})
    call = asyncio.ensure_future(invoke(bash, context, values, 1.0 if how == "timeout" else 60))
    while not (cwd / "started").exists():
        await asyncio.sleep(0.01)
    if how == "cancel":
        call.cancel()
    with pytest.raises((asyncio.CancelledError, ToolTimeout)):
        await call
    assert not await alive("sleep\x0096")


async def test_calls_at_once_do_not_mix(sh: Bash) -> None:
    said = await asyncio.gather(*(sh(f"sleep 0.0{i}; echo {i}") for i in range(6)))
    assert said == list("012345")


async def test_environment_holds_no_secrets_and_nothing_by_chance(
    sh: Bash, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-very-secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sk-very-secret")
    monkeypatch.setenv("BASH_ENV", "/nowhere")
    told = dict(line.split("=", 1) for line in (await sh("env")).split("\n"))
    assert set(told) - {"PWD", "SHLVL", "_"} == {
        *("PATH", "HOME", "LANG", "TERM", "TMPDIR", "XDG_CACHE_HOME"),
        *("PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED"),
    }
    assert "sk-very-secret" not in await sh("cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'; env")


async def test_temporary_folder_is_private_and_goes(sh: Bash) -> None:
    first = await sh('mktemp; touch "$TMPDIR/left"; ls -A "$TMPDIR" | wc -l; echo "$TMPDIR"')
    assert "left" not in await sh('ls -A "$TMPDIR"')
    folder = first.split("\n")[-1]
    assert folder == "/tmp" or not Path(folder).exists()


async def test_running_python_can_be_run(sh: Bash) -> None:
    program = "import sys, pydantic; print(sys.prefix, pydantic.VERSION)"
    import pydantic

    assert await sh(f"{sys.executable} -c '{program}'") == f"{sys.prefix} {pydantic.VERSION}"


async def test_python_is_found_whatever_the_path(sh: Bash, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    found = await sh("command -v python")
    assert found == "/usr/bin/python" or found == str(Path(sys.executable).parent / "python")


async def test_nul_in_a_command_is_a_clear_error(sh: Bash) -> None:
    with pytest.raises(ToolError, match="NUL"):
        await sh("echo \0")


async def test_working_directory_that_is_gone_is_a_clear_error(
    bash: Tool, context: ToolContext, cwd: Path
) -> None:
    cwd.rmdir()
    from llmos.plugins import ToolFailed

    with pytest.raises(ToolFailed, match=r"does not exist|No such file"):
        await invoke(bash, context, bash.validate({"command": "true"}), 20.0)


def test_effect_says_whether_there_is_a_sandbox(context: ToolContext, cwd: Path) -> None:
    inside, outside = bash_tool(True), bash_tool(False)
    assert (inside.effect, outside.effect) == (Effect.WRITE, Effect.EXTERNAL)
    assert (inside.sandboxed, outside.sandboxed) == (True, False)
    declared = inside.resources(context, {"command": "true"})
    assert declared is not None
    assert declared.reads == declared.writes == (f"tree:{cwd}",)


# --- comparison -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recorded", "live"),
    [
        ("3 passed in 0.01s", "3 passed in 12.34s"),
        ("1 failed, 2 passed, 1 warning in 0.01s", "1 failed, 2 passed, 1 warning in 0.02s"),
        ("x\n===== 3 passed in 0.01s =====", "x\n==== 3 passed in 10.01s ===="),
        ("= 1 failed, 2 passed in 9.99s =", "= 1 failed, 2 passed in 61.00s (0:01:01) ="),
        ("no tests ran in 0.00s", "no tests ran in 0.01s"),
        ("...\nRan 3 tests in 0.000s\n\nOK", "...\nRan 3 tests in 1.200s\n\nOK"),
        ("real\t0m0.003s\nuser\t0m0.001s", "real\t1m2.5s\nuser\t0m0.000s"),
        ("Exit code 1\nRan 1 test in 0.1s", "Exit code 1\nRan 1 test in 0.2s"),
        ("same", "same"),
    ],
)
def test_elapsed_times_of_known_tools_do_not_matter(recorded: str, live: str) -> None:
    assert same_output(recorded, live)


@pytest.mark.parametrize(
    ("recorded", "live"),
    [
        ("3 passed in 0.01s", "4 passed in 0.01s"),
        ("3 passed in 0.01s", "2 passed, 1 failed in 0.01s"),
        ("done in 0.01s", "done in 0.02s"),
        ("took 3 passed in 0.01s or so", "took 3 passed in 0.02s or so"),
        ("Ran 3 tests in 0.000s", "Ran 4 tests in 0.000s"),
        ("Ran 3 tests in 0.000s today", "Ran 3 tests in 0.001s today"),
        ("real 5", "real 6"),
        ("price 0m3s", "price 0m4s"),
        ("", " "),
        ("1", 1),
    ],
)
def test_everything_else_does_matter(recorded: object, live: object) -> None:
    assert not same_output(recorded, live)


@given(st.text(alphabet="realuspd inRt0123.=s\n", max_size=40))
def test_comparison_is_reflexive_and_never_fails(text: str) -> None:
    assert same_output(text, text)
