"""``run_program``: a model sends one small program of tool calls instead of many turns.

The program runs where learned tools run (`llmos.plugins.program`) and reaches what they reach:
``call``. Each of its calls is a system call like any other, with all checks, and a step of the
trace; the program itself is none, so that replay and learning see what they always see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from llmos.errors import SandboxError
from llmos.kernel.syscalls import RunCalls
from llmos.plugins.program import CallFailed, ProgramLimits, ProgramRunner
from llmos.values import CallResult, Effect, Json, ToolSpec

RUN_PROGRAM = "run_program"
FUNCTION = "main"
"""What a program must define."""
TOLD = 12
"""Calls that are named when a program ended early."""

_DESCRIPTION = """\
Run one small Python program that calls tools: for loops over many items, or steps that need no \
thought between them. Define main(); it returns the result as JSON, and nothing else of it is \
shown. call("tool", argument=value) makes a tool call and returns its result; a call that fails \
raises RuntimeError. What was called stays done when the program fails later. There are no files, \
network or clock but by tools; only re, json, math, datetime and itertools can be imported; no \
classes that inherit, no yield.
Example: def main():
    found = call("notes.search", text="draft")
    return [call("notes.archive", id=n["id"]) for n in found]"""


def program_spec(name: str = RUN_PROGRAM) -> ToolSpec:
    """The tool as a model sees it."""
    source = {"type": "string", "description": f"Python text that defines {FUNCTION}()"}
    schema = {
        "type": "object",
        "properties": {"program": source},
        "required": ["program"],
        "additionalProperties": False,
    }
    return ToolSpec(name, _DESCRIPTION, schema, Effect.EXTERNAL)


class Programs:
    """Runs a model's programs over the system calls of its run.

    Args:
        calls: The run's.
        runner: Makes or returns the sandbox.
        limits: What one program may use up; no more calls than the run has left.
    """

    def __init__(
        self, calls: RunCalls, runner: Callable[[], ProgramRunner], limits: ProgramLimits
    ) -> None:
        self._calls = calls
        self._runner = runner
        self._limits = limits
        self.ran = 0
        """Programs that were run, to their end or not."""

    async def run(self, source: str) -> CallResult:
        """Run one program; what it returned, or where and why it ended.

        Raises:
            RunStopped: A limit of the run was reached by one of its calls.
            LowBatteryError: The budget is gone.
        """
        self.ran += 1
        made: list[str] = []

        async def host(tool: str, arguments: Mapping[str, Json]) -> Json:
            result = await self._call(tool, arguments)
            made.append(f"{tool} (failed)" if result.is_error else tool)
            if result.is_error:
                raise CallFailed(f"{tool}: {result.text}")
            return result.observation

        try:
            returned = await self._runner().run(
                source, FUNCTION, {}, host, allowed=None, limits=self._limits
            )
        except SandboxError as e:
            return CallResult(f"{e.message}. {_done(made)}", is_error=True)
        return CallResult(returned)

    async def _call(self, tool: str, arguments: Mapping[str, Json]) -> CallResult:
        steps = self._calls.steps
        before = len(steps)
        result = await self._calls.call(tool, arguments)
        if result.step is not None and result.step < before and not result.is_error:
            # Done before a side exit, and not done again: a program goes on with what came of it.
            return CallResult(steps[result.step].observation, step=result.step)
        return result


def _done(made: list[str]) -> str:
    if not made:
        return "It had made no call."
    told = ", ".join(made[:TOLD]) + (f" and {len(made) - TOLD} more" if len(made) > TOLD else "")
    return f"Its calls until then were made and stay so: {told}"
