"""What the internal state buys, and what it costs, where the world changes under learned tools.

    python -m bench.sentience [--json] [--seeds N]

A simulation: tools, worlds and people are drawn by chance; valence, triggers and policy are the
real ones. A home has tools with more or less evidence. At random times the world changes and some
of them are wrong from then on. A wrong tool is stopped by a guard, or it makes a false hit that
its user notices or does not. An audit, a complaint or a model's run of the same job finds it out
and suspends it; after three runs of the model it is learnt anew.

Compared on the same draws: the state, the configured knobs, and knobs fixed at the audit rate for
which fixed knobs cost what the state costs. The last is the honest rival: more audits help anyway.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from llmos.config import LLMOSConfig
from llmos.evolution.prove import UNANIMOUS
from llmos.sentience import SET_POINT, Valence, policy_of, triggers_of
from llmos.sentience.triggers import ends_run
from llmos.values import EventType, Json

TOOLS = 40
RUNS = 4000
MODEL_USD = 0.05
BUDGET_USD = 200.0
GUARDED = 0.5
"""Chance that a guard stops a wrong tool."""
NOTICED = 0.1
"""Chance that somebody notices a false hit and says so."""
MODEL_FAILS = 0.02
"""Chance that a model's run fails, whatever the world."""
RELEARN = 3
"""Runs of a model after which a suspended tool is learnt anew."""


@dataclass(frozen=True, slots=True)
class World:
    """How the world changes."""

    name: str
    every: float
    """Runs between changes, on average; 0: it never does."""
    breaks: tuple[float, float]
    """Share of the tools that one change makes wrong: from, to."""
    exits: float = 0.0
    """Share of the runs of right tools that a guard stops without need."""


WORLDS = (
    World("still", 0, (0, 0)),
    World("still, with needless side exits", 0, (0, 0), exits=0.15),
    World("single tools go wrong", 100, (0.025, 0.025)),
    World("some go wrong together", 400, (0.1, 0.2)),
    World("many go wrong together", 800, (0.3, 0.6)),
    World("it changes all the time", 50, (0.05, 0.15)),
)


@dataclass(slots=True)
class Tool:
    """A learned tool, with the truth about it that nobody sees."""

    clean: int
    """Comparisons that agreed."""
    wrong: bool = False
    suspended: bool = False
    again: int = 0
    """Runs of the model since it was suspended."""

    @property
    def risk(self) -> float:
        """As `Proof.risk` counts it."""
        exact, n = UNANIMOUS[0] / sum(UNANIMOUS), self.clean
        return ((1 - exact) / ((n + 1) * (n + 2))) / (exact + (1 - exact) / (n + 1))


@dataclass(slots=True)
class Tally:
    """What came of one simulated home."""

    free: int = 0
    false_hits: int = 0
    cost_usd: float = 0.0
    audits: int = 0
    lowest: float = 1.0
    """Lowest safety."""


@dataclass(slots=True)
class Home:
    """One home in one world, with the state in charge or without it."""

    world: World
    seed: int
    config: LLMOSConfig
    governed: bool
    told: Tally = field(default_factory=Tally)
    state: Valence = SET_POINT

    def live(self) -> Tally:
        """All its runs."""
        # Each kind of chance has its own source, so that rivals meet the same worlds and jobs.
        jobs, world, luck = (Random(f"{self.seed}/{what}") for what in ("jobs", "world", "luck"))
        tools = [Tool(min(60, int(jobs.expovariate(0.1)))) for _ in range(TOOLS)]
        often = [1 / (k + 3) for k in range(TOOLS)]
        for _ in range(RUNS):
            if self.world.every and world.random() < 1 / self.world.every:
                share = world.uniform(*self.world.breaks)
                for tool in world.sample(tools, max(1, round(share * TOOLS))):
                    tool.wrong = True
            (tool,) = jobs.choices(tools, often)
            self._run(tool, [luck.random() for _ in range(4)])
        return self.told

    def _run(self, tool: Tool, chance: Sequence[float]) -> None:
        config = policy_of(self.state).governed(self.config) if self.governed else self.config
        audited, guarded, noticed, failed = chance
        if tool.suspended or tool.risk > config.error_budget + 1e-9:
            self._by_model(tool, failed < MODEL_FAILS)
        elif audited < config.audit_rate:
            self._audit(tool, failed < MODEL_FAILS)
        elif guarded < (GUARDED if tool.wrong else self.world.exits):
            self._spend()
            self._ended("MIXED", side_exit="a read differs")
        else:
            self.told.free += 1
            self._ended("CRYSTALLIZED")
            if tool.wrong:
                self.told.false_hits += 1
                if noticed < NOTICED:
                    judged = {"artifact": "trace", "verdict": "refuted", "by": "person"}
                    self._feel(EventType.ARTIFACT_EVOLVED, judged | {"mode": "CRYSTALLIZED"})
                    _suspend(tool)
        self.told.lowest = min(self.told.lowest, self.state.safety)

    def _audit(self, tool: Tool, failed: bool) -> None:
        self.told.audits += 1
        self._spend()
        self._ended("LEARNER", failed=failed)
        if failed:
            return
        if tool.wrong:
            self._feel(EventType.SYSTEM_ALERT, {"audit": "disagreed"})
            _suspend(tool)
        else:
            self._feel(EventType.HEALTH_CHECK, {"audit": "agreed"})
            tool.clean += 1

    def _by_model(self, tool: Tool, failed: bool) -> None:
        self._spend()
        self._ended("LEARNER", failed=failed)
        if failed:
            return
        if not tool.suspended:
            # The night compares it with what the tool would have done.
            if tool.wrong:
                _suspend(tool)
            else:
                tool.clean += 1
            return
        tool.again += 1
        if tool.again == RELEARN:
            tool.wrong = tool.suspended = False
            tool.clean = 0
            self._feel(EventType.ARTIFACT_EVOLVED, {"artifact": "tool"})

    def _spend(self) -> None:
        self.told.cost_usd += MODEL_USD

    def _ended(self, mode: str, *, failed: bool = False, side_exit: str = "") -> None:
        told: dict[str, Json] = {
            "mode": mode,
            "verdict": "failed" if failed else "completed",
            "side_exit": side_exit or None,
            "cost_usd": 0.0 if mode == "CRYSTALLIZED" else MODEL_USD,
            "left_usd": BUDGET_USD,
        }
        self._feel(EventType.TASK_FAILED if failed else EventType.TASK_COMPLETED, told)

    def _feel(self, kind: EventType, told: dict[str, Json]) -> None:
        if ends_run(kind, told):
            self.state = self.state.decayed()
        self.state = self.state.apply(*triggers_of(kind, told))


