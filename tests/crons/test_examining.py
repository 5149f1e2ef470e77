"""A real processor sits an exam: what it says goes nowhere, what it costs is paid."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pydantic_ai", reason="needs the extra llmos[models]")

from pydantic_ai.messages import ModelMessage
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel

from llmos.cortex.agents.exams import Exam
from llmos.cortex.processors.pricing import Price
from llmos.cortex.processors.pydantic_ai import PydanticAIProcessor
from llmos.crons.examining import Allowed, Examiner, NotWorking, UsedUp, telling_calls
from llmos.evolution.asking import Model
from llmos.kernel.economy import Economy
from llmos.kernel.envelope import Envelope
from llmos.kernel.places import Places
from llmos.plugins.builtin import builtin_tools
from llmos.plugins.registry import Registry
from llmos.store import Store
from llmos.values import Effect, Step
from tests.conftest import TestClock

NOW = datetime(2026, 3, 2, tzinfo=UTC)
PLACES = Places("/somewhere/else", "/people/p", "/tmp")
MADE = {"file_path": "hello.txt", "content": "hello\n"}
READ = Step("Read", {"file_path": "/somewhere/else/in.txt"}, "hello", effect=Effect.READ)
EXAM = Exam("01", "Write a greeting", NOW, (READ, Step("Write", MADE, "ok")), "Done.", PLACES)


def calling(*turns: tuple[str, dict[str, Any]]) -> FunctionModel:
    """A model that makes a call in each turn, and then says that it has done."""
    left = list(turns)

    async def play(
        messages: list[ModelMessage], info: AgentInfo
    ) -> AsyncIterator[str | DeltaToolCalls]:
        if left:
            tool, arguments = left.pop(0)
            yield {0: DeltaToolCall(tool, json.dumps(arguments))}
        else:
            yield "Done."

    return FunctionModel(stream_function=play)


class Setup:
    """An examiner that asks a model of pydantic-ai, and who pays."""

    def __init__(self, store: Store, clock: TestClock, model: FunctionModel, **allowed: Any):
        economy = Economy(store, clock)
        self.envelope = Envelope(economy, ["system"], "run", "test")
        processor = PydanticAIProcessor(model, price=Price(2000, 20))
        self.model = Model(processor, self.envelope, NOW, Path("/"))
        registry = Registry(builtin_tools(sandboxed=False))
        specs = [spec for spec in registry.specs() if spec.name in ("Read", "Write")]
        budget = Allowed(**{"tokens": 100_000, "cost_usd": 5.0} | allowed)
        same = telling_calls(registry)
        self.examiner = Examiner(processor, self.envelope, self.model, specs, same, "", budget)


async def test_a_run_that_spells_its_calls_otherwise_is_right_and_writes_nothing(
    store: Store, clock: TestClock, cwd: Path
) -> None:
    made = MADE | {"file_path": "/somewhere/else/hello.txt"}
    model = calling(("Read", {"file_path": "in.txt"}), ("Write", made))
    its = Setup(store, clock, model)
    async with its.model.paid(5.0):
        sat = await its.examiner.sit(EXAM, "Be kind.")
        again = await its.examiner.sit(EXAM, "Be kind.")
    assert sat.right and again is sat, sat.why
    assert list(cwd.iterdir()) == [] and not Path("/somewhere").exists()
    assert its.examiner.tokens > 0 and its.envelope.spent_usd > 0


async def test_a_run_that_leaves_the_record_is_ended_and_paid(
    store: Store, clock: TestClock
) -> None:
    its = Setup(store, clock, calling(("Write", MADE | {"content": "bye\n"}), ("Write", MADE)))
    async with its.model.paid(5.0):
        sat = await its.examiner.sit(EXAM, "Be kind.")
    assert (sat.right, sat.why) == (False, "it left the record with a call of Write")
    assert [tool for tool, _ in sat.calls] == ["Write"]
    assert its.envelope.spent_usd > 0 and its.examiner.tokens > 0


async def test_what_is_used_up_is_no_exam_that_was_not_passed(
    store: Store, clock: TestClock
) -> None:
    its = Setup(store, clock, calling(("Read", {"file_path": "in.txt"}), ("Write", MADE)), tokens=1)
    async with its.model.paid(5.0):
        with pytest.raises(UsedUp, match="tokens of a cycle are used"):
            await its.examiner.sit(EXAM, "Be kind.")
    assert its.envelope.spent_usd > 0, "the one call that showed it was made"


async def test_a_model_that_fails_is_no_exam_that_was_not_passed(
    store: Store, clock: TestClock
) -> None:
    async def broken(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        raise ValueError("no such model")
        yield ""

    its = Setup(store, clock, FunctionModel(stream_function=broken))
    async with its.model.paid(5.0):
        with pytest.raises(NotWorking, match="no such model"):
            await its.examiner.sit(EXAM, "Be kind.")
