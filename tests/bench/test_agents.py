"""The simulation of choosing agents measures what it says."""

from __future__ import annotations

from random import Random
from statistics import mean

from bench.agents import AGENTS, FAMILIES, bounded, default, drawn, regret, suggested


def test_always_the_best_regrets_nothing_and_choosing_regrets_less_than_the_default() -> None:
    worlds = [drawn(Random(seed), 0.5) for seed in range(4)]
    for world in worlds:
        best = {f: max(AGENTS, key=lambda a: world.utility(f, a)) for f in range(FAMILIES)}
        assert regret(world, lambda w, b, f, r: best[f], Random(0))[0] == 0  # noqa: B023
    ours = mean(regret(world, bounded, Random(0))[0] for world in worlds)
    assert ours < mean(regret(world, default, Random(0))[0] for world in worlds)


def test_a_cheaper_model_that_is_as_good_is_suggested_more_often_than_one_that_is_not() -> None:
    as_good, worse = (sum(suggested(by, Random(n)) for n in range(12)) for by in (0.0, 0.3))
    assert as_good > 2 * worse
