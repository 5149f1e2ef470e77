"""Words of courtesy are no part of what is asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.evolution.courtesy import without_courtesy
from llmos.evolution.templates import plain


@pytest.mark.parametrize(
    "goal",
    [
        "rename the file to a.txt",
        "can you rename the file to a.txt",
        "could you please rename the file to a.txt?",
        "please rename the file to a.txt",
        "I need to rename the file to a.txt. Can you do that for me please?",
        "I'd like you to rename the file to a.txt, please.",
        "We want to rename the file to a.txt. Thanks!",
        "Hey, can you rename the file to a.txt for me, please?",
    ],
)
def test_what_is_asked_for_is_the_same_however_politely(goal: str) -> None:
    assert without_courtesy(goal) == "rename the file to a.txt"


@pytest.mark.parametrize(
    "goal",
    [
        "don't rename it",
        "can't remember it",
        "I need bar charts of it",
        "reply with 'Thanks. Can you do that for me?",
        "send 'please'",
        "write 'Can you do it?'",
        "you can do it",
        "pleased with it",
        "can you",
        "please",
        "",
    ],
)
def test_what_means_something_or_may_be_quoted_stays(goal: str) -> None:
    assert without_courtesy(goal) == goal


def test_a_question_keeps_what_it_asks() -> None:
    assert without_courtesy("can you check if it is there?") == "check if it is there"


@given(st.text(alphabet="ab '\".?!", max_size=20))
def test_taking_it_away_twice_is_taking_it_away_once_and_leaves_a_piece_of_the_goal(
    goal: str,
) -> None:
    for asked in (goal, f"please {goal}", f"can you {goal}. Can you do that?"):
        left = plain(asked)
        assert left.lower() in asked.lower() or " ".join(left.split()) in " ".join(asked.split())
        assert left or not asked.strip()
