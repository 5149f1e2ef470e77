"""From what an MCP tool answers to an observation: JSON, whatever it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from llmos.values import Json

MOST_BYTES = 4 << 20
"""Of an observation; more is kept as its digest."""


def observation_of(result: Mapping[str, Any]) -> Json:
    """The answer of a call as JSON.

    What is structured is taken as it is. Else: one text is a text, or the JSON that it spells;
    several parts are a list. Pictures, sounds and blobs are kept as their digest and size.

    Args:
        result: The result of ``tools/call``.
    """
    structured = result.get("structuredContent")
    if structured is None:
        parts = [_part(part) for part in result.get("content") or ()]
        structured = parts[0] if len(parts) == 1 else parts
    size = len(json.dumps(structured, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return structured if size <= MOST_BYTES else _digest("answer", json.dumps(structured).encode())


def text_of(result: Mapping[str, Any]) -> str:
    """The texts of an answer, for a message."""
    parts: Sequence[Mapping[str, Any]] = result.get("content") or ()
    return " ".join(str(p["text"]) for p in parts if isinstance(p.get("text"), str))


def _part(part: Mapping[str, Any]) -> Json:
    kind = part.get("type")
    if kind == "text":
        return _spelled(str(part.get("text", "")))
    if kind in ("image", "audio"):
        return _digest(str(kind), str(part.get("data", "")).encode(), part.get("mimeType"))
    if kind == "resource_link":
        return {"type": "link", "uri": str(part.get("uri")), "name": str(part.get("name", ""))}
    resource = part.get("resource")
    if kind == "resource" and isinstance(resource, Mapping):
        if isinstance(resource.get("text"), str):
            return {"type": "resource", "uri": str(resource.get("uri")), "text": resource["text"]}
        blob = str(resource.get("blob", "")).encode()
        return _digest("blob", blob, resource.get("mimeType"))
    return {"type": str(kind), "unknown": True}


def _spelled(text: str) -> Json:
    if text[:1] not in ("{", "["):
        return text
    try:
        value: Json = json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError):
        return text
    return value


def _refused(name: str) -> Json:
    raise ValueError(name)  # NaN and the like are no JSON


def _digest(kind: str, data: bytes, mime: object = None) -> Json:
    told: dict[str, Json] = {"type": kind, "bytes": len(data)}
    if isinstance(mime, str):
        told["mime"] = mime[:100]
    return {**told, "sha256": hashlib.sha256(data).hexdigest(), "note": "kept as its digest only"}
