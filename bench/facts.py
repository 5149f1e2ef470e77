"""Whether goals are told the facts that they need: by words, by meaning, and by both.

    python -m bench facts [--json]

The first set of `bench.fact_goals` chooses from which cosine on a fact is near; what is reported
was measured on the second, where the facts of both are known. Meaning needs ``llmos[embeddings]``.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.fact_goals import FIRST, SECOND
from llmos.memory.facts import Fact, FactStatus, Nearness, meaning, recall
from llmos.memory.facts.recall import MOST_NEAR
from llmos.memory.facts.statements import read_statement
from llmos.memory.pieces import tokens_of

BUDGETS = (1000, 20)
"""The default of ``memory_tokens``, and room for about two facts."""
GRID = tuple(n / 100 for n in range(20, 61))
NEEDLESS_AT_MOST = 0.1
"""Share of goals that need no fact and may be told one for its meaning alone."""
OTHERS = (0.25, 0.35, 0.4)
"""Where else the line could be drawn."""
MANY = 1_000
LOADS = 5

Told = Callable[[str, int], list[str]]
"""The sentences that a goal is told under a budget."""


def stored(n: int, sentence: str) -> Fact:
    """A fact as it is stored."""
    said, at = read_statement(sentence), datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n)
    kind, subject, holds = said.kind, said.subject, FactStatus.CURRENT
    return Fact(str(n), "", "alice", "", kind, subject, sentence, holds, "", "person", at, None)


_PAIRS = (*FIRST.worded, *FIRST.paraphrased, *SECOND.worded, *SECOND.paraphrased)
FACTS = [stored(n, sentence) for n, (sentence, _) in enumerate(_PAIRS)]
FACTS_OF_FIRST = FACTS[: len(FIRST.worded) + len(FIRST.paraphrased)]


def by_both(near: Nearness | None, facts: Sequence[Fact] = FACTS) -> Told:
    """As goals are told facts; by words alone without ``near``."""
    return lambda goal, budget: [p.text for p in recall(facts, goal, budget, near) if p.shown]


def by_meaning(near: Nearness) -> Told:
    """The nearest alone, whatever words they share."""

    def told(goal: str, budget: int) -> list[str]:
        scores = near(goal, [f.sentence for f in FACTS])
        ranked = sorted((-s, f.sentence) for s, f in zip(scores, FACTS, strict=True) if s > 0)
        found = []
        for _, sentence in ranked[:MOST_NEAR]:
            if tokens_of(sentence) <= budget:
                budget -= tokens_of(sentence)
                found.append(sentence)
        return found

    return told


def measured(told: Told, budget: int) -> dict[str, str]:
    """Counts on the second set."""
    counts: dict[str, str] = {}
    extra = 0
    for name, pairs in (("same words", SECOND.worded), ("other words", SECOND.paraphrased)):
        found = [(fact, told(goal, budget)) for fact, goal in pairs]
        counts[name] = f"{sum(fact in said for fact, said in found)} of {len(pairs)}"
        extra += sum(len(set(said) - {fact}) for fact, said in found)
    idle = [told(goal, budget) for goal in SECOND.needless]
    counts["told without need"] = f"{sum(map(bool, idle))} of {len(idle)}"
    counts["wrong facts, a goal"] = f"{extra / len(SECOND.worded + SECOND.paraphrased):.2f}"
    return counts


def chosen() -> float:
    """The lowest cosine that tells few goals something that they do not need."""
    words = by_both(None, FACTS_OF_FIRST)
    for least in GRID:
        both = by_both(meaning.Meaning(least), FACTS_OF_FIRST)
        more = [len(both(g, BUDGETS[0])) > len(words(g, BUDGETS[0])) for g in FIRST.needless]
        if sum(more) <= NEEDLESS_AT_MOST * len(more):
            return least
    return 1.0


def recalled() -> list[dict[str, Any]]:
    """What is told, by each way."""
    both = "by both"
    ways: dict[str, Told] = {"by words": by_both(None)}
    if not meaning.missing():
        ways["by meaning"] = by_meaning(meaning.Meaning())
        ways[both] = by_both(meaning.Meaning())
    rows = [
        {"what": f"facts recalled {name}, {budget} tokens", **measured(told, budget)}
        for budget in BUDGETS
        for name, told in ways.items()
    ]
    if both in ways:
        for least in OTHERS:
            told = by_both(meaning.Meaning(least))
            what = f"facts recalled {both}, near from {least} on"
            rows.append({"what": what, **measured(told, BUDGETS[0])})
    return rows


def seconds(work: Callable[[], object]) -> float:
    """What it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def first() -> float:
    """Seconds until the first answer of a process, without its start."""
    code = (
        "from llmos.memory.facts.meaning import Meaning; import time; b = time.perf_counter();"
        "Meaning()('Order flowers', ['She likes roses']); print(time.perf_counter() - b)"
    )
    return float(subprocess.check_output([sys.executable, "-c", code], text=True))


def speed() -> list[dict[str, Any]]:
    """What meaning takes with as many facts as are looked through for a goal."""
    known = [f"{FACTS[n % len(FACTS)].sentence} since {n}" for n in range(MANY)]
    facts = [stored(n, sentence) for n, sentence in enumerate(known)]
    near = meaning.Meaning()
    near("warm", ["warm"])
    meaning._vector.cache_clear()
    cold = seconds(lambda: near("warm", known))
    goals = [goal for _, goal in SECOND.paraphrased]

    def each(with_near: Nearness | None) -> float:
        recall(facts, goals[0], BUDGETS[0], with_near)
        took = [seconds(lambda: recall(facts, g, BUDGETS[0], with_near)) for g in goals]  # noqa: B023
        return statistics.median(took) * 1e3

    return [
        {
            "what": f"meaning of {MANY:,} facts",
            "first call of a process ms": round(
                statistics.median(first() for _ in range(LOADS)) * 1e3
            ),
            "their vectors, once ms": round(cold * 1e3, 1),
            "a goal by words ms": round(each(None), 2),
            "a goal by both ms": round(each(near), 2),
        }
    ]


def main() -> list[dict[str, Any]]:
    rows = recalled()
    if problem := meaning.missing():
        return [*rows, {"what": "facts recalled by meaning", "not measured": problem}]
    near = {"chosen": chosen(), "in use": meaning.LEAST, "target": "the same"}
    return [*rows, {"what": "cosine from which on a fact is near", **near}, *speed()]
