"""Whether a document is a trajectory. It came from a stranger: nothing in it is believed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

DEEPEST = 64
"""Levels of objects and lists in one another. No tool takes or gives anything near it."""
MOST_TOKENS = 10**12
"""In one figure of a document; no run has as many."""
MOST_DOLLARS = 10**6
"""In one figure of a document. The sum of all figures that a file can hold fits the store."""

_VERSION = re.compile(r"ATIF-v1\.[0-8]")
_SOURCES = ("system", "user", "agent")
_OF_AGENTS = ("model_name", "reasoning_content", "tool_calls", "metrics")
_TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens")


class Malformed(Exception):
    """A document cannot be read.

    Args:
        place: Where in it, ``steps[3].tool_calls[0]``; ``""`` for all of it.
        reason: Why.
    """

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.place = place
        self.reason = reason


def checked(data: object) -> dict[str, Any]:
    """``data``, if it is a trajectory. Fields that the format does not have do not matter.

    Args:
        data: Any JSON value.

    Raises:
        Malformed: It is none.
    """
    if not isinstance(data, dict):
        raise Malformed("", "it is no object")
    version = data.get("schema_version")
    if not isinstance(version, str) or not version.startswith("ATIF-"):
        raise Malformed("schema_version", "it does not say that this is an ATIF document")
    if not _VERSION.fullmatch(version):
        raise Malformed("schema_version", f"{version[:20]!r} is not known: 1.0 to 1.8 are")
    if too_deep(data):
        raise Malformed("", f"nested more than {DEEPEST} deep")
    agent = _object(data, "", "agent")
    _text(agent, "agent", "name")
    _text(agent, "agent", "model_name", optional=True)
    _object(agent, "agent", "extra", optional=True)
    _object(data, "", "extra", optional=True)
    _metrics(_object(data, "", "final_metrics", optional=True), "final_metrics", "total_")
    steps = _list(data, "", "steps")
    if not steps:
        raise Malformed("steps", "there are none")
    for i, step in enumerate(steps):
        _step(step, f"steps[{i}]", i + 1)
    return data


def time_of(text: str) -> datetime | None:
    """A timestamp of the format; one without a zone is UTC. None for a time that none is.

    Some programs write the year 1 where they know no time.

    Raises:
        ValueError: It is none.
    """
    at = datetime.fromisoformat(text)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return at.astimezone(UTC) if 1970 < at.year < 3000 else None


def _step(step: Any, place: str, number: int) -> None:
    if not isinstance(step, dict):
        raise Malformed(place, "no object")
    if step.get("step_id") != number or isinstance(step.get("step_id"), bool):
        raise Malformed(f"{place}.step_id", f"steps are numbered from 1, so this must be {number}")
    source = step.get("source")
    if source not in _SOURCES:
        raise Malformed(f"{place}.source", f"none of {', '.join(_SOURCES)}")
    _content(step, place, "message", optional=False)
    _object(step, place, "extra", optional=True)
    if (at := _text(step, place, "timestamp", optional=True)) is not None:
        try:
            time_of(at)
        except ValueError:
            raise Malformed(f"{place}.timestamp", "no time in the form of ISO 8601") from None
    _text(step, place, "model_name", optional=True)
    if source != "agent":
        for name in _OF_AGENTS:
            if step.get(name) is not None:
                raise Malformed(f"{place}.{name}", f"a step of the {source} has none")
    calls = _calls(step, place)
    _observation(step, place, calls)
    _metrics(_object(step, place, "metrics", optional=True), f"{place}.metrics", "")
    count = _number(step, place, "llm_call_count")
    if count == 0 and source == "agent":
        for name in ("metrics", "reasoning_content"):
            if step.get(name) is not None:
                raise Malformed(f"{place}.{name}", "a step without a model has none")


def _calls(step: Mapping[str, Any], place: str) -> set[str]:
    ids: set[str] = set()
    for i, call in enumerate(_list(step, place, "tool_calls", optional=True)):
        where = f"{place}.tool_calls[{i}]"
        if not isinstance(call, dict):
            raise Malformed(where, "no object")
        call_id = _text(call, where, "tool_call_id") or ""
        if call_id in ids:
            raise Malformed(f"{where}.tool_call_id", "another call of this step has it")
        ids.add(call_id)
        if not _text(call, where, "function_name"):
            raise Malformed(f"{where}.function_name", "empty")
        _object(call, where, "arguments")
        _object(call, where, "extra", optional=True)
    return ids


def _observation(step: Mapping[str, Any], place: str, calls: set[str]) -> None:
    observation = _object(step, place, "observation", optional=True)
    if observation is None:
        return
    for i, result in enumerate(_list(observation, f"{place}.observation", "results")):
        where = f"{place}.observation.results[{i}]"
        if not isinstance(result, dict):
            raise Malformed(where, "no object")
        _content(result, where, "content", optional=True)
        _object(result, where, "extra", optional=True)
        of = _text(result, where, "source_call_id", optional=True)
        if of is not None and of not in calls:
            raise Malformed(f"{where}.source_call_id", "no call of this step has that id")


def _metrics(metrics: dict[str, Any] | None, place: str, prefix: str) -> None:
    if metrics is None:
        return
    for name in _TOKENS:
        _number(metrics, place, f"{prefix}{name}")
    _object(metrics, place, "extra", optional=True)
    name = f"{prefix}cost_usd"
    cost = metrics.get(name)
    if cost is None:
        return
    if isinstance(cost, bool) or not isinstance(cost, (int, float)):
        raise Malformed(f"{place}.{name}", "no number")
    if not math.isfinite(cost) or not 0 <= cost <= MOST_DOLLARS:
        raise Malformed(f"{place}.{name}", "no amount of dollars")


def _content(holder: Mapping[str, Any], place: str, name: str, *, optional: bool) -> None:
    """A text, or parts of text, images and sounds."""
    content = holder.get(name)
    if isinstance(content, str) or (content is None and optional):
        return
    if not isinstance(content, list):
        raise Malformed(f"{place}.{name}", "neither a text nor a list of parts")
    for i, part in enumerate(content):
        where = f"{place}.{name}[{i}]"
        if not isinstance(part, dict):
            raise Malformed(where, "no object")
        kind = _text(part, where, "type")
        if kind == "text":
            _text(part, where, "text")
        elif kind not in ("image", "audio"):
            raise Malformed(f"{where}.type", "none of text, image, audio")


def _text(
    holder: Mapping[str, Any], place: str, name: str, *, optional: bool = False
) -> str | None:
    value = holder.get(name)
    if isinstance(value, str) or (value is None and optional):
        return value
    raise Malformed(_at(place, name), "missing" if value is None else "no text")


def _number(holder: Mapping[str, Any], place: str, name: str) -> int | None:
    value = holder.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_TOKENS:
        raise Malformed(_at(place, name), "no count")
    return value


def _object(holder: Mapping[str, Any], place: str, name: str, *, optional: bool = False) -> Any:
    value = holder.get(name)
    if isinstance(value, dict) or (value is None and optional):
        return value
    raise Malformed(_at(place, name), "missing" if value is None else "no object")


def _list(holder: Mapping[str, Any], place: str, name: str, *, optional: bool = False) -> list[Any]:
    value = holder.get(name)
    if value is None and optional:
        return []
    if isinstance(value, list):
        return value
    raise Malformed(_at(place, name), "missing" if value is None else "no list")


def _at(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def too_deep(value: object) -> bool:
    """Whether anything is nested deeper than `DEEPEST`; level by level, whatever the depth."""
    level: list[object] = [value]
    for _ in range(DEEPEST):
        inner: list[object] = []
        for held in level:
            if isinstance(held, dict):
                inner += [v for v in held.values() if isinstance(v, (dict, list))]
            elif isinstance(held, list):
                inner += [v for v in held if isinstance(v, (dict, list))]
        if not inner:
            return False
        level = inner
    return True
