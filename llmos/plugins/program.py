"""Runs learned tools: small Python programs in Monty, an interpreter that can reach nothing.

A program defines one plain function. All it can do to the world is ``call(tool, **arguments)``:
there is no file, no network, no clock, no randomness and no module but those of the interpreter,
so a run is a function of its arguments and of what its calls returned. The interpreter works in a
child process, one program at a time, and stands still during a call: what is wrong with a call
ends the program there and then, before it could catch anything.
"""

from __future__ import annotations

import asyncio
import keyword
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llmos.errors import SandboxError
from llmos.plugins.program_limits import ProgramLimits
from llmos.plugins.program_told import as_json, shown, told
from llmos.plugins.program_worker import Pool, Worker
from llmos.values import Json

if TYPE_CHECKING:
    from pydantic_monty import FunctionSnapshot, SyncSnapshot

__all__ = ["CallFailed", "Host", "ProgramLimits", "ProgramRunner"]

Host = Callable[[str, dict[str, Json]], Awaitable[Json]]
"""Makes one tool call, ``(tool, arguments)``, and returns its observation."""


class CallFailed(Exception):
    """Raised by a host: the program gets it, as a RuntimeError where it made the call."""


MAX_WORKERS = 8
"""Programs of one runner that may be under way at once; each worker takes about 11 MB."""

WAIT_S = 60.0
"""How long a program waits for a free worker."""

_CALL = "_llmos_call"
_ARGUMENTS = "_llmos_arguments"

_AFTER_SOURCE = f"""
import json as _llmos_json
def call(tool, arguments=None, /, **named):
    _llmos_json.dumps([tool, arguments, named])
    return {_CALL}(tool, arguments, named)
_llmos_result = %s(**{_ARGUMENTS})
_llmos_json.dumps(_llmos_result)
_llmos_result
"""
"""Follows the program's text, so that it cannot be defined away and no line number shifts.

On their way out of the interpreter functions and cycles turn into text like ``<function 'f' at
0x1>``. ``dumps`` raises for them while they can still be told apart.
"""


class ProgramRunner:
    """Workers that run programs; started by the first one, and one runner serves a whole process.

    Args:
        workers: How many programs may be under way at once; others wait for their turn. Fewer
            processes than that are kept when fewer were needed.
    """

    def __init__(self, workers: int = MAX_WORKERS) -> None:
        self._pool = Pool(workers)
        # As many threads as workers: a worker never waits for a thread, nor a thread for a worker.
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="llmos-program")
        self._free = asyncio.Semaphore(workers)
        self._at_work: set[Worker] = set()
        self._closed = False

    async def run(
        self,
        source: str,
        function: str,
        arguments: Mapping[str, Json],
        host: Host,
        *,
        allowed: frozenset[str] | None,
        limits: ProgramLimits | None = None,
    ) -> Json:
        """Run ``function`` of ``source`` and return its result.

        Args:
            source: Python that defines ``def <function>(...)``, not ``async``. In it,
                ``call(tool, **arguments)`` or ``call(tool, {...})`` makes a tool call and returns
                the observation; outside of a function there is no ``call`` yet. What it prints
                goes nowhere.
            function: Name of the function to call.
            arguments: Its arguments by name.
            host: Makes the tool calls, one after the other, in the task of the caller. Whatever
                it raises, but `CallFailed`, ends the program, which does not see it, and comes
                out of here unchanged.
            allowed: Tools that may be called; None leaves that to the host.
            limits: What the run may use up; `ProgramLimits()` when left out.

        Raises:
            SandboxError: The program is no Python that the interpreter knows, raised, hit a limit,
                called a tool that is not ``allowed`` or returned what is no JSON; or its worker
                died. The message says which.
        """
        limits = limits or ProgramLimits()
        text = _text(source, function, limits)
        calls = _Calls(host, allowed, limits)
        async with self._worker(limits) as worker:
            output = await self._result(worker, text, arguments, calls)
        return as_json(output, limits.output_bytes, "the program returned")

    async def aclose(self) -> None:
        """End the workers, and with them the programs under way; the runner is not used again."""
        self._closed = True
        for worker in self._at_work:
            worker.stop()
        await asyncio.to_thread(self._threads.shutdown)
        self._pool.close()

    @asynccontextmanager
    async def _worker(self, limits: ProgramLimits) -> AsyncIterator[Worker]:
        try:
            async with asyncio.timeout(WAIT_S):
                await self._free.acquire()
        except TimeoutError:
            raise SandboxError(
                f"no worker became free for the program within {WAIT_S:g} s",
                "run fewer goals at once",
            ) from None
        worker = Worker(self._pool, self._threads, limits)
        self._at_work.add(worker)
        try:
            yield worker
        finally:
            self._at_work.discard(worker)
            worker.release()
            self._free.release()

    async def _result(
        self, worker: Worker, text: str, arguments: Mapping[str, Json], calls: _Calls
    ) -> object:
        """Answers the program's calls until it has ended."""
        from pydantic_monty import FunctionSnapshot, MontyComplete, NameLookupSnapshot

        lines = text.count("\n") - _AFTER_SOURCE.count("\n") + 1
        turn = worker.start(text, {_ARGUMENTS: dict(arguments)})
        while True:
            state = await self._told(turn, calls.limits, lines)
            if isinstance(state, MontyComplete):
                return state.output
            if isinstance(state, FunctionSnapshot):
                try:
                    turn = worker.resume(state, await calls.answer(state))
                except CallFailed as e:
                    turn = worker.fail(state, str(e))
            elif isinstance(state, NameLookupSnapshot):
                turn = worker.undefined(state)
            else:
                raise SandboxError("the program awaits what nobody will answer")

    async def _told(
        self, turn: Awaitable[SyncSnapshot], limits: ProgramLimits, lines: int
    ) -> SyncSnapshot:
        """The turn's outcome; what goes wrong in the interpreter as a `SandboxError`."""
        from pydantic_monty import MontyError

        try:
            return await turn
        except MontyError as e:
            if self._closed:
                raise SandboxError("the sandbox was closed while the program ran") from e
            raise told(e, limits, lines) from e
        except RuntimeError as e:
            if self._closed:
                raise SandboxError("the sandbox is closed") from e
            raise


