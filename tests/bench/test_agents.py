"""The simulation of choosing agents measures what it says."""

from __future__ import annotations

from random import Random
from statistics import mean

from bench.agents import AGENTS, FAMILIES, bounded, default, drawn, regret


def test_always_the_best_regrets_nothing_and_choosing_regrets_less_than_the_default() -> None:
    worlds = [drawn(Random(seed), 0.5) for seed in range(4)]
    for world in worlds:
        best = {f: max(AGENTS, key=lambda a: world.utility(f, a)) for f in range(FAMILIES)}
        assert regret(world, lambda w, b, f, r: best[f], Random(0))[0] == 0  # noqa: B023
    ours = mean(regret(world, bounded, Random(0))[0] for world in worlds)
    assert ours < mean(regret(world, default, Random(0))[0] for world in worlds)
