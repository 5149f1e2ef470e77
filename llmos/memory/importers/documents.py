"""Goals of a trajectory document (ATIF): what a user says, and the agent's steps after it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmos.kernel.text import plain
from llmos.memory.atif.checking import time_of, too_deep
from llmos.memory.atif.reading import no_number, read_document
from llmos.memory.atif.writing import FREE, OURS
from llmos.memory.importers.heard import Call, Heard
from llmos.memory.importers.report import Report
from llmos.values import Json, Usage, Verdict

_BAD = (Verdict.FAILED.value, Verdict.REFUTED.value)


def heard_in(path: Path, report: Report) -> Iterator[Heard]:
    """The goals of a document in their order. All of it is checked before the first is given.

    Args:
        path: The file.
        report: Counts what is left out.

    Raises:
        Malformed: It is no document.
        OSError: It cannot be read.
    """
    data = read_document(path)
    status = path.stat()
    # A document may hold no time at all; then the file's is the nearest that is known.
    fallback = datetime.fromtimestamp(status.st_mtime, UTC)
    for key, name in (
        ("subagent_trajectories", "subagent"),
        ("continued_trajectory_ref", "continued in another file"),
    ):
        report.ignored[name] += bool(data.get(key))
    goals = _Goals(data, report)
    heard = list(goals.all())
    if len(heard) == 1:
        _whole(heard[0], data)
    for goal in heard:
        goal.now = goal.now or fallback
        goal.end = status.st_size
        yield goal


class _Goals:
    """Takes a checked document apart."""

    def __init__(self, data: Mapping[str, Any], report: Report) -> None:
        self._steps = data["steps"]
        self._model = _line(data["agent"].get("model_name") or "")
        self._cwd = _folder(data["agent"].get("extra") or {})
        self._places = bool(_ours(data).get("places"))
        self._free = _ours(data).get("mode") in FREE
        self._report = report

    def all(self) -> Iterator[Heard]:
        """Every goal, also those that nothing was done for."""
        goal, index = None, 0
        for step in self._steps:
            if step.get("is_copied_context"):
                self._report.ignored["copied from another document"] += 1
            elif (step.get("extra") or {}).get("is_sidechain") is True:
                self._report.ignored["subagent"] += 1  # as Harbor notes it
            elif step["source"] == "system":
                self._report.ignored["system"] += 1
            elif step["source"] == "user":
                if goal is not None:
                    yield goal
                goal = self._begin(step, index)
                index += 1
            elif goal is None:
                self._report.not_understood["agent: answer without a prompt"] += 1
            else:
                self._agent(goal, step)
        if goal is not None:
            yield goal

    def _begin(self, step: Mapping[str, Any], index: int) -> Heard:
        text = _texts(step["message"])
        cwd = self._cwd or _folder(step.get("extra") or {})
        goal = Heard(index, text, _time(step), cwd, _media(step["message"]))
        goal.relative = self._places
        return goal

    def _agent(self, goal: Heard, step: Mapping[str, Any]) -> None:
        before = goal.free or not goal.heard
        goal.free = self._free and before and step.get("llm_call_count") == 0
        goal.heard = True
        at = _time(step)
        goal.last = at or goal.last
        goal.cwd = goal.cwd or _folder(step.get("extra") or {})
        if step.get("llm_call_count") != 0:
            goal.model = _line(step.get("model_name") or "") or self._model
        calls = {c["tool_call_id"]: _call(c, at) for c in step.get("tool_calls") or ()}
        goal.calls += calls.values()
        # What was said before a call is no answer.
        goal.output = "" if calls else _texts(step["message"])
        self._results(step, calls)
        if metrics := step.get("metrics"):
            goal.usages[str(step["step_id"])] = _usage(metrics, "")
            if metrics.get("cost_usd") is not None:
                goal.cost_usd = (goal.cost_usd or 0.0) + float(metrics["cost_usd"])

    def _results(self, step: Mapping[str, Any], calls: Mapping[str, Call]) -> None:
        results = (step.get("observation") or {}).get("results", ())
        for result in results:
            if result.get("subagent_trajectory_ref"):
                self._report.ignored["subagent"] += 1
            call = calls.get(result.get("source_call_id") or "")
            if call is None and len(calls) == len(results) == 1:
                (call,) = calls.values()  # there is nothing else that it may be of
            if call is None:
                self._report.ignored["result of no call"] += 1
                continue
            extra = result.get("extra") or {}
            said = _observation(result.get("content"), extra)
            # A call may have several results, a text and an image for instance.
            call.observation = f"{call.observation}\n{said}" if call.answered else said
            call.is_error = call.is_error or _is_error(extra)
            call.answered = True


def _whole(goal: Heard, data: Mapping[str, Any]) -> None:
    """What a document says of all of itself is said of the only goal in it."""
    totals, told = data.get("final_metrics") or {}, _ours(data)
    if totals and not goal.usages:
        goal.usages["all"] = _usage(totals, "total_")
    if goal.cost_usd is None and totals.get("total_cost_usd") is not None:
        goal.cost_usd = float(totals["total_cost_usd"])
    error, verdict = told.get("error"), told.get("verdict")
    if isinstance(error, str):
        goal.error = error
    if verdict in _BAD and not goal.error:
        # That it was right is not believed; that it was wrong does no harm.
        goal.error = f"the document says that it was {verdict}"


def _call(told: Mapping[str, Any], at: datetime | None) -> Call:
    return Call(_line(told["function_name"]), told["arguments"], at)


def _observation(content: Any, extra: Mapping[str, Any]) -> Json:
    if content is None:
        return None
    text = _texts(content)
    if extra.get("json") is not True:
        return text
    try:
        value: Json = json.loads(text, parse_constant=no_number)
    except (ValueError, RecursionError):
        return text
    return text if too_deep(value) else value


def _is_error(extra: Mapping[str, Any]) -> bool:
    """The format has no field for it; these are what LLM OS and Harbor write."""
    nested = extra.get("tool_result_metadata")
    told = [extra, nested if isinstance(nested, dict) else {}]
    return any(one.get("is_error") is True for one in told)


def _usage(metrics: Mapping[str, Any], prefix: str) -> Usage:
    """Tokens: cached ones are a part of the prompt here, and apart from it with us."""
    extra = metrics.get("extra") or {}
    created = next(
        (
            n
            for key in ("cache_creation_input_tokens", "total_cache_creation_input_tokens")
            if isinstance(n := extra.get(key), int) and not isinstance(n, bool) and n > 0
        ),
        0,
    )
    prompt = metrics.get(f"{prefix}prompt_tokens") or 0
    cached = min(metrics.get(f"{prefix}cached_tokens") or 0, prompt)
    created = min(created, prompt - cached)
    answered = metrics.get(f"{prefix}completion_tokens") or 0
    return Usage(prompt - cached - created, answered, cached, created)


def _texts(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(p["text"] if p["type"] == "text" else f"[{p['type']}]" for p in content)


def _media(content: Any) -> list[str]:
    """Digests of what a prompt holds beside text: the goal was about it."""
    if isinstance(content, str):
        return []
    return [
        hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()
        for part in content
        if part["type"] != "text"
    ]


def _ours(data: Mapping[str, Any]) -> Mapping[str, Any]:
    told = (data.get("extra") or {}).get(OURS)
    return told if isinstance(told, dict) else {}


def _folder(extra: Mapping[str, Any]) -> str:
    """The working directory, as Harbor notes it; it is only taken out of other texts."""
    many = extra.get("cwds")
    told = many[0] if isinstance(many, list) and many else extra.get("cwd")
    return plain(told) if isinstance(told, str) and told.startswith("/") else ""


def _time(step: Mapping[str, Any]) -> datetime | None:
    at = step.get("timestamp")
    return time_of(at) if at is not None else None


def _line(text: str) -> str:
    return plain(text).replace("\0", "")
