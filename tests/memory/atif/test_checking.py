"""What is no trajectory is refused, with the place and the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmos.memory.atif import Malformed, checked, read_document, reading
from tests.memory.atif.documents import agent, call, document, observed, result, save, user


def wrong(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return document(user(), *steps, **more)


CALL = call("Write")
DEEP: dict[str, Any] = {}
for _ in range(100):
    DEEP = {"a": DEEP}

MALFORMED: list[tuple[object, str, str]] = [
    ([], "", "no object"),
    ({}, "schema_version", "does not say"),
    (wrong(schema_version="ATIF-v2.0"), "schema_version", "'ATIF-v2.0' is not known"),
    (wrong(schema_version="ATIF-v1.77"), "schema_version", "not known"),
    (wrong(agent=None), "agent", "missing"),
    (wrong(agent={"version": "1"}), "agent.name", "missing"),
    (wrong(extra=[]), "extra", "no object"),
    (wrong(final_metrics={"total_prompt_tokens": -1}), "final_metrics.total_prompt_tokens", "no"),
    (wrong(final_metrics={"total_cost_usd": "1"}), "final_metrics.total_cost_usd", "no number"),
    (wrong(final_metrics={"total_cost_usd": 10**7}), "final_metrics.total_cost_usd", "dollars"),
    (wrong(final_metrics={"total_cost_usd": -1}), "final_metrics.total_cost_usd", "dollars"),
    (document(), "steps", "there are none"),
    (document() | {"steps": {}}, "steps", "no list"),
    (document() | {"steps": ["x"]}, "steps[0]", "no object"),
    (wrong(agent(step_id=3)), "steps[1].step_id", "must be 2"),
    (wrong({"source": "tool", "message": ""}), "steps[1].source", "none of system"),
    (wrong({"source": "agent"}), "steps[1].message", "neither a text nor"),
    (wrong(agent([{"type": "text"}])), "steps[1].message[0].text", "missing"),
    (wrong(agent([{"type": "film"}])), "steps[1].message[0].type", "none of text"),
    (wrong(agent(timestamp="yesterday")), "steps[1].timestamp", "ISO 8601"),
    (document(user(tool_calls=[CALL])), "steps[0].tool_calls", "a step of the user has none"),
    (wrong(agent(tool_calls=[{}])), "steps[1].tool_calls[0].tool_call_id", "missing"),
    (wrong(agent(tool_calls=[CALL, CALL])), "steps[1].tool_calls[1].tool_call_id", "another call"),
    (wrong(agent(tool_calls=[call("")])), "steps[1].tool_calls[0].function_name", "empty"),
    (
        wrong(agent(tool_calls=[CALL | {"arguments": "{}"}])),
        "steps[1].tool_calls[0].arguments",
        "no object",
    ),
    (
        wrong(agent(observation=observed(result("x")))),
        "steps[1].observation.results[0].source_call_id",
        "no call of this step",
    ),
    (
        wrong(agent(tool_calls=[CALL], observation=observed(result(7)))),
        "steps[1].observation.results[0].content",
        "neither a text nor",
    ),
    (wrong(agent(metrics={"prompt_tokens": True})), "steps[1].metrics.prompt_tokens", "no count"),
    (wrong(agent(metrics={"prompt_tokens": 10**13})), "steps[1].metrics.prompt_tokens", "no count"),
    (wrong(agent(llm_call_count=0, metrics={})), "steps[1].metrics", "without a model has none"),
    (wrong(agent(tool_calls=[call("Write", a=DEEP)])), "", "nested more than 64 deep"),
]


@pytest.mark.parametrize(("data", "place", "reason"), MALFORMED)
def test_a_malformed_document_is_refused_with_its_place(
    data: object, place: str, reason: str
) -> None:
    with pytest.raises(Malformed, match=reason) as refused:
        checked(data)
    assert refused.value.place == place


@pytest.mark.parametrize("minor", range(9))
def test_every_version_there_is_is_read_with_fields_that_are_not_known(minor: int) -> None:
    data = wrong(agent("Hi", novel=1), schema_version=f"ATIF-v1.{minor}", other={})
    assert checked(data) is data


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"schema_version": "ATIF-v1.7",\n "steps": [}', "line 2, column 12: no JSON"),
        ('{"schema_version": "ATIF-v1.7", "steps": [NaN]}', "no JSON: NaN is no number"),
        ('{"schema_version": "ATIF-v1.7", "a": ' + "9" * 5000 + "}", "no JSON: Exceeds"),
        ("[" * 100_000, "nested too deeply"),
        ("", "line 1, column 1: no JSON"),
    ],
)
def test_what_is_no_json_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        read_document(save(text, tmp_path / "a.json"))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(Malformed, match="byte 7: no UTF-8"):
        read_document(path)


def test_a_file_that_is_too_large_is_not_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LARGEST", 2 * 1024**2)
    path = save(" " * (2 * 1024**2 + 1), tmp_path / "a.json")
    with pytest.raises(Malformed, match="larger than 2 MiB"):
        read_document(path)