def _suspend(tool: Tool) -> None:
    tool.suspended, tool.again = True, 0


# --- rivals ------------------------------------------------------------------------------------

RATES = (0.02, 0.04, 0.08, 0.16, 0.32)
BASE = LLMOSConfig()


@dataclass(frozen=True, slots=True)
class Line:
    """One world: medians over the seeds."""

    world: str
    fixed_hits: float
    fixed_usd: float
    state_hits: float
    state_usd: float
    rival_rate: float
    """Audit rate at which fixed knobs cost what the state costs."""
    rival_hits: float
    wins: str
    """Seeds in which the state had fewer false hits than fixed knobs at the same cost."""

    def as_row(self) -> dict[str, Json]:
        """The line as the table of `bench` shows it."""
        return {
            "what": f"internal state, world: {self.world}",
            "false hits as configured": self.fixed_hits,
            "with the state": self.state_hits,
            "fixed at the same cost": round(self.rival_hits, 1),
            "ratio to that": _ratio(self.state_hits, self.rival_hits),
            "USD as configured": round(self.fixed_usd, 2),
            "USD with the state": round(self.state_usd, 2),
            "rival audit rate": round(self.rival_rate, 3),
            "better in": self.wins,
        }


def compare(world: World, seeds: Sequence[int]) -> Line:
    """The state against fixed knobs, in one world."""
    frontier = {
        rate: [Home(world, s, replace(BASE, audit_rate=rate), False).live() for s in seeds]
        for rate in RATES
    }
    fixed = frontier[RATES[0]]
    state = [Home(world, s, BASE, True).live() for s in seeds]
    rivals = [
        _at_cost([(r, frontier[r][k]) for r in RATES], told.cost_usd)
        for k, told in enumerate(state)
    ]
    better = sum(t.false_hits < hits for t, (_, hits) in zip(state, rivals, strict=True))
    return Line(
        world.name,
        _median(fixed, lambda t: t.false_hits),
        _median(fixed, lambda t: t.cost_usd),
        _median(state, lambda t: t.false_hits),
        _median(state, lambda t: t.cost_usd),
        statistics.median(rate for rate, _ in rivals),
        statistics.median(hits for _, hits in rivals),
        f"{better} of {len(seeds)}",
    )


def _at_cost(points: Sequence[tuple[float, Tally]], usd: float) -> tuple[float, float]:
    """Audit rate and false hits of fixed knobs that cost ``usd``, between measured points."""
    ordered = sorted(points, key=lambda p: p[1].cost_usd)
    below = max((p for p in ordered if p[1].cost_usd <= usd), default=ordered[0], key=_cost)
    above = min((p for p in ordered if p[1].cost_usd > usd), default=below, key=_cost)
    span = above[1].cost_usd - below[1].cost_usd
    share = (usd - below[1].cost_usd) / span if span > 0 else 0.0
    share = max(0.0, share)
    rate = below[0] + share * (above[0] - below[0])
    return rate, below[1].false_hits + share * (above[1].false_hits - below[1].false_hits)


def _cost(point: tuple[float, Tally]) -> float:
    return point[1].cost_usd


def _median(tallies: Sequence[Tally], of: Callable[[Tally], float]) -> float:
    return statistics.median(of(t) for t in tallies)


def _ratio(a: float, b: float) -> Json:
    return round(a / b, 2) if b else ("-" if a else 1.0)


def main(seeds: int = 10) -> list[dict[str, Json]]:
    """One row for each world."""
    return [compare(world, range(seeds)).as_row() for world in WORLDS]


if __name__ == "__main__":
    count = int(sys.argv[sys.argv.index("--seeds") + 1]) if "--seeds" in sys.argv else 10
    rows = main(count)
    if "--json" in sys.argv:
        print(json.dumps(rows, indent=2))
    else:
        for line in rows:
            print(", ".join(f"{k} {v}" for k, v in line.items()))
