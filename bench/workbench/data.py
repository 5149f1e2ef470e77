"""Goals and recorded runs, read from the benchmark's folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bench.workbench.catalog import TOOLS, call
from bench.workbench.world import NOW, World
from llmos.errors import UserError
from llmos.values import Effect, Json, Step, Trace, Verdict


class Call(NamedTuple):
    """A call that is to be made."""

    tool: str
    arguments: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Task:
    """A goal and what is right for it."""

    id: str
    goal: str
    template: str
    """The base wording of its family, with slots; one family per template."""
    paraphrase: str
    """The wording that this goal was made from, with slots."""
    domain: str
    truth: tuple[Call, ...]
    """The writes that are right; empty when nothing may be written."""
    label_conflict: bool = False
    """What is held to be right contradicts the text: not to be counted."""

    def right_world(self, world: World) -> World:
        """A fresh copy of ``world`` after the right calls; those that raise are skipped."""
        right = world.fresh()
        for tool, arguments in self.truth:
            with suppress(Exception):
                call(right, tool, arguments)
        return right


@dataclass(frozen=True, slots=True)
class ModelRun:
    """What a model once did for a task, right or wrong."""

    task_id: str
    trace: Trace
    correct: bool
    """The final state was the right one."""
    harmful: bool
    """The state was changed, and not to the right one."""


def load_tasks(path: Path, *, more: bool = False) -> list[Task]:
    """The tasks in file order; with ``more``, those of the second file after them.

    Raises:
        UserError: The folder does not hold them.
    """
    return [
        Task(**{**line, "truth": tuple(Call(**c) for c in line["truth"])})
        for name in _files("tasks", more)
        for line in _lines(path / name)
    ]


def load_expert_traces(path: Path, *, more: bool = False) -> dict[str, Trace]:
    """A careful run by id of its task, verdict ``verified``; not every task has one.

    Raises:
        UserError: The folder does not hold them.
    """
    goals = {task.id: task.goal for task in load_tasks(path, more=more)}
    return {
        line["task_id"]: _trace(goals[line["task_id"]], line, Verdict.VERIFIED, name)
        for name in _files("expert_traces", more)
        for line in _lines(path / name)
    }


def load_model_runs(path: Path) -> list[ModelRun]:
    """The recorded runs of GPT-4, two per task of the first file.

    Their verdict is ``completed``, that is, what is known without ``correct``.

    Raises:
        UserError: The folder does not hold them.
    """
    goals = {task.id: task.goal for task in load_tasks(path)}
    return [
        ModelRun(
            line["task_id"],
            _trace(goals[line["task_id"]], line, Verdict.COMPLETED, "traces.jsonl"),
            line["correct"],
            line["harmful"],
        )
        for line in _lines(path / "traces.jsonl")
    ]


def _trace(goal: str, line: Mapping[str, Any], verdict: Verdict, file: str) -> Trace:
    return Trace(
        goal,
        tuple(_step(step) for step in line["steps"]),
        str(line["output"]),
        verdict,
        NOW,
        model=line.get("model", "expert"),
        source=f"import:{file}",
    )


def _step(step: Mapping[str, Any]) -> Step:
    entry = TOOLS.get(step["tool"])
    return Step(
        step["tool"],
        step["arguments"],
        step["observation"],
        step.get("is_error", False),
        entry.effect if entry else Effect.EXTERNAL,
    )


def _files(stem: str, more: bool) -> list[str]:
    return [f"{stem}.jsonl", f"{stem}_more.jsonl"] if more else [f"{stem}.jsonl"]


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    try:
        with file.open(encoding="utf-8") as f:
            for line in f:
                yield json.loads(line)
    except FileNotFoundError as e:
        raise UserError(f"there is no {str(file)!r}", "name the benchmark's folder") from e
