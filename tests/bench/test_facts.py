"""The measurement of recall counts what it says, with goals that are what they are said to be."""

from __future__ import annotations

import pytest

from bench import fact_goals
from bench.facts import BUDGETS, by_both, measured
from llmos.memory.facts import FactKind
from llmos.memory.facts.statements import read_statement
from llmos.memory.facts.words import words_of


@pytest.mark.parametrize("goals", [fact_goals.FIRST, fact_goals.SECOND])
def test_goals_share_words_with_their_facts_or_none_at_all(goals: fact_goals.Goals) -> None:
    assert all(words_of(fact) & words_of(goal) for fact, goal in goals.worded)
    assert not any(words_of(fact) & words_of(goal) for fact, goal in goals.paraphrased)
    told = [fact for fact, _ in goals.worded + goals.paraphrased]
    assert len(set(told)) == len(told)
    assert FactKind.RULE not in {read_statement(fact).kind for fact in told}


def test_what_is_told_is_counted_as_needed_wrong_or_without_need() -> None:
    words = measured(by_both(None), BUDGETS[0])
    assert (words["same words"], words["other words"]) == ("15 of 15", "0 of 30")
    everything = by_both(lambda goal, sentences: [0.5] * len(sentences))
    assert measured(everything, BUDGETS[0])["told without need"] == "30 of 30"
    nothing = measured(lambda goal, budget: [], BUDGETS[0])
    assert list(nothing.values()) == ["0 of 15", "0 of 30", "0 of 30", "0.00"]
