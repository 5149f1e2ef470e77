"""What a tool came back with, in the form in which our own tools say it."""

from __future__ import annotations

from itertools import count
from typing import Any

from llmos.memory.importers.prompts import without_additions

_ERROR = ("<tool_use_error>", "</tool_use_error>")


def result_text(content: Any) -> str:
    """The content of a ``tool_result`` block as text: a string, or blocks of text and images."""
    if isinstance(content, str):
        text = content
    elif isinstance(content, list):
        text = "\n".join(_block_text(block) for block in content)
    else:
        text = "" if content is None else str(content)
    text = without_additions(text)
    if text.startswith(_ERROR[0]):
        text = text.removeprefix(_ERROR[0]).removesuffix(_ERROR[1])
    return text


def _block_text(block: Any) -> str:
    if not isinstance(block, dict):
        return str(block)
    if isinstance(text := block.get("text"), str):
        return text
    source = block.get("source")
    kind = source.get("media_type") if isinstance(source, dict) else block.get("tool_name")
    return f"[{block.get('type', 'block')} {kind or ''}".rstrip() + "]"


def as_ours(tool: str, text: str, told: Any) -> str:
    """A result as our own tool of that name would have said it, where that is certain.

    Only ``Read`` is rendered otherwise (line numbers, and the empty line after the last line
    end); a replay compares what it reads with this text.

    Args:
        tool: Name of the tool.
        text: Of the result.
        told: What the record says of the result beside its text, any JSON.
    """
    file = told.get("file") if tool == "Read" and isinstance(told, dict) else None
    content = file.get("content") if isinstance(file, dict) else None
    first = file.get("startLine") if isinstance(file, dict) else None
    if not isinstance(content, str) or not isinstance(first, int):
        return text
    lines = content.split("\n")
    if file is None or file.get("totalLines") != first + len(lines) - 1:
        return text  # how our Read ends a part of a file depends on the rest of it
    form = "{:6d}→{}" if "→" in text[:12] else "{}\t{}"
    if "\n".join(map(form.format, count(first), lines)).strip("\n") != text.strip("\n"):
        return text
    if lines[-1] == "":
        lines.pop()
    return "\n".join(map("{:6d}\t{}".format, count(first), lines))
