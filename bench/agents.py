"""How well agents are chosen by description and record, against the best choice in hindsight.

    python -m bench agents

A simulation: families of goals, agents and their true chances and prices are drawn by chance; the
choosing is the real one. **Regret** is what the best agent of each family would have got more, in
successes per 100 goals, prices counted in what a success is worth; 0 is the best there is. Compared
on the same worlds: always the default, always the agent whose description fits best, the best known
without ever trying another, and trying without a bound.

Beside it: how often a cheaper model is suggested for an agent that has worked 40 times with it and
40 times with a dearer one, looked at after every run from the tenth on, by how much worse it is.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from llmos.cortex.agents.models import choose_model
from llmos.cortex.agents.records import Run
from llmos.cortex.agents.selection import Option, Record, choose, estimates

AGENTS = ("", "coder", "researcher", "data-analyst")
FAMILIES = 12
GOALS = 600
WORLDS = 30
WORTH_USD = 0.5


@dataclass(frozen=True)
class World:
    """True chances and prices of every agent in every family, and what descriptions say of them."""

    success: Mapping[tuple[int, str], float]
    cost_usd: Mapping[str, float]
    fit: Mapping[tuple[int, str], float]

    def utility(self, family: int, agent: str) -> float:
        return self.success[family, agent] - self.cost_usd[agent] / WORTH_USD

    def best(self, family: int) -> float:
        return max(self.utility(family, agent) for agent in AGENTS)


def drawn(rng: Random, honest: float) -> World:
    """A world in which descriptions are right with probability ``honest``, else anyhow."""
    success, fit = {}, {}
    for family in range(FAMILIES):
        default = rng.uniform(0.5, 0.9)
        for agent in AGENTS:
            made_for = rng.random() < 1 / 3
            chance = default + (rng.uniform(0, 0.3) if made_for else -rng.uniform(0, 0.3))
            success[family, agent] = default if not agent else min(0.98, max(0.02, chance))
            says = made_for if rng.random() < honest else rng.random() < 1 / 3
            fit[family, agent] = 0.5 if not agent else rng.uniform(0.5, 0.9) * says
    cost = {agent: rng.uniform(0.005, 0.05) for agent in AGENTS}
    return World(success, cost, fit)


@dataclass
class Books:
    """What was seen so far."""

    here: dict[tuple[int, str], Record] = field(default_factory=dict)
    everywhere: dict[str, Record] = field(default_factory=dict)
    explored: dict[int, int] = field(default_factory=dict)

    def options(self, world: World, family: int) -> list[Option]:
        def option(agent: str) -> Option:
            mine = self.here.get((family, agent), Record())
            every = self.everywhere.get(agent, Record())
            others = Record(
                every.good - mine.good, every.bad - mine.bad, every.cost_usd - mine.cost_usd
            )
            return Option(agent, world.fit[family, agent], mine, others)

        return [option(agent) for agent in AGENTS]

    def note(self, family: int, agent: str, seen: Record) -> None:
        self.here[family, agent] = self.here.get((family, agent), Record()) + seen
        self.everywhere[agent] = self.everywhere.get(agent, Record()) + seen


RUNS, COSTS = 40, (0.01, 0.05)
"""Runs of each of two models, and what one of the cheaper and of the dearer one costs."""


def suggested(worse: float, rng: Random) -> bool:
    """Whether a cheaper model that is so much worse is suggested at some time."""
    dear = rng.uniform(0.6, 0.95)
    runs: list[Run] = []
    for k in range(RUNS):
        for name, chance, cost in (
            ("cheap", dear - worse, COSTS[0]),
            ("dear", dear, COSTS[1]),
        ):
            good = rng.random() < chance
            runs.append(Run(f"{name}{k}", "goal", "agent@1", good, cost, False, "", name))
        if choose_model([runs], "dear") is not None:
            return True
    return False


def models(worlds: int) -> dict[str, Any]:
    shares = {}
    for worse in (0.0, 0.1, 0.2, 0.3):
        found = sum(suggested(worse, Random(n)) for n in range(worlds))
        shares[f"{worse * 100:.0f} points worse"] = f"{found / worlds:.0%}"
    return {"what": f"a cheaper model is suggested within {RUNS} runs", **shares}


Choose = Callable[[World, Books, int, Random], str]


def default(world: World, books: Books, family: int, rng: Random) -> str:
    return ""


def described(world: World, books: Books, family: int, rng: Random) -> str:
    return max(AGENTS, key=lambda agent: world.fit[family, agent])


def greedy(world: World, books: Books, family: int, rng: Random) -> str:
    return estimates(books.options(world, family), WORTH_USD)[0].name


def bounded(world: World, books: Books, family: int, rng: Random) -> str:
    explored = books.explored.get(family, 0)
    options = books.options(world, family)
    choice = choose(options, worth_usd=WORTH_USD, rng=rng, explored=explored)
    books.explored[family] = explored + choice.explored
    return choice.name


def unbounded(world: World, books: Books, family: int, rng: Random) -> str:
    return choose(books.options(world, family), worth_usd=WORTH_USD, rng=rng).name


WAYS: Mapping[str, Choose] = {
    "default": default,
    "description": described,
    "greedy": greedy,
    "unbounded": unbounded,
    "chosen": bounded,
}


def regret(world: World, way: Choose, rng: Random) -> tuple[float, float]:
    """Regret per 100 goals: in all of them, and in the last third."""
    books, lost = Books(), []
    shares = [1 / (rank + 1) for rank in range(FAMILIES)]
    for family in rng.choices(range(FAMILIES), shares, k=GOALS):
        agent = way(world, books, family, rng)
        good = rng.random() < world.success[family, agent]
        seen = Record(int(good), int(not good), world.cost_usd[agent])
        books.note(family, agent, seen)
        lost.append(world.best(family) - world.utility(family, agent))
    late = lost[-GOALS // 3 :]
    return 100 * statistics.mean(lost), 100 * statistics.mean(late)


def main(worlds: int = WORLDS) -> list[dict[str, Any]]:
    rows = []
    for told, honest in (
        ("descriptions are right", 1.0),
        ("half of the descriptions are right", 0.5),
        ("descriptions say nothing", 0.0),
    ):
        row: dict[str, Any] = {"what": f"regret per 100 goals (late), {told}"}
        for name, way in WAYS.items():
            both = [
                regret(drawn(Random(seed), honest), way, Random(f"{seed}/{name}"))
                for seed in range(worlds)
            ]
            all_, late = (statistics.mean(column) for column in zip(*both, strict=True))
            row[name] = f"{all_:.1f} ({late:.1f})"
        row["target"] = "chosen below default, and late below greedy where descriptions say nothing"
        rows.append(row)
    return [*rows, models(10 * worlds) | {"target": "10 % at most where it is 20 points worse"}]
