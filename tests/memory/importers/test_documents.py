"""Trajectory documents become traces."""

from __future__ import annotations

import os as system
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmos import LLMOS
from llmos.memory.atif import trajectory
from llmos.memory.importers import Importer, Report, find_sessions, known_of
from llmos.memory.importers.build import Builder
from llmos.memory.importers.documents import heard_in
from llmos.memory.redact import redact
from llmos.values import Mode, Step, Trace, Usage, Verdict
from tests.conftest import MakeOS
from tests.memory.atif.documents import agent, call, document, observed, result, save, user
from tests.memory.importers.transcript import Transcript

WROTE = agent(tool_calls=[call("Write", a=1)], observation=observed(result("ok")))


def traces_of(data: Any, folder: Path) -> tuple[list[Trace], Report]:
    """What a document becomes, and what was counted."""
    report = Report()
    builder = Builder("s", lambda model, usage: None)
    path = save(data, folder / "a.json")
    return [builder.trace(heard) for heard in heard_in(path, report)], report


def trace_of(data: Any, folder: Path) -> Trace:
    (trace,), _ = traces_of(data, folder)
    return trace


async def learn(os: LLMOS, *paths: Path) -> Report:
    return await Importer(known_of(os.traces, os.user_id), os.learn).run(find_sessions(paths))


# --- shapes of steps -----------------------------------------------------------------------------


def test_a_prompt_a_call_and_an_answer(tmp_path: Path) -> None:
    trace = trace_of(document(user(), WROTE, agent("Done.")), tmp_path)
    assert trace.goal == "Write a note"
    assert [(s.tool, s.arguments, s.observation) for s in trace.steps] == [
        ("Write", {"a": 1}, "ok")
    ]
    assert (trace.output, trace.verdict, trace.tools) == ("Done.", Verdict.COMPLETED, {})
    assert trace.now == datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_several_calls_of_one_step_keep_their_own_results(tmp_path: Path) -> None:
    calls = [call("Read", "x", p=1), call("Read", "y", p=2)]
    step = agent(tool_calls=calls, observation=observed(result("two", "y"), result("one", "x")))
    trace = trace_of(document(user(), step), tmp_path)
    assert [(s.arguments["p"], s.observation) for s in trace.steps] == [(1, "one"), (2, "two")]


def test_the_same_id_in_another_step_is_another_call(tmp_path: Path) -> None:
    again = agent(tool_calls=[call("Write", a=2)], observation=observed(result("again")))
    trace = trace_of(document(user(), WROTE, again), tmp_path)
    assert [s.observation for s in trace.steps] == ["ok", "again"]


def test_a_result_without_an_id_is_of_the_only_call(tmp_path: Path) -> None:
    step = agent(tool_calls=[call("Bash")], observation=observed(result("x", None)))
    assert trace_of(document(user(), step), tmp_path).steps[0].observation == "x"
    (trace,), report = traces_of(
        document(user(), agent("Hi", observation=observed(result("x", None)))), tmp_path
    )
    assert (trace.steps, report.ignored["result of no call"]) == ((), 1)


def test_several_results_of_one_call_are_one(tmp_path: Path) -> None:
    step = agent(
        tool_calls=[call("Bash")], observation=observed(result("a", is_error=True), result("b"))
    )
    (made,) = trace_of(document(user(), step), tmp_path).steps
    assert (made.observation, made.is_error) == ("a\nb", True)


def test_a_call_without_a_result_failed(tmp_path: Path) -> None:
    (step,) = trace_of(document(user(), agent(tool_calls=[call("Bash")])), tmp_path).steps
    assert (step.is_error, step.observation) == (True, "(the transcript holds no result)")


@pytest.mark.parametrize(
    "extra", [{"is_error": True}, {"tool_result_metadata": {"is_error": True}}]
)
def test_an_error_is_one_where_the_document_says_so(tmp_path: Path, extra: dict[str, Any]) -> None:
    step = agent(tool_calls=[call("Bash")], observation=observed(result("no", **extra)))
    assert trace_of(document(user(), step), tmp_path).steps[0].is_error


