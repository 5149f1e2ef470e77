"""What a learned tool reads: no more than it needs, and at once what does not wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from llmos import LLMOS, LLMOSConfig, Mode, Step, Trace
from llmos.kernel.admission import HookCall, Hooks
from llmos.kernel.permissions import Approval
from llmos.plugins import ToolError
from llmos.plugins.tool import tool
from llmos.values import ArtifactType, RunResult
from tests.conftest import MakeOS

SIDES = ("north", "south", "west")
PLACES = ("harbour", "quarry", "meadow", "mill", "orchard")


@dataclass
class Gauges:
    """Gauges at many places, and the reports that were filed of them."""

    meeting: threading.Barrier | None = None
    """Where reads wait for each other, so that one alone does not come back."""
    broken: str = ""
    """The side whose gauge fails."""
    filed: dict[str, dict[str, str]] = field(default_factory=dict)
    came: list[str] = field(default_factory=list)
    """Sides, in the order in which their reads came back."""

    def plugins(self) -> list[Any]:
        @tool(effects="read", name="gauge.read")
        def gauge_read(place: str, side: str) -> Any:
            """Read one gauge."""
            if self.meeting is not None:
                self.meeting.wait()
                time.sleep(0.02 * (len(SIDES) - SIDES.index(side)))
            if side == self.broken:
                raise ToolError("the gauge is frozen")
            self.came.append(side)
            return {"level": level(place, side)}

        @tool(effects="read", name="report.get")
        def report_get(place: str) -> Any:
            """Look at a report."""
            if place not in self.filed:
                raise ToolError(f"there is no report of the {place}")
            return self.filed[place]

        @tool(effects="write", name="report.file", undo=lambda arguments, result: None)
        def report_file(place: str, north: str, south: str, west: str) -> str:
            """File a report."""
            self.filed[place] = {"north": north, "south": south, "west": west}
            return "Filed."

        return [gauge_read, report_get, report_file]


def level(place: str, side: str) -> str:
    return f"{len(place) * 7 + SIDES.index(side) * 13 + ord(place[0])} mm"


def goal(place: str) -> str:
    return f"File a report of the {place} gauges"


def recording(place: str) -> Trace:
    """What a model does: three reads, the report, and a look at it."""
    looks = [Step("gauge.read", {"place": place, "side": side}) for side in SIDES]
    report = {"place": place, **{side: level(place, side) for side in SIDES}}
    last = Step("report.get", {"place": place})
    return Trace(goal(place), (*looks, Step("report.file", report), last), "Filed.")


async def taught(make_os: MakeOS, gauges: Gauges, **more: Any) -> LLMOS:
    """An LLM OS with a tool that files reports, whose model knows no other place."""
    given = [recording(place) for place in PLACES]
    os = await make_os(given, plugins=gauges.plugins())
    for trace in given:
        result = await os.execute(trace.goal)
        assert (result.mode, result.success) == (Mode.LEARNER, True), result.error
    assert (await os.kernel.run_cron_now()).learnt.created
    await os.shutdown()
    gauges.filed, gauges.came = {}, []
    return await make_os([], plugins=gauges.plugins(), **more)


async def served(os: LLMOS, place: str = "lighthouse") -> RunResult:
    return await os.execute(goal(place), mode="CRYSTALLIZED")


def sides(steps: Sequence[Step]) -> list[str]:
    return [s.arguments["side"] for s in steps if s.tool == "gauge.read"]


async def test_reads_that_do_not_wait_for_each_other_are_made_at_once(make_os: MakeOS) -> None:
    gauges = Gauges()
    os = await taught(make_os, gauges)
    gauges.meeting = threading.Barrier(len(SIDES), timeout=5)
    result = await served(os)
    assert (result.mode, result.side_exit) == (Mode.CRYSTALLIZED, None), result.error
    assert gauges.filed == {"lighthouse": {s: level("lighthouse", s) for s in SIDES}}
    # Recorded as the program has them, though they came back the other way round.
    assert gauges.came == list(reversed(SIDES))
    assert sides(result.steps) == list(SIDES)
    assert sides(os.traces.get(result.trace_id).steps) == list(SIDES)


async def test_a_look_at_what_was_written_is_left_out_and_stops_no_run_before_it(
    make_os: MakeOS,
) -> None:
    # Looked for before anything is filed, the report would not be there.
    gauges = Gauges()
    os = await taught(make_os, gauges)
    (artifact,) = os.kernel.get_user_volume().list_artifacts(ArtifactType.TOOL)
    content = os.kernel.get_user_volume().get(ArtifactType.TOOL, artifact.name).content
    assert sorted(content["tools"]) == ["gauge.read", "report.file"]
    result = await served(os)
    assert result.side_exit is None
    assert [s.tool for s in result.steps] == ["gauge.read"] * 3 + ["report.file"]


async def test_one_of_several_reads_that_fails_stops_the_run_before_it_writes(
    make_os: MakeOS,
) -> None:
    gauges = Gauges()
    os = await taught(make_os, gauges)
    gauges.broken = "south"
    result = await served(os)
    assert result.side_exit is not None
    assert result.side_exit.reason == "gauge.read failed: the gauge is frozen"
    assert sides(result.side_exit.committed) == list(SIDES)
    assert gauges.filed == {}


async def test_every_read_is_asked_for_and_one_that_is_refused_stops_all(
    make_os: MakeOS,
) -> None:
    heard: list[str] = []

    def not_west(call: HookCall) -> Approval | None:
        heard.append(str(call.arguments.get("side")))
        return Approval("reject", "not the west") if heard[-1] == "west" else None

    gauges = Gauges()
    os = await taught(make_os, gauges, hooks=Hooks((not_west,)))
    result = await served(os)
    assert result.side_exit is not None
    assert "not the west" in result.side_exit.reason
    assert heard == list(SIDES)
    assert gauges.came == []


@pytest.mark.parametrize(("calls", "made"), [(4, 3), (2, 2)])
async def test_a_bound_on_calls_holds_for_reads_at_once_too(
    make_os: MakeOS, calls: int, made: int
) -> None:
    gauges = Gauges()
    os = await taught(make_os, gauges, config=LLMOSConfig(max_calls=calls))
    result = await served(os)
    assert len(sides(result.steps)) == made
    assert bool(gauges.filed) == result.success == (calls > made)
