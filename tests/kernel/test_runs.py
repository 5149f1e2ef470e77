"""A run's row from its first moment to its verdict, also when its process is killed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from llmos.errors import UserError
from llmos.kernel.economy import Economy
from llmos.kernel.intents import Intents
from llmos.kernel.journal import Journal
from llmos.kernel.observe import Observer
from llmos.kernel.places import Places
from llmos.kernel.recorder import Recorder
from llmos.kernel.runs import Beginning, Ending, Runs
from llmos.kernel.snapshot import Snapshots
from llmos.kernel.undo import Undo
from llmos.memory.fold import fold, goal_key
from llmos.memory.traces import Scope, Traces
from llmos.plugins import Registry, tool, tool_of
from llmos.store import Store, new_id
from llmos.store.schema import events, notifications
from llmos.store.schema import traces as table
from llmos.values import Decision, Effect, Mode, Resources, SideExit, Step, Usage, Verdict

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 2, 9, 7, 0, 1, tzinfo=timezone(timedelta(hours=2)))
PLACES = Places("/work/here", "/home/alice", "/tmp")


class Lab:
    """One store with all that runs need."""

    def __init__(self, home: Path) -> None:
        self.store = Store.open(home)
        self.snapshots = Snapshots(self.store.blobs)
        self.journal = Journal(self.store, self.snapshots)
        self.intents = Intents(self.store)
        self.economy = Economy(self.store)
        self.runs = Runs(self.store, self.journal, self.intents, self.economy)
        self.traces = Traces(self.store)
        self.observer = Observer(self.snapshots, self.store.blobs, str(home.resolve()))

    def row(self, run: str) -> Any:
        return self.store.read(lambda c: c.execute(select(table).where(table.c.id == run)).one())

    def told(self, run: str) -> list[Any]:
        query = select(events).where(events.c.subject == run).order_by(events.c.seq)
        return list(self.store.read(lambda c: c.execute(query).all()))


@contextmanager
def opened(home: Path) -> Iterator[Lab]:
    lab = Lab(home)
    try:
        yield lab
    finally:
        lab.store.close()


@pytest.fixture
def lab(home: Path) -> Iterator[Lab]:
    with opened(home) as made:
        yield made


def beginning(goal: str = "Write a.txt", cwd: str = "/work/here") -> Beginning:
    return Beginning(
        id=new_id(),
        goal=goal,
        folded=fold(goal),
        goal_key=goal_key(goal),
        user_id="alice",
        team_id="engineering",
        project="site",
        context_digest="ff",
        now=NOW,
        cwd=cwd,
        check="make test",
    )


ENDING = Ending(
    mode=Mode.LEARNER,
    verdict=Verdict.COMPLETED,
    output="Wrote /work/here/a.txt.",
    usage=Usage(1, 2, 3, 4),
    cost_usd=0.25,
    duration_s=1.5,
    decision=Decision(Mode.LEARNER, 1.0, None, {}, "nothing known of /work/here"),
    model="m1",
    tools={"Write": "0123"},
)


# --- begin and end --------------------------------------------------------------------------


async def test_a_run_that_has_begun_is_a_failed_one_until_it_ends(lab: Lab) -> None:
    run = beginning()
    await lab.runs.begin(run)
    row = lab.row(run.id)
    assert (row.status, row.verdict, row.ended_at) == ("running", "failed", None)
    assert [e.type for e in lab.told(run.id)] == ["TASK_STARTED"]
    assert lab.traces.candidates(run.goal, Scope("alice")) == []


async def test_a_run_that_ended_is_a_trace(lab: Lab) -> None:
    run = beginning()
    await lab.runs.begin(run)
    await lab.runs.end(run, ENDING, PLACES)
    trace = lab.traces.get(run.id)
    assert (trace.goal, trace.verdict, trace.mode) == (run.goal, Verdict.COMPLETED, Mode.LEARNER)
    assert (trace.user_id, trace.team_id, trace.cwd) == ("alice", "engineering", "/work/here")
    assert (trace.now, trace.check, trace.context_digest) == (NOW, "make test", "ff")
    assert (trace.usage, trace.cost_usd, trace.duration_s) == (Usage(1, 2, 3, 4), 0.25, 1.5)
    assert (trace.model, trace.tools, trace.source) == ("m1", {"Write": "0123"}, "run")
    assert trace.output == "Wrote $CWD/a.txt."
    assert json.loads(lab.row(run.id).decision)["reason"] == "nothing known of $CWD"


async def test_the_outcome_is_told_in_the_feed(lab: Lab) -> None:
    run = beginning("Write\n a.txt " + "x" * 300)
    await lab.runs.begin(run)
    side_exit = SideExit(1, "a.txt has changed", (Step("Read", {}),))
    ending = replace(ENDING, side_exit=side_exit, already_done=True)
    await lab.runs.end(run, ending, PLACES)
    _, end = lab.told(run.id)
    assert (end.type, end.owner) == ("TASK_COMPLETED", "alice")
    assert "\n" not in end.title and len(end.title) == 120
    payload = json.loads(end.payload)
    assert (payload["tokens"], payload["cost_usd"], payload["already_done"]) == (10, 0.25, True)
    assert payload["side_exit"] == "a.txt has changed"
    decision = json.loads(lab.row(run.id).decision)
    assert decision["side_exit"] == {"step": 1, "reason": "a.txt has changed", "committed": 1}


@pytest.mark.parametrize("verdict", list(Verdict))
async def test_only_a_good_verdict_is_told_as_completed(lab: Lab, verdict: Verdict) -> None:
    run = beginning()
    await lab.runs.begin(run)
    await lab.runs.end(run, replace(ENDING, verdict=verdict), PLACES)
    expected = "TASK_COMPLETED" if verdict.good else "TASK_FAILED"
    assert lab.told(run.id)[-1].type == expected


async def test_broken_text_of_a_model_does_not_keep_a_run_from_ending(lab: Lab) -> None:
    run = beginning()
    await lab.runs.begin(run)
    half = "half a \ud83d smile"
    ending = replace(
        ENDING,
        output=half,
        error=half,
        side_exit=SideExit(0, half),
        decision=replace(ENDING.decision, reason=half),
    )
    await lab.runs.end(run, ending, PLACES)
    assert lab.traces.get(run.id).output == "half a ? smile"
    assert json.loads(lab.row(run.id).decision)["reason"] == half


# --- kill −9 --------------------------------------------------------------------------------


@tool(effects="write", name="Command")
def command() -> str:
    """Stands for a tool that writes files."""
    return ""


@tool(effects="external", name="mail")
def mail() -> str:
    """Stands for a tool that acts elsewhere."""
    return ""


async def work_until_killed(home: Path, cwd: Path) -> None:
    """Begin a run, hold money, write files, send a mail; say so; then hang in the middle."""
    lab = Lab(home)
    run = beginning(cwd=str(cwd))
    await lab.runs.begin(run)
    await lab.economy.reserve(["system", "user:alice"], 1.0, note="work")
    recorder = Recorder(lab.store, lab.journal, lab.intents, run.id, Places.of(cwd))

    single = Resources((), (f"file:{cwd}/deep/new.txt",))
    look = lab.observer.before(single)
    await recorder.begin(0, tool_of(command), {}, look, None)
    (cwd / "deep").mkdir()
    (cwd / "deep" / "new.txt").write_text("whole")
    changes = lab.observer.after(look)
    print_ = lab.observer.footprint(look, changes, True)
    step = Step("Command", {}, "ok", effect=Effect.WRITE, footprint=print_)
    await recorder.end(0, tool_of(command), step, look, changes, None, "done")
    await recorder.flush()

    whole = Resources((f"tree:{cwd}",), (f"tree:{cwd}",))
    await recorder.begin(1, tool_of(command), {}, lab.observer.before(whole), None)
    (cwd / "old.txt").write_text("half")
    (cwd / "gone.txt").unlink()
    (cwd / "more").mkdir()

    single = Resources((), (f"file:{cwd}/last.txt",))
    await recorder.begin(2, tool_of(command), {}, lab.observer.before(single), None)
    (cwd / "last.txt").write_text("torn")

    nothing = lab.observer.before(None)
    await recorder.begin(3, tool_of(mail), {"to": "bob"}, nothing, None)
    print(run.id, flush=True)
    await asyncio.sleep(600)


CHILD = """
import asyncio, sys
from pathlib import Path
from tests.kernel.test_runs import work_until_killed
asyncio.run(work_until_killed(Path(sys.argv[1]), Path(sys.argv[2])))
"""


@contextmanager
def child(home: Path, cwd: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A process in the middle of its run: the run's id and the process."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home), str(cwd)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        run = process.stdout.readline().strip()
        assert run, "the child could not work"
        yield run, process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "old.txt").write_text("old")
    (folder / "gone.txt").write_text("precious")
    return folder


def files(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): p.read_text() if p.is_file() else "/"
        for p in sorted(folder.rglob("*"))
    }


async def test_what_a_killed_process_left_open_is_closed(home: Path, cwd: Path) -> None:
    before = files(cwd)
    with child(home, cwd) as (run, process), opened(home) as lab:
        assert lab.runs.recover() == 0, "a run that goes on is left alone"
        assert lab.row(run).status == "running"
        assert lab.economy.status("system").reserved_usd == 1.0
        process.kill()
        process.wait()
        assert lab.runs.recover() == 1
        assert lab.runs.recover() == 0

        # The run is failed, and told so.
        trace = lab.traces.get(run)
        assert trace.verdict is Verdict.FAILED and "process ended" in trace.error
        assert [e.type for e in lab.told(run)] == ["TASK_STARTED", "TASK_FAILED"]
        assert [s.tool for s in trace.steps] == ["Command"], "the finished step is kept"

        # The mail may or may not have gone out: told once, refused until somebody says.
        (doubt,) = lab.intents.in_doubt()
        assert (doubt.trace_id, doubt.tool) == (run, "mail")
        assert lab.intents.doubtful("mail", {"to": "bob"}) is not None
        query = select(notifications.c.owner, notifications.c.title)
        notes = lab.store.read(lambda c: c.execute(query).all())
        assert [tuple(n) for n in notes] == [("alice", "mail may or may not have happened")]

        # The money is free.
        assert lab.economy.status("system").reserved_usd == 0.0
        assert lab.economy.status("user:alice").reserved_usd == 0.0

        # And every file can be put back.
        undone = await Undo(lab.store, Registry(), lab.journal).undo(run, actor="alice")
        assert undone.left == ()
        assert files(cwd) == before


async def test_what_was_killed_is_not_undone_over_somebody_elses_work(
    home: Path, cwd: Path
) -> None:
    with child(home, cwd) as (run, process):
        process.kill()
        process.wait()
    with opened(home) as lab:
        lab.runs.recover()
        (cwd / "old.txt").write_text("mine")
        now = files(cwd)
        with pytest.raises(UserError, match=r"old\.txt"):
            await Undo(lab.store, Registry(), lab.journal).undo(run, actor="alice")
        assert files(cwd) == now


async def test_two_processes_that_recover_at_once_do_it_once(home: Path, cwd: Path) -> None:
    with child(home, cwd) as (run, process):
        process.kill()
        process.wait()
    with opened(home) as one, opened(home) as two:
        found = await asyncio.gather(
            asyncio.to_thread(one.runs.recover), asyncio.to_thread(two.runs.recover)
        )
        assert sum(found) == 1
        assert [e.type for e in one.told(run)] == ["TASK_STARTED", "TASK_FAILED"]
        assert len(one.intents.in_doubt()) == 1
        rows = [(r.idx, r.path) for r in one.journal.records(run)]
        assert len(rows) == len(set(rows)), "no change is written down twice"


async def test_a_home_in_which_nobody_died_needs_no_recovery(home: Path) -> None:
    with opened(home) as lab:
        run = beginning()
        await lab.runs.begin(run)
        await lab.runs.end(run, ENDING, PLACES)
    with opened(home) as lab:
        assert lab.runs.recover() == 0
        assert lab.traces.get(run.id).verdict is Verdict.COMPLETED


async def test_a_run_whose_process_closed_in_its_midst_is_not_left_running(home: Path) -> None:
    run = beginning()
    with opened(home) as lab:
        await lab.runs.begin(run)
        await lab.intents.intend(run.id, 0, "mail", {"to": "bob"}, None)
    with opened(home) as lab:
        assert lab.intents.doubtful("mail", {"to": "bob"}) is not None
        assert lab.runs.recover() == 1
        assert lab.row(run.id).status == "done"
        assert lab.traces.get(run.id).verdict is Verdict.FAILED
        assert len(lab.intents.in_doubt()) == 1
        assert lab.runs.recover() == 0
