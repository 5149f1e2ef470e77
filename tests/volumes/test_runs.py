"""Stored runs are artifacts of the type trace: listed, read and counted, never changed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import yaml
from sqlalchemy import event, update

from llmos.errors import PermissionDenied, UserError
from llmos.memory.traces import Traces
from llmos.store import Store
from llmos.store.schema import traces
from llmos.values import ArtifactType, Step, Trace, Verdict
from llmos.volumes import Caller, Place, Status, Volume, keep_private
from tests.volumes.people import acting

TRACE, TOOL = ArtifactType.TRACE, ArtifactType.TOOL
NOW = datetime(2026, 3, 2, tzinfo=UTC)


def run(goal: str, verdict: Verdict = Verdict.COMPLETED, *steps: Step) -> Trace:
    return Trace(goal, steps, f"done: {goal}", verdict, NOW, cost_usd=0.25)


async def remember(store: Store, *given: Trace, user: str = "alice") -> list[str]:
    return await Traces(store).learn(given, user, None)


def listed(volume: Volume, **more) -> list[tuple[str, str]]:
    return [(a.name, a.status.value) for a in volume.list_artifacts(TRACE, **more)]


async def test_runs_are_listed_with_their_standing_the_newest_first(
    store: Store, volume: Volume
) -> None:
    given = [Verdict.VERIFIED, Verdict.FAILED, Verdict.COMPLETED, Verdict.CONFIRMED]
    ids = [(await remember(store, run(v.value, v)))[0].lower() for v in given]
    await Traces(store).judge(ids[2], Verdict.REFUTED, user_id="alice", by="person")
    standing = ["active", "draft", "quarantined", "active"]
    expected = list(zip(ids, standing, strict=True))[::-1]
    assert listed(volume) == expected
    assert listed(volume, limit=2) == expected[:2]
    assert listed(volume, status=Status.ACTIVE) == [expected[0], expected[3]]
    assert [a.name for a in volume.list_artifacts()] == ids[::-1]
    assert volume.list_artifacts(TOOL) == []


async def test_a_run_that_is_not_over_or_is_anothers_is_not_listed(
    store: Store, volume: Volume
) -> None:
    await remember(store, run("a"), user="bob")
    (running,) = await remember(store, run("b"))
    store.write(lambda tx: tx.conn.execute(update(traces).values(status="running")))
    assert listed(volume) == []
    assert volume.find(TRACE, running.lower()) is None


async def test_runs_are_counted(store: Store, volume: Volume) -> None:
    await remember(store, run("a"), run("b", Verdict.FAILED))
    volume.put(None, TRACE, "week-9", {"runs": 2}, author="alice", status=Status.ACTIVE)
    volume.put(None, TOOL, "f", {"code": "pass"}, author="alice")
    stats = volume.get_stats()
    assert (stats["by_type"]["trace"], stats["artifacts"], stats["versions"]) == (3, 4, 4)
    assert (stats["by_status"]["active"], stats["by_status"]["draft"]) == (2, 2)


async def test_no_step_is_read_for_a_list_or_a_number(store: Store, volume: Volume) -> None:
    await remember(store, run("a", Verdict.COMPLETED, Step("Read", {}, "x")))
    asked: list[str] = []
    event.listen(store._reading, "before_cursor_execute", lambda *a: asked.append(a[2]))
    assert volume.list_artifacts(TRACE) and volume.get_stats() and volume.list_artifacts()
    assert asked and not any("steps" in sql for sql in asked)


async def test_a_run_is_read_as_yaml(store: Store, volume: Volume) -> None:
    steps = [
        Step("Read", {"file_path": "a.txt"}, {"text": "x" * 5000}),
        Step("Write", {"content": "y" * 3000}, "é\nno", is_error=True),
    ]
    (run_id,) = await remember(store, run("say é", Verdict.COMPLETED, *steps))
    told = volume.read_artifact(TRACE, run_id.lower())
    assert told == volume.read_artifact(TRACE, run_id)
    read = yaml.safe_load(told)
    assert (read["goal"], read["verdict"], read["mode"]) == ("say é", "completed", "LEARNER")
    assert (read["output"], read["cost_usd"]) == ("done: say é", 0.25)
    first, second = read["steps"]
    assert (first["tool"], first["arguments"]) == ("Read", {"file_path": "a.txt"})
    assert first["observation"].startswith('{"text":"xxx')
    assert first["observation"].endswith("x… (5,011 characters)")
    assert len(first["observation"]) == 2000 + len("… (5,011 characters)")
    assert len(second["arguments"]) == 2000 + len("… (3,014 characters)")
    assert (second["observation"], second["failed"]) == ("é\nno", True)


async def test_a_run_is_found_by_its_name_with_one_version(store: Store, volume: Volume) -> None:
    (run_id,) = await remember(store, run("a"))
    name = run_id.lower()
    found, version = volume.find(TRACE, name), volume.get(TRACE, name)
    assert (found.id, found.name, found.status) == (run_id, name, Status.ACTIVE)
    assert (version.seq, version.author, version.content["goal"]) == (1, "alice", "a")
    assert volume.history(TRACE, name) == [version]
    assert volume.changes(TRACE, name) == []
    with pytest.raises(UserError, match="there is no trace"):
        volume.get(TRACE, "0" * 26)


async def test_a_run_is_never_changed(store: Store, volume: Volume) -> None:
    (run_id,) = await remember(store, run("a"))
    name, by = run_id.lower(), {"author": "alice"}
    changes = [
        lambda: volume.put(None, TRACE, name, {}, **by),
        lambda: volume.set_status(TRACE, name, Status.ARCHIVED, **by),
        lambda: volume.archive(TRACE, name, **by),
        lambda: volume.pin(TRACE, name, **by),
        lambda: volume.rollback(TRACE, name, **by),
    ]
    for change in changes:
        with pytest.raises(UserError, match="a stored run, which nobody changes"):
            change()
    with pytest.raises(UserError, match="a stored run"):
        await volume.aput(TRACE, name, {}, **by)


async def test_a_summary_is_an_artifact_like_any_other(store: Store, volume: Volume) -> None:
    (run_id,) = await remember(store, run("a"))
    volume.put(None, TRACE, "week-9", {"runs": 1}, author="alice")
    assert [n for n, _ in listed(volume)] == ["week-9", run_id.lower()]
    assert volume.read_artifact(TRACE, "week-9") == "runs: 1\n"
    assert volume.archive(TRACE, "week-9", author="alice").status is Status.ARCHIVED


async def test_a_private_run_is_not_there_for_the_crons_of_others(
    store: Store, volume: Volume
) -> None:
    kept, other = await remember(store, run("a"), run("b"))
    mine, alice = Place("user", "alice"), Caller.person("alice")
    store.write(lambda tx: keep_private(tx, alice, mine, "trace", kept))
    theirs = acting(volume, "system-cron")
    assert [n for n, _ in listed(theirs)] == [other.lower()]
    assert theirs.get_stats()["by_type"]["trace"] == 1
    assert theirs.find(TRACE, kept.lower()) is None
    with pytest.raises(UserError, match="there is no trace"):
        theirs.read_artifact(TRACE, kept)
    assert len(listed(volume)) == 2
    with pytest.raises(PermissionDenied):
        Volume(store, "user", "alice", caller=Caller.person("bob")).read_artifact(TRACE, kept)
