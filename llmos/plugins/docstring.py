"""Reads Google-style docstrings: what a tool does, and what its parameters mean."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

_SECTION = re.compile(r"^(Args|Arguments|Returns|Raises|Yields|Examples?|Note|Notes):\s*$", re.M)


def description(function: Callable[..., Any]) -> str:
    """The docstring up to its first section."""
    doc = inspect.getdoc(function) or ""
    section = _SECTION.search(doc)
    return (doc[: section.start()] if section else doc).strip()


def parameter_docs(function: Callable[..., Any]) -> dict[str, str]:
    """What the ``Args:`` section says of each parameter."""
    doc = inspect.getdoc(function) or ""
    found = re.search(r"^(?:Args|Arguments):\s*$\n((?:[ \t]+.*\n?|\n)*)", doc, re.M)
    if not found:
        return {}
    entries: dict[str, str] = {}
    current = ""
    for line in found.group(1).splitlines():
        head = re.match(r"^ {1,4}(\w+)(?: \([^)]*\))?:\s*(.*)$", line)
        if head:
            current = head.group(1)
            entries[current] = head.group(2).strip()
        elif current and line.strip():
            entries[current] = f"{entries[current]} {line.strip()}".strip()
    return entries
