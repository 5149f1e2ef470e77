"""``llmos traces export``, and what ``llmos learn`` makes of it in another home."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import update

from llmos import __version__
from llmos.memory.atif import checked
from llmos.store import Store
from llmos.store.schema import traces
from tests.conftest import recording
from tests.memory.atif.documents import agent, document, save, user
from tests.surfaces.cli.conftest import Cli, Learn

WRITE = recording("Write a.txt", ("Write", {"file_path": "a.txt", "content": "a\n"}))


def test_a_run_is_exported_and_learnt_in_another_home(
    cli: Cli, learn: Learn, tmp_path: Path
) -> None:
    run = learn(WRITE)
    told = checked(cli("traces", "export", run[-6:]).json)
    assert told["agent"] | {"model_name": ""} == {
        "name": "llmos",
        "version": __version__,
        "model_name": "",
    }
    file = tmp_path / "run.json"
    said = cli("traces", "export", "last", "--format", "atif", "--output", str(file))
    assert (said.code, said.out, said.err) == (0, "", f"written: {file}\n")
    assert json.loads(file.read_text("utf-8")) == told
    other = ("--home", str(tmp_path / "other"), "--user", "bob")
    assert cli(*other, "learn", str(file)).code == 0
    (row,) = cli(*other, "traces", "list", "--json").json
    assert (row["goal"], row["user_id"]) == ("Write a.txt", "bob")
    mine, theirs = (cli(*o, "traces", "show", "last", "--json").json for o in ((), other))
    for name in ("output", "usage", "now"):
        assert mine[name] == theirs[name]
    for name in ("tool", "arguments", "observation", "is_error", "effect"):
        assert [s[name] for s in mine["steps"]] == [s[name] for s in theirs["steps"]]


def test_a_replay_has_no_model_call(cli: Cli, learn: Learn) -> None:
    learn(WRITE)
    assert cli("run", "Write a.txt", "--yes").code == 0
    told = cli("traces", "export", "last").json
    assert told["extra"]["llmos"]["mode"] == "FOLLOWER"
    assert [s.get("llm_call_count") for s in told["steps"]][1:] == [0] * (len(told["steps"]) - 1)


def test_nobody_else_exports_a_run(cli: Cli, learn: Learn) -> None:
    run = learn(WRITE)
    said = cli("--user", "bob", "traces", "export", run)
    assert (said.code, said.out) == (2, "")
    assert f"run {run[-6:]} belongs to 'alice'" in said.err


def test_a_run_that_is_not_over_is_not_exported(cli: Cli, learn: Learn, home: Path) -> None:
    run = learn(WRITE)
    with Store.open(home) as store:
        running = update(traces).values(status="running", process_id=store.process_id)
        store.write(lambda tx: tx.conn.execute(running))
        said = cli("traces", "export", run)
    assert said.code == 2
    assert f"run {run[-6:]} is not over" in said.err


def test_a_file_that_cannot_be_written_is_named(cli: Cli, learn: Learn, tmp_path: Path) -> None:
    learn(WRITE)
    said = cli("traces", "export", "last", "--output", str(tmp_path / "no" / "run.json"))
    assert said.code == 2
    assert "run.json': No such file or directory" in said.err


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_document_that_is_none_is_refused_by_name_and_place(
    cli: Cli, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    bad = save(document(user(), {"source": "agent"}), tmp_path / "bad.json")
    said = cli("learn", str(bad), *flags)
    reason = f"{bad}: steps[1].message: neither a text nor a list of parts"
    assert said.code == 2
    if flags:
        assert said.json["refused"] == [reason]
    else:
        assert f"not learnt: {reason}" in said.err
        assert "none of the files is a trajectory" in said.err


def test_what_else_was_in_the_folder_is_learnt(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    for i in range(22):
        save(document(user(), {"source": "agent"}, notes=f"{i}"), folder / f"{i:02}.json")
    save(document(user("Do b"), agent("B.")), folder / "good.json")
    said = cli("learn", str(folder))
    assert said.code == 0
    assert said.err.count("not learnt: ") == 20
    assert "and 2 more: --json names all" in said.err
    assert "Do b" in cli("traces").out
