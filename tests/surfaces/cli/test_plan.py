"""`llmos plan`: a file of parts, carried out, shown and taken up again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from llmos import Trace
from tests.conftest import recording
from tests.surfaces.cli.conftest import Cli, Learn

Model = Callable[..., None]

FILE = """---
goal: Greet {who}
---
## hello
Write hello to {who}.txt

## bye
after: hello
Write bye to bye.txt
"""


def write(word: str, name: str) -> Trace:
    arguments = {"file_path": name, "content": f"{word}\n"}
    return recording(f"Write {word} to {name}", ("Write", arguments), output=f"Wrote {name}.")


HELLO, BYE = write("hello", "bob.txt"), write("bye", "bye.txt")


def test_a_file_is_carried_out_and_known_parts_are_free(
    cli: Cli, learn: Learn, model: Model, cwd: Path
) -> None:
    (cwd / "greet.md").write_text(FILE)
    learn(HELLO)
    model(BYE)
    shown = cli("plan", "greet.md", "--set", "who=bob", "--dry-run")
    assert shown.out.splitlines() == [
        "Greet bob",
        "",
        "parts",
        "  hello: Write hello to bob.txt",
        "    FOLLOWER · 0 tokens",
        "  bye (after hello): Write bye to bye.txt",
        "    LEARNER",
    ]
    assert not (cwd / "bob.txt").exists()
    said = cli("plan", "greet.md", "--set", "who=bob")
    assert (said.code, said.out) == (0, "Wrote bye.txt.\n")
    assert "✓ hello Write hello to bob.txt  FOLLOWER, 0 tokens" in said.err
    assert (cwd / "bob.txt").read_text() == "hello\n"
    # By now the goal is known to have these parts, and the parts are known too.
    explained = cli("explain", "Greet bob", "--json").json
    assert explained["decision"]["mode"] == "ORCHESTRATOR"
    assert [p["decision"]["mode"] for p in explained["parts"]] == ["FOLLOWER", "FOLLOWER"]
    assert "parts" in cli("explain", "Greet bob").out


def test_what_failed_is_taken_up_again(cli: Cli, learn: Learn, model: Model, cwd: Path) -> None:
    (cwd / "greet.md").write_text(FILE)
    learn(HELLO)
    model(HELLO)
    failed = cli("plan", "greet.md", "--set", "who=bob", "--json")
    assert failed.code == 1
    assert "part bye failed" in failed.json["error"]
    model(BYE)
    resumed = cli("plan", "--resume", failed.json["trace_id"])
    assert (resumed.code, resumed.out) == (0, "Wrote bye.txt.\n")
    assert "hello" not in resumed.err
    undone = cli("undo", "last")
    assert undone.code == 0
    assert not (cwd / "bye.txt").exists() and not (cwd / "bob.txt").exists()


def test_what_is_wrong_with_a_file_is_said_with_the_line(cli: Cli, cwd: Path) -> None:
    (cwd / "greet.md").write_text(FILE)
    said = cli("plan", "greet.md")
    assert said.code == 2
    assert "greet.md, line 2: no value is given for {who}" in said.err
    assert "--set who=VALUE" in said.err
    assert "gives no value" in cli("plan", "greet.md", "--set", "who").err
    assert cli("plan").code == 2
    assert cli("plan", "greet.md", "--resume", "last").code == 2
