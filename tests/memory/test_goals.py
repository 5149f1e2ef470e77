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


MEMORY = st.lists(
    st.tuples(st.sampled_from(["fact", "hook:a"]), st.text(max_size=5)), min_size=1, max_size=3
)


@given(TURNS, st.sampled_from(["", "coder@1f2e3d4c5b6a"]), MEMORY, MEMORY)
def test_what_memory_tells_counts_in_the_digest(
    turns: list[Turn], agent: str, one: list[tuple[str, str]], other: list[tuple[str, str]]
) -> None:
    told = context_digest(turns, agent, one)
    assert told != context_digest(turns, agent)
    assert (told == context_digest(turns, agent, other)) == (one == other)


def test_digests_that_are_stored_already_stay_valid() -> None:
    turns = [Turn("Say hello", "Hello.")]
    assert context_digest(turns) == (
        "1061b81161e6e160903f2c64c694062b0f7761c3f41a1b7648a9d7d74a3e1f32"
    )
    assert context_digest(turns, "coder@1f2e3d4c5b6a") == (
        "1240e54e1459e0e8764f07d0be4bed9a1eaa6f87ff46416bf478c978e47c275e"
    )
