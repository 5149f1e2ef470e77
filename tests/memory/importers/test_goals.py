from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.memory.importers import Importer, Known, Report, find_sessions
from llmos.memory.importers.prompts import INTERRUPTED
from llmos.values import Trace, Usage, Verdict
from tests.memory.importers.transcript import BEGIN, Transcript, bookkeeping


async def heard(*sessions: Transcript, folder: Path) -> tuple[list[Trace], Report]:
    """The traces of sessions, and the report."""
    for session in sessions:
        session.save(folder)
    kept: list[Trace] = []

    async def learn(traces: Sequence[Trace]) -> None:
        kept.extend(traces)

    report = await Importer(Known(), learn).run(find_sessions([folder]))
    assert report.goals == report.traces + report.left_out.total()
    assert report.traces == len(kept)
    return kept, report


def session(**more: str) -> Transcript:
    return Transcript(**more)  # type: ignore[arg-type]


async def test_a_prompt_and_all_that_is_done_for_it_is_one_goal(tmp_path: Path) -> None:
    said = session().user("Copy a.txt to b.txt").says("Let me look.", id="m1", stop_reason=None)
    said.read("/work/shop/a.txt", "one\ntwo\n")
    said.calls("Write", file_path="/work/shop/b.txt", content="one\ntwo\n")
    said.gives([{"type": "text", "text": "File created"}, {"type": "text", "text": "at b.txt"}])
    said.calls("Bash", command="false").gives("Exit code 1", error=True)
    said.says("Copied.")
    (trace,), report = await heard(said, folder=tmp_path)
    assert (trace.goal, trace.output) == ("Copy a.txt to b.txt", "Copied.")
    assert trace.verdict is Verdict.COMPLETED
    assert [(s.tool, s.is_error) for s in trace.steps] == [
        ("Read", False),
        ("Write", False),
        ("Bash", True),
    ]
    assert trace.steps[0].arguments == {"file_path": "$CWD/a.txt"}
    assert trace.steps[1].observation == "File created\nat b.txt"
    assert (trace.now - BEGIN).total_seconds() == 1
    assert (trace.duration_s, trace.steps[0].duration_s) == (8, 1)
    assert (trace.model, trace.cwd) == ("claude-sonnet-4-5", "/work/shop")
    assert trace.source.startswith("import:s1#0@")
    assert report.steps == {"Read": 1, "Write": 1, "Bash": 1}
    assert not report.not_understood


async def test_a_prompt_of_blocks_is_its_text_without_what_the_program_added(
    tmp_path: Path,
) -> None:
    blocks = [
        {"type": "text", "text": "<ide_opened_file>The user opened a.py</ide_opened_file>"},
        {"type": "text", "text": "Tidy up"},
        {"type": "text", "text": "<system-reminder>Be kind.</system-reminder>"},
    ]
    (trace,), _ = await heard(session().user(blocks).says("Done."), folder=tmp_path)
    assert trace.goal == "Tidy up"
    assert trace.context_digest == ""


async def test_an_image_in_a_prompt_is_context(tmp_path: Path) -> None:
    image = {"type": "image", "source": {"type": "base64", "data": "iVBOR"}}
    blocks = [{"type": "text", "text": "What is this?"}, image]
    (trace,), _ = await heard(session().user(blocks).says("A cat."), folder=tmp_path)
    assert trace.context_digest != ""


async def test_only_the_first_prompt_of_a_session_has_no_context(tmp_path: Path) -> None:
    said = session().user("Do a").says("Did a.").user("Do it again").says("Did a again.")
    other = session(id="s2").user("Do b").says("Did b.").user("Do it again").says("Did b again.")
    traces, _ = await heard(said, other, folder=tmp_path)
    first, again, _, other_again = traces
    assert first.context_digest == ""
    assert again.goal == other_again.goal
    assert "" != again.context_digest != other_again.context_digest != ""


async def test_very_many_turns_are_still_told_apart(tmp_path: Path) -> None:
    said = session()
    for i in range(100):
        said.user(f"Do {i}").says("Done.")
    traces, _ = await heard(said, folder=tmp_path)
    assert len({t.context_digest for t in traces}) == 100