class _Calls:
    """The one way out of a program: what it calls is checked here, and made by the host."""

    def __init__(self, host: Host, allowed: frozenset[str] | None, limits: ProgramLimits) -> None:
        self.limits = limits
        self._host = host
        self._allowed = allowed
        self._made = 0

    async def answer(self, asked: FunctionSnapshot) -> Json:
        tool, arguments = _asked(asked)
        if self._allowed is not None and tool not in self._allowed:
            raise SandboxError(f"the program called {shown(tool)}, which was not granted to it")
        if self._made >= self.limits.calls:
            raise SandboxError(f"the program made more than {self.limits.calls} calls")
        as_json(arguments, self.limits.output_bytes, f"the program called {shown(tool)} with")
        self._made += 1
        return await self._host(tool, arguments)


def _asked(asked: FunctionSnapshot) -> tuple[str, dict[str, Json]]:
    """Tool and arguments of a call; the program may have made it past ``call``."""
    name = asked.function_name
    if asked.is_os_function:
        what = asked.args[0] if name == "import" and asked.args else ""
        verb = f"imported {shown(what)}" if what else f"asked for {shown(name)}"
        raise SandboxError(f"the program {verb}, which the sandbox does not have")
    if name != _CALL:
        raise SandboxError(f"the program called {shown(name)}, which does not exist")
    match asked.args:
        case (str(tool), dict() | None as given, dict(named)) if not asked.kwargs:
            return tool, {**(given or {}), **named}
    raise SandboxError("the program called a tool otherwise than as call(tool, **arguments)")


def _text(source: str, function: str, limits: ProgramLimits) -> str:
    """What the interpreter is given: the program, and what calls its function."""
    # The name is put into the text: it must not be able to be anything but a name.
    if not function.isidentifier() or keyword.iskeyword(function) or function == "call":
        raise SandboxError(f"{shown(function)} is not a usable name of a program's function")
    try:
        size = len(source.encode())
    except UnicodeEncodeError:
        raise SandboxError("the program's text holds half a character") from None
    if size > limits.source_bytes:
        raise SandboxError(f"the program's text is longer than {limits.source_bytes:,} bytes")
    return source + _AFTER_SOURCE % function
