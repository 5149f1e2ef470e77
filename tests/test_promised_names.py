"""What programs are promised: every name of the published example works as it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmos import LLMOS, ArtifactType, EventType, LLMOSConfig, TokenEconomy
from llmos.cortex.processors import RecordedProcessor
from llmos.errors import LowBatteryError
from llmos.values import Step, Trace

GOAL = "Create a Python calculator"
STEP = Step("Write", {"file_path": "calculator.py", "content": "print(1 + 1)\n"})


@pytest.fixture
def model() -> RecordedProcessor:
    return RecordedProcessor({GOAL: Trace(GOAL, (STEP,), "Done.")})


async def test_the_story_of_the_crons(home: Path, cwd: Path, model: RecordedProcessor) -> None:
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


async def test_the_rest_of_the_kernel(home: Path, cwd: Path, model: RecordedProcessor) -> None:
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