async def test_words_said_while_the_model_worked_are_context(tmp_path: Path) -> None:
    said = session().user("Do a").calls("Bash", command="make")
    said.add("attachment", attachment={"type": "queued_command", "prompt": "and be quick"})
    said.gives("ok").says("Done.")
    (trace,), _ = await heard(said, folder=tmp_path)
    assert trace.context_digest != ""


async def test_an_interrupted_goal_is_failed_and_its_open_call_has_no_result(
    tmp_path: Path,
) -> None:
    said = session().user("Sleep").calls("Bash", command="sleep 9")
    said.user([{"type": "text", "text": INTERRUPTED[1]}]).user("Wake up").says("Good morning.")
    (first, second), report = await heard(said, folder=tmp_path)
    assert (first.verdict, first.error) == (Verdict.FAILED, "the user interrupted it")
    assert first.steps[0].is_error
    assert second.verdict is Verdict.COMPLETED
    assert report.failed == 1


async def test_an_error_of_the_api_is_no_answer(tmp_path: Path) -> None:
    said = session().user("Do a")
    said.says("API Error: 529 overloaded", isApiErrorMessage=True, stop_reason="stop_sequence")
    (trace,), _ = await heard(said, folder=tmp_path)
    assert (trace.verdict, trace.output) == (Verdict.FAILED, "")
    assert trace.error == "API Error: 529 overloaded"


async def test_an_answer_that_was_cut_off_is_failed(tmp_path: Path) -> None:
    said = session().user("Tell me all").says("First,", stop_reason="max_tokens")
    (trace,), _ = await heard(said, folder=tmp_path)
    assert (trace.verdict, trace.error) == (Verdict.FAILED, "the answer was cut off: max_tokens")


async def test_usage_is_counted_once_for_each_message(tmp_path: Path) -> None:
    said = session().user("Do a")
    said.message([{"type": "thinking", "thinking": "hm"}], id="m1", usage=(100, 1))
    said.message([{"type": "text", "text": "I"}], id="m1", usage=(100, 20), stop_reason=None)
    said.message([{"type": "text", "text": "did."}], id="m1", usage=(100, 20))
    (trace,), report = await heard(said, folder=tmp_path)
    assert trace.usage == Usage(100, 20, 5, 7)
    assert trace.output == "I\ndid."
    assert not report.not_understood


async def test_what_a_subagent_did_is_not_mixed_in(tmp_path: Path) -> None:
    said = session().user("Ask around").calls("Agent", prompt="look")
    said.user("look", isSidechain=True)
    said.message([{"type": "text", "text": "found"}], isSidechain=True, usage=(9000, 9000))
    said.gives([{"type": "text", "text": "found"}]).says("All is well.")
    beside = Transcript(id="agent-a1").user("look", isSidechain=True).says("x", isSidechain=True)
    (trace,), report = await heard(said, beside, folder=tmp_path)
    assert (trace.goal, trace.output) == ("Ask around", "All is well.")
    assert [s.tool for s in trace.steps] == ["Agent"]
    assert trace.usage.input_tokens == 200
    assert (report.sessions, report.ignored["subagent"]) == (1, 2)


async def test_a_command_that_the_model_answers_is_a_goal(tmp_path: Path) -> None:
    wrapped = (
        "<command-message>fix is running…</command-message>\n"
        "<command-name>/fix</command-name>\n<command-args>issue 7</command-args>"
    )
    said = session().user(wrapped).user("Fix the issue", isMeta=True).says("Fixed.")
    (trace,), _ = await heard(said, folder=tmp_path)
    assert trace.goal == "/fix issue 7"


async def test_a_command_that_the_program_answers_is_none(tmp_path: Path) -> None:
    said = session().user("Do a").calls("Bash", command="make")
    said.user("<command-name>/cost</command-name>\n<command-args></command-args>")
    said.user("<local-command-stdout>$0.12</local-command-stdout>").gives("ok").says("Done.")
    (trace,), report = await heard(said, folder=tmp_path)
    assert (trace.goal, trace.output, len(trace.steps)) == ("Do a", "Done.", 1)
    assert report.ignored["local command"] == 1


