"""Which agent should do a goal that names none: by description and measured record. Pure.

`cortex.auto_agent` asks this for goals of which nothing is known: what an agent did is replayed
under that agent alone, so that choosing anew for a known one would cost a free run.
`python -m bench agents` measures how well it chooses.

The model: an agent is good at a family of goals with an unknown probability. Before it has tried,
the guess comes from how it does elsewhere, and before that from how its description fits the goal.
Each run moves the guess (a Beta posterior). What counts is the chance of success less the price, in
units of what a success is worth. Thompson sampling (Thompson, Biometrika 25, 1933) tries what may
be better as often as it may be better; how often it may do so at all is bounded beside that.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from llmos.errors import BugError

EXPLORED_SHARE = 0.1
"""Share of the goals of a family on which something else than the best known may be tried."""
EXPLORED_FIRST = 3
"""Tries that are free of that share, or nothing could ever be learnt of a new family."""
FEW = 5
"""Good runs from which on a family is known well enough to leave tools away."""

_GUESS, _LEAN = 0.6, 0.6
"""Success of an agent nobody has tried, and how far a description may move that."""
_ELSEWHERE = 4.0
"""Runs that the guess from the description counts as, against the record in other families."""
_HERE = 3.0
"""Runs that the guess from other families counts as, against the record in this one."""
_PRICED = 2.0
"""Runs that the price of all agents together counts as, against that of one."""
_Z = 1.96
_WORD = re.compile(r"[a-z]{3,}")
_COMMON = frozenset(
    [
        "the",
        "and",
        "for",
        "with",
        "not",
        "from",
        "into",
        "that",
        "this",
        "its",
        "are",
        "what",
        "then",
        "than",
        "any",
    ]
)


@dataclass(frozen=True, slots=True)
class Record:
    """What came of some runs."""

    good: int = 0
    bad: int = 0
    cost_usd: float = 0.0
    """Of all of them together."""

    @property
    def runs(self) -> int:
        """How many they are."""
        return self.good + self.bad

    def __add__(self, other: Record) -> Record:
        return Record(self.good + other.good, self.bad + other.bad, self.cost_usd + other.cost_usd)


@dataclass(frozen=True, slots=True)
class Option:
    """An agent that could do a goal; an agent with a model is an option of its own."""

    name: str
    """``""`` is the default."""
    fit: float = 0.5
    """How its description fits the goal, from 0 to 1; the default has none and is in the middle."""
    here: Record = field(default_factory=Record)
    """What it did in this family of goals."""
    elsewhere: Record = field(default_factory=Record)
    """What it did in all others."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is known of an option."""

    name: str
    good: float
    bad: float
    """The posterior of its success: Beta(good, bad)."""
    cost_usd: float
    """Of one run."""
    worth_usd: float
    """What a success is worth."""

    @property
    def success(self) -> float:
        """Expected chance of success."""
        return self.good / (self.good + self.bad)

    @property
    def utility(self) -> float:
        """Expected success less the price."""
        return self.success - self.cost_usd / self.worth_usd

    @property
    def bounds(self) -> tuple[float, float]:
        """Utility within which it lies at 95 % (Wilson's interval of the posterior's counts)."""
        low, high = wilson(self.success, self.good + self.bad)
        price = self.cost_usd / self.worth_usd
        return low - price, high - price


@dataclass(frozen=True, slots=True)
class Choice:
    """What is chosen, and why."""

    name: str
    explored: bool
    """Something else is the best known, and this may be better."""
    why: str
    estimates: tuple[Estimate, ...]
    """Of all options, the best first."""


def wilson(p: float, n: float) -> tuple[float, float]:
    """Wilson's interval at 95 %: between what a share ``p`` seen in ``n`` runs may come from."""
    middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    return middle - half, middle + half


def fit_of(goal: str, description: str) -> float:
    """How a description fits a goal: the cosine of their words, from 0 to 1."""
    asked, told = _words(goal), _words(description)
    if not asked or not told:
        return 0.0
    return len(asked & told) / math.sqrt(len(asked) * len(told))


def _words(text: str) -> set[str]:
    # Five letters: "count", "counts" and "counting" are one word.
    return {word[:5] for word in _WORD.findall(text.lower()) if word not in _COMMON}


def estimates(options: Sequence[Option], worth_usd: float) -> list[Estimate]:
    """What is known of some options, the best first; the default before others that are as good.

    Args:
        options: With different names.
        worth_usd: What a success is worth.
    """
    if not options or len({o.name for o in options}) != len(options) or worth_usd <= 0:
        raise BugError("options need names of their own, and a success must be worth something")
    every = sum((o.here + o.elsewhere for o in options), Record())
    usual = every.cost_usd / every.runs if every.runs else 0.0
    found = [_estimate(option, usual, worth_usd) for option in options]
    return sorted(found, key=lambda e: (-e.utility, e.name))


def _estimate(option: Option, usual_usd: float, worth_usd: float) -> Estimate:
    guess = _GUESS + _LEAN * (min(1.0, max(0.0, option.fit)) - 0.5)
    there, here = option.elsewhere, option.here
    known = (there.good + _ELSEWHERE * guess) / (there.runs + _ELSEWHERE)
    runs = there.runs + here.runs
    paid = there.cost_usd + here.cost_usd
    cost = (paid + _PRICED * usual_usd) / (runs + _PRICED)
    good, bad = _HERE * known + here.good, _HERE * (1 - known) + here.bad
    return Estimate(option.name, good, bad, cost, worth_usd)


def choose(
    options: Sequence[Option],
    *,
    worth_usd: float,
    rng: Random,
    explored: int = 0,
    may_explore: bool = True,
) -> Choice:
    """Choose who does a goal.

    Args:
        options: Who could; their order does not matter.
        worth_usd: What a success is worth.
        rng: Draws what is tried.
        explored: How often something else than the best known was tried in this family.
        may_explore: Nothing that cannot be undone is at stake.
    """
    known = estimates(options, worth_usd)
    best = known[0]
    runs = sum(o.here.runs for o in options)
    tried = best
    if may_explore and explored < may_explore_in(runs):
        tried = _drawn(known, rng)
    if tried.name == best.name:
        return Choice(best.name, False, f"it is the best known: {told(best)}", tuple(known))
    why = f"it may be better ({told(tried)}) than the best known ({told(best)})"
    return Choice(tried.name, True, why, tuple(known))


def may_explore_in(runs: int) -> int:
    """How many of the goals of a family may be done by another than the best known."""
    return EXPLORED_FIRST + math.floor(EXPLORED_SHARE * runs)


def _drawn(known: Sequence[Estimate], rng: Random) -> Estimate:
    """Thompson's draw among those that are not surely worse than the best known."""
    floor = known[0].bounds[0]
    open_ = sorted((e for e in known if e.bounds[1] >= floor), key=lambda e: e.name)
    drawn = [
        (rng.betavariate(e.good, e.bad) - e.cost_usd / e.worth_usd, -k, e)
        for k, e in enumerate(open_)
    ]
    return max(drawn)[2]


def told(estimate: Estimate) -> str:
    """What is known of an option, in numbers."""
    runs = max(0.0, estimate.good + estimate.bad - _HERE)
    name = estimate.name or "the default"
    return f"{name}: {estimate.success:.0%} of {runs:.0f} runs, ${estimate.cost_usd:.4f} each"


def narrowed(granted: frozenset[str], used: frozenset[str], good_runs: int) -> frozenset[str]:
    """The tools to give for a goal of a family: those that its good runs have used.

    Never one that was not granted; all of them while the family is not known well.
    """
    return granted & used if good_runs >= FEW and granted & used else granted
