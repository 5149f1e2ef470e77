"""`llmos run` and `llmos explain` on real files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from llmos import LLMOSConfig, Trace
from llmos.values import Usage
from tests.conftest import recording
from tests.surfaces.cli.conftest import Cli, Learn

HELLO = replace(
    recording(
        "Write a greeting to hello.txt",
        ("Write", {"file_path": "hello.txt", "content": "hello\n"}),
        output="Wrote hello.txt.",
    ),
    usage=Usage(1200, 34),
)
COPY = recording(
    "Copy in.txt to out.txt",
    ("Read", {"file_path": "in.txt"}),
    ("Write", {"file_path": "out.txt", "content": "1\n"}),
    output="Copied.",
)
Model = Callable[..., None]


def test_the_answer_is_on_stdout_and_progress_on_stderr(cli: Cli, learn: Learn, cwd: Path) -> None:
    learn(HELLO)
    said = cli("run", HELLO.goal)
    assert (said.code, said.out) == (0, "Wrote hello.txt.\n")
    step, summary = said.err.splitlines()
    assert step.startswith("  ✓ Write hello.txt")
    assert summary.startswith("FOLLOWER · 0 tokens · $0.00 · ")
    assert (cwd / "hello.txt").read_text() == "hello\n"


def test_a_first_run_tells_tokens_and_each_call_once(cli: Cli, model: Model) -> None:
    model(HELLO)
    said = cli("run", HELLO.goal)
    assert said.out == "Wrote hello.txt.\n"
    assert said.err.count("✓ Write hello.txt") == 1
    assert "LEARNER · 1,234 tokens" in said.err


def test_what_is_already_done_is_said(cli: Cli, learn: Learn) -> None:
    learn(HELLO, undo=False)
    said = cli("run", HELLO.goal)
    assert said.code == 0
    assert said.out.startswith("Already done: ")
    assert "FOLLOWER · already done · 0 tokens" in said.err


def test_json_holds_the_whole_result_and_nothing_else_is_printed(cli: Cli, learn: Learn) -> None:
    learn(HELLO)
    said = cli("run", HELLO.goal, "--json")
    assert (said.code, said.err) == (0, "")
    told = said.json
    assert (told["mode"], told["success"], told["output"]) == ("FOLLOWER", True, "Wrote hello.txt.")
    assert told["steps"][0]["tool"] == "Write"
    assert told["decision"]["source"]
    assert told["usage"]["output_tokens"] == 0


def test_a_side_exit_without_a_model_says_why_it_stopped_and_what_is_missing(
    cli: Cli, learn: Learn, cwd: Path
) -> None:
    (cwd / "in.txt").write_text("1\n")
    learn(COPY)
    (cwd / "in.txt").write_text("2\n")
    said = cli("run", COPY.goal)
    assert (said.code, said.out) == (1, "")
    assert not (cwd / "out.txt").exists()
    lines = said.err.splitlines()
    assert any(x.startswith("! the replay stopped after 1 step: ") for x in lines)
    assert any(x.startswith("✗ the model cannot take over: no language model") for x in lines)
    assert said.err.count("came back different") == 1


def test_a_side_exit_with_a_model_says_that_it_went_on(
    cli: Cli, learn: Learn, model: Model, cwd: Path
) -> None:
    (cwd / "in.txt").write_text("1\n")
    learn(COPY)
    (cwd / "in.txt").write_text("2\n")
    model(
        recording(
            COPY.goal,
            ("Read", {"file_path": "in.txt"}),
            ("Write", {"file_path": "out.txt", "content": "2\n"}),
        )
    )
    said = cli("run", COPY.goal)
    assert said.code == 0
    assert "! the replay stopped after 1 step; the model went on: " in said.err
    assert "MIXED · " in said.err
    assert (cwd / "out.txt").read_text() == "2\n"


def test_without_a_model_a_new_goal_names_the_ways_to_get_one(cli: Cli) -> None:
    said = cli("run", "Something new")
    assert said.code == 2
    assert said.err.startswith("error: no language model is configured\nhint:  ")
    assert "ANTHROPIC_API_KEY" in said.err


def test_a_failed_check_fails_the_run(cli: Cli, model: Model) -> None:
    model(HELLO)
    good = cli("run", HELLO.goal, "--check", "grep -q hello hello.txt", "--mode", "learner")
    assert good.code == 0
    assert "LEARNER · verified" in good.err
    bad = cli("run", HELLO.goal, "--check", "echo no; false", "--mode", "LEARNER")
    assert bad.code == 1
    assert "✗ the check did not pass: no" in bad.err


def test_the_cost_of_a_run_can_be_bounded(cli: Cli, model: Model) -> None:
    model(replace(HELLO, cost_usd=1.0))
    said = cli("run", HELLO.goal, "--max-cost", "0.5")
    assert said.code == 1
    assert "$0.5" in said.err
    assert cli("run", HELLO.goal, "--max-cost", "-1").code == 2


def test_a_mode_that_is_none_is_an_error(cli: Cli) -> None:
    said = cli("run", "x", "--mode", "FAST")
    assert said.code == 2
    assert "AUTO, CRYSTALLIZED, FOLLOWER" in said.err


def test_the_working_directory_can_be_named(cli: Cli, model: Model, tmp_path: Path) -> None:
    model(HELLO)
    (tmp_path / "elsewhere").mkdir()
    assert cli("run", HELLO.goal, "--cwd", str(tmp_path / "elsewhere")).code == 0
    assert (tmp_path / "elsewhere" / "hello.txt").exists()
    said = cli("run", HELLO.goal, "--cwd", str(tmp_path / "nowhere"))
    assert said.code == 2
    assert "is not a folder" in said.err


def test_a_goal_comes_from_standard_input_or_a_file(cli: Cli, learn: Learn, cwd: Path) -> None:
    learn(HELLO)
    assert cli("run", "-", stdin=f"{HELLO.goal}\n".encode()).out == "Wrote hello.txt.\n"
    (cwd / "goal.txt").write_text(f"\n{HELLO.goal}\n")
    assert cli("run", "@goal.txt").out.startswith("Already done")


@pytest.mark.parametrize(
    ("argument", "stdin", "says"),
    [
        ("@goal.txt", b"", "goal.txt is not UTF-8 text: byte 0xff in line 2"),
        ("@nowhere.txt", b"", "cannot read the goal from 'nowhere.txt': no such file"),
        ("@.", b"", "cannot read the goal from '.': is a directory"),
        ("-", b"\xff", "standard input is not UTF-8"),
        ("-", b"", "the goal is empty"),
        ("-", b"x" * 1_000_001, "1,000,001 characters"),
    ],
)
def test_a_goal_that_cannot_be_read_is_one_clear_error(
    cli: Cli, cwd: Path, argument: str, stdin: bytes, says: str
) -> None:
    (cwd / "goal.txt").write_bytes(b"ok\n\xff\n")
    said = cli("run", argument, stdin=stdin)
    assert said.code == 2
    assert says in said.err
    assert len(said.err.splitlines()) <= 2
    assert cli("traces", "--json").json == []


def test_what_asks_is_refused_without_a_terminal_and_approved_by_yes(
    cli: Cli, model: Model, cwd: Path
) -> None:
    goal = recording("List", ("Bash", {"command": "touch made"}), output="Listed.")
    model(goal)
    settings = ["--home", str(cwd.parent / "unsandboxed")]
    cli("config", "set", "sandbox", "false", *settings)
    said = cli("run", goal.goal, *settings)
    assert said.code == 1
    assert "nobody can be asked here (--yes approves)" in said.err
    assert not (cwd / "made").exists()
    said = cli("run", goal.goal, "--yes", *settings)
    assert (said.code, said.out) == (0, "Listed.\n")
    assert (cwd / "made").exists()
    assert any(line.startswith("! step 0 (Bash)") for line in said.err.splitlines()) == (
        "cannot be undone" in said.err
    )


def test_what_cannot_be_undone_is_said_before_a_replay_and_not_twice(
    cli: Cli, learn: Learn, cwd: Path
) -> None:
    goal = recording("Touch", ("Bash", {"command": "touch made"}), output="Touched.")
    learn(goal, undo=False, config=LLMOSConfig(sandbox=False, allow=("Bash",)))
    cli("feedback", "last", "right")
    (cwd / "made").unlink()
    cli("config", "set", "sandbox", "false")
    cli("config", "set", "allow", "Bash")
    said = cli("run", goal.goal)
    assert said.code == 0, said.err
    warning, step, summary = said.err.splitlines()
    assert warning == "! step 0 (Bash) cannot be undone"
    assert step.startswith("  ✓ Bash touch made")
    assert summary.startswith("FOLLOWER")


def test_why_a_known_goal_is_not_replayed_is_said(cli: Cli, learn: Learn, model: Model) -> None:
    run = learn(HELLO)
    cli("feedback", run, "wrong")
    model(HELLO)
    said = cli("run", HELLO.goal)
    assert said.err.startswith(f"not replayed: trace {run[-6:]}: ")


def test_control_characters_of_a_tool_are_shown_not_obeyed(
    cli: Cli, model: Model, cwd: Path
) -> None:
    (cwd / "in.txt").write_text("\x1b[2J[red]x[/red]\x07\n")
    model(recording("Look", ("Read", {"file_path": "in.txt"})))
    said = cli("run", "Look")
    assert "\\x1b[2J[red]x[/red]\\x07" in said.err
    assert "\x1b" not in said.err


def test_what_the_model_says_between_calls_is_progress(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llmos.values import Done, Text, ToolCall, ToolResult

    class Chatty:
        name = "chatty"
        free = True

        async def run(self, goal, context, syscalls, limits):  # type: ignore[no-untyped-def]
            yield Text("First I ")
            yield Text("look.")
            arguments = {"pattern": "*"}
            yield ToolCall("1", "Glob", arguments)
            result = await syscalls.call("Glob", arguments)
            yield ToolResult("1", "Glob", result.observation, result.is_error)
            yield Text("All done.")
            yield Done("All done.")

        async def aclose(self) -> None: ...

    monkeypatch.setattr("llmos.boot.make_processor", lambda config: Chatty())
    said = cli("run", "Look around")
    assert said.out == "All done.\n"
    assert said.err.splitlines()[0] == "First I look."
    assert "All done." not in said.err
    assert said.err.count("Glob *") == 1


# --- explain -----------------------------------------------------------------------------------


def test_explain_tells_the_decision_and_its_guards_and_runs_nothing(
    cli: Cli, learn: Learn, cwd: Path
) -> None:
    learn(HELLO)
    said = cli("explain", HELLO.goal)
    assert said.code == 0
    assert said.out.startswith("FOLLOWER · 0 tokens")
    assert "hello.txt is absent, or as that run left it" in said.out
    assert "+hello" not in said.out
    assert not (cwd / "hello.txt").exists()


def test_explain_diff_shows_the_exact_writes(cli: Cli, learn: Learn) -> None:
    learn(HELLO)
    said = cli("explain", HELLO.goal, "--diff")
    assert "--- /dev/null\n+++ b/hello.txt\n@@ -0,0 +1 @@\n+hello\n" in said.out


def test_explain_diff_promises_no_write_where_a_guard_fails(
    cli: Cli, learn: Learn, cwd: Path
) -> None:
    learn(HELLO)
    (cwd / "hello.txt").write_text("mine")
    said = cli("explain", HELLO.goal, "--diff")
    assert "none: it would stop" in said.out
    assert "✗ hello.txt" in said.out


def test_explain_says_what_is_already_done(cli: Cli, learn: Learn) -> None:
    learn(HELLO, undo=False)
    assert "already done" in cli("explain", HELLO.goal).out
    assert "none: everything is already" in cli("explain", HELLO.goal, "--diff").out


def test_explain_names_what_was_refused_and_why(cli: Cli, learn: Learn) -> None:
    run = learn(HELLO)
    cli("feedback", run, "wrong")
    said = cli("explain", HELLO.goal, "--diff")
    assert said.out.startswith("LEARNER")
    assert f"✗ trace {run[-6:]}" in said.out
    assert "not known: a model would work" in said.out


def test_explain_as_json(cli: Cli, learn: Learn) -> None:
    learn(HELLO)
    told = cli("explain", HELLO.goal, "--json").json
    assert told["decision"]["mode"] == "FOLLOWER"
    assert told["preview"]["world"] == "before"
    assert "+hello" in told["preview"]["writes"][0]["diff"]
    assert cli("explain", "Something new", "--json").json["preview"] is None


def test_explain_warns_of_what_cannot_be_undone(cli: Cli, learn: Learn, cwd: Path) -> None:
    goal = recording("Touch", ("Bash", {"command": "touch made"}))
    config = LLMOSConfig(sandbox=False, allow=("Bash",))
    run = learn(goal, undo=False, config=config)
    (cwd / "made").unlink()
    cli("feedback", run, "right")
    cli("config", "set", "sandbox", "false")
    cli("config", "set", "allow", "Bash")
    said = cli("explain", goal.goal, "--diff")
    assert "Bash touch made · acts outside this machine" in said.out, said.out


def test_a_trace_without_reads_or_writes_has_no_guard(cli: Cli, model: Model) -> None:
    model(Trace("What is love?", (), "Baby don't hurt me."))
    cli("config", "set", "answer_cache", "true")
    assert cli("run", "What is love?").code == 0
    assert "none: it reads nothing and writes nothing" in cli("explain", "What is love?").out
