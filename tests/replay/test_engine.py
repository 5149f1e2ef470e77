"""Replay is sound or it stops: worlds, hoisting, renaming, answers, at-most-once."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from llmos import LLMOSConfig, Mode, Trace
from llmos.plugins import sandbox
from llmos.plugins.tool import tool
from tests.conftest import MakeOS, recording

needs_sandbox = pytest.mark.skipif(
    sandbox.available() is not None, reason=f"no sandbox: {sandbox.available()}"
)


class Office:
    """A calendar and a ticket system in memory, as a plugin author would wrap them."""

    def __init__(self) -> None:
        self.events = {"E-000001": "standup"}
        self.tickets: dict[int, str] = {}
        self.log: list[str] = []
        self.numbers = itertools.count(1)

    def tools(self) -> list[Any]:
        @tool(effects="read", name="calendar.list", reads=["calendar:alice"])
        def list_events() -> list[dict[str, str]]:
            """List the events."""
            self.log.append("list")
            return [{"event_id": k, "title": v} for k, v in sorted(self.events.items())]

        @tool(
            effects="write",
            name="calendar.create",
            writes=["calendar:alice"],
            ids=["event_id"],
            undo=lambda arguments, result: self.events.pop(result["event_id"]),
        )
        def create_event(title: str) -> dict[str, str]:
            """Create an event."""
            event_id = f"E-{next(self.numbers) * 1000:06d}"
            self.events[event_id] = title
            self.log.append(f"create {event_id}")
            return {"event_id": event_id, "title": title}

        @tool(
            effects="write",
            name="calendar.rename",
            writes=["calendar:alice"],
            ids=["event_id"],
            undo=lambda arguments, result: None,
        )
        def rename_event(event_id: str, title: str) -> str:
            """Rename an event."""
            if event_id not in self.events:
                raise KeyError(event_id)
            self.events[event_id] = title
            self.log.append(f"rename {event_id}")
            return "renamed"

        @tool(effects="read", name="notes.read", reads=["notes:alice"])
        def read_notes() -> str:
            """Read the notes."""
            self.log.append("notes")
            return self.notes

        @tool(effects="write", name="unknown.write", undo=lambda arguments, result: None)
        def unknown_write() -> str:
            """Write somewhere, nobody says where."""
            self.log.append("unknown")
            return "ok"

        @tool(effects="open_read", name="news.top")
        def top_news() -> str:
            """The news."""
            return self.news

        return [list_events, create_event, rename_event, read_notes, unknown_write, top_news]

    notes = "buy milk"
    news = "quiet day"


async def run_twice(make_os: MakeOS, trace: Trace, office: Office, **more: Any) -> Any:
    os = await make_os([trace], plugins=office.tools(), **more)
    first = await os.execute(trace.goal)
    assert first.success, first.error
    return os


async def test_an_answer_from_reads_is_given_again_only_while_they_are_equal(
    make_os: MakeOS,
) -> None:
    office = Office()
    trace = recording("What is on my list?", ("notes.read", {}), output="Buy milk.")
    os = await run_twice(make_os, trace, office)
    again = await os.execute(trace.goal)
    assert (again.mode, again.output, again.success) == (Mode.FOLLOWER, "Buy milk.", True)
    office.notes = "buy bread"
    changed = await os.execute(trace.goal)
    assert changed.side_exit is not None
    assert changed.mode is Mode.MIXED


async def test_an_answer_from_an_open_source_goes_to_the_model(make_os: MakeOS) -> None:
    trace = recording("What is new?", ("news.top", {}), output="A quiet day.")
    os = await run_twice(make_os, trace, Office())
    assert os.explain(trace.goal)[0].mode is Mode.MIXED


async def test_a_read_behind_a_disjoint_write_is_checked_before_that_write(
    make_os: MakeOS,
) -> None:
    office = Office()
    trace = recording("Plan", ("calendar.create", {"title": "lunch"}), ("notes.read", {}))
    os = await run_twice(make_os, trace, office)
    office.notes = "something else"
    office.log.clear()
    result = await os.execute(trace.goal, mode="FOLLOWER")
    assert result.side_exit is not None
    assert result.side_exit.step == 0
    assert office.log[0] == "notes", "the guard ran first"
    assert office.log.index("notes") < office.log.index("create E-002000"), "then the model wrote"


async def test_a_read_is_not_hoisted_over_a_write_of_unknown_reach(make_os: MakeOS) -> None:
    office = Office()
    trace = recording("Do", ("unknown.write", {}), ("notes.read", {}))
    os = await run_twice(make_os, trace, office)
    office.log.clear()
    assert (await os.execute(trace.goal)).success
    assert office.log == ["unknown", "notes"]


async def test_fresh_ids_are_renamed_through_later_steps(make_os: MakeOS) -> None:
    office = Office()
    trace = recording(
        "Make lunch and call it dinner",
        ("calendar.create", {"title": "lunch"}),
        ("calendar.rename", {"event_id": "E-001000", "title": "dinner"}),
        output="E-001000 is called dinner.",
    )
    os = await run_twice(make_os, trace, office)
    result = await os.execute(trace.goal)
    assert (result.mode, result.success, result.side_exit) == (Mode.FOLLOWER, True, None)
    assert office.events == {
        "E-000001": "standup",
        "E-001000": "dinner",
        "E-002000": "dinner",
    }
    assert result.output == "E-002000 is called dinner."


async def test_a_write_that_comes_back_different_is_a_side_exit_and_counts_against_the_trace(
    make_os: MakeOS,
) -> None:
    answers = iter(["ok", "queued", "ok", "ok"])

    @tool(effects="write", name="job.start", undo=lambda arguments, result: None)
    def start() -> str:
        """Start a job."""
        return next(answers)

    trace = recording("Start the job", ("job.start", {}), ("job.start", {}))
    # The second step differs from the first, so that only the third call has a chance to differ.
    os = await make_os([trace], plugins=[start])
    first = await os.execute(trace.goal)
    answers = iter(["late", "never"])
    result = await os.execute(trace.goal)
    assert result.side_exit is not None
    assert result.side_exit.step == 1
    assert "came back different" in result.side_exit.reason
    assert os.traces.standing(first.trace_id) < 0


async def test_undo_calls_the_tools_own_undo_in_reverse_order(make_os: MakeOS) -> None:
    office = Office()
    trace = recording("Plan", ("calendar.create", {"title": "lunch"}))
    os = await make_os([trace], plugins=office.tools())
    run = await os.execute(trace.goal)
    undone = await os.undo(run.trace_id)
    assert office.events == {"E-000001": "standup"}
    assert len(undone.called) == 1


async def test_permission_is_checked_for_every_step_before_the_first(
    make_os: MakeOS, cwd: Path
) -> None:
    trace = recording(
        "Write two",
        ("Write", {"file_path": "a.txt", "content": "a"}),
        ("Write", {"file_path": "b.txt", "content": "b"}),
    )
    os = await make_os([trace])
    await os.execute(trace.goal)
    (cwd / "a.txt").unlink()
    (cwd / "b.txt").unlink()
    await os.shutdown()
    strict = await make_os(processor=None, config=LLMOSConfig(deny=("Write(b.txt)",)))
    result = await strict.execute(trace.goal)
    assert result.side_exit is not None
    assert result.side_exit.step == 0
    assert list(cwd.iterdir()) == []


async def test_half_of_the_targets_changed_is_neither_world(make_os: MakeOS, cwd: Path) -> None:
    trace = recording(
        "Write two",
        ("Write", {"file_path": "a.txt", "content": "a"}),
        ("Write", {"file_path": "b.txt", "content": "b"}),
    )
    os = await make_os([trace])
    await os.execute(trace.goal)
    (cwd / "a.txt").unlink()
    result = await os.execute(trace.goal, mode="FOLLOWER")
    assert result.side_exit is not None
    assert not result.already_done


async def test_a_file_that_joined_the_folder_keeps_the_job_from_being_already_done(
    make_os: MakeOS, cwd: Path
) -> None:
    (cwd / "one.md").write_text("1")
    trace = recording(
        "List the notes in index.txt",
        ("Glob", {"pattern": "*.md"}),
        ("Write", {"file_path": "index.txt", "content": "one.md\n"}),
    )
    os = await make_os([trace])
    await os.execute(trace.goal)
    assert (await os.execute(trace.goal)).already_done
    (cwd / "two.md").write_text("2")
    result = await os.execute(trace.goal, mode="FOLLOWER")
    assert result.side_exit is not None
    assert "two.md" in result.side_exit.reason


async def test_reading_back_what_was_written_does_not_hinder_the_replay(
    make_os: MakeOS, cwd: Path
) -> None:
    trace = recording(
        "Write and check",
        ("Write", {"file_path": "a.txt", "content": "a\n"}),
        ("Read", {"file_path": "a.txt"}),
    )
    os = await make_os([trace])
    await os.execute(trace.goal)
    (cwd / "a.txt").unlink()
    again = await os.execute(trace.goal)
    assert (again.mode, again.success, again.side_exit) == (Mode.FOLLOWER, True, None)
    assert (await os.execute(trace.goal)).already_done


async def test_a_trace_learnt_in_one_folder_replays_in_another(
    make_os: MakeOS, cwd: Path, tmp_path: Path
) -> None:
    trace = recording(
        "Greet",
        ("Write", {"file_path": str(cwd / "hello.txt"), "content": f"from {cwd}\n"}),
    )
    os = await make_os([trace])
    await os.execute(trace.goal)
    other = tmp_path / "elsewhere"
    other.mkdir()
    result = await os.execute(trace.goal, cwd=other)
    assert result.mode is Mode.FOLLOWER
    assert (other / "hello.txt").read_text() == f"from {other}\n"


async def test_a_changed_tool_is_not_replayed(make_os: MakeOS) -> None:
    def plugin(version: str) -> Any:
        @tool(effects="read", name="answer", version=version)
        def answer() -> str:
            """Answer."""
            return "42"

        return answer

    trace = recording("Answer", ("answer", {}), output="42")
    os = await make_os([trace], plugins=[plugin("1")])
    await os.execute(trace.goal)
    assert os.explain(trace.goal)[0].mode is Mode.FOLLOWER
    await os.shutdown()
    os = await make_os([trace], plugins=[plugin("2")])
    decision, _ = os.explain(trace.goal)
    assert decision.mode is not Mode.FOLLOWER
    assert "changed" in decision.reason


@needs_sandbox
async def test_a_command_is_replayed_with_its_result_checked(make_os: MakeOS, cwd: Path) -> None:
    (cwd / "a.txt").write_text("a")
    trace = recording(
        "Rename a to b",
        ("Bash", {"command": "mv a.txt b.txt && ls"}),
        output="Renamed.",
    )
    os = await make_os([trace])
    first = await os.execute(trace.goal)
    assert first.success, first.error
    assert (await os.execute(trace.goal)).already_done
    await os.undo(first.trace_id)
    assert (cwd / "a.txt").read_text() == "a"
    assert not (cwd / "b.txt").exists()
    again = await os.execute(trace.goal)
    assert (again.mode, again.success, again.side_exit) == (Mode.FOLLOWER, True, None)
    assert (cwd / "b.txt").read_text() == "a"


@needs_sandbox
async def test_a_command_is_not_replayed_where_another_file_has_changed(
    make_os: MakeOS, cwd: Path
) -> None:
    (cwd / "a.txt").write_text("a")
    trace = recording("Rename", ("Bash", {"command": "for f in *.txt; do mv $f x-$f; done"}))
    os = await make_os([trace])
    first = await os.execute(trace.goal)
    await os.undo(first.trace_id)
    (cwd / "b.txt").write_text("b")
    result = await os.execute(trace.goal, mode="FOLLOWER")
    assert result.side_exit is not None
    assert "b.txt" in result.side_exit.reason
    assert result.side_exit.committed == ()


async def test_a_write_that_holds_an_old_small_id_where_it_may_be_a_number_is_not_made(
    make_os: MakeOS,
) -> None:
    numbers = itertools.count(1)
    said: list[str] = []

    @tool(effects="write", name="ticket.open", ids=["ticket"], undo=lambda arguments, result: None)
    def open_ticket() -> dict[str, int]:
        """Open a ticket."""
        return {"ticket": next(numbers)}

    @tool(effects="write", name="chat.say", undo=lambda arguments, result: None)
    def say(text: str) -> str:
        """Say something."""
        said.append(text)
        return "said"

    trace = recording("Open one", ("ticket.open", {}), ("chat.say", {"text": "I opened 1"}))
    os = await make_os([trace], plugins=[open_ticket, say])
    await os.execute(trace.goal)
    os = await make_os(processor=None, plugins=[open_ticket, say])
    result = await os.execute(trace.goal)
    assert result.side_exit is not None
    assert result.side_exit.step == 1
    assert said == ["I opened 1"]


async def test_what_cannot_be_seen_keeps_a_job_from_being_already_done_and_is_named(
    make_os: MakeOS, cwd: Path
) -> None:
    office = Office()
    trace = recording(
        "Write and tell",
        ("Write", {"file_path": "a.txt", "content": "a"}),
        ("unknown.write", {}),
    )
    os = await run_twice(make_os, trace, office)
    office.log.clear()
    os = await make_os(processor=None, plugins=office.tools())
    result = await os.execute(trace.goal)
    assert result.side_exit is not None
    assert "not all it did can be seen" in result.side_exit.reason
    assert (cwd / "a.txt").read_text() == "a"
    assert office.log == []
