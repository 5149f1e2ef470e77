"""Which goals are of one family: the same wording but for values, or the same pattern."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from llmos.cortex.agents.records import Run
from llmos.evolution.masking import mask

_LONG = 2_000
"""Characters of a goal from which on it is a document, and of the family of its own text alone."""


def family_of(goal: str, runs: Sequence[Run]) -> list[Run]:
    """The runs of goals of the same wording, or of a pattern that such a goal is of."""
    wording = _wording(goal)
    alike = [run for run in runs if _wording(run.goal) == wording]
    keys = {run.key for run in alike if run.key}
    ids = {run.id for run in alike}
    return [run for run in runs if run.id in ids or run.key in keys]


def families(runs: Sequence[Run]) -> list[list[Run]]:
    """Some runs by family; each is in one, that of the first that it is alike."""
    left, found = list(runs), []
    while left:
        family = family_of(left[0].goal, left)
        ids = {run.id for run in family}
        left = [run for run in left if run.id not in ids]
        found.append(family)
    return found


@lru_cache(maxsize=4096)
def _wording(goal: str) -> tuple[str, ...]:
    """What goals share that differ in numbers, dates, quoted texts and the like alone."""
    return (goal,) if len(goal) > _LONG else mask(goal, ()).key()
