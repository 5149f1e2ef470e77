"""One run of the Claude CLI: start, events, limits, end. Imports the SDK: import it lazily."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    Message,
    ResultMessage,
    StreamEvent,
    SystemMessage,
    TextBlock,
)

from llmos.cortex.processors.claude_options import MAX_RESULT, cli_options
from llmos.cortex.processors.claude_result import Bill, done_of, one_line
from llmos.cortex.processors.prompts import system_prompt, user_message
from llmos.kernel.fence import clip
from llmos.values import (
    Context,
    Done,
    Event,
    Json,
    Limits,
    Spent,
    Stop,
    Syscalls,
    Text,
    ToolCall,
    ToolResult,
)

if TYPE_CHECKING:
    from llmos.cortex.processors.claude import ClaudeProcessor

# What the SDK logs as fatal is told by `Done`; without a handler it would go to stderr as well.
logging.getLogger("claude_agent_sdk").addHandler(logging.NullHandler())

SETTLE_S = 3.0
"""How long a run that is cut may take to say what it has cost."""
TERMINATE_S = 2.0
"""How long a CLI that was told to end may take before it is killed."""
REFUSED_LOGINS = 2
"""Retries after which credentials are taken as wrong. One may come from a token being renewed;
the CLI itself would go on for minutes."""
_OVERRULE = "Where you are told of another working directory or date, the ones above hold."


class ClaudeRun:
    """The life of one CLI process. `events` is iterated once; `aclose` may come at any time."""

    def __init__(
        self,
        processor: ClaudeProcessor,
        goal: str,
        context: Context,
        syscalls: Syscalls,
        limits: Limits,
    ) -> None:
        self._processor = processor
        self._prompt = user_message(goal, context)
        self._system = f"{system_prompt(context)}\n\n{_OVERRULE}"
        self._model = context.model
        self._syscalls = syscalls
        self._limits = limits
        self._folder = Path(tempfile.mkdtemp(prefix="llmos-claude-"))
        self._queue: asyncio.Queue[Event | Exception] = asyncio.Queue()
        self._client: ClaudeSDKClient | None = None
        self._reader: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._connected = False
        self._stopped = False
        self._calls = 0
        self._calling = 0
        self._bill = Bill()
        self._stderr: deque[str] = deque(maxlen=3)
        self._result: ResultMessage | None = None
        self._error = ""
        now = asyncio.get_running_loop().time()
        self._heard = now
        self._wall = now + limits.wall_s

    async def events(self) -> AsyncGenerator[Event, None]:
        """What happens, as it happens. Errors of the kernel are raised as they are."""
        self._reader = asyncio.create_task(self._read())
        while True:
            item = await self._next()
            if isinstance(item, Exception):
                raise item
            yield item
            if isinstance(item, Done):
                return

    async def aclose(self) -> None:
        """End the process and remove its folder; also when the caller is being cancelled."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    # --- from the CLI to the queue -----------------------------------------------------------

    async def _read(self) -> None:
        """Start the CLI, ask, and queue what it says; the last thing queued is a `Done`."""
        try:
            self._client = ClaudeSDKClient(self._options())
            await self._client.connect()
            self._connected = True
            self._heard = asyncio.get_running_loop().time()
            await self._client.query(self._prompt)
            async for message in self._client.receive_response():
                self._hear(message)
        except Exception as e:  # whatever the SDK raises is the provider's failure, not ours
            if self._result is None:
                why = one_line(" ".join(self._stderr) or str(e))
                self._queue.put_nowait(self._bill.done("error", f"the Claude CLI failed: {why}"))
                return
        if self._result is None:
            self._queue.put_nowait(self._bill.done("error", "the Claude CLI ended unexpectedly"))
        else:
            self._queue.put_nowait(done_of(self._result, self._bill, self._error))

    def _hear(self, message: Message) -> None:
        self._heard = asyncio.get_running_loop().time()
        if isinstance(message, ResultMessage):
            self._result = message
        elif isinstance(message, StreamEvent):
            self._pay(self._bill.hear(message.event))
        elif isinstance(message, AssistantMessage):
            self._error = message.error or ""
            if not self._error:
                for block in message.content:
                    if isinstance(block, TextBlock) and block.text:
                        self._queue.put_nowait(Text(block.text))
        elif isinstance(message, SystemMessage) and message.subtype == "init":
            self._bill.model = str(message.data.get("model", ""))
        elif isinstance(message, SystemMessage) and message.subtype == "api_retry":
            refused = message.data.get("error") == "authentication_failed"
            if refused and message.data.get("attempt", 0) >= REFUSED_LOGINS:
                why = "the provider refused the credentials: check ANTHROPIC_API_KEY or log in anew"
                self._queue.put_nowait(self._bill.done("error", why))

    def _pay(self, spent: Spent | None) -> None:
        if spent is not None:
            self._queue.put_nowait(spent)

    async def _call(self, tool: str, arguments: Mapping[str, Json]) -> dict[str, Any]:
        """One call of the model, as the MCP server sees it."""
        if self._stopped:
            await _never()
        self._calls += 1
        call = ToolCall(f"call-{self._calls}", tool, dict(arguments))
        self._queue.put_nowait(call)
        self._calling += 1
        try:
            result = await self._syscalls.call(tool, call.arguments)
        except Exception as e:
            # The SDK would tell the model of it and go on. It must end the run, so it goes to
            # `events`, and this call is never answered: an answer would cost a model call.
            self._stopped = True
            self._pay(self._bill.end_call())
            self._queue.put_nowait(e)
            await _never()
        finally:
            self._calling -= 1
            self._heard = asyncio.get_running_loop().time()
        self._queue.put_nowait(ToolResult(call.id, tool, result.observation, result.is_error))
        content = [{"type": "text", "text": clip(result.text, MAX_RESULT)}]
        return {"content": content, "is_error": result.is_error}

    # --- from the queue to the caller, under two clocks --------------------------------------

    async def _next(self) -> Event | Exception:
        """The next thing queued; a `Done` when the run takes too long or the CLI is silent."""
        loop = asyncio.get_running_loop()
        while True:
            quiet = loop.time() if self._calling else self._heard
            deadline = min(self._wall, quiet + self._processor.kill_after_s)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    return await self._queue.get()
            if loop.time() >= self._wall:
                why = f"the run took longer than the {self._limits.wall_s:g} s it may take"
                return await self._cut("limit", why)
            if not self._calling and loop.time() >= self._heard + self._processor.kill_after_s:
                silence = f"{self._processor.kill_after_s:g} s"
                return await self._cut(
                    "error", f"the Claude CLI was silent for {silence} and was killed"
                )

    async def _cut(self, stop: Stop, why: str) -> Done:
        """Interrupt the CLI; its last words say what the run has cost."""
        self._stopped = True
        with suppress(Exception):
            async with asyncio.timeout(SETTLE_S):
                if self._client is not None and self._connected and self._reader is not None:
                    await self._client.interrupt()
                    await asyncio.wait({self._reader})
        self._bill.end_call()
        if self._result is not None:
            self._bill.take(self._result)
        return self._bill.done(stop, why)

    # --- the process -------------------------------------------------------------------------

    def _options(self) -> ClaudeAgentOptions:
        return cli_options(
            self._processor,
            folder=self._folder,
            system=self._system,
            limits=self._limits,
            tools=self._syscalls.tools(),
            call=self._call,
            stderr=self._stderr.append,
            model=self._model,
        )

    async def _close(self) -> None:
        self._stopped = True
        process = getattr(getattr(self._client, "_transport", None), "_process", None)
        if self._result is None and process is not None and process.returncode is None:
            # Closing its input is enough for a CLI that has come to an end; one in the middle
            # of something would use up the seconds of grace that the SDK grants it.
            with suppress(ProcessLookupError, TimeoutError):
                process.terminate()
                async with asyncio.timeout(TERMINATE_S):
                    await process.wait()
            with suppress(ProcessLookupError):
                process.kill()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait({self._reader})
        if self._client is not None:
            with suppress(Exception):
                await self._client.disconnect()
        self._queue.put_nowait(self._bill.done("error", "the processor was closed"))
        shutil.rmtree(self._folder, ignore_errors=True)


async def _never() -> NoReturn:
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")
