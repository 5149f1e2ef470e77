"""The benchmark of tools: its catalogue, its ways to do one job, and how it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.__main__ import _folder
from bench.tools.catalogue import catalogue
from bench.tools.size import tokens, tokens_of
from bench.tools.turns import DRAFTS, NOTES, WAYS
from llmos.values import ToolSpec


def test_a_catalogue_has_as_many_different_tools_as_wanted_and_is_ever_the_same() -> None:
    made = catalogue(200)
    assert len({tool.name for tool in made}) == 200
    assert made == catalogue(200)
    taken = frozenset({made[0].name})
    assert made[0].name not in {tool.name for tool in catalogue(200, taken=taken)}


def test_tokens_are_bytes_of_json() -> None:
    assert (tokens(""), tokens("abcde"), tokens("ü" * 4)) == (0, 2, 2)
    assert tokens_of([ToolSpec("a", "b", {})]) == tokens(["a", "b", {}])


@pytest.mark.parametrize("way", ["call by call", "calls together"])
def test_the_ways_without_a_program_make_the_same_calls(way: str) -> None:
    made = [name for turn in WAYS[way]() for name, _ in turn]
    assert len(made) == 1 + len(NOTES) + len(DRAFTS)


def test_a_folder_is_named_after_the_part_that_takes_one(tmp_path: Path) -> None:
    named = ["reads", "tools", str(tmp_path)]
    assert _folder(named) == tmp_path
    assert named == ["reads", "tools"]
    assert _folder(["tools", "reads"]) is None
    assert _folder(["reads", str(tmp_path)]) is None
