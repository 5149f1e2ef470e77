"""Text of strangers, made fit to be shown: names, goals and titles are data, never commands.

A goal can come from an imported session, a title from a colleague's tool: neither may repaint a
terminal, turn the direction of writing, or become a link or a tag.
"""

from __future__ import annotations

import re
import unicodedata

from llmos.values import Json

_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+|~!&-])")


def harmless(text: str) -> str:
    """``text`` with everything in it that a terminal would obey spelled out; line ends stay."""
    return "\n".join(_CONTROL.sub(_spelled, part) for part in text.split("\n"))


def line(text: str, longest: int = 120) -> str:
    """The first ``longest`` characters of a text on one line, harmless."""
    told = _CONTROL.sub(_spelled, " ".join(text.split()))
    return told if len(told) <= longest else f"{told[: longest - 1]}…"


def markdown(text: str) -> str:
    """``text`` as Markdown that says just that: no link, no tag, no emphasis."""
    escaped = _MARKDOWN.sub(r"\\\1", text)
    return escaped.replace("<", "&lt;").replace(">", "&gt;")


def columns(text: str) -> int:
    """How many columns of a terminal a line takes."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) != 0 for c in text)


def evidence_line(evidence: Json) -> str:
    """The numbers that a finding stands on, in a line: ``runs 12, success 0.97``."""
    if not isinstance(evidence, dict):
        return line(str(evidence)) if isinstance(evidence, str) else ""
    told = [f"{str(k).replace('_', ' ')} {_short(v)}" for k, v in evidence.items() if _plain(v)]
    return line(", ".join(told[:4]))


def _plain(value: Json) -> bool:
    return isinstance(value, (str, int, float, list)) and value not in ("", [])


def _short(value: Json) -> str:
    if isinstance(value, list):
        return str(len(value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _spelled(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode()
