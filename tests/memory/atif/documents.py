"""Trajectory documents as a person would write them down by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

AT = "2026-03-02T09:00:0{}Z"


def user(text: Any = "Write a note", **more: Any) -> dict[str, Any]:
    return {"source": "user", "message": text, "timestamp": AT.format(0)} | more


def agent(text: Any = "", **more: Any) -> dict[str, Any]:
    return {"source": "agent", "message": text} | more


def call(name: str, id: str = "c1", /, **arguments: Any) -> dict[str, Any]:
    return {"tool_call_id": id, "function_name": name, "arguments": arguments}


def result(content: Any, id: str | None = "c1", **extra: Any) -> dict[str, Any]:
    told = {"content": content} | ({"extra": extra} if extra else {})
    return told | ({"source_call_id": id} if id is not None else {})


def observed(*results: dict[str, Any]) -> dict[str, Any]:
    return {"results": list(results)}


def document(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A document of these steps, numbered where they are not."""
    numbered = [{"step_id": i} | step for i, step in enumerate(steps, 1)]
    head = {"schema_version": "ATIF-v1.7", "session_id": "s1"}
    return head | {"agent": {"name": "other", "version": "2"}, "steps": numbered} | more


def save(data: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data), "utf-8")
    return path
