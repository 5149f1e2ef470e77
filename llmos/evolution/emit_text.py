"""Python text: literals that nothing breaks out of, and lines of at most 100 columns."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from llmos.values import Json

WIDTH = 100
"""Columns of a line."""

INDENT = 4


@dataclass(frozen=True, slots=True)
class Group:
    """Something in brackets, which may be broken over lines."""

    opens: str
    """What stands before the items, with the bracket: ``f(``."""
    items: tuple[Item, ...]
    closes: str


@dataclass(frozen=True, slots=True)
class Item:
    """One of a group; ``before`` is a dict's key with its colon, or nothing."""

    doc: Doc
    before: str = ""


Doc = str | Group
"""Text that is kept on one line, or a group."""


def flat(doc: Doc) -> str:
    """All of it on one line."""
    if isinstance(doc, str):
        return doc
    return f"{doc.opens}{', '.join(i.before + flat(i.doc) for i in doc.items)}{doc.closes}"


def laid(before: str, doc: Doc, after: str, indent: int) -> list[str]:
    """Lines of ``before``, ``doc`` and ``after``; as few as fit.

    Args:
        before: What the first line begins with, without its indentation.
        doc: What may be broken.
        after: What the last line ends with.
        indent: Columns that the first line is indented by.
    """
    margin = " " * indent
    line = f"{margin}{before}{flat(doc)}{after}"
    if len(line) <= WIDTH or isinstance(doc, str) or not doc.items:
        return [line]
    inner = indent + INDENT
    together = " " * inner + ", ".join(item.before + flat(item.doc) for item in doc.items)
    if len(together) <= WIDTH and not any(item.before for item in doc.items):
        body = [together]
    else:
        body = [s for item in doc.items for s in laid(item.before, item.doc, ",", inner)]
    return [f"{margin}{before}{doc.opens}", *body, f"{margin}{doc.closes}{after}"]


def group(before: str, *docs: Doc, brackets: str = "()") -> Group:
    """What stands in brackets after ``before``: a call, a tuple or a list."""
    return Group(f"{before}{brackets[0]}", tuple(Item(doc) for doc in docs), brackets[1])


def comprehension(name: str, one: Doc, over: Doc, indent: int) -> list[str]:
    """Lines that make a list of ``one`` for every ``row`` of ``over``."""
    line = f"{' ' * indent}{name} = [{flat(one)} for row in {flat(over)}]"
    if len(line) <= WIDTH:
        return [line]
    inner = [*laid("", one, "", indent + INDENT), *laid("for row in ", over, "", indent + INDENT)]
    return [f"{' ' * indent}{name} = [", *inner, f"{' ' * indent}]"]


def mapping(items: Iterable[tuple[str, Doc]]) -> Group:
    """A dict display."""
    return Group("{", tuple(Item(doc, f"{quoted(key)}: ") for key, doc in items), "}")


def literal(value: Json) -> Doc:
    """A JSON value as a Python literal.

    Raises:
        ValueError: It has none: a number that is not finite, or half a character.
    """
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return group("", *(literal(item) for item in value), brackets="[]")
    if isinstance(value, dict):
        return mapping((key, literal(item)) for key, item in value.items())
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} has no literal")
    return repr(value)


def quoted(text: str) -> str:
    """Text as a literal on one line, with everything that does not show escaped.

    Raises:
        ValueError: It holds half a character.
    """
    return '"' + "".join(map(_escaped, text)) + '"'


def docstring(text: str, indent: int) -> list[str]:
    """Lines of a docstring that says ``text``, whatever stands in it; none where it is empty."""
    text = "\n".join(text.replace("\r\n", "\n").strip().split("\n"))
    if not text:
        return []
    bare = '""' not in text and not text.endswith('"')
    margin = " " * indent
    found = []
    for line in text.split("\n"):
        shown = "".join(
            c if bare and c == '"' else "�" if _is_half(c) else _escaped(c) for c in line.rstrip()
        )
        found.append(f"{margin}{shown}" if shown else "")
    found[0] = f'{margin}"""{found[0].strip()}'
    if len(found) == 1:
        return [f'{found[0]}"""']
    return [*found, f'{margin}"""']


def spaced(paragraphs: Iterable[list[str]]) -> list[str]:
    """Lines of all paragraphs, with an empty line around each that has several."""
    found: list[str] = []
    before = 0
    for lines in paragraphs:
        if found and lines and (len(lines) > 1 or before > 1):
            found.append("")
        found += lines
        before = len(lines) or before
    return found


_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _escaped(c: str) -> str:
    if c in '"\\':
        return f"\\{c}"
    if c.isprintable():
        return c
    if _is_half(c):
        raise ValueError("half a character has no literal")
    code = ord(c)
    wide = f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return _SHORT.get(c) or (f"\\x{code:02x}" if code < 0x100 else wide)


def _is_half(c: str) -> bool:
    return "\ud800" <= c <= "\udfff"
