"""One cycle of a cron, as a value: what it did, or why it did nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from llmos.evolution.compiler import LearnReport
from llmos.values import Json
from llmos.volumes import Place


class CronLevel(StrEnum):
    """Whose volume a cron looks after."""

    USER = "user"
    TEAM = "team"
    SYSTEM = "system"

    @property
    def author(self) -> str:
        """Name under which its work is recorded: ``user-cron``."""
        return f"{self.value}-cron"

    def place(self, owner: str) -> Place:
        """The volume that the cron of ``owner`` looks after."""
        return Place(self.value, owner)


@dataclass(frozen=True, slots=True)
class CycleTask:
    """One thing that a cycle did."""

    kind: str
    """``tool``, ``insight``, ``suggestion``, ``proposal``, ``promotion``, ``archive``, ``alert``
    or ``summary``."""
    subject: str
    """Name of the artifact, or id of the proposal."""
    title: str
    """One line for people."""
    why: str = ""
    worded: str = ""
    """What a model says of it, checked, in one line; ``""`` where none was asked."""

    def as_dict(self) -> dict[str, Json]:
        """The task as JSON."""
        told = {"kind": self.kind, "subject": self.subject, "title": self.title, "why": self.why}
        return told | ({"worded": self.worded} if self.worded else {})


@dataclass(frozen=True, slots=True)
class CycleReport:
    """What one cycle did. Iterating it gives its tasks."""

    level: CronLevel
    owner: str
    cycle_id: str = ""
    """Subject of its events CYCLE_BEGIN and CYCLE_END."""
    tasks: tuple[CycleTask, ...] = ()
    why: str = ""
    """Why it did nothing, or left something undone: ``nothing new``, ``budget exhausted: …``."""
    looked_at: int = 0
    """Runs or changes that were new to it."""
    left: int = 0
    """Of them those that the next cycle will look at, since this one's budget was used up."""
    seconds: float = 0.0
    tokens: int = 0
    cost_usd: float = 0.0
    error: str = ""
    """One line, if it failed: then nothing of it is stored, and the next cycle does it again."""
    learnt: LearnReport = field(default_factory=lambda: LearnReport(0))
    """What a user's cycle has learnt of the runs, and what not; nothing in other cycles."""

    def __iter__(self) -> Iterator[CycleTask]:
        return iter(self.tasks)

    def __len__(self) -> int:
        return len(self.tasks)

    def as_dict(self) -> dict[str, Json]:
        """The report as JSON."""
        return {
            "level": self.level.value,
            "owner": self.owner,
            "cycle": self.cycle_id,
            "tasks": [task.as_dict() for task in self.tasks],
            "why": self.why,
            "looked_at": self.looked_at,
            "left": self.left,
            "seconds": round(self.seconds, 3),
            "tokens": self.tokens,
            "cost_usd": self.cost_usd,
            "error": self.error,
        }
