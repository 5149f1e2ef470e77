"""Short examples of a tool's arguments, from good runs.

An example shows the form of arguments, never what a run found out: a value that an earlier result
of that run held stands as ``<from TOOL>``, so that no model takes over a fact that it has not
looked up itself, and that no replay would guard. Long texts stand as ``<text>``.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from llmos.memory.redact import redact
from llmos.values import Json

EACH = 2
"""Examples of one tool, at most."""
LONGEST = 200
"""Characters of one example."""
_TEXT = 40
"""Characters from which on a text is shown as ``<text>``."""
_TELLING = 3
"""Characters from which on a value is looked for anywhere in a result; a shorter one only as a
whole text in it."""


class Seen(NamedTuple):
    """A result that the run had before."""

    tool: str
    text: str
    """As JSON."""


@dataclass(frozen=True, slots=True)
class Made:
    """A call of a good run."""

    tool: str
    arguments: Mapping[str, Json]
    goal: str
    before: Sequence[Seen] = ()
    """Results of the steps before it, in order."""


def examples(made: Iterable[Made]) -> dict[str, tuple[str, ...]]:
    """By tool one or two examples, as one line of JSON each; equal calls give equal ones.

    The usual combination of arguments comes first, and of its calls any, but always the same one:
    a prompt that changes with every run cannot be cached.
    """
    by_tool: dict[str, dict[tuple[str, ...], set[str]]] = defaultdict(lambda: defaultdict(set))
    counts: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for call in made:
        names = tuple(sorted(call.arguments))
        line = shown(call)
        if names and len(line) <= LONGEST:
            by_tool[call.tool][names].add(line)
            counts[call.tool, names] += 1
    return {tool: _usual(tool, forms, counts) for tool, forms in by_tool.items()}


def _usual(
    tool: str,
    forms: Mapping[tuple[str, ...], set[str]],
    counts: Mapping[tuple[str, tuple[str, ...]], int],
) -> tuple[str, ...]:
    often = sorted(forms, key=lambda names: (-counts[tool, names], names))
    return tuple(min(forms[names], key=_drawn) for names in often[:EACH])


def described(description: str, lines: Sequence[str]) -> str:
    """A tool's description with examples after it."""
    if not lines:
        return description
    word = "Example" if len(lines) == 1 else "Examples"
    return f"{description}\n{word} of arguments: {' or '.join(lines)}"


def shown(call: Made) -> str:
    """The arguments of one call on one line, without facts, secrets and long texts."""
    clean = redact(dict(call.arguments))
    return json.dumps(_masked(clean, call), ensure_ascii=False)


def _masked(value: Json, call: Made) -> Json:
    if isinstance(value, dict):
        return {key: _masked(item, call) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, call) for item in value[:EACH]]
    if isinstance(value, bool) or value is None:
        return value
    text = str(value)
    if text.casefold() not in call.goal.casefold():
        quoted = json.dumps(text, ensure_ascii=False)
        held = quoted[1:-1] if len(text) >= _TELLING else quoted
        for seen in reversed(call.before):
            if held in seen.text:
                return f"<from {seen.tool}>"
    return "<text>" if len(text) > _TEXT or "\n" in text else value


def _drawn(line: str) -> str:
    return hashlib.sha256(line.encode("utf-8", "surrogatepass")).hexdigest()
