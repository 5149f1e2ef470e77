"""Writes a run as one trajectory document, without secrets."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from llmos.kernel.text import plain
from llmos.memory.redact import redact, redact_text
from llmos.values import Json, Mode, Step, Trace

VERSION = "ATIF-v1.7"
OURS = "llmos"
"""Key under which ``extra`` holds what the format has no field for."""

FREE = (Mode.FOLLOWER.value, Mode.CRYSTALLIZED.value)
"""Modes without a model."""
_PLACES = "$CWD, $HOME and $TMP stand for the folders of the run."
_STEPS = "Each call is a step: which calls one answer of a model made is not recorded."
_SECRETS = "Secrets were taken out: [redacted:…] stands for each."


class Stopped(NamedTuple):
    """Why a replay or a learned tool gave over to a model."""

    step: int
    reason: str


def trajectory(trace: Trace, version: str, side_exit: Stopped | None = None) -> dict[str, Any]:
    """A run as a document of `VERSION`; `json.dumps` takes it as it is.

    Args:
        trace: A stored run.
        version: Of LLM OS.
        side_exit: Why a free run stopped before its end, where one did.
    """
    found: Counter[str] = Counter()
    free = _is_free(trace)
    steps: list[dict[str, Any]] = [
        {
            "step_id": 1,
            "source": "user",
            "message": _clean(trace.goal, found),
            "timestamp": trace.now.isoformat(),
        }
    ]
    for i, step in enumerate(trace.steps):
        steps.append(_call(i, step, free or i < trace.prefix, found))
    if trace.output or not trace.steps:
        steps.append(_answer(trace, len(steps) + 1, free, found))
    told = _told(trace, side_exit, found)
    agent = {"name": OURS, "version": version}
    if trace.model:
        agent["model_name"] = _clean(trace.model, found)
    notes = [_PLACES, *([] if free else [_STEPS]), *([_SECRETS] if found else [])]
    return {
        "schema_version": VERSION,
        "session_id": trace.id,
        "trajectory_id": trace.id,
        "agent": agent,
        "steps": steps,
        "notes": " ".join(notes),
        "final_metrics": _metrics(trace, len(steps)),
        "extra": {OURS: told},
    }


def _is_free(trace: Trace) -> bool:
    """Whether no model took part: a free run that a model took over has its tokens."""
    return trace.mode.value in FREE and not trace.usage.total_tokens


def _call(index: int, step: Step, free: bool, found: Counter[str]) -> dict[str, Any]:
    call_id = f"call_{index + 1}"
    result: dict[str, Any] = {"source_call_id": call_id}
    said = _plain(redact(step.observation, found))
    about: dict[str, Json] = {}
    if isinstance(said, str):
        result["content"] = said
    elif said is not None:
        # The format knows text alone; who reads it back must know that it was more.
        result["content"] = json.dumps(said, ensure_ascii=False)
        about["json"] = True
    if step.is_error:
        about["is_error"] = True
    if about:
        result["extra"] = about
    call = {
        "tool_call_id": call_id,
        "function_name": _clean(step.tool, found),
        "arguments": _plain(redact(dict(step.arguments), found)),
        "extra": {"effect": step.effect.value, "duration_s": step.duration_s},
    }
    told = {
        "step_id": index + 2,
        "source": "agent",
        "message": "",
        "tool_calls": [call],
        "observation": {"results": [result]},
    }
    return told | ({"llm_call_count": 0} if free else {})


def _answer(trace: Trace, number: int, free: bool, found: Counter[str]) -> dict[str, Any]:
    ended = trace.now + timedelta(seconds=trace.duration_s)
    told = {
        "step_id": number,
        "source": "agent",
        "message": _clean(trace.output, found),
        "timestamp": ended.isoformat(),
    }
    return told | ({"llm_call_count": 0} if free else {})


def _metrics(trace: Trace, steps: int) -> dict[str, Any]:
    usage = trace.usage
    # With tokens, no cost means that nobody knows the price, or that there is none.
    known = trace.cost_usd or not usage.total_tokens
    return {
        # The format counts cached tokens as part of the prompt; we count them apart.
        "total_prompt_tokens": usage.input_tokens
        + usage.cache_read_tokens
        + usage.cache_write_tokens,
        "total_completion_tokens": usage.output_tokens,
        "total_cached_tokens": usage.cache_read_tokens,
        **({"total_cost_usd": trace.cost_usd} if known else {}),
        "total_steps": steps,
        "extra": {"cache_creation_input_tokens": usage.cache_write_tokens},
    }


def _told(trace: Trace, side_exit: Stopped | None, found: Counter[str]) -> Mapping[str, Json]:
    told: dict[str, Json] = {
        "verdict": trace.verdict.value,
        "mode": trace.mode.value,
        "source": _clean(trace.source, found),
        "agent": _clean(trace.agent, found),
        "project": _clean(trace.project, found),
        "error": _clean(trace.error, found),
        "check": _clean(trace.check or "", found),
        "part_of": trace.part_of,
        "quarantined": trace.quarantined,
        "duration_s": trace.duration_s,
        "side_exit": None,
    }
    if side_exit is not None:
        told["side_exit"] = {"step": side_exit.step, "reason": _clean(side_exit.reason, found)}
    return {k: v for k, v in told.items() if v not in ("", None, False)} | {"places": True}


def _clean(text: str, found: Counter[str]) -> str:
    return redact_text(plain(text), found)


def _plain(value: Json) -> Json:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such number
    if isinstance(value, dict):
        return {plain(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value
