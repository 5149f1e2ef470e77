"""A finished run, or a cycle of a cron, as spans: names, times and attributes, and nothing else.

The names are those of OpenTelemetry's semantic conventions for generative AI; what they have no
name for begins with ``llmos.``. What people and models wrote (goals, arguments, results, answers,
errors, reasons) is content, and is in the spans only where that was asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from llmos.store import EventRow
from llmos.store.schema import parse_stamp
from llmos.values import Json, Mode

LONGEST = 8_000
"""Characters of one piece of content at most."""

_WHY = {
    Mode.CRYSTALLIZED.value: "the goal is of a learned tool",
    Mode.FOLLOWER.value: "the same goal has a trace",
    Mode.MIXED.value: "something is known of the goal, but not all",
    Mode.LEARNER.value: "nothing that may be used is known of the goal",
}
_OWN = "llmos"
"""Who provides what no model was asked for."""

Attributes = dict[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Terms:
    """How runs are told."""

    content: bool
    """Whether what people and models wrote is told."""
    clean: Callable[[Json], Json]
    """Takes the secrets out."""
    model: str = ""
    """The configured one, ``provider:name``: a run keeps the name alone."""

    def text(self, value: Json) -> str:
        """A value as a text without secrets, not longer than `LONGEST`."""
        clean = self.clean(value)
        text = clean if isinstance(clean, str) else json.dumps(clean, ensure_ascii=False)
        return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"

    def message(self, role: str, text: str) -> str:
        """A text as the list of one message that the conventions want."""
        part = {"type": "text", "content": self.text(text)}
        return json.dumps([{"role": role, "parts": [part]}], ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Span:
    """One span. Times are nanoseconds since 1970."""

    name: str
    begin: int
    end: int
    attributes: Attributes
    error: str | None = None
    """Why it failed; ``""`` where that is not told, None where it did not fail."""
    asks: bool = False
    """Whether it is a call of somebody else's service."""
    children: tuple[Span, ...] = field(default=())


def run_span(row: Row[Any], steps: Sequence[Row[Any]], ends: Sequence[float], terms: Terms) -> Span:
    """The span of a run, with one below it for each tool call, and one for the model.

    Args:
        row: The run, as it is stored.
        steps: Its calls.
        ends: For as many of them as is known, the first first: how long before the end of the run
            they ended, in seconds.
        terms: How it is told.
    """
    end = _ns(parse_stamp(row.ended_at or row.started_at))
    begin = end - _seconds(row.duration_s)
    decision = json.loads(row.decision or "{}")
    calls = tuple(
        _call(step, begin, end, ends[k] if k < len(ends) else 0.0, terms)
        for k, step in enumerate(steps)
    )
    failed = row.verdict in ("failed", "refuted")
    told = _run(row, decision, terms) | (
        _run_content(row, decision, terms) if terms.content else {}
    )
    if failed:
        told["error.type"] = row.verdict
    model = _model(row, _took_over(decision, calls, begin), end, terms) if _used_model(row) else ()
    name = f"invoke_agent {row.agent or _OWN}"
    error = (terms.text(row.error) if terms.content else "") if failed else None
    return Span(name, begin, end, told, error, children=(*model, *calls))


def cycle_span(event: EventRow, terms: Terms) -> Span:
    """The span of a cycle that a CYCLE_END tells of."""
    told = event.payload
    end = _ns(event.at)
    begin = end - round(float(told.get("duration_s") or 0.0) * 1e9)
    attributes: Attributes = {
        "llmos.cron.level": str(told.get("level", event.volume)),
        "llmos.cron.owner": event.owner,
        "llmos.cycle.id": event.subject,
        "llmos.cycle.tasks": int(told.get("tasks") or 0),
        "llmos.cycle.runs_looked_at": int(told.get("looked_at") or 0),
        "llmos.tokens": int(told.get("tokens") or 0),
        "llmos.cost_usd": float(told.get("cost_usd") or 0.0),
    }
    error = None
    if told.get("error"):
        attributes["error.type"] = "failed"
        error = terms.text(told["error"]) if terms.content else ""
    elif told.get("why") and terms.content:
        attributes["llmos.why"] = terms.text(told["why"])
    return Span(f"cycle {attributes['llmos.cron.level']}", begin, end, attributes, error)


