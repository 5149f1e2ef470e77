"""Traces, verdicts, budget, feed, settings and check-up on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from llmos import Trace
from llmos.store import Store
from llmos.values import EventType
from tests.conftest import recording
from tests.surfaces.cli.conftest import Cli, Learn

HELLO = recording(
    "Write a greeting to hello.txt",
    ("Write", {"file_path": "hello.txt", "content": "hello\nworld\n"}),
    output="Wrote hello.txt.",
)
Model = Callable[..., None]


# --- traces --------------------------------------------------------------------------------------


def test_runs_are_listed_newest_first_one_line_each(cli: Cli, learn: Learn) -> None:
    assert "No run yet" in cli("traces").out
    ids = [learn(replace(HELLO, goal=f"Do {i}")) for i in range(3)]
    header, *rows = cli("traces").out.splitlines()
    assert header.split()[:4] == ["RUN", "WHEN", "MODE", "VERDICT"]
    assert [row.split()[0] for row in rows] == [i[-6:] for i in reversed(ids)]
    assert not any(line != line.rstrip() for line in [header, *rows])
    assert len(cli("traces", "list", "--limit", "2").out.splitlines()) == 3


def test_a_goal_of_many_lines_is_one_line_in_the_list(cli: Cli, learn: Learn) -> None:
    learn(replace(HELLO, goal="Do this:\n\t1. write\n2. \x1b[31mstop"))
    assert "Do this: 1. write 2. \\x1b[31mstop" in cli("traces").out.splitlines()[1]


def test_another_users_runs_are_not_listed(cli: Cli, learn: Learn) -> None:
    run = learn(HELLO)
    assert "No run yet" in cli("traces", "--user", "bob").out
    said = cli("undo", run, "--user", "bob")
    assert said.code == 2
    assert "belongs to 'alice'" in said.err


def test_a_run_is_shown_as_yaml_with_its_steps(cli: Cli, learn: Learn) -> None:
    import yaml

    run = learn(HELLO)
    said = cli("traces", "show", run[-6:])
    told = yaml.safe_load(said.out)
    assert (told["run"], told["goal"], told["answer"]) == (run, HELLO.goal, "Wrote hello.txt.")
    (step,) = told["steps"]
    assert step["arguments"] == {"file_path": "hello.txt", "content": "hello\nworld\n"}
    assert step["changed"] == {"hello.txt": "created"}
    assert "    content: |\n      hello\n      world\n" in said.out


@pytest.mark.parametrize(
    "name", [lambda i: i, lambda i: i.lower(), lambda i: i[-6:], lambda i: "last"]
)
def test_a_run_is_named_by_id_by_its_end_or_as_the_last(
    cli: Cli, learn: Learn, name: Callable[[str], str]
) -> None:
    learn(replace(HELLO, goal="Earlier"))
    run = learn(HELLO)
    assert cli("traces", "show", name(run), "--json").json["id"] == run


@pytest.mark.parametrize("name", ["ZZZZZZ", "a", "../../x", "%%%%%%", ""])
def test_a_run_that_is_none_is_one_clear_error(cli: Cli, learn: Learn, name: str) -> None:
    learn(HELLO)
    said = cli("traces", "show", name)
    assert said.code == 2
    assert "llmos traces" in said.err


def test_last_without_any_run_is_an_error(cli: Cli) -> None:
    said = cli("undo", "last")
    assert said.code == 2
    assert "there is no run yet" in said.err


# --- verdicts ------------------------------------------------------------------------------------


def test_wrong_takes_a_trace_out_of_use_and_right_brings_it_back(cli: Cli, learn: Learn) -> None:
    run = learn(HELLO)
    said = cli("feedback", run[-6:], "wrong", "--note", "no dot")
    assert said.out == f"run {run[-6:]} is refuted: it will not be followed\n"
    assert cli("explain", HELLO.goal).out.startswith("LEARNER")
    assert cli("feedback", "last", "right", "--json").json == {
        "trace_id": run,
        "verdict": "confirmed",
        "quarantined": False,
    }
    assert cli("explain", HELLO.goal).out.startswith("FOLLOWER")
    assert cli("feedback", run, "perhaps").code == 2


def test_undo_tells_what_it_took_back_and_refuses_what_was_changed_since(
    cli: Cli, learn: Learn, cwd: Path
) -> None:
    run = learn(HELLO, undo=False)
    (cwd / "hello.txt").write_text("mine")
    said = cli("undo", "last")
    assert said.code == 2
    assert "changed since the run" in said.err
    (cwd / "hello.txt").write_text("hello\nworld\n")
    said = cli("undo", "last")
    assert said.out == f"run {run[-6:]}: 1 change taken back\n  removed  hello.txt\n"
    assert not (cwd / "hello.txt").exists()
    assert "nothing to undo" in cli("undo", "last").err


def test_undo_as_json(cli: Cli, learn: Learn, cwd: Path) -> None:
    learn(HELLO, undo=False)
    assert cli("undo", "last", "--json").json["removed"] == [str(cwd / "hello.txt")]


# --- writes in doubt -----------------------------------------------------------------------------

PLUGIN = '''
from llmos import tool


@tool(effects="external", name="mail.send")
def send(to: str) -> str:
    """Send a mail.

    Args:
        to: The reader.
    """
    raise RuntimeError("the connection broke")
'''


def test_a_write_in_doubt_is_found_by_doctor_and_feed_and_settled_by_resolve(
    cli: Cli, home: Path, model: Model
) -> None:
    (home / "plugins").mkdir(parents=True)
    (home / "plugins" / "mail.py").write_text(PLUGIN)
    model(recording("Mail bob", ("mail.send", {"to": "bob@example.org"})))
    assert cli("run", "Mail bob", "--yes").code == 1
    (doubt,) = [f for f in cli("doctor", "--json").json if f["name"] == "writes"]
    assert doubt["state"] == "lacks"
    feed = cli("feed").out
    assert "mail.send may or may not have happened" in feed
    (intent,) = {w.strip("()") for w in doubt["text"].split() if w.startswith("(01")}
    assert intent in feed
    assert cli("resolve", intent, "happened").out == "noted: it happened\n"
    assert cli("resolve", intent, "not").code == 2
    assert "no external write is in doubt" in cli("doctor").out


# --- budget --------------------------------------------------------------------------------------


def test_budget_shows_limits_and_what_was_spent(cli: Cli, learn: Learn) -> None:
    learn(replace(HELLO, cost_usd=0.25))
    told = cli("budget", "--json").json
    assert told["system"] == {
        "limit_usd": 10.0,
        "spent_usd": 0.25,
        "reserved_usd": 0.0,
        "left_usd": 9.75,
    }
    assert told["user:alice"]["limit_usd"] is None
    header, system, alice = cli("budget").out.splitlines()
    assert header.split() == ["LIMIT", "SPENT", "HELD", "LEFT", "SCOPE"]
    assert system.split() == ["$10.00", "$0.25", "$0.00", "$9.75", "system"]
    assert alice.split() == ["no", "limit", "$0.25", "$0.00", "user:alice"]


def test_limits_are_set_for_the_system_or_a_scope(cli: Cli) -> None:
    assert cli("budget", "set", "20", "--json").json["system"]["limit_usd"] == 20
    cli("budget", "set", "team:red", "$5")
    assert cli("budget", "show", "--team", "red", "--json").json["team:red"]["limit_usd"] == 5
    cli("budget", "set", "team:red", "none")
    assert cli("budget", "--team", "red", "--json").json["team:red"]["limit_usd"] is None


@pytest.mark.parametrize(
    "words", [["lots"], ["-5"], ["none"], ["a", "b", "3"], ["nan"], ["x y", "3"]]
)
def test_a_limit_that_is_none_is_an_error(cli: Cli, words: list[str]) -> None:
    said = cli("budget", "set", "--", *words)
    assert said.code == 2
    assert cli("budget", "--json").json["system"]["limit_usd"] == 10.0


def test_history_lists_what_was_paid_for_what(cli: Cli, learn: Learn) -> None:
    assert "limit" in cli("budget", "history").out
    learn(replace(HELLO, cost_usd=0.25))
    told = cli("budget", "history", "--json", "--limit", "1").json
    assert [(row["kind"], row["usd"], row["note"]) for row in told] == [("spend", 0.25, HELLO.goal)]
    assert "$0.25  spent  user:alice  Write a greeting" in cli("budget", "history").out


# --- feed ----------------------------------------------------------------------------------------


def record(home: Path, title: str, type_: EventType = EventType.INSIGHT_GENERATED) -> str:
    def write(tx):  # type: ignore[no-untyped-def]
        event = tx.event(type_, owner="alice", actor="user_cron", subject="i1", title=title)
        tx.notify(event, owner="alice", title=title, description="d", reason="r", finding=title)
        return event

    with Store.open(home) as store:
        return str(store.write(write))


def test_feed_shows_what_waits_and_what_happened(cli: Cli, learn: Learn, home: Path) -> None:
    assert "Nothing happened in the last 24 hours" in cli("feed").out
    learn(HELLO, undo=False)
    cli("run", HELLO.goal)
    cli("run", HELLO.goal)
    event = record(home, "Mondays are slow")
    out = cli("feed").out
    assert out.startswith(f"● Mondays are slow\n  d\n  llmos ack {event[-6:]}\n")
    assert "×2 since" in out
    assert "it was already done" in out
    told = cli("feed", "--json").json
    assert told["notifications"][0]["event_id"] == event
    assert {"who", "what", "why", "when", "cost_usd"} <= told["activity"][0].keys()


def test_acknowledged_is_not_shown_again(cli: Cli, home: Path) -> None:
    events = [record(home, f"finding {i}") for i in range(3)]
    assert cli("ack", events[0][-6:]).out == "1 notification acknowledged\n"
    assert cli("ack", events[0]).out == "acknowledged before\n"
    assert cli("ack", "all", "--json").json == {"acknowledged": 2}
    assert cli("feed", "--json").json["notifications"] == []
    assert cli("ack", "nonsense").code == 2


# --- settings ------------------------------------------------------------------------------------


def test_settings_are_shown_with_value_source_and_meaning(cli: Cli, home: Path) -> None:
    assert cli("config", "set", "max_calls", "7").out == "max_calls = 7\n"
    out = cli("config").out
    assert f"max_calls = 7  # {home / 'config.toml'}\n    System calls one run may make.\n" in out
    assert "sandbox = true  # default\n" in out
    (calls,) = [s for s in cli("config", "show", "--json").json if s["name"] == "max_calls"]
    assert calls["value"] == 7
    assert cli("config", "set", "max_calls", "x").code == 2


def test_the_budget_setting_says_that_a_home_keeps_its_budget(cli: Cli) -> None:
    assert "llmos budget set" in cli("config", "set", "budget_usd", "3").err


# --- check-up ------------------------------------------------------------------------------------


def test_doctor_says_what_is_there_and_what_is_missing(cli: Cli) -> None:
    said = cli("doctor")
    assert said.code == 0
    found = {f["name"]: f for f in cli("doctor", "--json").json}
    assert {"python", "settings", "home", "database", "sandbox", "tools", "writes", "model"} <= (
        found.keys()
    )
    assert "its owner" in found["access"]["text"] or "the owner" in found["access"]["text"]
    assert "no language model is configured" in said.out
    assert "ANTHROPIC_API_KEY" in said.out


def test_doctor_finds_a_home_that_others_can_read(cli: Cli, home: Path) -> None:
    cli("traces")
    home.chmod(0o755)
    (found,) = [f for f in cli("doctor", "--json").json if f["name"] == "home"]
    assert (found["state"], found["hint"]) == ("lacks", f"chmod 700 {home}")


def test_doctor_names_plugins_that_do_not_load(cli: Cli, home: Path) -> None:
    (home / "plugins").mkdir(parents=True)
    (home / "plugins" / "bad.py").write_text("import nothing_of_this_name\n")
    said = cli("doctor")
    assert said.code == 0
    assert "bad.py:1" in said.out


@pytest.mark.parametrize(
    ("name", "content"), [("config.toml", "max_calls = 'x'\n"), ("llmos.db", "no database at all")]
)
def test_doctor_reports_what_is_broken_instead_of_breaking(
    cli: Cli, home: Path, name: str, content: str
) -> None:
    home.mkdir()
    (home / name).write_text(content)
    said = cli("doctor", "--json")
    assert said.code == 1
    broken = [f for f in json.loads(said.out) if f["state"] == "broken"]
    assert len(broken) == 1
    assert broken[0]["hint"]


def test_the_processor_of_a_run_is_kept_with_its_trace(cli: Cli, model: Model) -> None:
    model(Trace("Try", (), "Tried.", model="model-x"))
    cli("run", "Try")
    assert "model: recorded:model-x" in cli("traces", "show", "last").out
