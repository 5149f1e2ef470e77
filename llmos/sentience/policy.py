"""The policy: what real knobs the internal state turns, and which number turned each. Pure.

It may make things safer than they are configured and never laxer: fewer free runs, more audits,
more questions. At the set-points every knob is exactly as configured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from llmos.config import LLMOSConfig
from llmos.sentience.modes import LatentMode, latent_mode
from llmos.sentience.valence import SET_POINT, Valence
from llmos.values import Json

LEAST_ERROR_BUDGET = 0.1
"""Of the configured one: below a tenth only tools with several clean comparisons run free."""
MOST_AUDITS = 25.0
"""Times the configured audit rate. What changes in the world often breaks several tools at once:
after one was found wrong, the others are worth a look, and for some tens of runs only."""
HIGHEST_AUDIT_RATE = 0.5
"""Share of free runs that are audited at most, unless more is configured."""
LEAST_WORK, MOST_WORK = 0.25, 1.5
"""Of the configured search time of background work."""
LEAST_EXPLORATION = 0.25
"""Of what may be spent on proposals of a model."""


@dataclass(frozen=True, slots=True)
class Knob:
    """One thing that the state turns."""

    name: str
    value: float
    """What the configured value is multiplied with; for approvals 1 if they are required."""
    why: str
    """Which number turned it, in one sentence."""

    @property
    def moved(self) -> bool:
        """Whether it is not as configured."""
        return self.value != (0.0 if self.name == "approvals" else 1.0)


@dataclass(frozen=True, slots=True)
class Policy:
    """All knobs for one state."""

    mode: LatentMode
    error_budget: Knob
    audit_rate: Knob
    cron_budget: Knob
    exploration: Knob
    approvals: Knob

    @property
    def knobs(self) -> tuple[Knob, ...]:
        """All of them, in the order in which they are shown."""
        return (
            self.error_budget,
            self.audit_rate,
            self.cron_budget,
            self.exploration,
            self.approvals,
        )

    @property
    def ask_before_external(self) -> str:
        """Why every external write asks, also where a rule allows it; "" where none does."""
        return self.approvals.why if self.approvals.moved else ""

    def governed(self, config: LLMOSConfig) -> LLMOSConfig:
        """The settings with the knobs turned. A rate of 0 stays 0: its owner wants no audits."""
        if not any(knob.moved for knob in self.knobs):
            return config
        return replace(
            config,
            error_budget=config.error_budget * self.error_budget.value,
            audit_rate=_raised(config.audit_rate, self.audit_rate.value),
            audit_rate_external=_raised(config.audit_rate_external, self.audit_rate.value),
            learn_seconds=config.learn_seconds * self.cron_budget.value,
            cron_runs=max(1, round(config.cron_runs * self.cron_budget.value)),
        )

    @property
    def told(self) -> str:
        """Why fewer runs are free than configured, for the reason of a decision; "" if not."""
        return "; ".join(k.why for k in (self.error_budget, self.audit_rate) if k.moved)

    def as_dict(self) -> dict[str, Json]:
        """The policy as JSON."""
        told = {k.name: {"value": k.value, "moved": k.moved, "why": k.why} for k in self.knobs}
        return {"mode": self.mode.value, "knobs": told}


def policy_of(valence: Valence) -> Policy:
    """The policy that a state yields."""
    return Policy(
        latent_mode(valence),
        _error_budget(valence),
        _audit_rate(valence),
        _cron_budget(valence),
        _exploration(valence),
        _approvals(valence),
    )


def _error_budget(v: Valence) -> Knob:
    # Not by self-confidence: that a model failed says nothing of what runs without one.
    share = 1.0 - (1.0 - LEAST_ERROR_BUDGET) * _ramp(v.safety, 0.4, -0.5)
    told = f"so that a tool may risk {share:.0%} of the configured to run free"
    return _knob(v, "error_budget", share, "safety", told)


def _audit_rate(v: Valence) -> Knob:
    times = 1.0 + (MOST_AUDITS - 1.0) * _ramp(v.safety, 0.45, 0.2)
    return _knob(v, "audit_rate", times, "safety", f"so that audits are {times:.1f} times")


def _cron_budget(v: Valence) -> Knob:
    tired, unsafe = _ramp(v.energy, 0.4, -0.5), _ramp(v.safety, 0.0, -0.5)
    if tired or unsafe:
        share = 1.0 - (1.0 - LEAST_WORK) * max(tired, unsafe)
        which = "energy" if tired >= unsafe else "safety"
        return _knob(v, "cron_budget", share, which, "so that background work is less")
    eager = _ramp(-v.curiosity, -0.3, -0.8) if v.self_confidence > 0.1 else 0.0
    share = 1.0 + (MOST_WORK - 1.0) * eager
    which = "curiosity" if eager else "energy"
    return _knob(v, "cron_budget", share, which, "so that more is searched for")


def _exploration(v: Valence) -> Knob:
    by = {
        "energy": _ramp(v.energy, 0.4, -0.5),
        "safety": _ramp(v.safety, 0.0, -0.5),
        "curiosity": _ramp(v.curiosity, -0.3, -1.0),
        "self_confidence": _ramp(v.self_confidence, -0.2, -0.8),
    }
    which = max(by, key=by.__getitem__)
    share = 1.0 - (1.0 - LEAST_EXPLORATION) * by[which]
    return _knob(v, "exploration", share, which, "so that a model is asked for less")


def _approvals(v: Valence) -> Knob:
    if v.safety >= 0:
        return Knob("approvals", 0.0, f"as configured: {_is(v, 'safety')}")
    return Knob("approvals", 1.0, f"{_is(v, 'safety')}, so that every external write asks")


def _knob(v: Valence, name: str, value: float, which: str, told: str) -> Knob:
    """A knob that one number may have moved, and what for."""
    is_now = _is(v, which)
    return Knob(name, value, f"as configured: {is_now}" if value == 1.0 else f"{is_now}, {told}")


def _ramp(value: float, begins: float, ends: float) -> float:
    """0 down to ``begins``, then evenly up to 1 at ``ends``, which is less."""
    return max(0.0, min(1.0, (begins - value) / (begins - ends)))


def _raised(rate: float, times: float) -> float:
    return max(rate, min(HIGHEST_AUDIT_RATE, rate * times))


def _is(v: Valence, which: str) -> str:
    """A number as a person reads it, with its set-point."""
    name = which.replace("_", "-")
    return f"{name} is {getattr(v, which):.2f} (set-point {getattr(SET_POINT, which):.1f})"
