"""`os.kernel`, over a real LLM OS."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from llmos import LLMOSConfig, Mode
from llmos.errors import PermissionDenied, UserError
from llmos.plugins.tool import tool
from llmos.values import EventType
from tests.conftest import MakeOS, recording

WRITE = recording("Write hello.txt", ("Write", {"file_path": "hello.txt", "content": "hello\n"}))


async def test_runs_are_in_the_feed_with_what_they_cost(make_os: MakeOS, cwd: Path) -> None:
    from dataclasses import replace

    os = await make_os([replace(WRITE, cost_usd=0.25)])
    await os.execute(WRITE.goal)
    (cwd / "hello.txt").unlink()
    await os.execute(WRITE.goal)
    second, first = os.kernel.get_activity_feed(since_hours=1e6)
    assert (first.who, first.what, first.cost_usd) == ("alice", WRITE.goal, 0.25)
    assert (second.cost_usd, second.why) == (0.0, "replayed from a trace")
    assert os.kernel.economy.status("user:alice").spent_usd == 0.25


async def test_a_notification_is_told_until_it_is_acknowledged(make_os: MakeOS) -> None:
    os = await make_os()
    assert os.kernel.format_notifications() == "Nothing new."
    os.kernel.hub.record_artifact_created("insight_001", title="Mondays are slow", why="12 traces")
    (told,) = os.kernel.get_cron_notifications()
    assert (told["title"], told["description"]) == ("Mondays are slow", "12 traces")
    assert "Mondays are slow" in os.kernel.format_notifications()
    os.kernel.acknowledge_notification(told["event_id"])
    assert os.kernel.get_cron_notifications() == []


async def test_subscribers_hear_of_a_run_while_it_happens(make_os: MakeOS) -> None:
    os = await make_os([WRITE])
    listener = os.kernel.subscribe()
    await os.execute(WRITE.goal)
    begun, ended = [await asyncio.wait_for(anext(listener), 10) for _ in range(2)]
    assert (begun.type, ended.type) == (EventType.TASK_STARTED, EventType.TASK_COMPLETED)
    assert begun.subject == ended.subject


async def test_a_write_in_doubt_is_shown_until_somebody_says_what_became_of_it(
    make_os: MakeOS,
) -> None:
    @tool(effects="external", name="mail.send")
    def send(to: str) -> str:
        """Send a mail."""
        raise RuntimeError("the connection broke")

    goal = recording("Mail bob", ("mail.send", {"to": "bob@example.org"}))
    os = await make_os([goal], plugins=[send], config=LLMOSConfig(allow=("mail.send",)))
    await os.execute(goal.goal)
    (doubt,) = os.kernel.writes_in_doubt()
    (told,) = os.kernel.get_cron_notifications()
    assert doubt.id in told["description"]
    with pytest.raises(UserError, match="in doubt"):
        os.kernel.resolve_write("01ABC", happened=True)
    os.kernel.resolve_write(doubt.id.lower(), happened=False)
    assert os.kernel.writes_in_doubt() == []


async def test_a_preview_of_an_explained_trace_does_nothing(make_os: MakeOS, cwd: Path) -> None:
    os = await make_os([WRITE])
    run = await os.execute(WRITE.goal)
    await os.undo(run.trace_id)
    decision, trace = os.explain(WRITE.goal)
    assert decision.mode is Mode.FOLLOWER
    assert trace is not None
    (write,) = os.kernel.preview(trace, cwd).writes
    assert "+hello" in write.diff
    assert not (cwd / "hello.txt").exists()


async def test_the_names_of_the_reading_side_work_as_written(make_os: MakeOS) -> None:
    os = await make_os([WRITE])
    await os.execute(WRITE.goal)
    kernel = os.kernel
    assert kernel.format_activity_report().startswith("1 run by a model")
    assert kernel.format_activity_report(format="html").startswith("<!doctype html>")
    with pytest.raises(UserError, match="no format"):
        kernel.format_activity_report(format="pdf")
    assert kernel.get_artifact_changes(volume_type="user") == []
    assert kernel.analyze_volume("user", owner_id="alice")["by_type"]["trace"] == 1
    assert kernel.get_global_activity_summary()["model_runs"] == 1
    assert kernel.get_system_volume().list_artifacts() == []
    with pytest.raises(PermissionDenied, match="members"):
        kernel.get_team_volume("engineering")
    with pytest.raises(PermissionDenied):
        kernel.analyze_volume("user", owner_id="bob")
