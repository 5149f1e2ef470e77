"""Which model an agent should work with: measured success against price. Pure.

Compared is only what can be: runs under the same file but for its model, of goals of the same
family. The rule, with Beta(1 + good, 1 + bad) for the success of each model:

- the **cheaper** one, where it is at most `SLACK` worse with a probability of `SURE`, and one good
  run of it costs less;
- the **dearer** one, where it is better with a probability of `SURE`, and one good run of it, the
  bad ones paid, costs less all the same: the cheaper one fails too often.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from llmos.cortex.agents.records import Run, record_of
from llmos.cortex.agents.selection import Record

ENOUGH = 10
"""Runs of a model, in families in which the other one has worked too."""
SLACK = 0.1
"""How much worse a cheaper model may be."""
SURE = 0.9
"""How probable it must be that it is not worse, or that a dearer one is better."""

_GRID = 1000
"""Points at which a probability is summed up; its error is far below what `SURE` is known to."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Another model than the one in use, and what speaks for it."""

    model: str
    record: Record
    instead_of: str
    theirs: Record
    chance: float
    """That it is at most `SLACK` worse, or that it is better."""
    cheaper: bool

    @property
    def why(self) -> str:
        """What is known, in numbers."""
        better = f"at most {SLACK:.0%} worse" if self.cheaper else "better"
        return (
            f"{told(self.model, self.record)}; {told(self.instead_of, self.theirs)}; it is "
            f"{better} with a probability of {self.chance:.0%}"
        )


def told(model: str, record: Record) -> str:
    """What is known of a model, in numbers."""
    each = per_good(record)
    price = f"${each:.4f} for each good one" if math.isfinite(each) else "none of them good"
    return f"{model}: {record.good} of {record.runs} runs were good, {price}"


def per_good(record: Record) -> float:
    """What one good run costs, the bad ones paid; infinite where there is none."""
    return record.cost_usd / record.good if record.good else math.inf


def at_least(a: Record, b: Record, slack: float = 0.0) -> float:
    """Probability that the success behind ``a`` is at most ``slack`` below that behind ``b``."""
    below = [0.0, *accumulate(_posterior(a))]
    shift = round(slack * _GRID)
    return sum(p * (1 - below[max(0, k - shift)]) for k, p in enumerate(_posterior(b)))


def compared(runs: Sequence[Sequence[Run]], a: str, b: str) -> tuple[Record, Record]:
    """What two models did in the families in which both have worked.

    Args:
        runs: Of each family.
        a: One model.
        b: The other one.
    """
    ours, others = Record(), Record()
    for family in runs:
        mine = [run for run in family if run.model == a]
        theirs = [run for run in family if run.model == b]
        if mine and theirs:
            ours, others = ours + record_of(mine), others + record_of(theirs)
    return ours, others


def choose_model(runs: Sequence[Sequence[Run]], current: str) -> ModelChoice | None:
    """The model that should be used instead of the one in use; None: it should stay.

    Of several the one whose good runs cost least.

    Args:
        runs: Of each family, under the same file but for its model.
        current: The model in use.
    """
    names = sorted({run.model for family in runs for run in family} - {current, ""})
    found = [_better(name, current, *compared(runs, name, current)) for name in names]
    return min(
        (choice for choice in found if choice),
        key=lambda c: (per_good(c.record), c.model),
        default=None,
    )


def records_by_model(runs: Sequence[Run]) -> Mapping[str, Record]:
    """What came of some runs, by the model that made them."""
    names = sorted({run.model for run in runs})
    return {name: record_of([run for run in runs if run.model == name]) for name in names}


def _better(name: str, current: str, mine: Record, theirs: Record) -> ModelChoice | None:
    if min(mine.runs, theirs.runs) < ENOUGH or per_good(mine) >= per_good(theirs):
        return None
    cheaper = mine.cost_usd / mine.runs < theirs.cost_usd / theirs.runs
    chance = at_least(mine, theirs, SLACK if cheaper else 0.0)
    if chance < SURE:
        return None
    return ModelChoice(name, mine, current, theirs, chance, cheaper)


def _posterior(record: Record) -> list[float]:
    """Beta(1 + good, 1 + bad) at the middles of a grid, summing up to 1."""
    points = [(k + 0.5) / _GRID for k in range(_GRID)]
    logs = [record.good * math.log(x) + record.bad * math.log(1 - x) for x in points]
    top = max(logs)
    heights = [math.exp(log - top) for log in logs]
    total = sum(heights)
    return [height / total for height in heights]
