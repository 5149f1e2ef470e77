"""Clopper-Pearson: what so many trials with so many failures say of the true rate, at most.

The bounds are exact, not approximate: a rate is within them unless what was counted would have
been that extreme in less than one of twenty repetitions. C. J. Clopper and E. S. Pearson, "The use
of confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26 (1934).
"""

from __future__ import annotations

import math

CONFIDENCE = 0.95
"""Of each bound by itself: one-sided."""

_HALVINGS = 60
"""Steps of the bisection; doubles have no finer ones."""


def upper_bound(failures: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """The largest failure rate that is compatible with what was counted; 1 without a trial.

    Args:
        failures: How many failed.
        trials: Of how many.
        confidence: One-sided.
    """
    if failures >= trials:
        return 1.0
    return _crossing(failures, trials, 1 - confidence)


def lower_bound(failures: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """The smallest failure rate that is compatible with what was counted; 0 without a failure.

    Args:
        failures: How many failed.
        trials: Of how many.
        confidence: One-sided.
    """
    if failures <= 0:
        return 0.0
    return _crossing(failures - 1, trials, confidence)


def _crossing(failures: int, trials: int, level: float) -> float:
    """The rate at which the chance of at most so many failures falls to ``level``."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _at_most(failures, trials, middle) > level:
            low = middle
        else:
            high = middle
    return high


def _at_most(failures: int, trials: int, rate: float) -> float:
    """Chance of at most so many failures, each trial failing at ``rate``."""
    if rate >= 1.0:
        return float(failures >= trials)
    fail, pass_ = math.log(rate), math.log1p(-rate)
    chosen = 0.0
    """Logarithm of the number of ways to choose the failing trials."""
    terms = []
    for k in range(failures + 1):
        terms.append(math.exp(chosen + k * fail + (trials - k) * pass_))
        chosen += math.log((trials - k) / (k + 1)) if k < trials else 0.0
    return min(1.0, math.fsum(terms))
