"""What programs are promised: every name of the published example works as it is written."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llmos import LLMOS, ArtifactType, EventType, LLMOSConfig, Mode, TokenEconomy, Verdict, tool
from llmos.cortex import Processor, RecordedProcessor
from llmos.errors import LowBatteryError
from llmos.values import Step, Trace

GOAL = "Create a Python calculator"
STEP = Step("Write", {"file_path": "calculator.py", "content": "print(1 + 1)\n"})


@pytest.fixture
def model() -> Processor:
    return RecordedProcessor({GOAL: Trace(GOAL, (STEP,), "Done.")})


async def test_the_story_of_the_crons(home: Path, cwd: Path, model: Processor) -> None:
    os = LLMOS(home, "alice", "engineering", model, cwd=cwd)
    await os.boot()
    kernel: Any = os.kernel
    os.kernel.start_crons(user_id="alice", team_id="engineering")
    result = await os.execute(GOAL)
    assert result.success
    for n in os.kernel.get_cron_notifications():
        assert n["title"] and n["description"]
    kernel.get_activity_feed(since_hours=24)
    kernel.get_artifact_changes(volume_type="user")
    assert "1 run by a model" in kernel.format_activity_report()
    volume = kernel.get_user_volume("alice")
    (trace,) = volume.list_artifacts(ArtifactType.TRACE)
    assert GOAL in volume.read_artifact(ArtifactType.TRACE, trace.name)
    assert volume.get_stats()["by_type"]["trace"] == 1
    volume.get_recent_changes(limit=10)
    kernel.get_team_volume("engineering")
    kernel.get_system_volume()
    kernel.stop_crons()
    kernel.get_cron_status()
    await os.shutdown()


async def test_the_rest_of_the_kernel(home: Path, cwd: Path, model: Processor) -> None:
    async with LLMOS(home, "alice", "engineering", model, cwd=cwd) as os:
        kernel = os.kernel
        await os.execute(GOAL)
        tasks = await kernel.run_cron_now(cron_level="user", owner_id="alice")
        assert list(tasks) == []
        told = kernel.hub.record_artifact_created("insight_001")
        kernel.acknowledge_notification(told)
        kernel.format_notifications()
        kernel.get_global_activity_summary()
        kernel.analyze_volume("user", owner_id="alice")
        assert kernel.get_evolution_proposals("user", owner_id="alice") == []
        hub = kernel.hub
        hub.record_artifact_created("insight_002")
        hub.record_proposal_created("crystallize_pattern")
        hub.record_cycle_complete(tasks=3, duration_s=2.5)
        hub.get_activity_feed()
        assert hub.get_pending_notifications()
        hub.acknowledge("insight_002")
        assert EventType.CRON_STARTED == "CRON_STARTED"


def test_settings_and_economy() -> None:
    economy = TokenEconomy(budget_usd=10.0)
    economy.check_budget(0.50)
    economy.deduct(0.45, "Learn: Create script")
    assert economy.balance == pytest.approx(9.55)
    with pytest.raises(LowBatteryError):
        economy.check_budget(100.0)
    # An error that was raised keeps what it was raised from: its writer must not outlive the test.
    economy._store.close()
    LLMOSConfig.development()
    LLMOSConfig.production()
    assert LLMOSConfig(enable_crons=True, user_cron_interval=1800).user_cron_interval == 1800


async def test_a_program_that_embeds_it(home: Path, cwd: Path) -> None:
    @tool(effects="read", name="calendar.search_events")
    def search_events(query: str = "") -> list[dict[str, str]]:
        """Find events."""
        return [{"event_id": "E-1", "title": "standup"}]

    look = Step("calendar.search_events", {"query": "standup"}, [{"event_id": "E-1"}])
    trace = Trace("Is there a standup?", (look,), "There is one.")
    os = LLMOS(
        home=home,
        user_id="alice",
        team_id="engineering",
        processor=RecordedProcessor({trace.goal: trace}),
        plugins=[search_events],
        clock=lambda: datetime(2023, 11, 30, tzinfo=UTC),
        config=LLMOSConfig(),
        budget_usd=10.0,
        cwd=cwd,
    )
    r = await os.execute(trace.goal, mode="AUTO", check=None, max_cost_usd=5.0, project=None)
    assert (r.mode, r.success, r.verdict) == (Mode.LEARNER, True, Verdict.COMPLETED)
    assert (r.output, r.usage.total_tokens, r.cost_usd) == ("There is one.", 0, 0.0)
    assert r.steps and r.trace_id and r.decision and r.side_exit is None
    await os.feedback(r.trace_id, success=True, note="")
    await os.learn([trace])
    await os.shutdown()
