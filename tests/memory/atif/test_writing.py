"""A run as a trajectory document."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from llmos.memory.atif import Stopped, checked, trajectory
from llmos.values import Mode, Step, Trace, Usage, Verdict

NOW = datetime(2026, 3, 2, 9, 7, tzinfo=UTC)
STEP = Step("Write", {"file_path": "$CWD/a.txt", "content": "é\n"}, "ok", duration_s=0.5)
TRACE = Trace(
    "Write a.txt",
    (STEP, replace(STEP, tool="Bash", observation={"ids": [1, None]}, is_error=True)),
    "Done.",
    Verdict.VERIFIED,
    NOW,
    id="01" * 13,
    model="m1",
    usage=Usage(1, 2, 3, 4),
    cost_usd=0.25,
    duration_s=2.0,
    check="make test",
)
FREE = replace(TRACE, mode=Mode.FOLLOWER, usage=Usage(), cost_usd=0.0, model="")


def test_a_run_is_a_users_step_a_step_for_each_call_and_the_answer() -> None:
    told = trajectory(TRACE, "9.9")
    assert checked(told) is told
    assert told["schema_version"] == "ATIF-v1.7"
    assert told["session_id"] == told["trajectory_id"] == TRACE.id
    assert told["agent"] == {"name": "llmos", "version": "9.9", "model_name": "m1"}
    asked, wrote, _, said = told["steps"]
    assert (asked["source"], asked["message"]) == ("user", "Write a.txt")
    assert asked["timestamp"] == "2026-03-02T09:07:00+00:00"
    assert said["timestamp"] == "2026-03-02T09:07:02+00:00"
    (made,), (came,) = wrote["tool_calls"], wrote["observation"]["results"]
    assert (made["function_name"], made["arguments"]) == ("Write", STEP.arguments)
    assert (came["source_call_id"], came["content"]) == (made["tool_call_id"], "ok")
    assert (said["source"], said["message"]) == ("agent", "Done.")
    assert "llm_call_count" not in wrote | said


def test_what_is_no_text_is_told_as_json_and_an_error_as_such() -> None:
    (came,) = trajectory(TRACE, "1")["steps"][2]["observation"]["results"]
    assert json.loads(came["content"]) == {"ids": [1, None]}
    assert came["extra"] == {"json": True, "is_error": True}


def test_cached_tokens_are_a_part_of_the_prompt() -> None:
    told = trajectory(TRACE, "1")["final_metrics"]
    assert told == {
        "total_prompt_tokens": 8,
        "total_completion_tokens": 2,
        "total_cached_tokens": 3,
        "total_cost_usd": 0.25,
        "total_steps": 4,
        "extra": {"cache_creation_input_tokens": 4},
    }


def test_a_cost_that_nobody_knows_is_not_told_as_nothing() -> None:
    assert "total_cost_usd" not in trajectory(replace(TRACE, cost_usd=0.0), "1")["final_metrics"]
    assert trajectory(FREE, "1")["final_metrics"]["total_cost_usd"] == 0.0


def test_no_step_of_a_replay_has_a_model_call() -> None:
    told = trajectory(FREE, "1")
    counts = [step.get("llm_call_count") for step in told["steps"]]
    assert counts == [None, 0, 0, 0]
    assert "model_name" not in told["agent"]
    assert checked(told)


def test_the_steps_before_a_side_exit_have_none_and_the_reason_is_told() -> None:
    trace = replace(TRACE, mode=Mode.MIXED, prefix=1)
    told = trajectory(trace, "1", Stopped(1, "a read changed"))
    assert [step.get("llm_call_count") for step in told["steps"]] == [None, 0, None, None]
    assert told["extra"]["llmos"]["side_exit"] == {"step": 1, "reason": "a read changed"}


def test_what_has_no_field_is_told_beside() -> None:
    told = trajectory(replace(TRACE, error="it broke", quarantined=True), "1")["extra"]["llmos"]
    assert told == {
        "verdict": "verified",
        "mode": "LEARNER",
        "source": "run",
        "error": "it broke",
        "check": "make test",
        "quarantined": True,
        "duration_s": 2.0,
        "places": True,
    }


def test_no_secret_leaves_in_any_field() -> None:
    key = "sk-ant-api03-a1b2c3d4e5f6g7h8i9j0"
    step = Step("Bash", {"command": f"call {key}"}, {"said": [key]})
    trace = Trace(
        f"Use {key}", (step,), key, now=NOW, id="01" * 13, error=key, check=f"x {key}", model=key
    )
    trace = replace(trace, project=key, agent=key, source=f"import:{key}")
    told = trajectory(trace, "1", Stopped(0, key))
    assert key not in json.dumps(told)
    assert told["steps"][0]["message"] == "Use [redacted:api-key]"
    assert "[redacted" in told["notes"]


def test_any_text_and_number_makes_strict_json() -> None:
    step = Step("T", {"a\ud800": ["\udfff", float("nan")]}, "x\ud800")
    told = trajectory(replace(TRACE, steps=(step,), output="\ud800"), "1")
    text = json.dumps(told, ensure_ascii=False, allow_nan=False)
    assert json.loads(text.encode()) == told
    assert told["steps"][1]["tool_calls"][0]["arguments"] == {"a?": ["?", "nan"]}
    assert told["steps"][1]["observation"]["results"][0]["content"] == "x?"


def test_a_run_that_did_and_said_nothing_has_an_empty_answer() -> None:
    told = trajectory(replace(TRACE, steps=(), output=""), "1")
    assert [step["message"] for step in told["steps"]] == ["Write a.txt", ""]
