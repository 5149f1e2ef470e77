"""Pure parts of the `claude` processor: tool names, what was spent, how a run ended."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmos.values import Done, Spent, Stop, ToolSpec, Usage

if TYPE_CHECKING:
    from claude_agent_sdk import ResultMessage

MAX_WIRE_NAME = 48
"""With the prefix ``mcp__llmos__`` it stays below the provider's 64 characters."""
_LIMITS = {
    "error_max_turns": "the run made as many model calls as it may",
    "error_max_budget_usd": "the run cost as much as it may",
    "max_output_tokens": "the model's answer was longer than one model call may be",
}


def wire_names(tools: Sequence[ToolSpec]) -> dict[str, ToolSpec]:
    """Tools by the name the model sees: letters, digits, ``_`` and ``-`` only, all different."""
    named: dict[str, ToolSpec] = {}
    for spec in tools:
        name = re.sub(r"[^A-Za-z0-9_-]", "_", spec.name)
        if name in named or len(name) > MAX_WIRE_NAME:
            digest = hashlib.sha256(spec.name.encode()).hexdigest()[:8]
            name = f"{name[: MAX_WIRE_NAME - 9]}_{digest}"
        named[name] = spec
    return named


def one_line(text: str, limit: int = 300) -> str:
    """``text`` in one line of at most ``limit`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


@dataclass
class Bill:
    """What a run has cost so far: at list prices, call by call, until the CLI says what it was."""

    model: str = ""
    usage: Usage = field(default_factory=Usage)
    cost_usd: float = 0.0
    _call: dict[str, Any] | None = None
    """What the provider has counted of the model call that is going on."""

    def hear(self, event: Mapping[str, Any]) -> Spent | None:
        """Follow the stream of a model call; what it cost, when it has ended."""
        kind = event.get("type")
        if kind == "message_start":
            message = event.get("message") or {}
            self.model = message.get("model") or self.model
            self._call = dict(message.get("usage") or {})
        elif kind == "message_delta" and self._call is not None:
            counted = event.get("usage") or {}
            self._call.update({k: v for k, v in counted.items() if v is not None})
        elif kind == "message_stop":
            return self.end_call()
        return None

    def end_call(self) -> Spent | None:
        """Put the model call that is going on, if any, on the bill, as far as it is known."""
        if self._call is None:
            return None
        usage = _usage(self._call)
        spent = Spent(usage, _list_price(self.model, usage))
        self.usage += spent.usage
        self.cost_usd += spent.cost_usd
        self._call = None
        return spent

    def take(self, result: ResultMessage) -> None:
        """Replace the running sums by what the CLI counted, over all models it used."""
        by_model = list((result.model_usage or {}).values())
        if by_model:
            self.usage = Usage(
                sum(used["inputTokens"] for used in by_model),
                sum(used["outputTokens"] for used in by_model),
                sum(used["cacheReadInputTokens"] for used in by_model),
                sum(used["cacheCreationInputTokens"] for used in by_model),
            )
        elif result.usage:
            self.usage = _usage(result.usage)
        if result.total_cost_usd is not None:
            self.cost_usd = float(result.total_cost_usd)

    def done(self, stop: Stop, error: str = "", output: str = "") -> Done:
        """The end of a run that has cost this."""
        return Done(output, self.usage, self.cost_usd, stop, self.model or "claude", error)


def done_of(result: ResultMessage, bill: Bill, last_error: str) -> Done:
    """How the run ended.

    An error of the provider comes as a result of subtype ``success`` whose text reads like an
    answer ("Not logged in"); it is told apart by ``is_error``, the reason it ended, and the error
    of the last message, any of which suffices.
    """
    bill.take(result)
    limit = _LIMITS.get(last_error) or _LIMITS.get(result.subtype)
    if limit:
        return bill.done("limit", limit)
    if result.stop_reason == "refusal":
        return bill.done("error", one_line(f"the model refused: {result.result or ''}"))
    ended_well = result.subtype == "success" and result.terminal_reason in (None, "completed")
    if result.is_error or last_error or not ended_well:
        said = "; ".join(result.errors or ()) or result.result or last_error or result.subtype
        hint = " (set ANTHROPIC_API_KEY)" if last_error == "authentication_failed" else ""
        return bill.done("error", one_line(said) + hint)
    return bill.done("end", output=result.result or "")


def _usage(counted: Mapping[str, Any]) -> Usage:
    return Usage(
        counted.get("input_tokens") or 0,
        counted.get("output_tokens") or 0,
        counted.get("cache_read_input_tokens") or 0,
        counted.get("cache_creation_input_tokens") or 0,
    )


def _list_price(model: str, usage: Usage) -> float:
    """What a model call costs; nothing where the price is not known and the CLI must say it."""
    if not usage.total_tokens:
        return 0.0
    from genai_prices import Usage as Priced
    from genai_prices import calc_price

    counted = Priced(
        input_tokens=usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
    )
    try:
        return float(calc_price(counted, model, provider_id="anthropic").total_price)
    except LookupError:
        return 0.0
