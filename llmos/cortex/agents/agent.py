"""`Agent`: a Markdown file that says how a model works, as Claude Code's subagents do.

Front matter with ``name`` and ``description``, and if wanted ``tools``, ``disallowedTools`` and
``model``; below it the system prompt. A file is taken as a whole or refused with line and reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from llmos.cortex.agents.front import Entry, Front, read_front, refuse
from llmos.errors import UserError

LARGEST = 256 << 10
"""Bytes of a file."""
LONGEST_NAME = 48
"""Characters of a name: with its digest it fits the column that says who made a run."""
AUTO = "auto"
"""In place of a name: the agent is chosen."""
LONGEST_DESCRIPTION = 16_000
MOST_TOOLS = 200

_KEYS = frozenset({"name", "description", "tools", "disallowedTools", "model"})
_NAME = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{LONGEST_NAME - 1}}}")
_TOOL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,127}(\(.{0,1000}\))?")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@\[\]-]{0,127}")
_COMMA = re.compile(r",(?![^(]*\))")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
INHERIT = "inherit"
ALL = "*"


@dataclass(frozen=True, slots=True)
class Agent:
    """How a model works, and with what."""

    name: str
    description: str
    """When it is the right one, for who chooses."""
    prompt: str
    """What the model is told before everything else."""
    text: str
    """The file, byte for byte: what is not used here is not lost."""
    tools: tuple[str, ...] | None = None
    """Names of those it may use, as the file has them; None for all that are granted."""
    denied: tuple[str, ...] = ()
    """Names of those that it may not use."""
    model: str = ""
    """Which it wants; ``""``: the one that is configured."""
    warnings: tuple[str, ...] = ()
    """What the file says and nothing here goes by."""

    def granted(self, there: Iterable[str]) -> frozenset[str]:
        """Of the tools that there are those that it may use: never one more.

        One that is named for some calls alone (``Bash(git *)``) is not granted, and as one that is
        denied it is denied for all: rules in the settings say that more exactly.
        """
        mine = set(there) - {_bare(tool) for tool in self.denied}
        return frozenset(mine if self.tools is None else mine & set(self.tools))

    def missing(self, there: Collection[str]) -> tuple[str, ...]:
        """The tools that it names and that there are not."""
        return tuple(t for t in self.tools or () if _bare(t) not in there)


def check_agent_name(name: str) -> str:
    """Return ``name`` if an agent can be called so.

    Raises:
        UserError: It cannot.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UserError(f"an agent cannot be named {str(name)[:80]!r}", _NAME_HINT)
    if name == AUTO:
        raise UserError(f"no agent can be named {AUTO!r}: it means that one is chosen", _OTHER)
    return name


def parse(text: str, name: str = "") -> Agent:
    """The agent that a file describes.

    Args:
        text: The file.
        name: What it must be called, for a file whose own name says so.

    Raises:
        UserError: It is none; the message begins with the line.
    """
    _check_text(text)
    front = read_front(text, _KEYS)
    called = _one(front, "name")
    if not _NAME.fullmatch(called):
        refuse(front.entries["name"].line, f"{called[:80]!r} is no name", _NAME_HINT)
    if called == AUTO:
        line = front.entries["name"].line
        refuse(line, f"the name {AUTO!r} means that an agent is chosen", _OTHER)
    if name and called != name:
        hint = "name both the same"
        refuse(front.entries["name"].line, f"it is named {called!r} and kept as {name!r}", hint)
    description = " ".join(_one(front, "description").split())
    if len(description) > LONGEST_DESCRIPTION:
        told = f"the description has {len(description):,} characters"
        refuse(front.entries["description"].line, told, f"at most {LONGEST_DESCRIPTION:,}")
    prompt = front.body.strip()
    if not prompt:
        line = text.rstrip().count("\n") + 1
        refuse(line, "nothing stands below the front matter", "say there how the agent works")
    tools, denied = _tools(front, "tools"), _tools(front, "disallowedTools")
    wants = _model(front)
    warned = (*front.warnings, *_warnings(front, tools or (), denied or ()))
    allowed = None if tools == (ALL,) else tools
    return Agent(called, description, prompt, text, allowed, denied or (), wants, warned)


