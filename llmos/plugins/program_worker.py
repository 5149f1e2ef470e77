"""The child processes that interpret programs, and one program's turns in one of them.

A turn lasts from a call's answer to the next call. It blocks, so it runs in a thread: the
asynchronous interface of pydantic-monty answers from threads of its own, and now and then one of
those aborts the whole process when it outlives the interpreter (1.4.0: one exit in five).
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from llmos.errors import SandboxError
from llmos.plugins.invoke import one_line
from llmos.plugins.program_limits import ProgramLimits
from llmos.values import Json

if TYPE_CHECKING:
    from pydantic_monty import (
        FunctionSnapshot,
        Monty,
        MontySession,
        NameLookupSnapshot,
        OSPolicy,
        ResourceLimits,
        SyncSnapshot,
    )

LOOKUPS = 1000
"""Undefined names that a program may ask for; each is a turn, like a call."""

GRACE_S = 1.0
"""How long a program beyond its time may go on before its worker is killed."""

_NOTHING: OSPolicy = {
    "datetime": "call_host",
    "sleep": "call_host",
    "random_start": "call_host",
}
"""Clock, sleep and randomness ask the host, as files do, and the host refuses them all."""


class Pool:
    """The worker processes, started when the first program needs one.

    Args:
        workers: How many there may be.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._lock = threading.Lock()
        self._pool: Monty | None = None

    def checkout(self, limits: ResourceLimits) -> MontySession:
        """A worker of one's own, until the session is left. Blocks while one is started.

        Raises:
            SandboxError: pydantic-monty is not installed, or no process of it can be started.
        """
        try:
            with self._lock:
                if self._pool is None:
                    self._pool = self._start()
            session = self._pool.checkout(
                limits=limits, os_policy=_NOTHING, assert_message_annotations=False
            )
            return session.__enter__()
        except (ImportError, OSError, RuntimeError) as e:
            raise SandboxError(
                f"the sandbox of learned tools cannot be started: {one_line(e)}",
                "install llmos again if its part pydantic-monty is missing",
            ) from e

    def alive(self, limits: ResourceLimits) -> MontySession:
        """As `checkout`, but a worker that answers: dead ones are put away."""
        from pydantic_monty import MontyCrashedError

        for _ in range(self._workers):
            with suppress(MontyCrashedError), ExitStack() as unless_alive:
                session = self.checkout(limits)
                unless_alive.push(session.__exit__)
                session.feed_run("None")
                unless_alive.pop_all()
                return session
        return self.checkout(limits)

    def close(self) -> None:
        """End all workers."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.__exit__(None, None, None)

    def _start(self) -> Monty:
        from pydantic_monty import Monty

        pool = Monty(max_processes=self._workers, feed_duration_limit_grace=GRACE_S)
        return pool.__enter__()


class Worker:
    """One program in a process of its own, turn by turn.

    Args:
        pool: Where the process comes from.
        threads: Where turns are waited for.
        limits: What the process holds the program to.
    """

    def __init__(self, pool: Pool, threads: ThreadPoolExecutor, limits: ProgramLimits) -> None:
        self._pool = pool
        self._threads = threads
        self._limits: ResourceLimits = {
            "max_feed_duration_secs": limits.wall_s,
            "max_memory": limits.memory_mb << 20,
            # One more call than allowed reaches the host, which can name what was called.
            "max_suspensions": limits.calls + LOOKUPS + 1,
        }
        self._session: MontySession | None = None
        self._pid: int | None = None
        self._stopped = False

    async def start(self, text: str, values: dict[str, Any]) -> SyncSnapshot:
        """The first turn of the program ``text``, with ``values`` as its globals.

        Raises:
            MontyError: The interpreter's error.
            SandboxError: There is no interpreter.
        """
        from pydantic_monty import MontyCrashedError

        try:
            return await self._turn(lambda: self._begin(self._pool.checkout, text, values))
        except MontyCrashedError as e:
            if e.timed_out or self._stopped:
                raise
        # A worker that died while it was idle is noticed only now. Nothing has been called yet.
        self.release()
        return await self._turn(lambda: self._begin(self._pool.alive, text, values))

    async def resume(self, asked: FunctionSnapshot, answer: Json) -> SyncSnapshot:
        """The next turn, with the answer to the call that ended the last one."""
        return await self._turn(lambda: asked.resume({"return_value": answer}))

    async def fail(self, asked: FunctionSnapshot, why: str) -> SyncSnapshot:
        """The next turn, after a call that failed: a RuntimeError in the program."""
        return await self._turn(lambda: asked.resume({"exception": RuntimeError(why)}))

    async def undefined(self, asked: NameLookupSnapshot) -> SyncSnapshot:
        """The next turn, after a name that does not exist: a NameError in the program."""
        return await self._turn(lambda: asked.resume())

    def stop(self) -> None:
        """End the process: a turn under way, and any to come, is a MontyCrashedError."""
        self._stopped = True
        self._kill()

    def release(self) -> None:
        """Give the process back, in the background: a large heap takes milliseconds to drop."""
        session, self._session, self._pid = self._session, None, None
        if session is None:
            return
        leave = partial(session.__exit__, None, None, None)
        try:
            self._threads.submit(leave)
        except RuntimeError:  # the threads are gone: the runner is closed
            leave()

    def _kill(self) -> None:
        if self._pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def _spoiled(self, error: BaseException | None) -> None:
        """A limit stops a program anywhere in the interpreter: its process is not used again."""
        from pydantic_monty import MontyCrashedError

        if not isinstance(error, MontyCrashedError):  # else its number may be another's by now
            self._kill()

    def _begin(
        self,
        checkout: Callable[[ResourceLimits], MontySession],
        text: str,
        values: dict[str, Any],
    ) -> SyncSnapshot:
        session = checkout(self._limits)
        self._session, self._pid = session, session.worker_pid
        if self._stopped:  # looked at after the number is known, so `stop` misses no turn
            raise SandboxError("the program was stopped before it began")
        return session.feed_start(text, inputs=values, print_callback=_drop)

    async def _turn(self, work: Callable[[], SyncSnapshot]) -> SyncSnapshot:
        turn = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            await asyncio.wait((turn,))
        except asyncio.CancelledError:
            self.stop()
            while not turn.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait((turn,))
            turn.exception()  # it is told by nobody else, and nobody waits for it
            raise
        if turn.exception() is not None:
            self._spoiled(turn.exception())
        return turn.result()


def _drop(stream: str, text: str) -> None:
    """What a program prints."""
