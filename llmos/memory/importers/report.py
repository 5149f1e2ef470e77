"""What an import found, learnt and left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Report:
    """Counts of one import. Nothing is left out without being counted here."""

    sessions: int = 0
    """Session files found; the sum of the next five."""
    new: int = 0
    """Sessions of which nothing was known."""
    continued: int = 0
    """Known sessions that have gone on since, or whose import was interrupted."""
    known: int = 0
    """Sessions that hold nothing new."""
    empty: int = 0
    """Sessions without a finished goal."""
    unreadable: int = 0
    """Session files that could not be read, or not to their end."""
    refused: list[str] = field(default_factory=list)
    """Documents among the unreadable files that are no trajectories: file, place and reason."""
    goals: int = 0
    """Prompts in the sessions that were read: ``traces`` and all that ``left_out`` counts."""
    traces: int = 0
    """Traces stored, or that would be."""
    failed: int = 0
    """Of these, interrupted by the user or ended by an error."""
    steps: Counter[str] = field(default_factory=Counter)
    """Steps of these traces, by tool."""
    not_understood: Counter[str] = field(default_factory=Counter)
    """Lines and parts of lines that might have mattered, by record type and reason."""
    ignored: Counter[str] = field(default_factory=Counter)
    """Lines that are known not to matter, by record type."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Prompts that became no trace, by reason."""
    redactions: Counter[str] = field(default_factory=Counter)
    """Secrets taken out, by kind."""
    incomplete: int = 0
    """Traces that a secret was taken out of; they are never replayed."""
    bytes: int = 0
    """Size of the files that were read."""
    seconds: float = 0.0
    dry_run: bool = False
