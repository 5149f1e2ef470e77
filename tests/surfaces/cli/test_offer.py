"""It can be seen which tools a model was given, or would be, and why."""

from __future__ import annotations

import asyncio
from pathlib import Path

from llmos import LLMOS, LLMOSConfig
from tests.cortex.tool_search.conftest import Model
from tests.surfaces.cli.conftest import Cli

PLUGIN = '''
from llmos import tool


def made(k):
    @tool(effects="read", name=f"press{k // 10}.part_{k}")
    def part(machine: str) -> str:
        """Tell how one part of a printing machine is."""
        return "fine"

    return part


@tool(effects="read", name="garden.list_beds")
def list_beds(garden: str) -> str:
    """List the beds of a garden."""
    return "north, south"


for k in range(60):
    globals()[f"part_{k}"] = made(k)
'''
GOAL = "Which beds are in the garden?"


async def search(model: Model) -> str:
    await model.call("search_tools", query="part of a machine")
    return (await model.call("garden.list_beds", garden="mine")).text


def plugins(home: Path) -> None:
    (home / "plugins").mkdir(parents=True)
    (home / "plugins" / "many.py").write_text(PLUGIN)


async def work(home: Path, cwd: Path) -> None:
    config = LLMOSConfig(tools_given=3)
    async with LLMOS(home, "alice", None, Model(search), config=config, cwd=cwd) as os:
        assert (await os.execute(GOAL)).success


def test_explain_and_traces_show_what_a_model_is_given(cli: Cli, home: Path, cwd: Path) -> None:
    plugins(home)
    before = cli("explain", GOAL)
    assert "a model would be given" in before.out and "of 68" in before.out
    assert "its words are those of the goal: garden.list_beds" in before.out
    given = cli("explain", GOAL, "--json").json["given"]
    assert (given["of"], given["given"]["garden.list_beds"]) == (68, "words")

    asyncio.run(work(home, cwd))
    run = cli("traces", "list", "--json").json[0]["id"]
    told = cli("traces", "show", run)
    assert "tools: 8 of 68" in told.out
    assert "searched for part of a machine: press" in told.out
    assert "garden.list_beds" in cli("traces", "show", run, "--json").json["given"]["given"]


def test_nothing_is_told_of_tools_where_a_model_gets_them_all(cli: Cli) -> None:
    assert "a model would be given" not in cli("explain", GOAL).out
    assert cli("explain", GOAL, "--json").json["given"] is None