def check_file(name: str, text: str) -> None:
    """Refuse a file that describes no agent of that name.

    Raises:
        UserError: It does not; the message begins with the line.
    """
    parse(text, check_agent_name(name))


def render(agent: Agent) -> str:
    """The file of an agent: the very text that it was read from."""
    return agent.text


def compose(
    name: str,
    description: str,
    prompt: str,
    *,
    tools: Sequence[str] | None = None,
    model: str = "",
) -> Agent:
    """An agent from its parts.

    Raises:
        UserError: A part cannot be one.
    """
    parts: dict[str, object] = {"name": name, "description": description}
    parts |= {} if tools is None else {"tools": list(tools)}
    parts |= {"model": model} if model else {}
    # JSON texts are YAML texts, and need no thought about what YAML would read instead.
    head = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in parts.items()]
    return parse("\n".join(["---", *head, "---", "", prompt.strip(), ""]), name)


_OTHER = "name it otherwise"
_NAME_HINT = f"use 1 to {LONGEST_NAME} of: small letters, digits, '-'; the first is not '-'"


def _check_text(text: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as e:
        refuse(text[: e.start].count("\n") + 1, "it is not valid UTF-8 text", "check its encoding")
    if size > LARGEST:
        refuse(1, f"the file has {size:,} bytes, at most {LARGEST:,} are taken", "shorten it")
    odd = _CONTROL.search(text)
    if odd:
        line = text[: odd.start()].count("\n") + 1
        refuse(line, f"it holds the control character {odd.group()!r}", "remove it")


def _one(front: Front, key: str) -> str:
    entry = front.entries.get(key)
    if entry is None:
        refuse(1, f"the front matter has no {key}", f"add a line: {key}: …")
    if not isinstance(entry.value, str) or not entry.value.strip():
        refuse(entry.line, f"{key!r} must be text", "write one text there")
    return entry.value


def _tools(front: Front, key: str) -> tuple[str, ...] | None:
    entry = front.entries.get(key)
    if entry is None:
        return None
    if entry.value is None or entry.value == "":
        hint = "leave the line out for all that are granted, or write [] for none"
        refuse(entry.line, f"{key!r} is empty, which could mean all or none", hint)
    parts = _COMMA.split(entry.value) if isinstance(entry.value, str) else entry.value
    names = tuple(dict.fromkeys(part.strip() for part in parts))
    if len(names) > MOST_TOOLS:
        refuse(entry.line, f"{key!r} names {len(names)} tools, at most {MOST_TOOLS} are taken")
    if names == (ALL,) and key == "tools":
        return names
    for name in names:
        if not _TOOL.fullmatch(name):
            refuse(entry.line, f"{name[:80]!r} is no name of a tool", "tools: Read, Grep, Bash")
    return names


def _model(front: Front) -> str:
    if "model" not in front.entries:
        return ""
    named = _one(front, "model")
    if not _MODEL.fullmatch(named):
        refuse(front.entries["model"].line, f"{named[:80]!r} is no name of a model")
    return "" if named == INHERIT else named


def _warnings(front: Front, tools: Sequence[str], denied: Sequence[str]) -> Iterable[str]:
    for key, entry in front.entries.items():
        if key not in _KEYS:
            yield f"line {entry.line}: {key!r} is kept, and nothing here goes by it"
    yield from _partly(front.entries.get("tools"), tools, "is not granted")
    yield from _partly(front.entries.get("disallowedTools"), denied, "is denied for all calls")


def _partly(entry: Entry | None, tools: Sequence[str], so: str) -> Iterable[str]:
    for tool in tools:
        if entry is not None and "(" in tool:
            yield f"line {entry.line}: {tool} {so}; say it by rules: llmos config set allow"


def _bare(tool: str) -> str:
    return tool.partition("(")[0]
