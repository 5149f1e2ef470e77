"""One run of a local model: reply, call, tell, until it answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import NamedTuple

from llmos.cortex.processors import local_prompt as prompt
from llmos.cortex.processors.local_engine import (
    Completion,
    ContextOverflow,
    Engine,
    EngineError,
)
from llmos.cortex.processors.local_grammar import Answer, Call, offered, parse, reply_schema
from llmos.cortex.processors.prompts import user_message
from llmos.kernel.fence import clip
from llmos.values import (
    Context,
    Done,
    Event,
    Limits,
    Spent,
    Stop,
    Syscalls,
    Text,
    ToolCall,
    ToolResult,
    Usage,
)

MAX_REPLY = 1_500
"""Tokens of one reply, whatever the limits allow: a small model that goes on is in a loop."""
MAX_FAILED = 3
"""Calls, from a failed write on, after which the model may give up; before, it must go on."""
SHORTENED = 300
"""Characters kept of a result when the conversation no longer fits the context."""
WARM = 0.7
"""Temperature of a second try: at none, the model would say the same again."""


class _Failed(Exception):
    """The run is over without an answer."""

    def __init__(self, stop: Stop, error: str) -> None:
        super().__init__(error)
        self.stop = stop


class _Shown(NamedTuple):
    """A result in the conversation."""

    at: int
    tool: str
    text: str
    is_error: bool


class LocalRun:
    """The conversation of one run. `events` is iterated once."""

    def __init__(
        self,
        engine: Engine,
        model: str,
        goal: str,
        context: Context,
        syscalls: Syscalls,
        limits: Limits,
    ) -> None:
        self._engine = engine
        self._model = model
        self._goal = goal
        self._syscalls = syscalls
        self._limits = limits
        self._told = f"{context.system}\n{user_message(goal, context)}"
        self._tools = offered(syscalls.tools(), self._told)
        self._messages = prompt.opening(goal, context, self._tools)
        self._usage = Usage()
        self._replies = 0
        self._calls = 0
        self._since_failure = 0
        self._seen: set[str] = set()
        self._done_lines: list[str] = []
        self._shown: list[_Shown] = []
        self._nudged = False
        self._candidate: Answer | None = None
        """The answer that is being checked."""
        self._last_failed = False
        self._temperature = 0.0
        self._deadline = asyncio.get_running_loop().time() + limits.wall_s

    async def events(self) -> AsyncGenerator[Event, None]:
        """What happens, as it happens. Errors of the kernel are raised as they are."""
        try:
            while True:
                before = self._usage
                reply = await self._reply()
                yield Spent(self._usage_since(before), 0.0)
                if isinstance(reply, Call):
                    async for event in self._take(reply):
                        yield event
                elif (answer := self._settled(reply)) is not None:
                    yield Text(answer.text)
                    yield self._done("end", output=answer.text)
                    return
        except _Failed as e:
            yield self._done(e.stop, str(e))

    # --- asking ------------------------------------------------------------------------------

    async def _reply(self) -> Call | Answer:
        """The model's next reply; a broken one is asked for once more."""
        for _ in range(2):
            completion = await self._complete()
            reply = parse(completion.text, self._tools)
            if reply is not None:
                self._temperature = 0.0
                return reply
            if completion.finish == "length" and completion.usage.output_tokens < self._max_reply():
                self._shorten()  # the context was full before the reply was too long
            self._temperature = WARM
        if completion.finish == "length":
            raise _Failed("limit", f"the model's reply was longer than {self._max_reply()} tokens")
        raise _Failed("error", "the model's reply was neither a call nor an answer")

    async def _complete(self) -> Completion:
        if self._replies >= self._limits.max_turns:
            raise _Failed("limit", f"the run made {self._replies} model calls, all it may")
        self._replies += 1
        try:
            completion = await self._in_thread()
        except ContextOverflow:
            if not self._shorten():
                raise _Failed("limit", "the job does not fit the model's context") from None
            return await self._complete()
        except EngineError as e:
            raise _Failed("error", " ".join(str(e).split())) from e
        self._usage += completion.usage
        if completion.finish == "stopped":
            raise _Failed("limit", f"the run took {self._limits.wall_s:g} s, all it may")
        return completion

    async def _in_thread(self) -> Completion:
        """Run the engine in a thread; on cancel or at the deadline, stop it and wait for that."""
        stop = threading.Event()
        schema = reply_schema(self._tools, may_answer=not 0 < self._since_failure < MAX_FAILED)
        work = asyncio.ensure_future(
            asyncio.to_thread(
                self._engine.complete,
                list(self._messages),
                schema,
                self._max_reply(),
                stop,
                self._temperature,
            )
        )
        left = self._deadline - asyncio.get_running_loop().time()
        try:
            await asyncio.wait({work}, timeout=max(0.0, left))
            stop.set()
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait({work})
            if not work.cancelled():
                work.exception()  # looked at, so that nobody warns of it
            raise

    def _max_reply(self) -> int:
        return min(self._limits.max_output_tokens, MAX_REPLY)

    def _shorten(self) -> bool:
        """Cut down the results that the model was shown; False if that was done before."""
        longer = [shown for shown in self._shown if len(shown.text) > SHORTENED]
        for shown in longer:
            short = clip(shown.text, SHORTENED)
            self._messages[shown.at] = prompt.result(shown.tool, short, is_error=shown.is_error)
        self._shown = []
        return bool(longer)

    # --- answers and calls -------------------------------------------------------------------

    def _settled(self, answer: Answer) -> Answer | None:
        """The answer to give, or None if the model is asked first whether that was all."""
        if not self._done_lines:
            return answer
        if self._candidate is None:
            self._candidate = answer
            self._messages += [prompt.said(answer), prompt.check(self._goal, self._done_lines)]
            return None
        # Nothing was done since, so the first one, which is about the job, is the better one;
        # unless it was made under the impression of a failure.
        return answer if self._last_failed else self._candidate

    async def _take(self, call: Call) -> AsyncGenerator[Event, None]:
        self._messages.append(prompt.said(call))
        if call.key in self._seen:
            if self._nudged:
                raise _Failed("error", f"the model repeats itself: {call.tool}")
            self._nudged = True
            self._temperature = WARM
            self._messages.append(prompt.note(prompt.REPEATED))
            return
        name = f"call-{self._calls}"
        self._calls += 1
        yield ToolCall(name, call.tool, call.arguments)
        result = await self._syscalls.call(call.tool, call.arguments)
        yield ToolResult(name, call.tool, result.observation, result.is_error)
        self._tools = offered(self._syscalls.tools(), self._told)
        writes = prompt.writes(call.tool, self._tools)
        self._note(call, result.text, result.is_error, writes)
        # A call that was refused is no reason to try another way to the same end.
        failed = writes and result.is_error and result.step is not None
        if writes and not result.is_error:
            self._since_failure = 0
        elif failed or self._since_failure:
            # Looking around does not make up for it: the write is still to be done.
            self._since_failure += 1

    def _note(self, call: Call, text: str, is_error: bool, writes: bool) -> None:
        if writes and not is_error:
            self._seen.clear()  # the world has changed: reading it again is no repetition
            self._nudged = False
        self._seen.add(call.key)
        self._candidate = None
        self._last_failed = is_error
        self._done_lines.append(prompt.summary(call, is_error=is_error))
        text = clip(text, prompt.MAX_OBSERVATION)
        self._shown.append(_Shown(len(self._messages), call.tool, text, is_error))
        self._messages.append(prompt.result(call.tool, text, is_error=is_error))

    def _usage_since(self, before: Usage) -> Usage:
        return Usage(
            self._usage.input_tokens - before.input_tokens,
            self._usage.output_tokens - before.output_tokens,
            self._usage.cache_read_tokens - before.cache_read_tokens,
        )

    def _done(self, stop: Stop, error: str = "", output: str = "") -> Done:
        return Done(output, self._usage, 0.0, stop, self._model, error)
