"""A session's turns are its runs, and nothing that has ended is ever missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmos import LLMOSConfig, Verdict
from llmos.errors import UserError
from llmos.memory.sessions import Sessions
from llmos.values import Turn
from tests.conftest import MakeOS, TestClock, recording
from tests.support.databases import Database

HELLO = recording("Say hello", ("Glob", {"pattern": "*"}), output="Hello.")
WRITE = recording("Write x.txt", ("Write", {"file_path": "x.txt", "content": "x"}))


async def test_turns_are_the_runs_that_have_ended_oldest_first(
    make_os: MakeOS, cwd: Path, clock: TestClock
) -> None:
    where = recording("Where", ("Glob", {"pattern": "*"}), output=f"In {cwd}/a and $CWD.")
    os = await make_os([HELLO, where])
    session = os.sessions.begin(cwd, None)
    assert os.sessions.turns(session) == []
    for goal in (HELLO.goal, where.goal, "Nobody knows this"):
        clock.forward(seconds=1)
        await os.execute(goal, session_id=session)
    await os.execute(HELLO.goal)
    turns = [t.turn for t in os.sessions.turns(session)]
    assert turns[:2] == [Turn(HELLO.goal, "Hello."), Turn("Where", f"In {cwd}/a and $CWD.")]
    assert turns[2].goal == "Nobody knows this" and turns[2].output
    assert [t.turn for t in os.sessions.turns(session, 1)] == turns[2:]


async def test_what_was_undone_is_no_turn(make_os: MakeOS, cwd: Path) -> None:
    os = await make_os([WRITE])
    session = os.sessions.begin(cwd, None)
    result = await os.execute(WRITE.goal, session_id=session)
    assert len(os.sessions.turns(session)) == 1
    await os.undo(result.trace_id)
    assert os.sessions.turns(session) == []


async def test_a_run_whose_process_died_is_a_failed_turn(make_os: MakeOS, cwd: Path) -> None:
    os = await make_os([HELLO])
    session = os.sessions.begin(cwd, None)
    run = os._run(os._asking.request(HELLO.goal))
    run._request = type(run._request)(
        **{n: getattr(run._request, n) for n in run._request.__slots__ if n != "session_id"},
        session_id=session,
    )
    await run.begin()
    assert os.sessions.turns(session) == []
    await os.shutdown()
    other = await make_os()
    (turn,) = other.sessions.turns(session)
    assert turn.turn == Turn(HELLO.goal, "the process ended before the run did")
    assert other.traces.get(turn.run_id).verdict is Verdict.FAILED


async def test_the_last_session_of_a_folder_is_found(
    make_os: MakeOS, cwd: Path, clock: TestClock, tmp_path: Path, database: Database
) -> None:
    os = await make_os([HELLO], config=LLMOSConfig(database_url=database.url or ""))
    first, second = os.sessions.begin(cwd, "web"), os.sessions.begin(cwd, None)
    elsewhere, empty = os.sessions.begin(tmp_path, None), os.sessions.begin(cwd, None)
    for session in (second, elsewhere, first):
        clock.forward(minutes=1)
        await os.execute(HELLO.goal, session_id=session)
    assert os.sessions.last(cwd).id == first
    assert [s.id for s in os.sessions.listed()] == [first, elsewhere, second]
    assert [s.id for s in os.sessions.listed(project="web")] == [first]
    assert [s.id for s in os.sessions.listed(limit=1)] == [first]
    found = os.sessions.get(first[-6:].lower())
    assert (found.project, found.cwd, found.turns, found.last_goal) == (
        "web",
        str(cwd),
        1,
        HELLO.goal,
    )
    with pytest.raises(UserError, match="no session"):
        os.sessions.get(empty)
    with pytest.raises(UserError, match="no session"):
        os.sessions.last(tmp_path / "nowhere")
    for unclear in ("", "a", "not an id"):
        with pytest.raises(UserError, match="not the id"):
            os.sessions.get(unclear)
    with pytest.raises(UserError, match="no session"):
        Sessions(os._kernel.store, "bob").get(first)
