"""Pieces of what a model is shown: each with its size and why it is in or out."""

from __future__ import annotations

from dataclasses import dataclass

_BYTES_PER_TOKEN = 4
"""A common rule of thumb for English; counted in bytes it holds roughly for other scripts too."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece, shown or left out."""

    source: str
    """Where it comes from: ``goal``, ``rules``, ``agent``, ``fact``, ``hook``, ``turn``, …"""
    name: str
    """Which one of them: an id, a number, a label."""
    text: str
    shown: bool
    why: str
    """Why it is in, or was left out."""

    @property
    def tokens(self) -> int:
        """Its size, estimated."""
        return tokens_of(self.text)


def tokens_of(text: str) -> int:
    """How many tokens a text is, about: the same for every model, and never 0 for some text."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)
