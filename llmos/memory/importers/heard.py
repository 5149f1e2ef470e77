"""A goal as a transcript tells it, before it becomes a trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from llmos.values import Json, Usage


@dataclass
class Call:
    """One tool call and what came back."""

    tool: str
    arguments: Mapping[str, Json]
    at: datetime | None
    observation: Json = None
    is_error: bool = False
    duration_s: float = 0.0
    answered: bool = False


@dataclass
class Heard:
    """One goal as a transcript tells it, with all secrets still in it."""

    index: int
    """Its number in the session, counted from 0."""
    goal: str
    now: datetime | None
    cwd: str
    added: list[str] = field(default_factory=list)
    """What else the user gave: images, words in between."""
    calls: list[Call] = field(default_factory=list)
    output: str = ""
    error: str = ""
    interrupted: bool = False
    model: str = ""
    last: datetime | None = None
    stop: str | None = None
    """Why the last answer of the model ended."""
    usages: dict[str, Usage] = field(default_factory=dict)
    """By message: a message stands in several lines, each with the usage of all of it."""
    heard: bool = False
    """The model, or an error in place of it, has answered."""
    cost_usd: float | None = None
    """What it cost, where that is told."""
    relative: bool = False
    """Its texts hold ``$CWD`` and the like already, as a trace does."""
    free: bool = False
    """A replay or a learned tool of LLM OS did it, and no model."""
    end: int = 0
    """Offset in the file, in bytes, up to which the records of this goal reach."""

    @property
    def usage(self) -> Usage:
        """Tokens of all model calls."""
        return sum(self.usages.values(), Usage())

    @property
    def duration_s(self) -> float:
        """From the prompt to the last record, in seconds."""
        if self.now is None or self.last is None:
            return 0.0
        return max(0.0, (self.last - self.now).total_seconds())

    @property
    def finished(self) -> bool:
        """Whether an answer, an error or the user ended it."""
        if self.interrupted or self.error:
            return True
        return self.heard and self.stop not in ("tool_use", "pause_turn")


def usage_of(told: Mapping[str, Json]) -> Usage:
    """Tokens as an answer of the model tells them; what is no number counts as none."""

    def count(name: str) -> int:
        value = told.get(name)
        return value if isinstance(value, int) and value > 0 else 0

    return Usage(
        count("input_tokens"),
        count("output_tokens"),
        count("cache_read_input_tokens"),
        count("cache_creation_input_tokens"),
    )
