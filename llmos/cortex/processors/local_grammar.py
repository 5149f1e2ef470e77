"""The one JSON object that a small model may reply with, and what it was.

Tools are offered in a short form: a small model fills in whatever it is shown, and its time is
the length of its prompt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmos.values import Json, ToolSpec

OPTIONAL: dict[str, tuple[str, ...]] = {
    "Read": ("offset",),
    "Write": (),
    "Edit": ("replace_all",),
    "Glob": (),
    "Grep": ("path",),
    "Bash": (),
    "WebFetch": (),
}
"""Optional arguments offered of the built-in tools. Other tools are offered with all they have."""
_KEPT = ("type", "enum", "const", "minimum", "maximum", "minItems", "maxItems")
_MAX_DEPTH = 6
_ANY: dict[str, Json] = {}


@dataclass(frozen=True, slots=True)
class Call:
    """The model asks for a tool."""

    tool: str
    arguments: Mapping[str, Json]

    @property
    def key(self) -> str:
        """Equal for equal calls."""
        return json.dumps([self.tool, dict(self.arguments)], sort_keys=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """The model says that the job is done, or that it cannot be."""

    text: str


def offered(tools: Sequence[ToolSpec], told: str) -> list[ToolSpec]:
    """``tools`` in the form that a small model is shown.

    Args:
        tools: What the run may call.
        told: All that the model is told of the job. ``WebFetch`` is offered only if that names an
            address: a small model makes addresses up.
    """
    return [_short(tool) for tool in tools if tool.name != "WebFetch" or "://" in told]


def reply_schema(tools: Sequence[ToolSpec], *, may_answer: bool = True) -> dict[str, Json]:
    """JSON schema of one reply: a call of one of ``tools`` or, if it may, an answer."""
    ways: list[Json] = [
        _object({"tool": {"const": tool.name}, "arguments": dict(tool.parameters)})
        for tool in tools
    ]
    if may_answer or not ways:
        ways.append(_object({"answer": {"type": "string"}}))
    return {"anyOf": ways}


def parse(text: str, tools: Sequence[ToolSpec]) -> Call | Answer | None:
    """What a reply says; None if it is not of the schema (cut off, for example)."""
    try:
        reply = json.loads(text)
    except ValueError:
        return None
    if not isinstance(reply, dict):
        return None
    answer, tool, arguments = reply.get("answer"), reply.get("tool"), reply.get("arguments")
    if isinstance(answer, str) and answer.strip():
        return Answer(answer.strip())
    if isinstance(arguments, dict) and any(tool == spec.name for spec in tools):
        return Call(str(tool), arguments)
    return None


def _short(tool: ToolSpec) -> ToolSpec:
    properties = tool.parameters.get("properties", {})
    required = [name for name in tool.parameters.get("required", ()) if name in properties]
    kept = {*required, *OPTIONAL.get(tool.name, tuple(properties))}
    simple = {
        name: _simple(schema, tool.parameters, required=name in required)
        for name, schema in properties.items()
        if name in kept
    }
    description = tool.description.strip().partition("\n")[0].replace("``", "")
    return ToolSpec(tool.name, description, _object(simple, required), tool.effect)


def _object(properties: dict[str, Json], required: list[str] | None = None) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


def _simple(schema: Json, root: Mapping[str, Json], depth: int = 0, *, required: bool) -> Json:
    """``schema`` in the words that every grammar engine knows, references resolved.

    An engine that meets a word it does not know drops the whole grammar without telling, so
    patterns, formats and the like are left to the kernel, which checks every call.
    """
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return _ANY
    if "$ref" in schema:
        return _simple(_resolve(schema["$ref"], root), root, depth + 1, required=required)
    ways = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(ways, list):
        # What may be left out need not be null.
        told = [w for w in ways if required or not _is_null(w)]
        simple = [_simple(way, root, depth + 1, required=True) for way in told]
        return simple[0] if len(simple) == 1 else {"anyOf": simple}
    kept: dict[str, Json] = {word: schema[word] for word in _KEPT if word in schema}
    if isinstance(kept.get("type"), list):
        options = [{**schema, "type": kind} for kind in kept["type"]]
        return _simple({"anyOf": options}, root, depth + 1, required=required)
    if "items" in schema:
        kept["items"] = _simple(schema["items"], root, depth + 1, required=True)
    if isinstance(schema.get("properties"), Mapping):
        inner = schema["properties"]
        needed = [name for name in schema.get("required", ()) if name in inner]
        simple_inner = {
            name: _simple(entry, root, depth + 1, required=name in needed)
            for name, entry in inner.items()
        }
        return _object(simple_inner, needed)
    return kept


def _is_null(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "null"


def _resolve(reference: Any, root: Mapping[str, Json]) -> Json:
    found: Any = root
    for part in str(reference).removeprefix("#/").split("/"):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