@pytest.mark.parametrize("said", ["{", "NaN", "[" * 500 + "]" * 500, "[" * 10**5])
def test_what_says_that_it_is_json_and_is_none_stays_text(tmp_path: Path, said: str) -> None:
    step = agent(tool_calls=[call("Bash")], observation=observed(result(said, json=True)))
    assert trace_of(document(user(), step), tmp_path).steps[0].observation == said


def test_parts_become_text_and_no_file_is_opened(tmp_path: Path) -> None:
    image = {"type": "image", "source": {"media_type": "image/png", "path": "/etc/passwd"}}
    parts = [{"type": "text", "text": "See"}, image]
    step = agent(tool_calls=[call("Look")], observation=observed(result(parts)))
    trace = trace_of(document(user(parts), step), tmp_path)
    assert trace.goal == trace.steps[0].observation == "See\n[image]"
    assert trace.context_digest != ""  # the goal was about the image


def test_what_was_said_before_a_call_is_no_answer(tmp_path: Path) -> None:
    said = agent("Let me see", tool_calls=[call("Read")])
    assert trace_of(document(user(), said), tmp_path).output == ""
    assert trace_of(document(user(), said, agent("It is 3.")), tmp_path).output == "It is 3."


def test_every_prompt_is_a_goal_that_knows_what_was_before(tmp_path: Path) -> None:
    data = document(user("Do a"), agent("A."), user("And b"), agent("B."))
    (first, second), _ = traces_of(data, tmp_path)
    assert [first.goal, second.goal, second.output] == ["Do a", "And b", "B."]
    assert (first.context_digest, bool(second.context_digest)) == ("", True)


def test_what_is_no_prompt_is_counted(tmp_path: Path) -> None:
    data = document(
        agent("Before all."),
        {"source": "system", "message": "Be good"},
        user("Old", is_copied_context=True),
        user("Of another", extra={"is_sidechain": True}),
        user(),
        agent(
            tool_calls=[call("Task")],
            observation=observed(result(None) | {"subagent_trajectory_ref": [{"a": 1}]}),
        ),
        subagent_trajectories=[{"anything": 1}],
        continued_trajectory_ref="../../etc/passwd",
    )
    (trace,), report = traces_of(data, tmp_path)
    assert (trace.goal, trace.steps[0].observation) == ("Write a note", None)
    assert report.not_understood == {"agent: answer without a prompt": 1}
    assert report.ignored == {
        "system": 1,
        "copied from another document": 1,
        "subagent": 3,
        "continued in another file": 1,
    }


def test_tokens_and_cost_of_the_steps_are_summed(tmp_path: Path) -> None:
    first = {"prompt_tokens": 100, "completion_tokens": 5, "cached_tokens": 60, "cost_usd": 0.5}
    first |= {"extra": {"cache_creation_input_tokens": 30}}
    data = document(
        user(), agent(metrics=first), agent("Hi", metrics={"prompt_tokens": 1, "cost_usd": 1})
    )
    trace = trace_of(data, tmp_path)
    assert trace.usage == Usage(11, 5, 60, 30)
    assert trace.cost_usd == 1.5


def test_totals_count_only_where_they_are_of_one_goal(tmp_path: Path) -> None:
    totals = {"total_prompt_tokens": 9, "total_cached_tokens": 20, "total_cost_usd": 0.5}
    one = trace_of(document(user(), agent("A"), final_metrics=totals), tmp_path)
    assert (one.usage, one.cost_usd) == (Usage(0, 0, 9, 0), 0.5)
    two = document(user(), agent("A"), user("b"), agent("B"), final_metrics=totals)
    assert [t.usage.total_tokens for t in traces_of(two, tmp_path)[0]] == [0, 0]


