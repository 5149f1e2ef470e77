"""Puts the records of a session together to goals: a prompt and all that was done for it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from llmos.memory.importers.heard import Call, Heard, usage_of
from llmos.memory.importers.prompts import (
    INTERRUPTED,
    LOCAL_COMMAND,
    Prompt,
    attachments,
    is_command,
    not_a_prompt,
    prompt_text,
)
from llmos.memory.importers.records import Record
from llmos.memory.importers.report import Report
from llmos.memory.importers.results import as_ours, result_text

_SILENT = frozenset({"thinking", "redacted_thinking", "fallback"})
"""Blocks of an answer that neither do nor say anything."""
_CUT_OFF = frozenset({"max_tokens", "model_context_window_exceeded", "refusal"})


class Goals:
    """Hears the records of one session in their order.

    Args:
        report: Counts what is left out.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._open: Heard | None = None
        self._command: tuple[Heard, int] | None = None
        """A command, and where it stands; a goal only when the model answers it."""
        self._calls: dict[str, Call] = {}
        self._message = ""
        self._next = 0

    def hear(self, record: Record) -> Heard | None:
        """Take up a record; returns the goal before it if a new one begins with it."""
        data = record.data
        if data.get("isSidechain"):
            self._report.ignored["subagent"] += 1
            return None
        if data["type"] == "attachment":
            self._queued(data)
            return None
        message = data.get("message")
        if not isinstance(message, dict):
            self._report.not_understood[f"{data['type']}: no message"] += 1
            return None
        if data["type"] == "user":
            return self._user(data, message, record.begin)
        closed = self._begin(*self._command) if self._command else None
        self._assistant(data, message)
        return closed

    def close(self, end: int) -> Heard | None:
        """The goal that is open at the end of the file, or None.

        Args:
            end: Offset of the end, or of the prompt that comes next.
        """
        closed, self._open = self._open, None
        self._calls.clear()
        if closed is not None:
            closed.end = end
        return closed

    # --- what the user says, and what tools do -----------------------------------------------

    def _user(self, data: dict[str, Any], message: dict[str, Any], begin: int) -> Heard | None:
        for flag, name in (("isCompactSummary", "summary"), ("isMeta", "meta")):
            if data.get(flag):
                self._report.ignored[name] += 1
                return None
        content = message.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if not isinstance(blocks, list):
            self._report.not_understood["user: content of an unknown form"] += 1
            return None
        results = [b for b in blocks if isinstance(b, dict) and b.get("type") == "tool_result"]
        for block in results:
            self._result(block, data)
        prompt = self._prompt(blocks)
        if prompt is None:
            return None
        if results and self._open is not None:
            self._open.added += (prompt.text, *prompt.attached)
            return None
        goal = Heard(
            self._next, prompt.text, _time(data), _text(data.get("cwd")), [*prompt.attached]
        )
        self._next += 1
        if prompt.command:
            self._command = goal, begin
            return None
        return self._begin(goal, begin)

    def _begin(self, goal: Heard, begin: int) -> Heard | None:
        closed = self.close(begin)
        self._open, self._command = goal, None
        return closed

    def _prompt(self, blocks: list[Any]) -> Prompt | None:
        texts = []
        for block in blocks:
            kind = _kind(block)
            if kind == "text":
                texts.append(_text(block.get("text")))
            elif kind not in ("tool_result", "image", "document"):
                self._report.not_understood[f"user: block {kind:.40}"] += 1
        told = [text for text in texts if not self._aside(text)]
        text = prompt_text("\n".join(told))
        command = any(map(is_command, told))
        return Prompt(text, attachments(blocks), command) if text else None

    def _aside(self, text: str) -> bool:
        """Whether a text is no part of a prompt."""
        if text.strip() in INTERRUPTED:
            if self._open is not None:
                self._open.interrupted = True
            return True
        why = not_a_prompt(text)
        if text.startswith(LOCAL_COMMAND):
            self._command = None
        if why:
            self._report.ignored[why] += 1
        return bool(why)

    def _result(self, block: dict[str, Any], data: dict[str, Any]) -> None:
        call = self._calls.get(_text(block.get("tool_use_id")))
        if call is None:
            self._report.not_understood["user: result of an unknown call"] += 1
            return
        text = result_text(block.get("content"))
        call.observation = as_ours(call.tool, text, data.get("toolUseResult"))
        call.is_error = bool(block.get("is_error"))
        call.answered = True
        at = _time(data)
        if at is not None and call.at is not None:
            call.duration_s = max(0.0, (at - call.at).total_seconds())
        if self._open is not None:
            self._open.last = at or self._open.last

    def _queued(self, data: dict[str, Any]) -> None:
        """Words that the user typed while the model worked."""
        said = data.get("attachment")
        if self._open is None or not isinstance(said, dict):
            return
        if said.get("type") == "queued_command":
            text = said.get("prompt")
            self._open.added.append(text if isinstance(text, str) else repr(text))
        else:
            self._report.ignored["attachment"] += 1

    # --- what the model says -----------------------------------------------------------------

    def _assistant(self, data: dict[str, Any], message: dict[str, Any]) -> None:
        goal = self._open
        if goal is None:
            self._report.not_understood["assistant: answer without a prompt"] += 1
            return
        goal.heard = True
        goal.last = _time(data) or goal.last
        content = message.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        blocks = blocks if isinstance(blocks, list) else []
        if data.get("isApiErrorMessage"):
            goal.error = "\n".join(_text(b.get("text")) for b in blocks if isinstance(b, dict))
            goal.error = goal.error or "the API answered with an error"
            return
        goal.error = ""
        self._count(goal, data, message)
        self._say(goal, _text(message.get("id")), blocks, _time(data))
        goal.stop = _text(message.get("stop_reason")) or _stop(blocks) or goal.stop
        if goal.stop in _CUT_OFF:
            goal.error = f"the answer was cut off: {goal.stop}"

    def _say(self, goal: Heard, message: str, blocks: list[Any], at: datetime | None) -> None:
        same = message != "" and message == self._message
        self._message = message
        for block in blocks:
            kind = _kind(block)
            if kind == "text":
                said = _text(block.get("text"))
                goal.output = f"{goal.output}\n{said}" if same and goal.output else said
                same = True
            elif kind == "tool_use":
                self._call(goal, block, at)
            elif kind not in _SILENT:
                self._report.not_understood[f"assistant: block {kind:.40}"] += 1

    def _call(self, goal: Heard, block: dict[str, Any], at: datetime | None) -> None:
        name, given, call_id = block.get("name"), block.get("input"), _text(block.get("id"))
        if not isinstance(name, str) or not name or not isinstance(given, dict):
            self._report.not_understood["assistant: call without a name or arguments"] += 1
            return
        if call_id in self._calls:
            return  # told again in another line
        # What was said before a call is no answer.
        goal.output = ""
        call = self._calls[call_id] = Call(name, given, at)
        goal.calls.append(call)

    def _count(self, goal: Heard, data: dict[str, Any], message: dict[str, Any]) -> None:
        used, model = message.get("usage"), message.get("model")
        if isinstance(model, str) and model != "<synthetic>":
            goal.model = model
        if isinstance(used, dict):
            key = _text(data.get("requestId")) or _text(message.get("id"))
            goal.usages[key or str(len(goal.usages))] = usage_of(used)


def _stop(blocks: list[Any]) -> str | None:
    """What ended an answer of which the record does not say it."""
    kinds = [_kind(block) for block in blocks]
    if "tool_use" in kinds:
        return "tool_use"
    return "end_turn" if "text" in kinds else None


def _kind(block: Any) -> str:
    return str(block.get("type") if isinstance(block, dict) else type(block).__name__)


def _time(data: dict[str, Any]) -> datetime | None:
    try:
        at = datetime.fromisoformat(data["timestamp"])
    except (KeyError, TypeError, ValueError):
        return None
    return at if at.tzinfo else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
