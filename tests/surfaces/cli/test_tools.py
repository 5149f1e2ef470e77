"""``llmos tools`` and ``llmos explain`` of what was learnt."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from shutil import copytree

import pytest

from llmos import LLMOS, Step, Trace
from llmos.store import Store
from llmos.surfaces.cli import slots
from llmos.values import ArtifactType, Effect, Usage, Verdict
from llmos.volumes import Caller, Volume
from tests.surfaces.cli.conftest import Cli

NOTE = "write-note-called-file-path"
COPY = "look-file-path-then-write"


def note(text: str, name: str) -> Trace:
    """A model's run that wrote one note."""
    step = Step(
        "Write", {"file_path": f"{name}.txt", "content": text}, "written", effect=Effect.WRITE
    )
    return vouched(f"Write a note called '{text}' to {name}.txt", step)


def look(name: str) -> Trace:
    """A model's run that read a file before it wrote another."""
    read = Step("Read", {"file_path": f"{name}.md"}, f"     1\t# {name}", effect=Effect.READ)
    write = Step(
        "Write", {"file_path": f"{name}.log", "content": "seen"}, "written", effect=Effect.WRITE
    )
    return vouched(f"Look at {name}.md and then write 'seen' to {name}.log", read, write)


def vouched(goal: str, *steps: Step) -> Trace:
    """A run that a person said was right, and what it took."""
    usage, right = Usage(900, 100), Verdict.CONFIRMED
    return Trace(goal, steps, "Done.", verdict=right, usage=usage, cost_usd=0.01, model="m")


NOTES = [note("milk", "shop"), note("call bob", "todo"), note("be nice", "motto")]
LOOKS = [look("alpha"), look("beta"), look("gamma")]


