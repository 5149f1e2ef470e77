"""Runs one tool: with a time limit, its result as JSON, its failures as one line.

A plain function runs in a daemon thread, so that one that hangs blocks neither the event loop
nor the end of the process. An ``async`` function runs in the event loop; one that computes
without awaiting blocks it.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import threading
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any

from llmos.errors import LLMOSError
from llmos.plugins.tool import Tool, ToolContext
from llmos.values import Json

MAX_BUSY = 64
"""Threads that may be at work, or hang, at once."""

GRACE_S = 2.0
"""How long a cancelled ``async`` tool may clean up before it is left alone."""

_LONGEST = 500
"""Characters of an exception's text that are told."""


class ToolFailed(LLMOSError):
    """A tool raised, or returned what is no JSON; one line, ``TypeName: text``."""

    exit_code = 1


class ToolError(ToolFailed):
    """Raised by a tool for a failure it expects; the text is what the model observes."""


class ToolTimeout(ToolFailed):
    """A tool gave no result in time. What it has done by then is not known."""


async def invoke(
    tool: Tool, context: ToolContext, values: Mapping[str, Any], timeout_s: float
) -> Json:
    """Run ``tool`` and return its result as a JSON value.

    Args:
        tool: The tool.
        context: Handed to the tool if it asks for it.
        values: What `Tool.validate` returned.
        timeout_s: Wall clock, in seconds.

    Raises:
        ToolError: The tool said that it cannot do this.
        ToolFailed: It raised anything else, or its result is no JSON.
        ToolTimeout: It took longer than ``timeout_s``.
    """
    given = dict(values)
    if tool.context_parameter is not None:
        given[tool.context_parameter] = context
    if inspect.iscoroutinefunction(inspect.unwrap(tool.function)):
        waiting: asyncio.Future[Json] = asyncio.ensure_future(_run_async(tool, given))
    else:
        waiting = _workers.submit(lambda: _run(tool, given))
    try:
        done, _ = await asyncio.wait((waiting,), timeout=timeout_s)
    except asyncio.CancelledError:
        await _abandon(waiting)
        raise
    if not done:
        await _abandon(waiting)
        raise ToolTimeout(
            f"{tool.name} gave no result within {timeout_s:g} s",
            "raise tool_timeout_s, or the tool's own timeout_s",
        )
    if waiting.cancelled():
        raise ToolFailed(f"{tool.name}: CancelledError: the tool cancelled itself")
    return waiting.result()


def _run(tool: Tool, given: Mapping[str, Any]) -> Json:
    try:
        return _as_json(tool, tool.function(**given))
    except ToolFailed:
        raise
    except BaseException as e:
        # Also SystemExit: a tool does not end the process.
        raise ToolFailed(one_line(e)) from e


async def _run_async(tool: Tool, given: Mapping[str, Any]) -> Json:
    try:
        return _as_json(tool, await tool.function(**given))
    except (ToolFailed, KeyboardInterrupt, asyncio.CancelledError):
        raise
    except BaseException as e:
        raise ToolFailed(one_line(e)) from e


async def _abandon(waiting: asyncio.Future[Json]) -> None:
    waiting.cancel()
    if isinstance(waiting, asyncio.Task):
        await asyncio.wait((waiting,), timeout=GRACE_S)
        if waiting.done() and not waiting.cancelled():
            waiting.exception()  # it is told by nobody else, and nobody waits for it


def one_line(error: BaseException) -> str:
    """``TypeName: text`` of an exception, on one line, of bounded length."""
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = "(its text cannot be shown)"
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "…"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _as_json(tool: Tool, result: object) -> Json:
    if result is None or isinstance(result, bool):
        return result
    from pydantic_core import to_jsonable_python

    try:
        value = result if isinstance(result, str) else to_jsonable_python(_ordered(result))
        # Finds what the conversion lets pass and no database takes: NaN, lone surrogates.
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, TypeError, RecursionError) as e:
        raise ToolFailed(f"{tool.name} returned what is no JSON: {one_line(e)}") from e
    return value


def _ordered(value: object) -> object:
    """Sets as sorted lists, wherever they are: their own order differs between processes."""
    if isinstance(value, dict):
        return {k: _ordered(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_ordered(v) for v in value]
    if isinstance(value, set | frozenset):
        return sorted((_ordered(v) for v in value), key=lambda v: (type(v).__name__, repr(v)))
    return value


_Job = tuple[Callable[[], Json], "asyncio.AbstractEventLoop", "asyncio.Future[Json]"]


class _Workers:
    """Daemon threads that are used again. `concurrent.futures` would wait for hung ones at exit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[SimpleQueue[_Job]] = []
        self._busy = 0

    def submit(self, work: Callable[[], Json]) -> asyncio.Future[Json]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Json] = loop.create_future()
        carried = contextvars.copy_context()
        with self._lock:
            if self._busy >= MAX_BUSY:
                raise ToolFailed(
                    f"{self._busy} tools are still at work", "some hang: start LLM OS again"
                )
            self._busy += 1
            box = self._idle.pop() if self._idle else None
        if box is None:
            box = self._hire()
        box.put((lambda: carried.run(work), loop, future))
        return future

    def _hire(self) -> SimpleQueue[_Job]:
        box: SimpleQueue[_Job] = SimpleQueue()
        worker = threading.Thread(target=self._serve, args=(box,), name="llmos-tool", daemon=True)
        try:
            worker.start()
        except RuntimeError as e:
            with self._lock:
                self._busy -= 1
            raise ToolFailed(f"no thread for the tool: {e}", "the machine is out of threads") from e
        return box

    def _serve(self, box: SimpleQueue[_Job]) -> None:
        while True:
            work, loop, future = box.get()
            result: Json = None
            error: ToolFailed | None = None
            try:
                result = work()
            except ToolFailed as e:
                error = e
            with self._lock:
                self._busy -= 1
                self._idle.append(box)
            try:
                loop.call_soon_threadsafe(_settle, future, result, error)
            except RuntimeError:  # the loop is closed: nobody waits any more
                continue
            finally:
                del work, future, result, error  # an idle thread keeps nothing alive


def _settle(future: asyncio.Future[Json], result: Json, error: ToolFailed | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


_workers = _Workers()