async def test_a_summary_of_what_was_compacted_is_no_prompt(tmp_path: Path) -> None:
    said = session().user("Do a").calls("Bash", command="make").gives("ok")
    said.add("system", subtype="compact_boundary", content="Conversation compacted")
    said.user("This session is being continued from …", isCompactSummary=True).says("Done.")
    (trace,), _ = await heard(said, folder=tmp_path)
    assert (trace.goal, trace.output) == ("Do a", "Done.")


async def test_a_prompt_without_an_answer_is_left_out(tmp_path: Path) -> None:
    said = session().user("Do a").user("No, do b").says("Done.")
    (trace,), report = await heard(said, folder=tmp_path)
    assert trace.goal == "No, do b"
    assert trace.context_digest != ""
    assert report.left_out == {"no answer": 1}


async def test_what_is_not_understood_is_counted_by_type_and_reason(tmp_path: Path) -> None:
    said = session().raw("{broken").raw("[]").raw('{"type": "hologram"}').user("Do a").user(7)
    said.message([{"type": "server_tool_use", "name": "web_search"}], stop_reason=None)
    said.user([{"type": "tool_result", "tool_use_id": "gone", "content": "x"}])
    said.raw('{"type": "assistant"}').says("Done.")
    for line in bookkeeping():
        said.raw(line)
    said.raw("").raw('{"type": "user", "message"').lines.append('{"type": "us')
    (trace,), report = await heard(said, folder=tmp_path)
    assert trace.goal == "Do a"
    assert report.not_understood == {
        "line: no JSON": 3,
        "line: no record with a type": 1,
        "hologram: unknown type of record": 1,
        "user: content of an unknown form": 1,
        "assistant: block server_tool_use": 1,
        "user: result of an unknown call": 1,
        "assistant: no message": 1,
    }
    assert report.ignored == {
        "queue-operation": 1,
        "summary": 1,
        "attachment": 1,
        "file-history-snapshot": 1,
    }


async def test_text_that_no_database_takes_is_mended(tmp_path: Path) -> None:
    said = session().user("Do \x00 \ud800 a").says("\ud83d")
    (trace,), _ = await heard(said, folder=tmp_path)
    assert (trace.goal, trace.output) == ("Do  ? a", "?")


async def test_a_goal_that_names_its_folder_keeps_it(tmp_path: Path) -> None:
    said = session().user("Count the lines of /work/shop/a.txt").read("/work/shop/a.txt", "1\n")
    (trace,), _ = await heard(said.says("One."), folder=tmp_path)
    assert trace.steps[0].arguments == {"file_path": "/work/shop/a.txt"}


async def test_a_goal_without_a_time_or_of_a_book_s_length_is_left_out(tmp_path: Path) -> None:
    said = session().user("Do a", timestamp="soon").says("Done.").user("x" * 100_001).says("Done.")
    traces, report = await heard(said, folder=tmp_path)
    assert not traces
    assert report.left_out == {"no time": 1, "too long for a goal": 1}
    assert report.empty == 1


TYPES = st.sampled_from(["user", "assistant", "attachment", "new"])
FIELDS = ("message", "isSidechain", "isMeta", "timestamp", "cwd", "toolUseResult", "attachment")
NAMES = st.sampled_from(
    ["type", "text", "content", "id", "name", "input", "tool_use_id", "usage", "stop_reason"]
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)


@given(st.lists(st.fixed_dictionaries({"type": TYPES}, optional=dict.fromkeys(FIELDS, ODD))))
@settings(max_examples=60, deadline=None)
async def test_no_record_of_any_form_stops_the_import(records: list[dict[str, Any]]) -> None:
    said = session().user("Do a").calls("Read", file_path="a")
    for record in records:
        said.add(**record)
    said.gives("ok").says("Done.")
    with TemporaryDirectory() as folder:
        traces, _ = await heard(said, folder=Path(folder))
    assert traces
