from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.cortex.tool_search.ranking import Used, rank, used_for
from llmos.cortex.tool_search.words import words
from llmos.values import ToolSpec


def spec(name: str, description: str = "", **arguments: str) -> ToolSpec:
    properties = {key: {"type": "string", "description": told} for key, told in arguments.items()}
    return ToolSpec(name, description, {"type": "object", "properties": properties})


TOOLS = [
    spec("mail.send", "Send a letter.", to="address of whoever gets it"),
    spec("mail.search", "Find letters by their words.", query=""),
    spec("weather.forecast", "Tell how the weather will be.", city=""),
    spec("garden.water_plants", "Water the plants of one bed.", bed=""),
    spec("garden.list_beds", "List the beds."),
]


def names(goal: str, past: list[Used] | None = None) -> list[str]:
    return [r.name for r in rank(goal, TOOLS, past or [])]


def test_words_are_compared_without_their_endings_and_whatever_their_spelling() -> None:
    assert words("listBeds list_beds Listing the beds") == ["list", "bed"] * 3
    assert words("Plants, planted: planting?") == ["plant"] * 3


@pytest.mark.parametrize(
    ("goal", "best"),
    [
        ("What will the weather be in Bergen?", "weather.forecast"),
        ("Please send Alice a letter", "mail.send"),
        ("Water all plants", "garden.water_plants"),
        ("to whose address", "mail.send"),
    ],
)
def test_name_description_and_arguments_are_searched(goal: str, best: str) -> None:
    assert names(goal)[0] == best


def test_a_goal_that_shares_no_word_with_any_tool_finds_none() -> None:
    assert names("Paint it black") == []


def test_the_neighbours_of_a_tool_that_fits_come_with_it() -> None:
    assert names("Water the dry ones") == ["garden.water_plants", "garden.list_beds"]


def test_what_good_runs_of_near_goals_used_comes_first() -> None:
    past = [Used("Cheer bob up", ("mail.send",)), Used("Paint the door", ("garden.list_beds",))]
    ranked = rank("Cheer alice up", TOOLS, past)
    assert (ranked[0].name, ranked[0].why) == ("mail.send", "past")


def test_past_use_of_a_tool_that_is_gone_brings_nothing_back() -> None:
    past = [Used("Cheer bob up", ("mail.sing",))]
    assert "mail.sing" not in names("Cheer bob up", past)


def test_the_nearer_goal_weighs_more() -> None:
    past = [Used("Water the roses", ("a",)), Used("Water the roses in the north bed", ("b",))]
    used = used_for("Water the roses in the south bed", past)
    assert used["b"] > used["a"] > 0


@given(st.text(max_size=60), st.permutations(TOOLS), st.lists(st.text(max_size=20), max_size=4))
def test_the_order_of_the_tools_says_nothing(
    goal: str, tools: list[ToolSpec], before: list[str]
) -> None:
    past = [Used(text, ("mail.send",)) for text in before]
    assert rank(goal, tools, past) == rank(goal, TOOLS, past)
    scores = [r.score for r in rank(goal, tools, past)]
    assert scores == sorted(scores, reverse=True)
    assert all(score > 0 for score in scores)


def test_every_process_ranks_alike() -> None:
    program = (
        "from tests.cortex.tool_search.test_ranking import TOOLS, Used, rank;"
        "past = [Used(f'water bed {k} by the wall', ('garden.list_beds',)) for k in range(9)];"
        "print(rank('water the old bed near a wall and send a letter', TOOLS, past))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
