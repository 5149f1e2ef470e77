"""Goals that cannot be worked on are one clear error; what the model saw has a digest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.errors import UserError
from llmos.memory.goals import LONGEST_GOAL, check_goal, context_digest
from llmos.values import Turn


@pytest.mark.parametrize("goal", ["", " ", "\n\t\u00a0", None, 5, b"bytes"])
def test_an_empty_goal_is_refused_with_an_example(goal: Any) -> None:
    with pytest.raises(UserError, match="empty") as e:
        check_goal(goal)
    assert "llmos run" in e.value.hint


def test_a_goal_of_one_megabyte_is_refused_with_its_length() -> None:
    with pytest.raises(UserError, match="1,000,000"):
        check_goal("x" * 1_000_000)
    assert check_goal("x" * LONGEST_GOAL)


@pytest.mark.parametrize("goal", ["a\udc80b", "\ud800", "a\0b"])
def test_what_is_no_text_is_refused(goal: str) -> None:
    with pytest.raises(UserError) as e:
        check_goal(goal)
    assert "\n" not in e.value.message
    e.value.message.encode()


@pytest.mark.parametrize("goal", ["x", " x ", "写一首诗", "a\nb", "🙂"])
def test_a_goal_is_given_back_as_it_came(goal: str) -> None:
    assert check_goal(goal) == goal


def test_nothing_seen_has_no_digest() -> None:
    assert context_digest([]) == ""


TURNS = st.lists(st.builds(Turn, st.text(max_size=5), st.text(max_size=5)), max_size=3)


@given(TURNS, TURNS)
def test_only_equal_contexts_have_equal_digests(one: list[Turn], other: list[Turn]) -> None:
    assert (context_digest(one) == context_digest(other)) == (one == other)
