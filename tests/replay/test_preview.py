"""What a free run would write, told before it does: compared with what it then really does."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmos import LLMOS, LLMOSConfig
from llmos.plugins.tool import tool
from llmos.replay.preview import Guard, Preview, brief, unified
from llmos.replay.world import World
from tests.conftest import MakeOS, recording


def previewed(os: LLMOS, goal: str, cwd: Path) -> Preview:
    _, trace = os.explain(goal)
    assert trace is not None
    return os.kernel.preview(trace, cwd)


async def test_the_diff_of_an_edit_is_what_the_replay_then_writes(
    make_os: MakeOS, cwd: Path
) -> None:
    (cwd / "a.txt").write_text("one\ntwo\nthree\n")
    goal = recording(
        "Shout two",
        ("Read", {"file_path": "a.txt"}),
        ("Edit", {"file_path": "a.txt", "old_string": "two", "new_string": "TWO"}),
        ("Edit", {"file_path": "a.txt", "old_string": "TWO\n", "new_string": "TWO!\n"}),
    )
    os = await make_os([goal])
    await os.undo((await os.execute(goal.goal)).trace_id)
    told = previewed(os, goal.goal, cwd)
    assert told.world is World.BEFORE
    first, second = told.writes
    assert "-two\n+TWO\n" in first.diff
    assert "-TWO\n+TWO!\n" in second.diff, "the second edit works on what the first will have made"
    assert first.target == "a.txt"
    assert (cwd / "a.txt").read_text() == "one\ntwo\nthree\n"


async def test_a_new_file_is_a_diff_from_nothing(make_os: MakeOS, cwd: Path) -> None:
    goal = recording("Make x", ("Write", {"file_path": "d/x.txt", "content": "no line end"}))
    os = await make_os([goal])
    await os.undo((await os.execute(goal.goal)).trace_id)
    (write,) = previewed(os, goal.goal, cwd).writes
    assert write.diff == (
        "--- /dev/null\n+++ b/d/x.txt\n@@ -0,0 +1 @@\n+no line end\n\\ No newline at end of file\n"
    )


async def test_what_is_already_done_needs_no_write(make_os: MakeOS, cwd: Path) -> None:
    goal = recording("Make x", ("Write", {"file_path": "x.txt", "content": "x"}))
    os = await make_os([goal])
    await os.execute(goal.goal)
    told = previewed(os, goal.goal, cwd)
    assert (told.world, told.writes, told.stopped_by) == (World.AFTER, (), None)


async def test_a_changed_target_stops_it_and_no_write_is_promised(
    make_os: MakeOS, cwd: Path
) -> None:
    goal = recording("Make x", ("Write", {"file_path": "x.txt", "content": "x"}))
    os = await make_os([goal])
    await os.execute(goal.goal)
    (cwd / "x.txt").write_text("mine")
    told = previewed(os, goal.goal, cwd)
    assert (told.world, told.writes) == (World.OTHER, ())
    assert told.stopped_by is not None
    assert "x.txt" in told.stopped_by.text
    result = await os.execute(goal.goal, mode="FOLLOWER")
    assert result.side_exit is not None, "and the replay agrees"


async def test_a_changed_read_is_not_promised_to_hold(make_os: MakeOS, cwd: Path) -> None:
    (cwd / "in.txt").write_text("1\n")
    goal = recording(
        "Copy",
        ("Read", {"file_path": "in.txt"}),
        ("Write", {"file_path": "out.txt", "content": "1\n"}),
    )
    os = await make_os([goal])
    await os.undo((await os.execute(goal.goal)).trace_id)

    def read_guard() -> Guard:
        (guard,) = [g for g in previewed(os, goal.goal, cwd).guards if "in.txt" in g.text]
        return guard

    assert read_guard().holds is True
    (cwd / "in.txt").write_text("2\n")
    assert read_guard().holds is None, "the replay reads it again and compares"
    assert "in.txt has changed since" in read_guard().text


async def test_a_command_tells_what_it_changed_and_what_it_depends_on(
    make_os: MakeOS, cwd: Path
) -> None:
    goal = recording("Sort", ("Bash", {"command": "sort in.txt > out.txt"}))
    (cwd / "in.txt").write_text("b\na\n")
    os = await make_os([goal], config=LLMOSConfig(allow=("Bash",)))
    run = await os.execute(goal.goal)
    assert run.success, run.error
    await os.feedback(run.trace_id, success=True)
    await os.undo(run.trace_id)
    told = previewed(os, goal.goal, cwd)
    (write,) = told.writes
    assert (write.tool, write.target, write.files) == (
        "Bash",
        "sort in.txt > out.txt",
        ("out.txt",),
    )
    (cwd / "in.txt").write_text("c\n")
    told = previewed(os, goal.goal, cwd)
    assert told.writes == ()
    assert told.stopped_by is not None
    assert "working directory" in told.stopped_by.text


async def test_a_write_after_a_command_that_wrote_the_file_shows_the_piece_alone(
    make_os: MakeOS, cwd: Path
) -> None:
    goal = recording(
        "Make and edit",
        ("Bash", {"command": "printf 'a b c' > x.txt"}),
        ("Edit", {"file_path": "x.txt", "old_string": "b", "new_string": "B"}),
    )
    os = await make_os([goal], config=LLMOSConfig(allow=("Bash",)))
    run = await os.execute(goal.goal)
    await os.feedback(run.trace_id, success=True)
    await os.undo(run.trace_id)
    command, edit = previewed(os, goal.goal, cwd).writes
    assert command.diff == ""
    assert "-b\n" in edit.diff
    assert "+B\n" in edit.diff


async def test_an_external_call_is_told_as_such(make_os: MakeOS, cwd: Path) -> None:
    @tool(effects="external", name="mail.send")
    def send(to: str) -> str:
        """Send a mail."""
        return "sent"

    goal = recording("Mail bob", ("mail.send", {"to": "bob@example.org"}))
    os = await make_os([goal], plugins=[send], config=LLMOSConfig(allow=("mail.send",)))
    run = await os.execute(goal.goal)
    await os.feedback(run.trace_id, success=True)
    (write,) = previewed(os, goal.goal, cwd).writes
    assert (write.external, write.undoable) == (True, False)
    assert write.target == 'to="bob@example.org"'


def test_a_diff_splits_lines_at_newlines_only() -> None:
    told = unified("a\x0cb\u2028c\n", "a\x0cb\u2028d\n", "a", "b")
    assert told.splitlines(keepends=False)[0] == "--- a"
    assert "-a\x0cb\u2028c\n+a\x0cb\u2028d\n" in told


@pytest.mark.parametrize(
    ("tool_name", "arguments", "told"),
    [
        ("Bash", {"command": "ls  -l\n&& pwd"}, "ls -l && pwd"),
        ("Write", {"file_path": "a.txt", "content": "x"}, "a.txt"),
        ("mail.send", {"to": "bob", "n": 1}, 'to="bob", n=1'),
        ("Bash", {"command": "x" * 200}, "x" * 99 + "…"),
        ("noop", {}, ""),
    ],
)
def test_a_call_is_brief(tool_name: str, arguments: dict[str, object], told: str) -> None:
    assert brief(tool_name, arguments) == told
