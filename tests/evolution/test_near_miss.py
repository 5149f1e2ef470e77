"""Which tool a goal just misses, and by what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.evolution.near_miss import near_miss
from llmos.evolution.slots import SlotSpec
from llmos.evolution.templates import Template


@dataclass(frozen=True)
class Known:
    """Of a learned tool what is asked for here."""

    name: str
    templates: tuple[Template, ...]


CHANNEL = SlotSpec("channel", "word", frozenset({"alpha", "beta"}))
POST = Known(
    "post-report",
    (
        Template(
            ("Post the report of ", " to the ", " channel"), (SlotSpec("day", "date"), CHANNEL)
        ),
    ),
)
MAIL = Known("mail-report", (Template(("Mail the report to ", ""), (CHANNEL,)),))


def missed(goal: str, *tools: Any) -> Any:
    return near_miss(goal, tools or (POST, MAIL))


def test_the_value_that_was_never_seen_is_named_with_those_that_were() -> None:
    miss = missed("Post the report of 2026-03-02 to the delta channel")
    assert (miss.tool, miss.value, miss.seen) == ("post-report", "delta", ("alpha", "beta"))
    assert str(miss) == (
        "tool post-report: 'delta' was never seen where … stands in “Post the report of {day} to "
        "the … channel”; seen: alpha, beta; run it once with the model and vouch for it"
    )


def test_a_word_of_the_wording_is_named_with_what_stands_there() -> None:
    miss = missed("Post the summary of 2026-03-02 to the alpha channel")
    assert (miss.tool, miss.value, miss.seen) == ("post-report", "summary", ("report",))
    assert miss.template == "Post the … of {day} to the {channel} channel"
    first = missed("Send the report of 2026-03-02 to the beta channel")
    assert (first.value, first.seen) == ("Send", ("Post",))


@pytest.mark.parametrize(
    "goal",
    [
        "Post the report of 2026-03-02 to the alpha channel",
        "Post the summary of 2026-03-02 to the delta channel",
        "Post the report of 2026-03-02 to the alpha channel twice",
        "Post the report of 2026-03-02 to the channel that is the last channel",
        "Tidy up",
        "",
    ],
)
def test_what_is_of_a_tool_or_differs_in_more_is_no_near_miss(goal: str) -> None:
    assert missed(goal) is None


def test_the_nearest_is_the_one_that_misses_a_value_only() -> None:
    verb = Known("post-note", (Template(("Post the note to ", ""), (CHANNEL,)),))
    miss = missed("Mail the report to delta", verb, MAIL, POST)
    assert (miss.tool, miss.of_wording) == ("mail-report", False)


def test_many_values_are_not_all_told() -> None:
    seen = frozenset(f"channel{n}" for n in range(40))
    tool = Known("t", (Template(("Mail it to ", ""), (SlotSpec("c", "word", seen),)),))
    assert "and 35 more" in str(missed("Mail it to delta", tool))


@given(st.text(max_size=80))
def test_any_goal_is_answered_and_what_is_said_of_it_stands_in_it(goal: str) -> None:
    miss = missed(goal)
    assert miss is None or miss.value in goal
