"""What is counted over the runs of a stream, and how sure one can be of it.

A figure is a share: the runs that `Figure.hit` of those that are `Figure.among`. Its value is the
mean over the seeds, its interval a bootstrap over families: the runs of one family stand or fall
together, so they are drawn together.
"""

from __future__ import annotations

import math
import random
import re
import resource
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import fmean
from typing import NamedTuple, TypeVar

from llmos.values import RunResult

K = TypeVar("K", bound=Hashable)

WARM = 10
"""Runs of a family after which it counts as warm."""

ZERO_TOKEN_MODES = ("CRYSTALLIZED", "FOLLOWER")

RESAMPLES = 2000
Z95 = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""

_VARIABLE = re.compile(
    r"(?P<quoted>'(?:\\.|[^'\\])*'|\"[^\"]*\")|(?P<id>\b(?:trace|tool) \S+?(?=[:, ]|$))"
    r"|(?P<number>\$?\d[\d:.,]*\d|\d)"
)
_PAID = re.compile(r";? ?\(?the model (works|would have to work).*$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Run:
    """One goal that was executed, judged."""

    family: str
    task: str
    goal: str
    mode: str
    zero: bool
    """It finished without a model and without a side exit."""
    right: bool
    """The final state is the right one."""
    changed: bool
    """The final state is not the one that the run began with."""
    exited: bool
    """A side exit handed over to the learner."""
    dirty: bool
    """It did so after a write."""
    original: bool
    """A near miss whose final state is that of the goal it was made from, and not the right one."""
    cause: str
    """Why it was not a zero-token run, without the particulars; ``""`` when it was one."""
    detail: str
    """The same with the particulars."""
    phase: str = ""
    """``stream``, or the test after it: ``seen``, ``fresh``, ``drift``, ``near misses``."""
    seed: int = 0
    place: int = 0
    """How many runs of its family came before it in the stream."""
    asked: bool = False
    """The learner was called."""
    ms: float = 0.0
    """Wall clock of `LLMOS.execute`."""


def is_zero_token(result: RunResult) -> bool:
    """Whether a run finished without a model and without a side exit."""
    return (
        str(result.mode) in ZERO_TOKEN_MODES
        and result.side_exit is None
        and result.usage.total_tokens == 0
    )


def is_dirty(result: RunResult) -> bool:
    """Whether a run was left by a side exit after a write had been made."""
    return result.side_exit is not None and any(
        step.effect.writes and not step.is_error for step in result.side_exit.committed
    )


def why_paid(result: RunResult) -> str:
    """Why a run needed a model, with all particulars."""
    if result.side_exit is not None:
        return f"side exit: {result.side_exit.reason}"
    if result.decision.refused:
        return "refused: " + " | ".join(result.decision.refused)
    return _PAID.sub("", result.decision.reason)


def cause_of(why: str) -> str:
    """A reason without what differs from run to run, so that equal causes can be counted."""
    return _VARIABLE.sub(_general, why)[:160]


def _general(found: re.Match[str]) -> str:
    if found["quoted"]:
        return "…"
    return found["id"].split()[0] if found["id"] else "N"


@dataclass(frozen=True, slots=True)
class Night:
    """One cycle of background learning."""

    seconds: float
    families: int
    """Families that had new runs of the learner since the cycle before."""


@dataclass(slots=True)
class SeedResult:
    """What one seed gave."""

    seed: int
    runs: list[Run] = field(default_factory=list)
    nights: list[Night] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall clock by part, the parts of the bench itself included."""
    stream_rss_mb: float = 0.0
    """Peak resident memory of the process when the stream was over."""
    home_mb: float = 0.0
    """Size of the home then."""


@contextmanager
def timed(result: SeedResult, part: str) -> Iterator[None]:
    """Add the wall clock of a block to a part of the result."""
    began = time.perf_counter()
    try:
        yield
    finally:
        took = time.perf_counter() - began
        result.seconds[part] = result.seconds.get(part, 0.0) + took


def peak_rss_mb() -> float:
    """Peak resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# --- figures -----------------------------------------------------------------------------------


class Figure(NamedTuple):
    """A share of runs."""

    name: str
    hit: Callable[[Run], bool]
    among: Callable[[Run], bool] = lambda run: True


FIGURES: dict[str, Figure] = {
    "zero": Figure("zero-token", lambda r: r.zero),
    "correct": Figure("correct at zero token", lambda r: r.zero and r.right),
    "false": Figure("false hits among zero-token", lambda r: not r.right, lambda r: r.zero),
    "wrong": Figure("wrong at zero token", lambda r: r.zero and not r.right),
    "harmful": Figure("harmful writes", lambda r: r.changed and not r.right),
    "harmful_zero": Figure(
        "harmful writes at zero token", lambda r: r.zero and r.changed and not r.right
    ),
    "dirty": Figure("dirty side exits", lambda r: r.dirty),
    "avoided": Figure("learner calls avoided", lambda r: not r.asked),
    "original": Figure("did what the original goal asked", lambda r: r.zero and r.original),
}


class Share(NamedTuple):
    """Runs that hit, of those that were looked at."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """Between 0 and 1; NaN when nothing was looked at."""
        return self.hits / self.of if self.of else math.nan


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure over the runs of all seeds."""

    pooled: Share
    by_seed: tuple[float, ...]
    """NaN for a seed in which nothing was looked at."""
    interval: tuple[float, float]
    """95 %, clustered by family; NaN when nothing was looked at."""

    @property
    def mean(self) -> float:
        """Mean over the seeds in which something was looked at."""
        known = [value for value in self.by_seed if not math.isnan(value)]
        return fmean(known) if known else math.nan


def share(figure: Figure, runs: Iterable[Run]) -> Share:
    """Count a figure."""
    counted = [figure.hit(run) for run in runs if figure.among(run)]
    return Share(sum(counted), len(counted))


def measure(figure: Figure, runs: Sequence[Run]) -> Measured:
    """A figure by seed, with its interval."""
    by_seed = grouped(runs, lambda r: r.seed)
    by_family = grouped(runs, lambda r: r.family)
    return Measured(
        share(figure, runs),
        tuple(share(figure, by_seed[seed]).value for seed in sorted(by_seed)),
        bootstrap([share(figure, of_one) for of_one in by_family.values()]),
    )


def worst_family(figure: Figure, runs: Sequence[Run]) -> tuple[str, Share]:
    """The family with the largest share over all seeds; ties go to the one with more runs."""
    shares = {
        family: share(figure, of_one)
        for family, of_one in grouped(runs, lambda r: r.family).items()
    }
    looked_at = {family: s for family, s in shares.items() if s.of}
    if not looked_at:
        return "", Share(0, 0)
    return max(looked_at.items(), key=lambda item: (item[1].value, item[1].of))


def warm(runs: Iterable[Run]) -> list[Run]:
    """The runs of the stream that came after the first ten of their family."""
    return [run for run in runs if run.place >= WARM]


def causes(runs: Iterable[Run]) -> Counter[str]:
    """Why runs were not zero-token, by how often."""
    return Counter(run.cause for run in runs if not run.zero)


def grouped(runs: Iterable[Run], key: Callable[[Run], K]) -> dict[K, list[Run]]:
    """The runs by ``key``, in order of appearance."""
    groups: dict[K, list[Run]] = defaultdict(list)
    for run in runs:
        groups[key(run)].append(run)
    return groups


# --- intervals ---------------------------------------------------------------------------------


def bootstrap(clusters: Sequence[Share], seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of the pooled share, drawing whole clusters with replacement."""
    if not sum(c.of for c in clusters):
        return math.nan, math.nan
    rng = random.Random(seed)
    drawn = []
    for _ in range(RESAMPLES):
        sample = rng.choices(clusters, k=len(clusters))
        of = sum(c.of for c in sample)
        if of:
            drawn.append(sum(c.hits for c in sample) / of)
    return quantile(drawn, 0.025), quantile(drawn, 0.975)


def wilson(counted: Share) -> tuple[float, float]:
    """95 % score interval (Wilson, 1927), runs taken as independent."""
    if not counted.of:
        return math.nan, math.nan
    p, n, z2 = counted.value, counted.of, Z95**2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def clopper_pearson(counted: Share, level: float = 0.95) -> float:
    """One-sided exact upper bound (Clopper and Pearson, 1934), runs taken as independent."""
    if not counted.of or counted.hits == counted.of:
        return 1.0 if counted.of else math.nan
    low, high = counted.value, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(counted, middle) > 1 - level else (low, middle)
    return high


def _at_most(counted: Share, p: float) -> float:
    """Probability of at most ``counted.hits`` hits when each run hits with ``p``."""
    n = counted.of
    return math.fsum(
        math.exp(
            math.lgamma(n + 1)
            - math.lgamma(k + 1)
            - math.lgamma(n - k + 1)
            + (k * math.log(p) if k else 0.0)
            + (n - k) * math.log1p(-p)
        )
        for k in range(counted.hits + 1)
    )


def quantile(values: Sequence[float], q: float) -> float:
    """Linear interpolation between the ordered values; NaN when there are none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    at = q * (len(ordered) - 1)
    below = math.floor(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)
