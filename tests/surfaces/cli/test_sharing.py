"""Sharing at the command line: what is proposed, deciding it, and taking it back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from llmos import LLMOS
from llmos.values import Trace
from tests.surfaces.cli.conftest import Cli, Said
from tests.surfaces.cli.test_tools import NOTE, NOTES, note, teach

Team = Callable[..., Said]


def falcon(text: str, name: str) -> Trace:
    """A run whose goal holds a name that nobody else's runs hold."""
    made = note(text, name)
    goal = f"Write the Falcon note '{text}' to {name}.txt"
    return Trace(goal, made.steps, "Done.", made.verdict, usage=made.usage, cost_usd=0.01)


@pytest.fixture
def team(cli: Cli) -> Team:
    """Runs a command line as alice of the team engineering."""
    return lambda *argv: cli(*argv, "--team", "engineering")


@pytest.fixture
def proposed(home: Path, team: Team) -> str:
    """The end of the id of a proposal that waits for alice."""

    async def story() -> None:
        async with LLMOS(home, "alice", "engineering") as os:
            await os.learn([falcon("milk", "shop"), falcon("tea", "todo"), falcon("ink", "desk")])
            await os.kernel.run_cron_now()

    asyncio.run(story())
    for n, word in enumerate(["nuts", "soap", "rope", "wax", "tape", "glue"]):
        said = team("run", f"Write the Falcon note '{word}' to list{n}.txt")
        assert "CRYSTALLIZED · 0 tokens" in said.err, said.err
    said = team("sleep", "all")
    assert said.code == 0, said.err
    (proposal,) = team("proposals", "--json").json
    return str(proposal["id"])[-6:].lower()


def test_what_waits_says_why_and_what_to_type(team: Team, proposed: str) -> None:
    told = team("proposals").out
    assert "privacy     review" in told and "Falcon" in told
    assert f"llmos approve {proposed}   or   llmos reject {proposed}" in told
    assert f"llmos approve {proposed}" in team("inbox").out


def test_what_is_approved_serves_the_team_until_it_is_recalled(
    cli: Cli, team: Team, proposed: str, cwd: Path
) -> None:
    said = team("approve", proposed)
    assert "the team volume of engineering has it now" in said.out, said.err
    goal = "Write the Falcon note 'salt' to list9.txt"
    bob = cli("run", goal, "--user", "bob", "--team", "engineering")
    assert "CRYSTALLIZED · 0 tokens" in bob.err
    assert (cwd / "list9.txt").read_text() == "salt"
    name = team("tools", "--json").json[0]["name"]
    told = cli("explain", goal.replace("list9", "list8"), "--user", "bob", "--team", "engineering")
    assert (told.code, told.err) == (0, "") and f"tool {name}" in told.out
    (theirs,) = cli("tools", "--user", "bob", "--json").json
    assert (theirs["name"], theirs["volume"], theirs["owner"]) == (name, "team", "engineering")
    assert "team engineering" in cli("tools", "--user", "bob").out
    assert cli("tools", "show", name, "--user", "bob").code == 0
    assert "out of use" in team("recall", name).out
    assert cli("tools", "--user", "bob", "--json").json == []
    assert cli("tools", "show", name, "--user", "bob").code == 2
    again = cli("explain", goal, "--user", "bob", "--team", "engineering", "--json").json
    assert "CRYSTALLIZED" not in str(again["decision"]["mode"])
    assert team("proposals").out == "Nothing is proposed.\n"
    assert team("proposals", "--all", "--json").json[0]["status"] == "recalled"


def test_what_is_rejected_stays_rejected(team: Team, proposed: str) -> None:
    assert "is not shared with" in team("reject", proposed, "--why", "mine").out
    assert team("approve", proposed).code == 2
    team("sleep", "all")
    assert team("proposals").out == "Nothing is proposed.\n"


def test_who_promotes_by_hand_agrees_to_it(team: Team, proposed: str) -> None:
    name = team("tools", "--json").json[0]["name"]
    assert "is shared" in team("promote", name).out
    assert team("recall", "no-such-tool").code == 2


def test_a_closed_gate_stops_whoever_asks_and_says_why(home: Path, team: Team) -> None:
    teach(home, NOTES)
    said = team("promote", NOTE)
    assert said.code == 2
    assert "0 of 0 uses good" in said.err and "5 uses are needed" in said.err


def test_a_stranger_may_not_decide(cli: Cli, proposed: str) -> None:
    said = cli("approve", proposed, "--user", "bob")
    assert said.code != 0 and "not yours to decide" in said.err


def test_the_morning_tells_what_waits_and_what_was_learned(team: Team, proposed: str) -> None:
    told = team("report").out
    assert "needs you" in told.lower() and f"llmos approve {proposed}" in told
    assert "learned" in told.lower()
