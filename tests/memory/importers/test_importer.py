from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from llmos import LLMOS
from llmos.errors import NeedsProcessor, UserError
from llmos.memory.importers import (
    Importer,
    Known,
    Report,
    Session,
    default_folder,
    find_sessions,
    known_of,
)
from llmos.memory.importers import importer as module
from llmos.values import Effect, Mode, Trace
from tests.conftest import MakeOS
from tests.memory.importers.transcript import BEGIN, Transcript

KEY = "sk-ant-api03-a1b2c3d4e5f6g7h8i9j0"


async def learn(os: LLMOS, *paths: Path, dry: bool = False) -> Report:
    importer = Importer(known_of(os.traces, os.user_id), None if dry else os.learn)
    return await importer.run(find_sessions(paths))


def goals(os: LLMOS) -> list[str]:
    return [t.goal for t in reversed(os.traces.recent(limit=1000))]


def days(number: int, id: str = "s1") -> Transcript:
    said = Transcript(id=id)
    for i in range(number):
        said.user(f"Do {i}").calls("Bash", command=f"do {i}").gives("ok").says("Done.")
    return said


async def test_a_session_is_learnt_once(make_os: MakeOS, tmp_path: Path) -> None:
    os = await make_os()
    days(3).save(tmp_path / "a")
    first, second = await learn(os, tmp_path / "a"), await learn(os, tmp_path / "a")
    assert (first.new, first.traces, first.goals) == (1, 3, 3)
    assert (second.known, second.traces, second.bytes) == (1, 0, 0)
    assert goals(os) == ["Do 0", "Do 1", "Do 2"]


async def test_another_user_learns_it_too(make_os: MakeOS, tmp_path: Path) -> None:
    days(1).save(tmp_path / "a")
    await learn(await make_os(), tmp_path / "a")
    assert (await learn(await make_os(user_id="bob"), tmp_path / "a")).traces == 1


async def test_a_session_that_has_gone_on_is_continued(make_os: MakeOS, tmp_path: Path) -> None:
    os = await make_os()
    said = days(1).user("Do it again").calls("Bash", command="x")
    said.save(tmp_path / "a")
    first = await learn(os, tmp_path / "a")
    assert (first.traces, first.left_out) == (1, {"not finished yet": 1})
    said.gives("ok").says("Done again.").user("Do b").says("Did b.").save(tmp_path / "a")
    second = await learn(os, tmp_path / "a")
    assert (second.continued, second.traces) == (1, 2)
    assert second.left_out == {"known already": 1}
    assert goals(os) == ["Do 0", "Do it again", "Do b"]
    (again,) = (t for t in os.traces.recent() if t.goal == "Do it again")
    assert again.output == "Done again."
    assert again.context_digest != ""


async def test_an_interrupted_import_goes_on_with_what_is_missing(
    make_os: MakeOS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    os = await make_os()
    days(5).save(tmp_path / "a")
    batches = []

    async def fails_at_the_second(given: Sequence[Trace]) -> None:
        batches.append(given)
        if len(batches) == 2:
            raise KeyboardInterrupt
        await os.learn(given)

    importer = Importer(known_of(os.traces, os.user_id), fails_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        await importer.run(find_sessions([tmp_path / "a"]))
    assert importer.report.traces == len(goals(os)) == 2
    report = await learn(os, tmp_path / "a")
    assert (report.continued, report.traces) == (1, 3)
    assert goals(os) == [f"Do {i}" for i in range(5)]


async def test_a_dry_run_tells_the_same_and_stores_nothing(make_os: MakeOS, tmp_path: Path) -> None:
    os = await make_os()
    days(3).save(tmp_path / "a")
    dry = await learn(os, tmp_path / "a", dry=True)
    assert not goals(os)
    wet = await learn(os, tmp_path / "a")
    assert (dry.traces, dry.steps, dry.dry_run) == (wet.traces, wet.steps, True)


async def test_what_a_forked_session_repeats_is_learnt_once(
    make_os: MakeOS, tmp_path: Path
) -> None:
    os = await make_os()
    days(2).save(tmp_path / "a")
    fork = days(2, id="s2").user("Do c").says("Did c.")
    fork.save(tmp_path / "b")
    report = await learn(os, tmp_path / "a", tmp_path / "b")
    assert report.left_out == {"known from another session": 2}
    assert goals(os) == ["Do 0", "Do 1", "Do c"]


async def test_the_same_goal_at_another_time_is_another_run(
    make_os: MakeOS, tmp_path: Path
) -> None:
    os = await make_os()
    for i in range(3):
        said = Transcript(id=f"s{i}", begin=BEGIN + timedelta(days=i))
        said.user("Make the report").says("Made.").save(tmp_path)
    assert (await learn(os, tmp_path)).traces == 3


async def test_of_two_copies_of_a_session_the_longer_is_read(
    make_os: MakeOS, tmp_path: Path
) -> None:
    days(1).save(tmp_path / "backup")
    days(2).save(tmp_path / "now")
    report = await learn(await make_os(), tmp_path)
    assert (report.sessions, report.traces) == (1, 2)


async def test_a_file_that_cannot_be_read_stops_nothing(make_os: MakeOS, tmp_path: Path) -> None:
    os = await make_os()
    days(1).save(tmp_path)
    gone = Session("gone", tmp_path, 10)
    report = await Importer(Known(), os.learn).run([gone, *find_sessions([tmp_path])])
    assert (report.sessions, report.unreadable, report.new) == (2, 1, 1)
    assert report.not_understood == {"file: Is a directory": 1}


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing' does not exist"):
        find_sessions([tmp_path / "nothing"])


def test_the_transcripts_are_where_claude_code_was_told_to_keep_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path))
    assert default_folder() == tmp_path / "projects"


