"""Valence: four numbers that say how a user's system stands, and how events move them.

All of it is pure. The numbers are pulled back to their set-points by every run, and pushed away
from them by what happens. They never leave [-1, 1], whatever happens and however often.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, Self

DIMENSIONS = ("safety", "curiosity", "energy", "self_confidence")


class Trigger(StrEnum):
    """What moves the numbers; `triggers` reads it from events."""

    TASK_SUCCESS = "task_success"
    TASK_FAILURE = "task_failure"
    TASK_REPETITION = "task_repetition"
    """A run needed no model."""
    NOVEL_TASK = "novel_task"
    """Nothing was known of the goal."""
    SAFETY_VIOLATION = "safety_violation"
    """Something wrong was done, or would have been, without a model; or nobody knows."""
    HIGH_COST = "high_cost"
    TOOL_DISCOVERY = "tool_discovery"
    """A tool was learnt."""
    FEEDBACK_GOOD = "feedback_good"
    FEEDBACK_BAD = "feedback_bad"
    SIDE_EXIT = "side_exit"
    """A guard stopped a free run: the world is another one, and it was noticed in time."""
    AUDIT_AGREED = "audit_agreed"
    """A model did what would have been free, and did the same."""


class Push(NamedTuple):
    """How far a trigger moves each number, as a share of its sensitivity."""

    safety: float = 0.0
    curiosity: float = 0.0
    energy: float = 0.0
    self_confidence: float = 0.0


SENSITIVITY = Push(0.15, 0.12, 0.08, 0.10)
DECAY = Push(0.02, 0.03, 0.01, 0.02)
"""Share of the way back to the set-point that one run goes."""

PUSHES = MappingProxyType(
    {
        # Success does not buy safety: a thousand quiet runs must not hide the first wrong one.
        Trigger.TASK_SUCCESS: Push(self_confidence=0.05),
        Trigger.TASK_FAILURE: Push(energy=-0.25, self_confidence=-1.0),
        Trigger.TASK_REPETITION: Push(curiosity=-0.1, energy=0.1),
        Trigger.NOVEL_TASK: Push(curiosity=1.0, energy=-0.1),
        Trigger.SAFETY_VIOLATION: Push(safety=-1.0, curiosity=-0.5, self_confidence=-0.5),
        Trigger.HIGH_COST: Push(energy=-1.0),
        Trigger.TOOL_DISCOVERY: Push(curiosity=0.25, energy=0.25, self_confidence=0.25),
        Trigger.FEEDBACK_GOOD: Push(safety=0.2, energy=0.1, self_confidence=0.5),
        # Of a free run it is a violation too; that a model was wrong says nothing of free runs.
        Trigger.FEEDBACK_BAD: Push(self_confidence=-1.0),
        # A guard that holds is mostly a world that has moved on, as worlds do.
        Trigger.SIDE_EXIT: Push(safety=-0.05, curiosity=0.1),
        Trigger.AUDIT_AGREED: Push(safety=0.1, self_confidence=0.1),
    }
)
"""What each trigger does. Those of safety were chosen with ``python -m bench.sentience``."""


@dataclass(frozen=True, slots=True)
class Valence:
    """Where a user's system stands; each number is in [-1, 1]."""

    safety: float = 0.5
    """How sure it is that what runs by itself does no harm."""
    curiosity: float = 0.0
    """How much of what it meets is new."""
    energy: float = 0.7
    """What is left of it: costs and failures tire, free runs rest."""
    self_confidence: float = 0.3
    """How often it has succeeded."""

    @property
    def numbers(self) -> Push:
        """The four numbers, in the order of `DIMENSIONS`."""
        return Push(self.safety, self.curiosity, self.energy, self.self_confidence)

    @property
    def cost(self) -> float:
        """Homeostatic cost: the squared distance from the set-points."""
        return sum((v - s) ** 2 for v, s in zip(self.numbers, SET_POINT.numbers, strict=True))

    def apply(self, *triggers: Trigger) -> Self:
        """After triggers that came together; their order does not matter."""
        pushes = zip(*(PUSHES[t] for t in triggers), strict=True)
        moves = [math.fsum(p) for p in pushes] if triggers else Push()
        scaled = zip(self.numbers, SENSITIVITY, moves, strict=True)
        return type(self)(*(max(-1.0, min(1.0, v + s * m)) for v, s, m in scaled))

    def decayed(self) -> Self:
        """One run later: each number a little nearer to its set-point, never beyond it."""
        back = zip(self.numbers, SET_POINT.numbers, DECAY, strict=True)
        return type(self)(*(v + (s - v) * rate for v, s, rate in back))

    def as_dict(self) -> dict[str, float]:
        """The numbers by name."""
        return dict(zip(DIMENSIONS, self.numbers, strict=True))


SET_POINT = Valence()
"""Where all is well; the numbers are pulled back to it."""
