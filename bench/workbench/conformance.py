"""Does this implementation do what the recorded one did?

    python -m bench.workbench.conformance PATH

Prints what matched of what was compared, and exits 1 unless all did.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bench.workbench.catalog import call
from bench.workbench.data import Task, load_expert_traces, load_model_runs, load_tasks
from bench.workbench.plugins import WorldRef, make_plugins
from bench.workbench.rows import Refused
from bench.workbench.world import World, same_state
from llmos.errors import LLMOSError
from llmos.plugins import tool_of
from llmos.values import Json, Step, Trace

RESETS = 1000
RESET_MS = 2.0
"""A reset must take less."""

RAISED = object()
"""Stands for the observation of a call that raised."""


class Line(NamedTuple):
    """One line of the report."""

    what: str
    matched: int
    total: int
    note: str = ""


Caller = Callable[[World, str, Mapping[str, Json]], object]
"""Makes one call and returns the observation, or `RAISED`."""


def check(path: Path) -> Iterator[Line]:
    """Compare everything that the folder lets us compare.

    Raises:
        UserError: The folder does not hold the data.
    """
    world = World.load(path)
    tasks = {task.id: task for task in load_tasks(path, more=True)}
    yield specification(path, world)
    yield calls("calls", path, world, direct)
    yield calls("calls through the plugins", path, world, Plugged(world))
    yield truths(tasks, world)
    yield from experts(path, tasks, world)
    yield from models(path, tasks, world)
    yield resets(world)


def specification(path: Path, world: World) -> Line:
    """Names, effects, parameters and their defaults, as `make_plugins` has them."""
    made = [tool_of(f) for f in make_plugins(WorldRef(world))]
    ours = {
        t.name: (t.effect.value, {p.name: p.default for p in t.signature.parameters.values()})
        for t in made
    }
    told = {
        row["name"]: (row["effects"], {p["name"]: p["default"] for p in row["parameters"]})
        for row in _rows(path / "tools.jsonl")
    }
    same = sum(ours.get(name) == entry for name, entry in told.items())
    return Line("tools as described", same, max(len(told), len(ours)))


def direct(world: World, tool: str, arguments: Mapping[str, Json]) -> object:
    """A call without the kernel."""
    try:
        return call(world, tool, arguments).observation
    except Exception:
        return RAISED


class Plugged:
    """Calls as the kernel makes them: arguments checked, then the plugin's function."""

    def __init__(self, world: World) -> None:
        self._ref = WorldRef(world)
        self._tools = {t.name: t for t in map(tool_of, make_plugins(self._ref))}

    def __call__(self, world: World, tool: str, arguments: Mapping[str, Json]) -> object:
        self._ref.world = world
        made = self._tools[tool]
        try:
            return made.function(**made.validate(arguments))
        except Refused as e:
            return str(e)
        except Exception:
            return RAISED


def calls(what: str, path: Path, world: World, make: Caller) -> Line:
    """The recorded sequences of calls, each from a fresh world."""
    matched = total = 0
    wrong = ""
    for row in _rows(path / "conformance.jsonl"):
        fresh = world.fresh()
        for i, made in enumerate(row["calls"]):
            came = make(fresh, made["tool"], made["arguments"])
            total += 1
            if _same(came, RAISED if made.get("raises") else made["observation"]):
                matched += 1
            else:
                wrong = wrong or f"first difference: {row['id']}, call {i}, {made['tool']}"
    return Line(what, matched, total, wrong)


def truths(tasks: Mapping[str, Task], world: World) -> Line:
    """The right calls of every task: none may raise or be refused."""
    clean = 0
    wrong = ""
    for task in tasks.values():
        fresh = world.fresh()
        came = [_accepted(fresh, tool, arguments) for tool, arguments in task.truth]
        if all(came) and same_state(fresh, task.right_world(world)):
            clean += 1
        else:
            wrong = wrong or f"first: {task.id}"
    return Line("right calls of a task run", clean, len(tasks), wrong)


def experts(path: Path, tasks: Mapping[str, Task], world: World) -> Iterator[Line]:
    """The careful runs: same observations, and the right state in the end."""
    traces = load_expert_traces(path, more=True)
    replayed = {id_: _replay(world, trace) for id_, trace in traces.items()}
    steps = sum(len(trace.steps) for trace in traces.values())
    same = sum(identical for _, identical in replayed.values())
    yield Line("expert runs with equal observations", same, len(traces), f"{steps} steps")
    right = sum(
        same_state(end, tasks[id_].right_world(world)) for id_, (end, _) in replayed.items()
    )
    yield Line("expert runs that end right", right, len(traces))


def models(path: Path, tasks: Mapping[str, Task], world: World) -> Iterator[Line]:
    """The model's runs: same observations, and judged as they were."""
    runs = load_model_runs(path)
    replayed = [_replay(world, run.trace) for run in runs]
    steps = sum(len(run.trace.steps) for run in runs)
    same = sum(identical for _, identical in replayed)
    yield Line("model runs with equal observations", same, len(runs), f"{steps} steps")
    judged = 0
    for run, (end, _) in zip(runs, replayed, strict=True):
        correct = same_state(end, tasks[run.task_id].right_world(world))
        harmful = not correct and not same_state(end, world.fresh())
        judged += (correct, harmful) == (run.correct, run.harmful)
    yield Line("model runs judged alike", judged, len(runs))


def resets(world: World) -> Line:
    """How long a fresh world takes."""
    began = time.perf_counter()
    for _ in range(RESETS):
        world.fresh()
    took = (time.perf_counter() - began) / RESETS * 1e3
    return Line("reset in time", int(took < RESET_MS), 1, f"{took:.4f} ms, must be < {RESET_MS:g}")


def _replay(world: World, trace: Trace) -> tuple[World, bool]:
    fresh = world.fresh()
    came = [_step_again(fresh, step) for step in trace.steps]
    return fresh, all(came)


def _step_again(world: World, step: Step) -> bool:
    try:
        result = call(world, step.tool, step.arguments)
    except Exception:
        return step.observation is None and step.is_error
    return _same(result.observation, step.observation) and result.is_error == step.is_error


def _accepted(world: World, tool: str, arguments: Mapping[str, Json]) -> bool:
    try:
        return not call(world, tool, arguments).is_error
    except Exception:
        return False


def _same(came: object, told: object) -> bool:
    if came is RAISED or told is RAISED:
        return came is told
    # As text, so that the order of keys and 1 against 1.0 count.
    return json.dumps(came) == json.dumps(told)


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as f:
        for line in f:
            yield json.loads(line)


def main(arguments: list[str]) -> int:
    """Print the report; 0 when everything matched."""
    if len(arguments) != 1:
        print("usage: python -m bench.workbench.conformance PATH", file=sys.stderr)
        return 2
    good = True
    try:
        for line in check(Path(arguments[0])):
            good &= line.matched == line.total
            note = f" ({line.note})" if line.note else ""
            print(f"{line.matched}/{line.total} {line.what}{note}")
    except LLMOSError as e:
        print(f"error: {e.message}. {e.hint}", file=sys.stderr)
        return e.exit_code
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