def test_paths_are_relative_to_the_folder_that_is_named(tmp_path: Path) -> None:
    step = agent(tool_calls=[call("Read", file_path="/work/shop/a.txt")])
    data = document(user(), step, agent={"name": "x", "extra": {"cwds": ["/work/shop"]}})
    assert trace_of(data, tmp_path).steps[0].arguments == {"file_path": "$CWD/a.txt"}


def test_that_it_was_right_is_not_believed_and_that_it_was_wrong_is(tmp_path: Path) -> None:
    def told(verdict: str) -> Trace:
        data = document(user(), agent("A"), extra={"llmos": {"verdict": verdict}})
        return trace_of(data, tmp_path)

    assert told("verified").verdict is Verdict.COMPLETED
    assert told("refuted").verdict is Verdict.FAILED
    assert "refuted" in told("refuted").error


@pytest.mark.parametrize("at", [None, "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"])
def test_a_document_without_a_time_has_that_of_its_file(tmp_path: Path, at: str | None) -> None:
    data = document(user(timestamp=at), agent("A"))
    path = save(data, tmp_path / "a.json")
    system.utime(path, (1000, 1000))
    (heard,) = heard_in(path, Report())
    assert heard.now == datetime.fromtimestamp(1000, UTC)


# --- files and folders ---------------------------------------------------------------------------


async def test_a_folder_holds_documents_sessions_and_other_things(
    make_os: MakeOS, tmp_path: Path
) -> None:
    os = await make_os()
    one = document(user("Do a"), agent("A."))
    save(one, tmp_path / "x" / "trajectory.json")
    save(document(user("Do b"), agent("B.")), tmp_path / "y" / "trajectory.json")
    save(one, tmp_path / "copy.json")
    save({"name": "a package"}, tmp_path / "package.json")
    save(document(user("Do c"), agent("C.", step_id=7)), tmp_path / "bad.json")
    save('{"schema_version": "ATIF-v1.7", "steps": [', tmp_path / "cut.json")
    system.symlink(tmp_path / "copy.json", tmp_path / "link.json")
    Transcript().user("Do d").says("D.").save(tmp_path)
    report = await learn(os, tmp_path)
    assert sorted(t.goal for t in os.traces.recent()) == ["Do a", "Do b", "Do d"]
    assert (report.sessions, report.new, report.unreadable) == (5, 3, 2)
    assert report.refused == [
        f"{tmp_path / 'bad.json'}: steps[1].step_id: steps are numbered from 1, so this must be 2",
        f"{tmp_path / 'cut.json'}: line 1, column 43: no JSON: Expecting value",
    ]
    again = await learn(os, tmp_path)
    assert (again.known, again.traces, len(again.refused)) == (3, 0, 2)


async def test_a_trace_tells_what_it_is_from(make_os: MakeOS, tmp_path: Path) -> None:
    os = await make_os()
    path = save(document(user(), agent("A.")), tmp_path / "a.json")
    await learn(os, path)
    (trace,) = os.traces.recent()
    (session,) = find_sessions([path])
    assert session.id.startswith("atif:other:s1:")
    assert trace.source == f"import:{session.id}#0@{path.stat().st_size}"


async def test_a_document_that_has_grown_gives_what_is_new(make_os: MakeOS, tmp_path: Path) -> None:
    os = await make_os()
    steps = [user("Do a"), agent("A.")]
    await learn(os, save(document(*steps), tmp_path / "a.json"))
    later = user("Do b", timestamp="2026-03-02T09:00:09Z")
    report = await learn(os, save(document(*steps, later, agent("B.")), tmp_path / "a.json"))
    assert (report.traces, report.left_out) == (1, {"known from another session": 1})


async def test_a_session_that_was_named_json_is_a_session(make_os: MakeOS, tmp_path: Path) -> None:
    said = Transcript().user("Do a").says("A.").save(tmp_path)
    named = said.rename(tmp_path / "session.json")
    assert (await learn(await make_os(), named)).traces == 1


