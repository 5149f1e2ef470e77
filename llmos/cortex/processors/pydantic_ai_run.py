"""One run of a pydantic-ai model: ask, call, tell, until it answers. Imports pydantic-ai."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from functools import partial
from typing import Literal
from urllib.parse import urlsplit

from pydantic_ai.direct import model_request_stream
from pydantic_ai.exceptions import AgentRunError, UserError
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse, infer_model
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from llmos.cortex.processors.claude_result import one_line, wire_names
from llmos.cortex.processors.pricing import FREE, Cost, cost_usd, unaffordable
from llmos.cortex.processors.prompts import system_prompt, user_message
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
    ToolSpec,
    Usage,
)

MAX_RESULT = 100_000
"""Characters of one result that the model is shown."""
BYTES_PER_TOKEN = 3
"""For estimates, which should rather be too high: English text has about four."""
_ENDINGS: dict[str, tuple[Stop, str]] = {
    "length": ("limit", "the model's answer was longer than one model call may be"),
    "content_filter": ("error", "the provider's content filter stopped the answer"),
    "error": ("error", "the provider ended the answer with an error"),
}


def load(model: str | Model) -> Model | str:
    """The model, or why there is none, in one line (provider, package, key)."""
    try:
        return infer_model(model)
    except (UserError, ImportError, ValueError) as e:
        return one_line(f"the model {model!r} cannot be used: {e}")


def price_of(model: Model) -> Cost:
    """What the tokens of ``model`` cost: nothing on this machine, else the list price."""
    if model.system in ("test", "function") or _on_this_machine(model.base_url):
        return FREE
    return partial(
        cost_usd, model.model_name, provider=model.system, api_url=model.base_url or None
    )


class PydanticAIRun:
    """The conversation of one run. `events` is iterated once."""

    def __init__(
        self,
        model: Model,
        price: Cost | None,
        goal: str,
        context: Context,
        syscalls: Syscalls,
        limits: Limits,
    ) -> None:
        self._model = model
        self._cost = price or price_of(model)
        self._syscalls = syscalls
        self._limits = limits
        self._named: dict[str, ToolSpec] = {}
        self._parameters = ModelRequestParameters()
        self._instructions = system_prompt(context)
        self._settings = ModelSettings(max_tokens=limits.max_output_tokens, cache=True)
        self._messages: list[ModelMessage] = []
        self._usage, self._spent = Usage(), 0.0
        self._counted = 0
        """Tokens of the conversation, as the provider counted them last."""
        self._uncounted = _size(self._instructions)
        """Estimate of the tokens that came after that."""
        self._answer: ModelResponse | None = None
        self._failed: tuple[Stop, str] | None = None
        self._deadline = asyncio.get_running_loop().time() + limits.wall_s
        self._tell([UserPromptPart(prompt := user_message(goal, context))], prompt)

    async def events(self) -> AsyncGenerator[Event, None]:
        """What happens, as it happens. Errors of the kernel are raised as they are."""
        for _ in range(self._limits.max_turns):
            self._reread_tools()
            if reason := self._unaffordable():
                yield self._done("limit", reason)
                return
            async with aclosing(self._ask()) as said:
                async for text in said:
                    yield text
            answer, self._answer = self._answer, None
            if answer is not None:
                yield self._pay(answer)
            if ended := self._failed or self._ending(answer):
                yield ended if isinstance(ended, Done) else self._done(*ended)
                return
            async with aclosing(self._call_all(_calls(answer))) as events:
                async for event in events:
                    yield event
        yield self._done("limit", f"the run made {self._limits.max_turns} model calls, all it may")

    def _reread_tools(self) -> None:
        """Take up the tools that the model has found since it was asked last."""
        named = wire_names(self._syscalls.tools())
        new = [item for item in named.items() if item[0] not in self._named]
        if new:
            self._named = named
            self._uncounted += sum(map(_definition_size, new))
            self._parameters = ModelRequestParameters(
                function_tools=[_definition(name, spec) for name, spec in named.items()]
            )

    async def _ask(self) -> AsyncGenerator[Text, None]:
        """One model call; leaves the answer, or as much as came of it, and how it failed."""
        try:
            async with AsyncExitStack() as opened:
                async with asyncio.timeout_at(self._deadline):
                    stream = await opened.enter_async_context(self._request())
                try:
                    events = aiter(stream)
                    while True:
                        # Not around the loop: no limit may strike while the consumer works.
                        async with asyncio.timeout_at(self._deadline):
                            event = await anext(events, None)
                        if event is None:
                            break
                        if text := _text(event):
                            yield Text(text)
                finally:
                    # What came before a failure is paid for as well.
                    self._answer = stream.get()
        except Exception as e:
            # Providers' SDKs raise what they like; whatever it is, the model did not answer.
            late = isinstance(e, TimeoutError) and self._remaining() <= 0
            took = f"the run took {self._limits.wall_s:g} s, all it may"
            self._failed = ("limit", took) if late else ("error", _reason(e))
        if self._answer is not None:
            self._messages.append(self._answer)

    def _request(self) -> AbstractAsyncContextManager[StreamedResponse]:
        return model_request_stream(
            self._model,
            self._messages,
            model_settings=self._settings,
            model_request_parameters=self._parameters,
        )

    async def _call_all(self, calls: Sequence[ToolCallPart]) -> AsyncGenerator[Event, None]:
        told: list[ModelRequestPart] = []
        texts: list[str] = []
        for part in calls:
            spec = self._named.get(part.tool_name)
            tool = spec.name if spec else part.tool_name
            try:
                arguments = part.args_as_dict(raise_if_invalid=True)
            except (ValueError, AssertionError):
                text, failed = "the arguments are not a JSON object: no call was made", True
            else:
                yield ToolCall(part.tool_call_id, tool, arguments)
                result = await self._syscalls.call(tool, arguments)
                yield ToolResult(part.tool_call_id, tool, result.observation, result.is_error)
                text, failed = clip(result.text, MAX_RESULT), result.is_error
            texts.append(text)
            outcome: Literal["failed", "success"] = "failed" if failed else "success"
            told.append(ToolReturnPart(part.tool_name, text, part.tool_call_id, outcome=outcome))
        self._tell(told, *texts)

    def _tell(self, parts: list[ModelRequestPart], *texts: str) -> None:
        self._messages.append(ModelRequest(parts, instructions=self._instructions))
        self._uncounted += sum(map(_size, texts))

    def _remaining(self) -> float:
        return self._deadline - asyncio.get_running_loop().time()

    def _ending(self, answer: ModelResponse | None) -> Done | None:
        """How the run ends with this answer, or None if it goes on."""
        if answer is None:
            return self._done("error", "the model did not answer")
        if cut := _ENDINGS.get(answer.finish_reason or ""):
            return self._done(*cut)
        if _calls(answer):
            return None
        text = _said(answer)
        if text.strip():
            return self._done("end", output=text)
        return self._done("error", "the model ended without an answer")

    def _pay(self, answer: ModelResponse) -> Spent:
        used = answer.usage
        if not used.input_tokens and not used.output_tokens:
            # Some servers count nothing. That is no reason to take it for free.
            usage = Usage(self._counted + self._uncounted, _size(_said(answer)))
        else:
            cached = used.cache_read_tokens + used.cache_write_tokens
            usage = Usage(
                max(0, used.input_tokens - cached),
                used.output_tokens,
                used.cache_read_tokens,
                used.cache_write_tokens,
            )
        spent = Spent(usage, self._cost(usage) or 0.0)
        self._usage += spent.usage
        self._spent += spent.cost_usd
        self._counted, self._uncounted = usage.total_tokens, 0
        return spent

    def _unaffordable(self) -> str | None:
        return unaffordable(
            self._cost,
            self._model.model_name,
            self._limits.max_cost_usd - self._spent,
            self._counted + self._uncounted,
            self._limits.max_output_tokens,
        )

    def _done(self, stop: Stop, error: str = "", output: str = "") -> Done:
        return Done(output, self._usage, self._spent, stop, self._model.model_name, error)


def _definition(name: str, spec: ToolSpec) -> ToolDefinition:
    schema = {"type": "object", "properties": {}, **spec.parameters}
    return ToolDefinition(name=name, description=spec.description, parameters_json_schema=schema)


def _definition_size(named: tuple[str, ToolSpec]) -> int:
    name, spec = named
    return _size(name + spec.description + json.dumps(dict(spec.parameters)))


def _size(text: str) -> int:
    """Estimate of the tokens of ``text``."""
    return len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN + 1


def _calls(answer: ModelResponse | None) -> list[ToolCallPart]:
    return [part for part in answer.parts if isinstance(part, ToolCallPart)] if answer else []


def _said(answer: ModelResponse) -> str:
    return "".join(part.content for part in answer.parts if isinstance(part, TextPart))


def _text(event: ModelResponseStreamEvent) -> str:
    """The piece of text that an event brings, or nothing."""
    if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
        return event.part.content
    if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
        return event.delta.content_delta
    return ""


def _on_this_machine(url: str | None) -> bool:
    host = urlsplit(url or "").hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reason(error: Exception) -> str:
    said = one_line(str(error))
    if isinstance(error, AgentRunError | UserError) and said:
        return said
    return one_line(f"{type(error).__name__}: {said}" if said else type(error).__name__)
