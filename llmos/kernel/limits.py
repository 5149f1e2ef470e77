"""Foreign functions that may take so long and no longer.

What is not written with ``async`` cannot be stopped: it is called in a thread of its own, which is
left behind when its time is over, and it is not called again while it is at work there.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import select

from llmos.errors import LLMOSError
from llmos.store import Store, Transaction
from llmos.store.schema import traces
from llmos.values import EventType

T = TypeVar("T")

_LEFT: dict[int, tuple[object, threading.Thread]] = {}
"""By the id of a function: itself, so that the id stays its own, and where it is at work."""


class NoAnswer(LLMOSError):
    """A function did not come back in time.

    Args:
        name: Of the function.
        seconds: How long it may take.
        before: It had not come back from an earlier call, and was not called.
    """

    def __init__(self, name: str, seconds: float, *, before: bool = False) -> None:
        told = "has not answered since an earlier call" if before else "did not answer"
        super().__init__(
            f"{name!r} {told} within {seconds:g} s", "give it longer: llmos config set hook_seconds"
        )
        self.hook = name
        self.before = before


def tell_hang(
    store: Store, error: NoAnswer, *, owner: str = "", run_id: str = "", then: str
) -> None:
    """Tell whose run it is that a hook has not answered, once for each time that it was called.

    Args:
        store: Where events are kept.
        error: What was raised.
        owner: Whose run; by default that of ``run_id``.
        run_id: The run, where it has begun.
        then: What became of the call or the run.
    """
    if error.before:
        return

    def write(tx: Transaction) -> None:
        whose = owner or tx.conn.scalar(select(traces.c.owner).where(traces.c.id == run_id))
        if whose:
            tx.event(
                EventType.SYSTEM_ALERT,
                owner=whose,
                actor="kernel",
                subject=run_id or error.hook[:128],
                title=f"hook {error.message}: {then}",
                payload={"hook": error.hook, "why": error.message, "then": then},
            )

    store.write(write)


def name_of(function: object) -> str:
    """What a function is called where people are told of it."""
    return str(getattr(function, "__name__", type(function).__name__))


def within(seconds: float, function: Callable[[], T], of: object) -> T:
    """Call a function that is not written with ``async``.

    Args:
        seconds: How long it may take; 0 for no limit.
        function: What is called.
        of: The hook that it calls, by which it is known.

    Raises:
        NoAnswer: It did not come back in time. What it raises itself goes through.
    """
    if seconds <= 0:
        return function()
    _refuse_left(of, seconds)
    answers: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
    thread = _begin(function, lambda good, answer: answers.put((good, answer)))
    try:
        good, answer = answers.get(timeout=seconds)
    except queue.Empty:
        _LEFT[id(of)] = (of, thread)
        raise NoAnswer(name_of(of), seconds) from None
    if not good:
        raise answer
    return answer  # type: ignore[no-any-return]


async def awaited_within(seconds: float, hook: Callable[..., Any], *given: object) -> Any:
    """Call a hook, whether or not it is written with ``async``, without holding up other runs.

    Args:
        seconds: How long it may take; 0 for no limit.
        hook: What is called.
        given: What it is given.

    Raises:
        NoAnswer: It did not come back in time. What it raises itself goes through.
    """
    if seconds <= 0:
        result = hook(*given)
        return await result if inspect.isawaitable(result) else result
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    if _is_async(hook):
        result = hook(*given)
    else:
        result = await _in_a_thread(loop, seconds, hook, given)
    if not inspect.isawaitable(result):
        return result
    task = asyncio.ensure_future(result)
    try:
        done, _ = await asyncio.wait({task}, timeout=max(0.0, until - loop.time()))
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        # It is not waited for: what ignores that it is cancelled would hang on.
        task.cancel()
        raise NoAnswer(name_of(hook), seconds)
    return task.result()


async def _in_a_thread(
    loop: asyncio.AbstractEventLoop,
    seconds: float,
    hook: Callable[..., Any],
    given: tuple[object, ...],
) -> Any:
    _refuse_left(hook, seconds)
    future: asyncio.Future[tuple[bool, Any]] = loop.create_future()

    def settle(good: bool, answer: Any) -> None:
        if not future.done():
            future.set_result((good, answer))

    def tell(good: bool, answer: Any) -> None:
        # Whoever waited may be gone, and the loop with them.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, good, answer)

    thread = _begin(lambda: hook(*given), tell)
    done, _ = await asyncio.wait({future}, timeout=seconds)
    if not done:
        _LEFT[id(hook)] = (hook, thread)
        raise NoAnswer(name_of(hook), seconds)
    good, answer = future.result()
    if not good:
        raise answer
    return answer


def _begin(function: Callable[[], Any], tell: Callable[[bool, Any], object]) -> threading.Thread:
    context = contextvars.copy_context()

    def work() -> None:
        try:
            answer = context.run(function)
        except BaseException as e:  # whoever waits is told of it
            tell(False, e)
        else:
            tell(True, answer)

    # Not of a pool: Python waits for its threads when it ends.
    thread = threading.Thread(target=work, name="llmos-hook", daemon=True)
    thread.start()
    return thread


def _refuse_left(of: object, seconds: float) -> None:
    known = _LEFT.get(id(of))
    if known is None:
        return
    if known[1].is_alive():
        raise NoAnswer(name_of(of), seconds, before=True)
    _LEFT.pop(id(of), None)  # another thread may have been faster


def _is_async(hook: object) -> bool:
    made = getattr(hook, "__call__", None)  # noqa: B004  # of an object whose call is async
    return inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(made)