async def test_secrets_of_a_document_are_taken_out(make_os: MakeOS, tmp_path: Path) -> None:
    os = await make_os()
    key = "sk-ant-api03-a1b2c3d4e5f6g7h8i9j0"
    step = agent(tool_calls=[call("Bash", command=key)], observation=observed(result(key)))
    report = await learn(os, save(document(user(f"Use {key}"), step), tmp_path / "a.json"))
    assert (report.redactions, report.incomplete) == ({"api-key": 3}, 1)
    assert os.traces.recent()[0].goal == "Use [redacted:api-key]"


# --- there and back ------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=30)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
PLACED = TEXT | st.builds(
    lambda place, rest: f"${place}/{rest}", st.sampled_from(["CWD", "$HOME"]), TEXT
)
STEPS = st.builds(
    Step,
    st.sampled_from(["Read", "Write", "mcp__shop__order"]),
    st.dictionaries(TEXT, VALUES | PLACED, max_size=3),
    VALUES | PLACED,
    st.booleans(),
)
COUNTS = st.integers(0, 10**9)
TRACES = st.builds(
    Trace,
    TEXT.filter(str.strip),
    st.lists(STEPS, max_size=4).map(tuple),
    TEXT,
    now=st.datetimes(
        timezones=st.just(UTC), min_value=datetime(1990, 1, 1), max_value=datetime(2200, 1, 1)
    ),
    id=st.just("01" * 13),
    mode=st.sampled_from(Mode),
    usage=st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS),
    cost_usd=st.integers(0, 10**9).map(lambda micro: micro / 1e6),
    error=TEXT,
)


@given(trace=TRACES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_a_run_comes_back_as_it_was(tmp_path: Path, trace: Trace) -> None:
    back = trace_of(trajectory(trace, "1"), tmp_path)
    clean = redact({"goal": trace.goal, "output": trace.output})
    assert {"goal": back.goal, "output": back.output} == clean
    assert (back.now, back.usage, back.cost_usd) == (trace.now, trace.usage, trace.cost_usd)
    assert [s.tool for s in back.steps] == [s.tool for s in trace.steps]
    assert [s.is_error for s in back.steps] == [s.is_error for s in trace.steps]
    assert [s.arguments for s in back.steps] == [redact(dict(s.arguments)) for s in trace.steps]
    assert [s.observation for s in back.steps] == [redact(s.observation) for s in trace.steps]
    assert back.error == redact(trace.error)


@pytest.mark.parametrize("mode", [Mode.FOLLOWER, Mode.CRYSTALLIZED])
async def test_a_replay_is_no_evidence_in_another_home_either(
    make_os: MakeOS, tmp_path: Path, mode: Mode
) -> None:
    os = await make_os()
    step = Step("Read", {"file_path": "$CWD/a"}, "x")
    data = trajectory(Trace("Do a", (step,), "A.", id="01" * 13, mode=mode), "1")
    report = await learn(os, save(data, tmp_path / "a.json"))
    assert report.left_out == {"a replay or a learned tool did it": 1}
    data["extra"] = {}  # another program that needs no model does a run like any other
    assert (await learn(os, save(data, tmp_path / "b.json"))).traces == 1


async def test_a_run_that_a_model_took_over_is_learnt(make_os: MakeOS, tmp_path: Path) -> None:
    steps = (Step("Read", {"file_path": "$CWD/a"}, "x"), Step("Bash", {"command": "ls"}, "a"))
    trace = Trace("Do a", steps, "A.", id="01" * 13, mode=Mode.MIXED, prefix=1)
    os = await make_os()
    report = await learn(os, save(trajectory(trace, "1"), tmp_path / "a.json"))
    assert (report.traces, report.steps) == (1, {"Read": 1, "Bash": 1})
