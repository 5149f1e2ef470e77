"""``llmos audits``, and where else the command line tells of audits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmos import Step, Trace
from tests.support.chance import Always, Never
from tests.surfaces.cli.conftest import Cli
from tests.surfaces.cli.test_tools import NOTE, NOTES, teach

GOAL = "Write a note called 'sing' to song.txt"


@pytest.fixture
def audited(
    home: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, model: Any
) -> Callable[..., Any]:
    """Lets a model do the goal of a learned tool as an audit; what ``llmos run`` said of it."""

    def do(text: str = "sing") -> Any:
        teach(home, NOTES)
        step = Step("Write", {"file_path": "song.txt", "content": text})
        model(Trace(GOAL, (step,), "Done."))
        monkeypatch.setattr("llmos.boot.Random", Always)
        said = cli("run", GOAL)
        monkeypatch.setattr("llmos.boot.Random", Never)
        return said

    return do


def test_before_an_audit_nothing_is_claimed(home: Path, cli: Cli) -> None:
    assert cli("audits").out == "no run was audited yet: nothing is claimed\n"
    told = cli("audits", "--json").json
    assert (told["audited"], told["at_most_wrong"], told["frozen"]) == (0, None, None)
    teach(home, NOTES)
    assert "no run was audited yet" in cli("tools", "show", NOTE).out
    assert "no run was audited yet" in cli("tools").err
    assert cli("tools", "--json").json[0]["audits"]["at_most_wrong"] is None


def test_a_run_says_that_it_was_an_audit_and_how_it_came_out(
    cli: Cli, audited: Callable[..., Any]
) -> None:
    said = audited()
    assert said.code == 0
    assert f"audit of the tool {NOTE}, drawn by chance: agreed" in said.err
    assert f"audit of the tool {NOTE}, drawn by chance: agreed" in cli("traces", "show", "last").out
    assert cli("traces", "show", "last", "--json").json["audit"]["outcome"] == "agreed"


def test_the_bound_is_shown_for_the_tool_and_for_all(cli: Cli, audited: Callable[..., Any]) -> None:
    audited()
    words = "of 1 audited run 0 differed: at most 95 % wrong, at 95 %"
    assert words in cli("tools", "show", NOTE).out
    assert words in cli("tools").err
    assert words in cli("audits").out
    for told in (
        cli("tools", "show", NOTE, "--json").json["audits"],
        cli("tools", "--json").json[0]["audits"],
        cli("audits", "--json").json,
    ):
        assert (told["audited"], told["differed"]) == (1, 0)
        assert told["at_most_wrong"] == pytest.approx(0.95)


def test_explain_tells_of_audits_before_they_happen(cli: Cli, audited: Callable[..., Any]) -> None:
    audited()
    goal = "Write a note called 'dance' to dance.txt"
    said = cli("explain", goal).out
    assert "of 1 audited run 0 differed" in said
    assert "in 2 % of such runs, a model does it" in said
    told = cli("explain", goal, "--json").json
    assert (told["decision"]["audit_rate"], told["audits"]["audited"]) == (0.02, 1)


def test_a_suspended_tool_says_why_and_a_person_can_take_it_back(
    cli: Cli, audited: Callable[..., Any]
) -> None:
    said = audited("cry")
    assert "drawn by chance: differed: content of write 1 (Write)" in said.err
    assert "quarantined" in cli("tools", "show", NOTE).out
    assert "content of write 1" in cli("tools", "history", NOTE).out
    assert "would have done something else" in cli("feed").out
    cli("tools", "activate", NOTE, "--why", "the model was wrong")
    assert cli("tools", "--json").json[0]["status"] == "active"


def test_a_freeze_is_told_and_lifted(home: Path, cli: Cli, audited: Callable[..., Any]) -> None:
    audited("cry")
    assert "no new tool comes into use: 1 of 1 audited runs differed" in cli("audits").out
    assert "llmos audits lift" in cli("tools").err
    said = cli("sleep").out
    assert "learnt, but not in use: audits differ too often" in said
    assert NOTE in said
    assert "come into use again" in cli("audits", "lift", "--why", "looked at it").out
    assert cli("audits", "lift", "--json").json == {"lifted": False}
    assert "in use now" in cli("sleep").out
    assert "looked at it" in cli("feed").out


def test_a_rate_above_one_is_refused(cli: Cli) -> None:
    said = cli("config", "set", "audit_rate", "2")
    assert said.code != 0
    assert "is a share, from 0 to 1" in said.err