# --- what the traces are good for ----------------------------------------------------------------


async def test_known_tools_have_their_effect_and_others_are_external(
    make_os: MakeOS, tmp_path: Path
) -> None:
    os = await make_os()
    said = Transcript().user("Do a").calls("Write", file_path="a", content="a").gives("ok")
    said.calls("mcp__shop__order", item=7).gives("ordered").says("Done.").save(tmp_path)
    await learn(os, tmp_path)
    steps = os.traces.get(os.traces.recent()[0].id).steps
    assert [s.effect for s in steps] == [Effect.WRITE, Effect.EXTERNAL]


async def test_a_question_that_only_read_is_answered_for_nothing_while_the_files_are_the_same(
    make_os: MakeOS, tmp_path: Path, cwd: Path
) -> None:
    os = await make_os()
    (cwd / "prices.txt").write_text("tea 3\ncoffee 4\n")
    said = Transcript("/elsewhere/shop").user("What does tea cost?")
    said.read("/elsewhere/shop/prices.txt", "tea 3\ncoffee 4\n").says("Tea costs 3.").save(tmp_path)
    await learn(os, tmp_path)
    result = await os.execute("What does tea cost?")
    assert (result.mode, result.success, result.output) == (Mode.FOLLOWER, True, "Tea costs 3.")
    assert result.usage.total_tokens == 0
    (cwd / "prices.txt").write_text("tea 5\ncoffee 4\n")
    with pytest.raises(NeedsProcessor):
        await os.execute("What does tea cost?", mode=Mode.LEARNER)
    assert (await os.execute("What does tea cost?")).output != "Tea costs 3."


@pytest.mark.parametrize("confirmed", [False, True])
async def test_a_trace_that_a_secret_was_taken_out_of_is_never_replayed(
    make_os: MakeOS, tmp_path: Path, cwd: Path, confirmed: bool
) -> None:
    os = await make_os()
    said = Transcript(cwd).user("Set up the shop")
    said.calls("Write", file_path=str(cwd / ".env"), content=f"API_KEY={KEY}\n").gives("ok")
    said.says("Set up.").save(tmp_path / "a")
    report = await learn(os, tmp_path / "a")
    assert (report.incomplete, report.redactions) == (1, {"api-key": 1})
    (trace,) = os.traces.recent()
    if confirmed:
        await os.feedback(trace.id, success=True)
    decision, _ = os.explain("Set up the shop")
    assert decision.mode is not Mode.FOLLOWER
    assert any("'Write' has changed" in reason for reason in decision.refused)


async def test_no_secret_reaches_the_database(make_os: MakeOS, tmp_path: Path, home: Path) -> None:
    os = await make_os()
    said = Transcript().user(f"Use the key {KEY}").calls("Bash", command=f"call --key {KEY}")
    said.gives([{"type": "text", "text": f"said {KEY}"}]).says(f"I used {KEY}.")
    said.user(f"And {KEY} again").says(f"API Error: {KEY}", isApiErrorMessage=True)
    said.save(tmp_path / "a")
    report = await learn(os, tmp_path / "a")
    assert report.redactions["api-key"] == 6
    await os.shutdown()
    kept = b"".join(p.read_bytes() for p in home.rglob("*") if p.is_file())
    assert b"[redacted:api-key]" in kept
    assert KEY.encode() not in kept


async def test_all_known_sessions_are_one_query(
    make_os: MakeOS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os = await make_os()
    await os.learn([Trace(f"Do {i}", source=f"import:s{i}#0@{i}") for i in range(200)])
    reads = []
    store = os.traces._store
    read = store.read

    def counted(fn: Callable[[Any], Any]) -> Any:
        reads.append(fn)
        return read(fn)

    monkeypatch.setattr(store, "read", counted)
    known = known_of(os.traces, os.user_id)
    assert len(reads) == 1
    assert len(known.goals) == 200
    assert known.ends["s77"] == 77


async def test_a_tool_with_a_very_long_name_is_kept_by_its_beginning(
    make_os: MakeOS, tmp_path: Path
) -> None:
    os = await make_os()
    said = Transcript().user("Do a").calls("mcp__" + "x" * 90).gives("ok").says("Done.")
    said.save(tmp_path)
    assert json.dumps((await learn(os, tmp_path)).steps) == json.dumps({"mcp__" + "x" * 59: 1})
