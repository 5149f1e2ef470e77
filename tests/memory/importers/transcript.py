"""Writes transcripts in the form of Claude Code: one JSON object on each line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Self

BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Transcript:
    """One session; every method adds a record one second after the one before.

    Args:
        cwd: Where the session works.
        id: Of the session.
        begin: When it begins.
    """

    def __init__(self, cwd: Path | str = "/work/shop", id: str = "s1", begin: datetime = BEGIN):
        self.id = id
        self.cwd = str(cwd)
        self.lines: list[str] = []
        self._at = begin
        self._ids = count(1)
        self._tool = ""

    def user(self, content: Any, **more: Any) -> Self:
        """What stands in a user record: a prompt as text or blocks, or results."""
        return self.add("user", message={"role": "user", "content": content}, **more)

    def says(self, text: str, **more: Any) -> Self:
        """The model answers in one message."""
        return self.message([{"type": "text", "text": text}], **more)

    def calls(self, tool: str, /, **arguments: Any) -> Self:
        """The model calls a tool; `gives` tells the result."""
        self._tool = f"toolu_{next(self._ids)}"
        block = {"type": "tool_use", "id": self._tool, "name": tool, "input": arguments}
        return self.message([block], stop_reason="tool_use")

    def gives(self, content: Any, *, error: bool = False, told: Any = None) -> Self:
        """The result of the last call."""
        block = {"tool_use_id": self._tool, "type": "tool_result", "content": content}
        if error:
            block["is_error"] = True
        return self.user([block], toolUseResult=told)

    def message(
        self,
        blocks: list[dict[str, Any]],
        *,
        id: str = "",
        stop_reason: str | None = "end_turn",
        usage: tuple[int, int] = (100, 20),
        **more: Any,
    ) -> Self:
        """A record of an answer of the model."""
        message = {
            "id": id or f"msg_{next(self._ids)}",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-5",
            "content": blocks,
            "stop_reason": stop_reason,
            "usage": {
                "input_tokens": usage[0],
                "output_tokens": usage[1],
                "cache_read_input_tokens": 5,
                "cache_creation_input_tokens": 7,
            },
        }
        return self.add("assistant", message=message, **more)

    def add(self, type: str, **fields: Any) -> Self:
        """Any record."""
        self._at += timedelta(seconds=1)
        stamp = self._at.isoformat().replace("+00:00", "Z")
        head = {"parentUuid": None, "isSidechain": False, "type": type, "timestamp": stamp}
        rest = {"userType": "external", "cwd": self.cwd, "sessionId": self.id, "version": "2.1.330"}
        return self.raw(json.dumps(head | rest | fields))

    def raw(self, line: str) -> Self:
        """A line as it is."""
        self.lines.append(line)
        return self

    def read(self, path: Path | str, content: str) -> Self:
        """A call of ``Read`` and its result, as Claude Code records both."""
        lines = content.split("\n")
        file = {"filePath": str(path), "content": content, "numLines": len(lines)}
        shown = "\n".join(f"{n}\t{line}" for n, line in enumerate(lines, 1))
        self.calls("Read", file_path=str(path))
        told = {"type": "text", "file": file | {"startLine": 1, "totalLines": len(lines)}}
        return self.gives(shown, told=told)

    def save(self, folder: Path) -> Path:
        """Write it where Claude Code would."""
        path = folder / "-work-shop" / f"{self.id}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in self.lines), "utf-8")
        return path


def bookkeeping(session: str = "s1") -> Iterator[str]:
    """Lines that a session holds beside what was said, in their real form."""
    yield f'{{"type":"queue-operation","operation":"enqueue","sessionId":"{session}"}}'
    yield f'{{"type":"summary","summary":"Shop","leafUuid":"{session}"}}'
    yield (
        '{"parentUuid":null,"isSidechain":false,'
        '"attachment":{"type":"skill_listing","content":"x"},"type":"attachment"}'
    )
    yield '{"type":"file-history-snapshot","messageId":"m","snapshot":{}}'
