"""``llmos sleep``: recurring jobs become tools, and what does not is told with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmos import Trace
from llmos.evolution.compiler import Compiler, LearnReport
from llmos.evolution.questions import NAMES
from tests.conftest import recording
from tests.support.scripted import Scripted
from tests.surfaces.cli.conftest import Cli, Learn

TOOL = "write-note-called-file-path"


def note(text: str, name: str) -> Trace:
    """A model's run that writes one note."""
    goal = f"Write a note called '{text}' to {name}.txt"
    return recording(goal, ("Write", {"file_path": f"{name}.txt", "content": text}))


NOTES = (note("milk", "shop"), note("call bob", "todo"), note("be nice", "motto"))


@pytest.fixture
def notes(learn: Learn) -> list[str]:
    """Three runs of one job."""
    return [learn(trace) for trace in NOTES]


def test_a_job_done_three_times_becomes_a_tool_that_does_it_for_nothing(
    cli: Cli, notes: list[str], cwd: Path
) -> None:
    said = cli("sleep")
    assert said.code == 0
    assert said.out.startswith("learnt from 3 new runs\n\ncreated\n")
    assert f"  {TOOL}  (3 runs" in said.out
    assert "write a note called '{content}' to {file_path}" in said.out
    assert "0 tokens" in said.out
    assert said.err == ""
    run = cli("run", "Write a note called 'tea' to list.txt")
    assert "CRYSTALLIZED · 0 tokens" in run.err
    assert (cwd / "list.txt").read_text() == "tea"


def test_what_is_not_learnt_is_told_with_its_runs_and_the_reason(cli: Cli, learn: Learn) -> None:
    for trace in NOTES[:2]:
        learn(trace)
    (row,) = [line for line in cli("sleep").out.splitlines() if "write a note" in line]
    assert " ".join(row.split()).startswith("2 only 2 good runs, 3 are needed write a note")


def test_a_night_without_anything_new_says_so(cli: Cli, notes: list[str]) -> None:
    cli("sleep")
    assert cli("sleep").out.startswith("nothing new\n")


def test_a_later_run_evolves_the_tool(cli: Cli, notes: list[str], learn: Learn) -> None:
    cli("sleep")
    cli("tools", "archive", TOOL)  # so that the model does it once more
    learn(note("rest", "night"))
    cli("tools", "restore", TOOL)
    told = cli("sleep", "--json").json
    assert (told["created"], told["evolved"]) == ([], [TOOL])


def test_the_night_as_json(cli: Cli, notes: list[str]) -> None:
    said = cli("sleep", "--json")
    told = said.json
    assert (told["traces"], told["created"], told["tokens"]) == (3, [TOOL], 0)
    assert (told["unlearnt"], told["unlearnt_in_all"]) == ([], 0)
    assert told["seconds"] > 0
    assert said.err == ""


def reported(goals: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every night one that could not learn some goals, the longest-known last."""
    unlearnt = tuple((f"say \x1b[31m{k}", k, "odd \x1b[2J") for k in range(1, goals + 1))
    report = LearnReport(goals, unlearnt=unlearnt, seconds=0.1)
    monkeypatch.setattr(Compiler, "learn", lambda *_, **__: report)


def test_what_recurs_most_is_told_first_and_the_rest_is_counted(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported(25, monkeypatch)
    lines = cli("sleep").out.splitlines()
    assert [line.split()[0] for line in lines if "odd" in line] == [
        str(k) for k in range(25, 5, -1)
    ]
    assert "… and 5 more: --limit 25" in lines
    told = cli("sleep", "--json", "--limit", "2").json
    assert [u["runs"] for u in told["unlearnt"]] == [25, 24]
    assert told["unlearnt_in_all"] == 25


def test_a_goal_from_a_stranger_cannot_repaint_the_terminal(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported(1, monkeypatch)
    said = cli("sleep")
    assert "\x1b" not in said.out
    assert "\\x1b[2J" in said.out
    assert "say \\x1b[31m1" in said.out


def test_an_interrupted_night_stores_nothing_and_says_so(
    cli: Cli, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Compiler, "learn", interrupted)
        said = cli("sleep")
    assert said.code == 130
    assert "nothing of this night is stored" in said.err
    assert cli("sleep", "--json").json["created"] == [TOOL]


def asked(person: pytest.MonkeyPatch, *names: str) -> Scripted:
    """Makes a processor that proposes names the one of the settings."""
    processor = Scripted({NAMES: list(names)})
    person.setattr("llmos.boot.make_processor", lambda config: processor)
    return processor


def test_a_night_asks_no_model_unless_it_is_told_to(
    cli: Cli, notes: list[str], person: pytest.MonkeyPatch
) -> None:
    processor = asked(person, '{"name": "jot"}')
    assert "0 tokens" in cli("sleep").out
    assert processor.asked == []


def test_what_a_model_proposed_is_told_with_what_it_cost(
    cli: Cli, notes: list[str], person: pytest.MonkeyPatch
) -> None:
    asked(person, '{"name": "jot-down", "parameters": {"content": "text"}}')
    said = cli("sleep", "--propose")
    assert said.code == 0
    assert "  jot-down  (3 runs" in said.out
    assert "proposed by scripted:small-1" in said.out
    assert (
        "taken   names for " + TOOL + ": " + TOOL + " is jot-down now; content is text" in said.out
    )
    assert "120 tokens · $0.01" in said.out
    sheet = cli("tools", "show", "jot-down")
    assert "names proposed by scripted:small-1" in sheet.out
    assert "'{text}' to {file_path}" in sheet.out
    run = cli("tools", "run", "jot-down", "text=tea", "file_path=list.txt")
    assert "CRYSTALLIZED · 0 tokens" in run.err
    assert cli("tools", "show", "jot-down", "--json").json["proposed_by"] == {
        "names": "scripted:small-1"
    }


def test_a_refused_proposal_is_told_and_the_tool_stays(
    cli: Cli, notes: list[str], person: pytest.MonkeyPatch
) -> None:
    asked(person, "\x1b[2J{}")
    told = cli("sleep", "--propose", "--json").json
    assert (told["created"], told["tokens"], told["cost_usd"]) == ([TOOL], 120, 0.01)
    (proposal,) = told["proposals"]
    assert (proposal["accepted"], proposal["told"]) == (False, "the answer is not JSON")


def test_without_a_model_a_night_that_would_ask_one_does_not_begin(
    cli: Cli, notes: list[str]
) -> None:
    said = cli("sleep", "--propose")
    assert said.code != 0
    assert "no language model is configured" in said.err
    assert cli("sleep", "--json").json["created"] == [TOOL]


def test_a_night_that_is_interrupted_while_it_asks_keeps_what_it_has_learnt(
    cli: Cli, notes: list[str], person: pytest.MonkeyPatch
) -> None:
    processor = Scripted({NAMES: [KeyboardInterrupt()]})
    person.setattr("llmos.boot.make_processor", lambda config: processor)
    said = cli("sleep", "--propose")
    assert said.code == 130
    assert "what was learnt is stored" in said.err
    assert [row["name"] for row in cli("tools", "--json").json] == [TOOL]