def _run(row: Row[Any], decision: Mapping[str, Any], terms: Terms) -> Attributes:
    usage = json.loads(row.usage or "{}")
    told: Attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": row.agent or _OWN,
        **_provider(row.model if _used_model(row) else "", terms),
        "gen_ai.usage.input_tokens": _input(usage),
        "gen_ai.usage.output_tokens": int(usage.get("output_tokens", 0)),
        "llmos.run.id": row.id,
        "llmos.mode": row.mode,
        "llmos.verdict": row.verdict,
        "llmos.cost_usd": row.cost_micro / 1_000_000,
        "llmos.why": _WHY.get(row.mode, ""),
        "llmos.source": row.source,
        "llmos.already_done": bool(decision.get("already_done")),
        "user.id": row.user_id,
    }
    if row.source.startswith("tool:"):
        told["llmos.tool.name"] = row.source.removeprefix("tool:").partition("@")[0]
    for key, value in (("llmos.team", row.team_id), ("llmos.project", row.project)):
        told |= {key: value} if value else {}
    if decision.get("side_exit"):
        told["llmos.side_exit.step"] = int(decision["side_exit"]["step"])
    return told


def _run_content(row: Row[Any], decision: Mapping[str, Any], terms: Terms) -> Attributes:
    told: Attributes = {
        "gen_ai.input.messages": terms.message("user", row.goal),
        "gen_ai.output.messages": terms.message("assistant", row.output),
        "llmos.why": terms.text(decision.get("reason") or ""),
    }
    if decision.get("side_exit"):
        told["llmos.side_exit.reason"] = terms.text(decision["side_exit"]["reason"])
    return told


def _call(step: Row[Any], begin: int, end: int, before: float, terms: Terms) -> Span:
    """The span of a tool call. Its times are measured, its place within the run's is made sure."""
    ended = min(max(begin, end - round(before * 1e9)), end)
    told: Attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": step.tool,
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": f"{step.trace_id}:{step.idx}",
        "llmos.effect": step.effect,
    }
    if terms.content:
        told["gen_ai.tool.call.arguments"] = terms.text(json.loads(step.arguments))
        told["gen_ai.tool.call.result"] = terms.text(json.loads(step.observation))
    error = None
    if step.is_error:
        told["error.type"] = "tool_error"
        error = terms.text(json.loads(step.observation)) if terms.content else ""
    began = max(begin, ended - _seconds(step.duration_s))
    return Span(f"execute_tool {step.tool}", began, ended, told, error)


def _model(row: Row[Any], begin: int, end: int, terms: Terms) -> tuple[Span]:
    """One span for all that a model was asked in a run: single questions are not recorded."""
    usage = json.loads(row.usage or "{}")
    told: Attributes = {
        "gen_ai.operation.name": "chat",
        **_provider(row.model, terms),
        "gen_ai.usage.input_tokens": _input(usage),
        "gen_ai.usage.output_tokens": int(usage.get("output_tokens", 0)),
        "gen_ai.usage.cache_read.input_tokens": int(usage.get("cache_read_tokens", 0)),
        "gen_ai.usage.cache_creation.input_tokens": int(usage.get("cache_write_tokens", 0)),
    }
    return (Span(f"chat {told['gen_ai.request.model']}", begin, end, told, asks=True),)


def _took_over(decision: Mapping[str, Any], calls: Sequence[Span], begin: int) -> int:
    """When a model began: with the run, or where a replay had stopped."""
    committed = int((decision.get("side_exit") or {}).get("committed", 0))
    return calls[committed - 1].end if 0 < committed <= len(calls) else begin


def _used_model(row: Row[Any]) -> bool:
    return bool(row.model) and sum(json.loads(row.usage or "{}").values()) > 0


def _input(usage: Mapping[str, int]) -> int:
    """All tokens that went in: the conventions count those from and to a cache among them."""
    kinds = ("input_tokens", "cache_read_tokens", "cache_write_tokens")
    return sum(int(usage.get(kind, 0)) for kind in kinds)


def _provider(model: str, terms: Terms) -> Attributes:
    """Who serves a model, as far as that is known; under the older name of the attribute too."""
    configured, _, name = terms.model.partition(":")
    if not model:
        provider = _OWN
    elif model == name:
        provider = configured
    else:
        provider = "anthropic" if model.startswith("claude") else "_OTHER"
    told: Attributes = {"gen_ai.provider.name": provider, "gen_ai.system": provider}
    return told | ({"gen_ai.request.model": model} if model else {})


def _ns(at: datetime) -> int:
    return round(at.timestamp() * 1e6) * 1000


def _seconds(text: str) -> int:
    return round(float(text or 0) * 1e9)