def teach(home: Path, traces: Sequence[Trace]) -> None:
    """Let alice's home learn from runs that were made elsewhere."""

    async def story() -> None:
        async with LLMOS(home, "alice") as os:
            await os.learn(traces)
            await os.kernel.run_cron_now()

    asyncio.run(story())


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two tools, one of which reads."""
    made = tmp_path_factory.mktemp("taught") / "home"
    teach(made, [*NOTES, *LOOKS])
    return made


@pytest.fixture
def learnt(home: Path, taught: Path) -> None:
    """The home, with these tools."""
    copytree(taught, home)


pytestmark = pytest.mark.usefixtures("learnt")


# --- the list and one tool -----------------------------------------------------------------------


def test_the_tools_are_listed_one_line_each(cli: Cli) -> None:
    header, *rows = cli("tools").out.splitlines()
    assert header.split()[:4] == ["NAME", "STATUS", "GOALS", "RUNS"]
    assert {row.split()[0] for row in rows} == {NOTE, COPY}
    assert not any(line != line.rstrip() for line in [header, *rows])
    assert len(cli("tools", "list", "--limit", "1").out.splitlines()) == 2


def test_the_list_as_json(cli: Cli) -> None:
    (row,) = [r for r in cli("tools", "list", "--json").json if r["name"] == NOTE]
    assert row["templates"] == ["write a note called '{content}' to {file_path}"]
    assert (row["status"], row["pinned"], row["runs"], row["agreed"]) == ("active", False, 3, 0)
    assert (row["risk"], row["uses"], row["tokens_saved"]) == (0.01, 0, 0)


def test_without_a_tool_the_list_says_how_to_get_one(cli: Cli) -> None:
    assert "llmos sleep" in cli("tools", "--user", "bob").out


def test_one_damaged_tool_does_not_hide_the_others(cli: Cli, home: Path) -> None:
    with Store.open(home) as store:
        store.write(
            lambda tx: tx.conn.exec_driver_sql(
                "UPDATE versions SET content = '{}' WHERE artifact_id = "
                f"(SELECT id FROM artifacts WHERE name = '{NOTE}')"
            )
        )
    status = {row["name"]: row["status"] for row in cli("tools", "--json").json}
    assert status == {NOTE: "damaged", COPY: "active"}
    said = cli("tools", "show", NOTE)
    assert said.code == 1
    assert "is not the one that was stored" in said.err


def test_a_tool_is_shown_with_code_proof_places_lineage_and_account(cli: Cli) -> None:
    told = cli("tools", "show", NOTE).out
    assert 'call("Write", {"content": content, "file_path": file_path})' in told
    assert "3  runs that it reproduces" in told
    assert "3  runs that made: w0 Write" in told
    assert "w0 Write.content  1 candidate: {content}" in told
    assert "to learn it  3,000 tokens, $0.03" in told
    assert "counterfactual" in told
    assert "not yet: after 3 more free runs" in told
    lineage = cli("tools", "show", NOTE, "--json").json["lineage"]
    assert len(lineage) == 3
    assert all(run in told for run in lineage)
    assert all(cli("traces", "show", run).code == 0 for run in lineage)


def test_it_is_said_which_reads_are_left_out_and_which_are_made_at_once(
    cli: Cli, home: Path
) -> None:
    def compare(one: str, two: str) -> Trace:
        seen = {one: f"{len(one)}0 mm", two: f"{ord(two[0])} mm"}
        looks = [
            Step("gauge.read", {"place": place}, {"level": seen[place]}, effect=Effect.READ)
            for place in (one, two, one)
        ]
        levels = {"file_path": f"{one}.log", "content": seen[one], "other": seen[two]}
        write = Step("log.add", levels, "written", effect=Effect.WRITE)
        return vouched(f'Compare "{one}" with "{two}"', *looks, write, looks[0])

    pairs = [("north", "mill"), ("quay", "lane"), ("gate house", "shed"), ("barn", "well")]
    teach(home, [compare(*pair) for pair in pairs])
    (name,) = (n for t in cli("tools", "--json").json if (n := t["name"]) not in (NOTE, COPY))
    told = cli("tools", "show", name).out
    assert "2 of 4 reads removed: r2 gauge.read (repeats r0)" in told
    assert "made at once: r0 gauge.read, r1 gauge.read" in told
    optimized = cli("tools", "show", name, "--json").json["optimized"]
    assert (optimized["repeats"], optimized["dead"]) == ({"r2": "r0"}, ["r4"])
    assert optimized["stages"] == [["r0", "r1"]]


def test_a_tool_pays_back_when_its_runs_have_saved_what_learning_cost(cli: Cli) -> None:
    for k in range(3):
        assert cli("tools", "run", NOTE, f"content=a{k}", f"file_path=f{k}.txt").code == 0
    told = cli("tools", "show", NOTE, "--json").json
    assert told["usage"]["uses"] == 3
    assert told["payback"]["saved_tokens"] == 3000
    assert told["payback"]["saved_usd"] == pytest.approx(0.03)
    assert told["payback"]["paid_back_at"] is not None
    assert told["payback"]["runs_left"] is None
    assert "3 done without a model" in cli("tools", "show", NOTE).out


def test_a_run_that_was_wrong_has_saved_nothing_and_stops_its_tool(cli: Cli) -> None:
    cli("tools", "run", NOTE, "content=a", "file_path=f.txt")
    cli("feedback", "last", "wrong")
    told = cli("tools", "show", NOTE, "--json").json
    assert (told["status"], told["payback"]["saved_tokens"]) == ("quarantined", 0)
    said = cli("tools", "run", NOTE, "content=b", "file_path=g.txt")
    assert said.code == 2
    assert "is quarantined" in said.err
    assert f"llmos tools history {NOTE}" in said.err


def test_a_strangers_code_cannot_repaint_the_terminal(cli: Cli, home: Path) -> None:
    with Store.open(home) as store:
        bob = Caller.user_cron("alice", "bob")
        volume = Volume(store, "user", "alice", caller=bob)
        content = dict(volume.get(ArtifactType.TOOL, NOTE).content)
        content["code"] = "# \x1b[2Jcleared \u202e\n"
        volume.put(None, ArtifactType.TOOL, NOTE, content, author="bob", note="\x1b[2J")
    for command in ("show", "history", "diff"):
        said = cli("tools", command, NOTE)
        assert said.code == 0
        assert "\x1b" not in said.out
        assert "\u202e" not in said.out


@pytest.mark.parametrize("command", ["show", "history", "diff", "rollback", "pin", "run"])
@pytest.mark.parametrize("name", ["nothing", "../x", "A b", ""])
def test_a_tool_that_is_none_is_one_clear_error(cli: Cli, command: str, name: str) -> None:
    said = cli("tools", command, name)
    assert said.code == 2
    assert said.err.startswith("error: ")
    assert "hint: " in said.err


# --- versions ------------------------------------------------------------------------------------


@pytest.fixture
def twice(home: Path, learnt: None) -> None:
    """The tool of the notes in a second version."""
    teach(home, [note("rest", "night")])


@pytest.mark.usefixtures("twice")
def test_versions_are_listed_compared_and_rolled_back(cli: Cli) -> None:
    new, old = cli("tools", "history", NOTE, "--json").json["versions"]
    assert (new["version"], new["current"], new["runs"]) == (2, True, 4)
    assert (old["version"], old["current"], old["runs"]) == (1, False, 3)
    told = cli("tools", "diff", NOTE).out
    assert told.startswith(f"--- tool/{NOTE} version 1")
    assert "-  runs: 3\n" in told
    assert cli("tools", "diff", NOTE, "1", "2").out == told
    assert cli("tools", "diff", NOTE, old["digest"][:8], new["digest"]).out == told
    assert cli("tools", "diff", NOTE, "2", "2").out == "no difference\n"
    assert cli("tools", "rollback", NOTE).out.startswith(f"tool {NOTE} is at version 1 (")
    assert cli("tools", "show", NOTE, "--json").json["version"] == 1
    assert cli("tools", "rollback", NOTE, "2").out.startswith(f"tool {NOTE} is at version 2 (")
    changes = cli("tools", "history", NOTE, "--json").json["changes"]
    assert [c["what"] for c in changes] == ["rolled_back", "rolled_back", "evolved", "created"]
    assert [c["by"] for c in changes][:2] == ["alice", "alice"]


@pytest.mark.parametrize("version", ["7", "abcdef", "ABC", "-1", "1.5"])
def test_a_version_that_is_none_is_one_clear_error(cli: Cli, version: str) -> None:
    said = cli("tools", "rollback", NOTE, "--", version)
    assert said.code == 2
    assert "hint: " in said.err


def test_a_pinned_tool_keeps_its_version(cli: Cli, home: Path) -> None:
    said = cli("tools", "pin", NOTE, "--why", "it is good")
    assert said.out.endswith("), active, pinned\n")
    assert cli("tools", "pin", NOTE).out.startswith("nothing to change: ")
    teach(home, [note("rest", "night")])
    assert cli("tools", "show", NOTE, "--json").json["version"] == 1
    assert "it is good" in cli("tools", "history", NOTE).out
    assert cli("tools", "unpin", NOTE, "--json").json["pinned"] is False


def test_an_archived_tool_serves_nothing_until_it_is_restored(cli: Cli) -> None:
    goal = "Write a note called 'tea' to list.txt"
    assert "archived" in cli("tools", "archive", NOTE).out
    assert cli("explain", goal).out.startswith("LEARNER")
    assert NOTE not in cli("tools").out
    assert NOTE in cli("tools", "--all").out
    said = cli("tools", "run", NOTE, "content=a", "file_path=b.txt")
    assert said.code == 2
    assert f"llmos tools restore {NOTE}" in said.err
    assert cli("tools", "restore", NOTE).out.endswith("), active\n")
    assert cli("explain", goal).out.startswith("CRYSTALLIZED")


# --- run -----------------------------------------------------------------------------------------


def test_a_tool_runs_with_other_values_and_asks_no_model(cli: Cli, cwd: Path) -> None:
    said = cli("tools", "run", NOTE, "content=x = y", "file_path=eq.txt")
    assert said.code == 0
    assert said.err.startswith("Write a note called 'x = y' to eq.txt\n")
    assert "CRYSTALLIZED · 0 tokens" in said.err
    assert (cwd / "eq.txt").read_text() == "x = y"
    told = cli("tools", "run", NOTE, "content=z", "file_path=z.txt", "--json").json
    assert (told["mode"], told["success"]) == ("CRYSTALLIZED", True)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((), "needs a value for 'content', 'file_path'"),
        (("content=a",), "needs a value for 'file_path'"),
        (("content=a", "file_path"), "'file_path' is not SLOT=VALUE"),
        (("content=a", "file=b.txt"), "has no slot 'file'"),
        (("content=a", "content=b"), "given twice"),
        (("content=a", "file_path=two words"), "the slot 'file_path' cannot be 'two words'"),
        (("content=", "file_path=b.txt"), "the slot 'content' cannot be ''"),
    ],
)
def test_values_that_make_no_goal_are_refused(
    cli: Cli, cwd: Path, values: tuple[str, ...], told: str
) -> None:
    said = cli("tools", "run", NOTE, *values)
    assert said.code == 2
    assert told in said.err
    assert not list(cwd.iterdir())


def test_a_value_that_the_proof_does_not_cover_is_refused_before_anything_is_done(
    cli: Cli, cwd: Path
) -> None:
    (cwd / "eps.md").write_text("eps")
    values = ("file_path=eps.md", "content=other", "file_path_2=eps.log")
    said = cli("tools", "run", COPY, *values)
    assert said.code == 2
    assert "'other' was never seen there" in said.err
    assert "llmos run 'Look at eps.md" in said.err
    assert not (cwd / "eps.log").exists()


def test_a_person_at_a_terminal_is_asked_for_missing_values(
    cli: Cli, cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answers = iter(["two words", "list.txt"])

    def prompt(question: str, err: bool) -> str:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr(slots, "_at_terminal", lambda: True)
    said = cli("tools", "run", NOTE, "content=tea")
    assert said.code == 0
    assert len(asked) == 2  # the first answer is no path
    assert "cannot be 'two words'" in said.err
    assert (cwd / "list.txt").read_text() == "tea"


# --- explain -------------------------------------------------------------------------------------


def test_explain_shows_template_bindings_and_what_must_agree(cli: Cli, cwd: Path) -> None:
    told = cli("explain", "Look at eps.md and then write 'seen' to eps.log").out
    assert told.startswith("CRYSTALLIZED · 0 tokens")
    assert f"tool {COPY} · version " in told
    assert "look at {file_path} and then write '{content}' to {file_path_2}" in told
    assert "file_path   = eps.md" in told
    assert "before any write  1 condition\n      negated(exists(rows(r0)))" in told
    assert "writes" not in told.splitlines()
    assert not list(cwd.iterdir())


def test_explain_diff_makes_the_reads_alone_and_shows_the_exact_writes(cli: Cli, cwd: Path) -> None:
    (cwd / "eps.md").write_text("eps")
    (cwd / "eps.log").write_text("old")
    goal = "Look at eps.md and then write 'seen' to eps.log"
    told = cli("explain", "--diff", goal).out
    assert "all candidates agree" in told
    assert "    -old\n" in told
    assert "    +seen\n" in told
    assert "1 read was made for this" in told
    assert (cwd / "eps.log").read_text() == "old"
    run = cli("traces", "show", "last", "--json").json
    assert run["goal"].startswith("(only looked ahead) Look at eps.md")
    assert [step["tool"] for step in run["steps"]] == ["Read"]
    assert "nothing was written" in run["output"]
    assert cli("tools", "list", "--json").json[0]["uses"] == 0


def test_a_look_ahead_is_neither_followed_nor_learnt_from(cli: Cli, cwd: Path) -> None:
    (cwd / "eps.md").write_text("eps")
    goal = "Look at eps.md and then write 'seen' to eps.log"
    for _ in range(2):
        told = cli("explain", "--diff", goal, "--json").json
        assert told["decision"]["mode"] == "CRYSTALLIZED"
        assert told["decision"]["refused"] == []
        assert [w["tool"] for w in told["foresight"]["writes"]] == ["Write"]
    assert cli("sleep").out.startswith("nothing new\n")


def test_explain_diff_says_why_a_tool_would_stop(cli: Cli, cwd: Path) -> None:
    told = cli("explain", "--diff", "Look at none.md and then write 'seen' to x.log").out
    assert "none: it would stop before its first write" in told
    assert "✗ Read failed: none.md does not exist" in told
    assert not list(cwd.iterdir())


def test_explain_diff_of_a_tool_that_reads_nothing_leaves_no_run(cli: Cli, cwd: Path) -> None:
    goal = "Write a note called 'tea' to list.txt"
    before = cli("traces", "--json").out
    told = cli("explain", "--diff", goal).out
    assert "    +tea\n" in told
    assert cli("traces", "--json").out == before
    (cwd / "list.txt").write_text("tea")
    assert "the file is like this already" in cli("explain", "--diff", goal).out


def test_explain_diff_shows_writes_that_a_rule_asks_about_without_asking(
    cli: Cli, home: Path, cwd: Path
) -> None:
    (home / "config.toml").write_text('ask = ["Write"]\n')
    told = cli("explain", "--diff", "Write a note called 'tea' to list.txt").out
    assert "    +tea\n" in told
    assert not list(cwd.iterdir())


def test_explain_of_a_learned_tool_as_json(cli: Cli) -> None:
    told = cli("explain", "Write a note called 'tea' to list.txt", "--json").json
    assert told["tool"]["bindings"] == {"content": "tea", "file_path": "list.txt"}
    assert told["tool"]["places"][0] == {"name": "w0 Write.content", "candidates": ["{content}"]}
    assert told["tool"]["proof"]["runs"] == 3
    assert told["foresight"] is None
    assert json.loads(cli("explain", "New", "--json").out)["tool"] is None
