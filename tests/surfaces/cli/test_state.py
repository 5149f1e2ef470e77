"""``llmos state``: the numbers, what they turn, and what moved them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos import Step, Trace
from llmos.store import Store
from llmos.surfaces.cli.views.state import gauge, plot
from llmos.values import EventType
from tests.surfaces.cli.conftest import Cli

HELLO = Trace("Write hello", (Step("Write", {"file_path": "hello.txt", "content": "x"}),), "Done.")


def alert(home: Path, times: int) -> None:
    with Store.open(home) as store:
        for _ in range(times):
            store.write(
                lambda tx: tx.event(
                    EventType.SYSTEM_ALERT, owner="alice", payload={"audit": "disagreed"}
                )
            )


def test_a_new_home_stands_at_its_set_points(cli: Cli) -> None:
    said = cli("state")
    assert said.code == 0
    assert said.out.startswith("BALANCED: Work as usual.\n")
    assert "as configured: safety is 0.50 (set-point 0.5)" in said.out
    assert "moved it" not in said.out
    told = cli("state", "--json").json
    assert told["values"] == told["set_points"] and told["cost"] == 0
    assert told["history"] == told["opportunities"] == []
    assert not any(knob["moved"] for knob in told["knobs"].values())


def test_what_happened_is_listed_and_plotted(cli: Cli, model: Any) -> None:
    model(HELLO)
    for _ in range(3):
        assert cli("run", HELLO.goal).code == 0
    said = cli("state", "--limit", "2").out
    assert "the last 3 events that moved it, oldest first" in said
    assert said.count("task success, task repetition") == 2
    assert "novel task" not in said
    told = cli("state", "--json", "--limit", "9").json["history"]
    assert [m["triggers"][-1] for m in told] == [*["task_repetition"] * 2, "novel_task"]


def test_every_knob_says_what_moved_it(cli: Cli, home: Path) -> None:
    alert(home, 4)
    said = cli("state").out
    assert said.startswith("CAUTIOUS: ")
    assert "50.0%, 50.0% of external writes" in said
    assert "every external write asks" in said
    assert "safety is -0.10 (set-point 0.5), so that audits are 25.0 times" in said
    told = cli("state", "--json").json
    assert (told["mode"], told["values"]["safety"]) == ("CAUTIOUS", pytest.approx(-0.1))
    assert told["knobs"]["audit_rate"]["moved"] is True


def test_turned_off_it_says_so(cli: Cli) -> None:
    cli("config", "set", "enable_sentience", "false")
    assert "! it is turned off" in cli("state").out
    assert cli("state", "--json").json["enabled"] is False


def test_what_could_be_better_is_told_with_its_runs(cli: Cli, model: Any) -> None:
    goals = [f"Write hello to {n}.txt" for n in range(3)]
    model(*(Trace(g, (Step("Glob", {"pattern": "*"}),), "Done.", cost_usd=0.1) for g in goals))
    for goal in goals:
        assert cli("run", goal).code == 0
    said = cli("state").out
    assert "What could be better:" in said
    assert "a model did this 3 times, and well; no tool has been learnt of it ($0.30; runs" in said


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_a_gauge_is_always_as_wide(value: float, set_point: float) -> None:
    line = gauge(value, set_point)
    assert len(line) == 21 and line.count("●") == 1


@given(st.lists(st.floats(-1, 1), max_size=300))
def test_a_plot_is_never_wider_than_a_line(values: list[float]) -> None:
    assert len(plot(values)) == min(60, len(values))
    assert set(plot(values)) <= set("▁▂▃▄▅▆▇█")
    assert plot([-1.0, 1.0]) == "▁█"
