"""The front matter of a Markdown file: YAML that strangers may have written, read strictly.

Only the keys that are asked for are ever made into values; the others are known by name alone. No
anchor, alias or tag is taken, so nothing grows when it is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from llmos.errors import UserError

if TYPE_CHECKING:
    from yaml import Node, Token

LONGEST = 24 << 10
"""Characters of a front matter."""

_DEEPEST = 8
"""Collections in one another; a list under a key is two."""
_FIRST = 2
"""Line of the file that the front matter begins with, below the mark."""
_PLAIN = re.compile(r"^(description:[ \t]+)(?![\"'|>\[{&*!%@`#])(\S[^\n]*)$(?!\n[ \t])", re.M)
_TEXT = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a front matter.

    Attributes:
        line: Of the file, from 1.
    """

    line: int
    value: str | tuple[str, ...] | None
    """A text, a list of texts, or None for nothing; not looked at where the key is not known."""


@dataclass(frozen=True, slots=True)
class Front:
    """A file, taken apart."""

    entries: dict[str, Entry]
    body: str
    warnings: tuple[str, ...] = ()


def refuse(line: int, told: str, hint: str = "mend that line") -> NoReturn:
    """Say that a file cannot be read.

    Raises:
        UserError: Always; the message begins with the line.
    """
    raise UserError(f"line {line}: {told}", hint)


def read_front(text: str, known: frozenset[str]) -> Front:
    """Take a file apart.

    Args:
        text: All of it.
        known: Keys whose values are wanted: texts, or lists of texts.

    Raises:
        UserError: It has no front matter, or one that cannot be read; with the line.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != "---":
        refuse(1, "it does not begin with a line of ---", "name and description stand between two")
    end = next((k for k, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), 0)
    if not end:
        refuse(len(lines), "the front matter has no end", "close it by a line of ---")
    head, body = "\n".join(lines[1:end]), "\n".join(lines[end + 1 :])
    if len(head) > LONGEST:
        refuse(1, f"the front matter has {len(head):,} characters, at most {LONGEST:,} are taken")
    return _taken_apart(head, body, known)


def _taken_apart(head: str, body: str, known: frozenset[str]) -> Front:
    from yaml import MarkedYAMLError

    try:
        return Front(_entries(head, known), body)
    except MarkedYAMLError as e:
        # What other programs write there is often no YAML for want of quotes: `…: user: "Hi"`.
        quoted = _PLAIN.sub(lambda m: m[1] + json.dumps(m[2].rstrip(), ensure_ascii=False), head)
        if quoted == head:
            _refuse_yaml(e)
    line = head[: _found(_PLAIN.search(head))].count("\n") + _FIRST
    try:
        entries = _entries(quoted, known)
    except MarkedYAMLError as e:
        _refuse_yaml(e)
    told = f"line {line}: the description is no YAML for want of quotes; it is taken as it stands"
    return Front(entries, body, (told,))


def _found(match: re.Match[str] | None) -> int:
    return match.start() if match else 0


def _refuse_yaml(error: Exception) -> NoReturn:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = mark.line + _FIRST if mark is not None else _FIRST
    told = getattr(error, "problem", None) or getattr(error, "context", None) or "it is no YAML"
    refuse(line, str(told), "mend that line; text with ': ' in it needs quotes")


def _entries(head: str, known: frozenset[str]) -> dict[str, Entry]:
    import yaml
    from yaml.reader import ReaderError

    try:
        _check_tokens(yaml.scan(head, Loader=yaml.SafeLoader))
        node = yaml.compose(head, Loader=yaml.SafeLoader)
    except ReaderError as e:
        at = e.position if isinstance(e.position, int) else 0
        refuse(head[:at].count("\n") + _FIRST, "it holds a character that no text has")
    if node is None:
        refuse(_FIRST, "the front matter is empty", "it needs name and description")
    if not isinstance(node, yaml.MappingNode):
        refuse(_line(node), "the front matter is no list of 'key: value'")
    entries: dict[str, Entry] = {}
    for key, value in node.value:
        line = _line(key)
        if not isinstance(key, yaml.ScalarNode) or key.tag != _TEXT:
            refuse(line, "a key must be a word")
        if key.value in entries:
            refuse(line, f"{key.value!r} is there twice, first in line {entries[key.value].line}")
        taken = _value(key.value, value) if key.value in known else None
        entries[key.value] = Entry(line, taken)
    return entries


def _check_tokens(tokens: Iterator[Token]) -> None:
    """Refuse what makes YAML grow or mean something else, before anything is made of it."""
    from yaml import tokens as t

    opening = (
        t.BlockMappingStartToken,
        t.BlockSequenceStartToken,
        t.FlowMappingStartToken,
        t.FlowSequenceStartToken,
    )
    closing = (t.BlockEndToken, t.FlowMappingEndToken, t.FlowSequenceEndToken)
    odd = {
        t.AnchorToken: "anchors (&) are not taken",
        t.AliasToken: "aliases (*) are not taken",
        t.TagToken: "tags (!) are not taken",
        t.DirectiveToken: "directives (%) are not taken",
        t.DocumentEndToken: "a front matter is one document",
    }
    deep = 0
    for token in tokens:
        line = token.start_mark.line + _FIRST
        if type(token) in odd:
            refuse(line, odd[type(token)], "write the value out, in quotes if it is text")
        deep += isinstance(token, opening) - isinstance(token, closing)
        if deep > _DEEPEST:
            refuse(line, f"more than {_DEEPEST} collections in one another are not taken")


def _value(key: str, node: Node) -> str | tuple[str, ...] | None:
    import yaml

    if isinstance(node, yaml.SequenceNode):
        return tuple(_text(key, item) or "" for item in node.value)
    return _text(key, node)


def _text(key: str, node: Node) -> str | None:
    import yaml

    if isinstance(node, yaml.ScalarNode):
        if node.tag == _NULL:
            return None
        if node.tag == _TEXT:
            return str(node.value)
        refuse(_line(node), f"{key!r} must be text, and YAML reads {node.value[:40]!r} as none")
    refuse(_line(node), f"{key!r} must be text")


def _line(node: Node) -> int:
    return int(node.start_mark.line) + _FIRST
