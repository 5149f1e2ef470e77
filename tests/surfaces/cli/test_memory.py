"""Facts, contexts, sessions and projects at the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from llmos.memory.traces import Traces
from llmos.store import Store
from tests.conftest import recording
from tests.surfaces.cli.conftest import Cli
from tests.surfaces.cli.test_prompt import HELLO, Model

AGAIN = recording("do it again", ("Glob", {"pattern": "*"}), output="Again.")


def digests(home: Path) -> list[tuple[str, str]]:
    with Store.open(home) as store:
        return [(t.goal, t.context_digest) for t in Traces(store).recent()]


# --- facts ---------------------------------------------------------------------------------------


def test_facts_are_written_down_edited_and_forgotten(cli: Cli) -> None:
    assert "No facts" in cli("facts").out
    first = cli("facts", "add", "My editor is vim.", "--json").json["fact"]
    assert cli("facts", "add", "My editor is emacs.").out.endswith("before: My editor is vim.\n")
    (held,) = cli("facts", "--json").json
    assert held["sentence"] == "My editor is emacs."
    assert len(cli("facts", "list", "--all", "--json").json) == 2
    assert len(cli("facts", "--all", "--limit", "1", "--json").json) == 1
    edited = cli("facts", "edit", held["id"][-6:], "My editor is nano.", "--json").json
    assert edited["was"] == "My editor is emacs."
    history = cli("facts", "history", first["id"], "--json").json
    assert [f["sentence"] for f in history] == [
        "My editor is vim.",
        "My editor is emacs.",
        "My editor is nano.",
    ]
    shown = cli("facts", "show", first["id"]).out
    assert "superseded" in shown and "by hand" in shown
    assert cli("facts", "forget", edited["fact"]["id"]).out == "forgotten: My editor is nano.\n"
    assert cli("facts", "--json").json == []


def test_a_fact_that_cannot_be_is_a_clear_error(cli: Cli) -> None:
    for argv in (
        ("add", " "),
        ("add", "my password is hunter2hunter2"),
        ("add", "Bob pays", "--kind", "odd"),
        ("forget", "ZZZZZZ"),
        ("show", "?"),
    ):
        said = cli("facts", *argv)
        assert said.code == 2 and said.err.startswith("error: "), argv


def test_facts_and_traces_of_a_project(cli: Cli, model: Model) -> None:
    model(HELLO)
    cli("facts", "add", "Always be brief", "--project", "web")
    cli("facts", "add", "Bob pays")
    assert len(cli("facts", "--json").json) == 2
    assert len(cli("facts", "--json", "--project", "other").json) == 1
    assert cli("run", HELLO.goal, "--project", "web").code == 0
    assert len(cli("traces", "--project", "web", "--json").json) == 1
    assert cli("traces", "--project", "other", "--json").json == []
    assert cli("run", HELLO.goal, "--project", "No!").code == 2


def test_what_a_goal_says_for_good_is_told(cli: Cli, model: Model) -> None:
    told = recording("My editor is vim.", ("Glob", {"pattern": "*"}), output="Good.")
    model(told)
    said = cli("run", told.goal)
    assert "noted: My editor is vim.; take it back: llmos facts forget" in said.err


def test_explain_shows_what_a_model_would_see(cli: Cli) -> None:
    cli("facts", "add", "A greeting is kind")
    plain = cli("explain", HELLO.goal, "--json").json
    assert "context" not in plain
    told = cli("explain", HELLO.goal, "--context", "--json").json["context"]
    assert [p["source"] for p in told["pieces"]] == ["fact", "rules", "goal"]
    assert told["tokens"] == sum(p["tokens"] for p in told["pieces"])
    shown = cli("explain", HELLO.goal, "--context").out
    assert "it shares greeting with the goal" in shown
    assert cli("explain", HELLO.goal, "--context").out == shown


# --- sessions ------------------------------------------------------------------------------------


def test_a_resumed_session_shows_the_model_the_very_turns(
    cli: Cli, model: Model, home: Path, cwd: Path
) -> None:
    model(HELLO, AGAIN)
    cli("interactive", stdin=f"{HELLO.goal}\ndo it again\n".encode())
    together = digests(home)[0][1]
    (cwd / "hello.txt").unlink()
    cli("interactive", stdin=f"{HELLO.goal}\n".encode())
    assert len(cli("sessions", "--json").json) == 2
    assert cli("resume", stdin=b"do it again\n").code == 0
    assert together != ""
    assert digests(home)[0] == ("do it again", together)
    (last, other) = cli("sessions", "--json").json
    assert (last["turns"], other["turns"], last["cwd"]) == (2, 2, str(cwd))
    assert len(cli("sessions", "--limit", "1", "--json").json) == 1
    assert cli("resume", other["id"][-6:], stdin=b"").code == 0
    assert "do it again" in cli("sessions").out


def test_nothing_to_resume_is_a_clear_error(cli: Cli) -> None:
    assert "No session" in cli("sessions").out
    said = cli("resume")
    assert (said.code, "llmos sessions" in said.err) == (2, True)


def test_a_resumed_session_goes_on_in_its_project(cli: Cli, model: Model) -> None:
    model(HELLO)
    cli("interactive", "--project", "web", stdin=f"{HELLO.goal}\n".encode())
    cli("resume", stdin=f"{HELLO.goal}\n".encode())
    assert len(cli("traces", "--project", "web", "--json").json) == 2
    assert len(cli("sessions", "--project", "web", "--json").json) == 1
    assert cli("sessions", "--project", "other", "--json").json == []


_PROMPT = """
import sys
import llmos.boot
from llmos import Step, Trace
from llmos.cortex.processors import RecordedProcessor
trace = Trace(sys.argv[1], (Step("Glob", {"pattern": "*"}),), "Hello.")
llmos.boot.make_processor = lambda config: RecordedProcessor({trace.goal: trace})
from llmos.surfaces.cli.entry import run
run(["interactive"])
"""


def test_a_prompt_that_is_killed_loses_no_turn_that_was_finished(
    cli: Cli, model: Model, cwd: Path
) -> None:
    goal = "Say hello"
    prompt = subprocess.Popen(
        [sys.executable, "-c", _PROMPT, goal],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert prompt.stdin is not None and prompt.stdout is not None
    prompt.stdin.write(f"{goal}\n".encode())
    prompt.stdin.flush()
    assert prompt.stdout.readline() == b"Hello.\n"
    prompt.send_signal(signal.SIGKILL)
    prompt.wait()
    prompt.stdin.close()
    prompt.stdout.close()
    found = cli("sessions", "--json").json
    assert [(s["turns"], s["last_goal"]) for s in found] == [(1, goal)]
