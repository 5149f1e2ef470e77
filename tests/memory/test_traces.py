"""Traces are found again by their goal, best first, and judged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, select, update

from llmos.errors import UserError
from llmos.kernel.places import Places
from llmos.memory.paths import absolute, moved
from llmos.memory.traces import WORKED_ON, Scope, Traces
from llmos.store import Store
from llmos.store.schema import events, feedback
from llmos.store.schema import traces as table
from llmos.store.sqlite import Sqlite
from llmos.values import Change, Effect, Footprint, Mode, Step, Trace, Usage, Verdict
from tests.conftest import OpenStore

ALICE, BOB = Scope("alice"), Scope("bob")
NOW = datetime(2026, 3, 2, 9, 7, 30, 5, tzinfo=UTC)

STEP = Step(
    "Write",
    {"file_path": "$CWD/a.txt", "content": "é\n"},
    {"ok": True, "ids": [1, 2.5, None]},
    False,
    Effect.WRITE,
    Footprint({"file:$CWD/b": "ab", "file:$CWD/c": None}, (Change("file:$CWD/a.txt", None, "cd"),)),
    0.25,
)
TRACE = Trace(
    "Write a.txt",
    (STEP, replace(STEP, is_error=True)),
    "Done.",
    Verdict.COMPLETED,
    NOW,
    agent="coder",
    mode=Mode.LEARNER,
    model="m1",
    usage=Usage(1, 2, 3, 4),
    cost_usd=0.25,
    duration_s=1.5,
    context_digest="ff",
    tools={"Write": "0123"},
)


@pytest.fixture
async def store(open_store: OpenStore) -> AsyncIterator[Store]:
    with open_store(lambda: NOW) as opened:
        yield opened


@pytest.fixture
def traces(store: Store) -> Traces:
    return Traces(store)


async def learn(traces: Traces, *given: Trace, user: str = "alice") -> list[str]:
    return await traces.learn(given, user, None)


def source(store: Store, trace_id: str, text: str) -> None:
    """Make a stored trace one of another source, as a run would have."""
    row = update(table).where(table.c.id == trace_id).values(source=text)
    store.write(lambda tx: tx.conn.execute(row))


# --- what is stored -------------------------------------------------------------------------


async def test_a_stored_trace_comes_back_as_it_was(traces: Traces) -> None:
    (trace_id,) = await learn(traces, TRACE)
    expected = replace(TRACE, id=trace_id, user_id="alice", source="learn")
    assert traces.get(trace_id) == expected


async def test_a_foreign_check_is_never_kept(traces: Traces) -> None:
    (trace_id,) = await learn(traces, replace(TRACE, check="rm -rf /"))
    assert traces.get(trace_id).check is None


async def test_a_foreign_quarantine_is_not_taken_over_but_a_verdict_is(traces: Traces) -> None:
    (trace_id,) = await learn(traces, replace(TRACE, verdict=Verdict.REFUTED, quarantined=True))
    got = traces.get(trace_id)
    assert (got.verdict, got.quarantined) == (Verdict.REFUTED, False)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("run", "learn"),
        ("replay:01ARZ3NDEKTSV4RRFFQ69G5FAV", "learn"),
        ("import:x", "import:x"),
        ("runner", "runner"),
    ],
)
async def test_a_foreign_trace_does_not_pass_for_a_run_or_a_replay(
    traces: Traces, given: str, stored: str
) -> None:
    (trace_id,) = await learn(traces, replace(TRACE, source=given))
    assert traces.get(trace_id).source == stored


async def test_a_trace_without_a_time_zone_gets_one(traces: Traces) -> None:
    (trace_id,) = await learn(traces, replace(TRACE, now=datetime(2026, 3, 2, 9, 7)))
    assert traces.get(trace_id).now.tzinfo is not None


async def test_broken_text_of_a_model_can_be_stored(traces: Traces) -> None:
    broken = replace(STEP, observation="half a \ud83d smile", arguments={"x": "\udcff"})
    (trace_id,) = await learn(traces, replace(TRACE, steps=(broken,), output="\ud83d!"))
    got = traces.get(trace_id)
    assert (got.steps, got.output) == ((broken,), "?!")


async def test_all_traces_are_learnt_or_none(traces: Traces) -> None:
    bad = replace(TRACE, steps=(replace(STEP, observation={1, 2}),))
    with pytest.raises(TypeError):
        await learn(traces, TRACE, bad)
    assert traces.recent() == []


async def test_learning_is_told_in_the_feed(traces: Traces, store: Store) -> None:
    (trace_id,) = await learn(traces, TRACE)
    rows = store.read(lambda c: c.execute(select(events.c.type, events.c.subject)).all())
    assert [tuple(r) for r in rows] == [("ARTIFACT_CREATED", trace_id)]


# --- candidates -----------------------------------------------------------------------------


async def test_candidates_are_the_traces_of_the_same_folded_goal(traces: Traces) -> None:
    (same,) = await learn(traces, replace(TRACE, goal="  write  a.txt. "))
    await learn(traces, replace(TRACE, goal="Write b.txt"), replace(TRACE, goal="Write A.txt"))
    assert [c.trace.id for c in traces.candidates("Write a.txt", ALICE)] == [same]
    assert traces.candidates("Write c.txt", ALICE) == []


async def test_candidates_come_best_first_by_evidence_standing_and_age(traces: Traces) -> None:
    verdicts = [
        Verdict.FAILED,
        Verdict.COMPLETED,
        Verdict.VERIFIED,
        Verdict.CONFIRMED,
        Verdict.COMPLETED,
        Verdict.VERIFIED,
    ]
    failed, old, verified, confirmed, new, liked = await learn(
        traces, *(replace(TRACE, verdict=v) for v in verdicts)
    )
    await traces.replayed(liked, clean=True)
    found = traces.candidates(TRACE.goal, ALICE, limit=10)
    assert [c.trace.id for c in found] == [liked, verified, confirmed, new, old, failed]
    assert [c.standing for c in found] == [1, 0, 0, 0, 0, 0]

    await traces.replayed(verified, clean=False)
    await traces.judge(liked, Verdict.REFUTED, user_id="alice", by="person")
    found = traces.candidates(TRACE.goal, ALICE, limit=10)
    assert [c.trace.id for c in found] == [verified, confirmed, new, old, failed, liked]


async def test_a_limit_keeps_the_best(traces: Traces) -> None:
    await learn(traces, *[TRACE] * 6)
    (best,) = await learn(traces, replace(TRACE, verdict=Verdict.VERIFIED))
    found = traces.candidates(TRACE.goal, ALICE, limit=2)
    assert found[0].trace.id == best
    assert len(found) == 2
    assert [c.trace.id for c in traces.candidates(TRACE.goal, ALICE, limit=1)] == [best]


async def test_a_limit_keeps_the_newest_good_one_too(traces: Traces) -> None:
    confirmed = replace(TRACE, verdict=Verdict.CONFIRMED)
    *_, best = await learn(traces, *[confirmed] * 6)
    (newest,) = await learn(traces, TRACE)
    (wrong,) = await learn(traces, TRACE)
    await learn(traces, replace(TRACE, verdict=Verdict.FAILED))
    await traces.judge(wrong, Verdict.REFUTED, user_id="alice", by="person")
    found = [c.trace.id for c in traces.candidates(TRACE.goal, ALICE, limit=3)]
    assert (found[0], found[-1], len(set(found))) == (best, newest, 3)


async def test_what_was_said_to_be_wrong_in_a_project_counts_however_often_it_failed_there(
    traces: Traces,
) -> None:
    here = replace(TRACE, project="web")
    await traces.learn([replace(TRACE, project="api")], "alice", None)
    (wrong,) = await traces.learn([here], "alice", None)
    await traces.learn([replace(here, verdict=Verdict.FAILED)] * 6, "alice", None)
    assert traces.candidates(TRACE.goal, ALICE, project="web")[0].trace.id == wrong
    await traces.judge(wrong, Verdict.REFUTED, user_id="alice", by="person")
    found = traces.candidates(TRACE.goal, ALICE, project="web")
    assert {c.trace.project for c in found} == {"web"}, "nothing of another project is followed"


async def test_where_all_has_failed_in_a_project_what_is_good_elsewhere_comes_first(
    traces: Traces,
) -> None:
    good = await traces.learn([replace(TRACE, project="api")] * 2, "alice", None)
    failed = replace(TRACE, project="web", verdict=Verdict.FAILED)
    await traces.learn([failed] * 6, "alice", None)
    found = traces.candidates(TRACE.goal, ALICE, project="web")
    assert {c.trace.id for c in found[:2]} == set(good)


async def test_replays_and_other_users_traces_are_no_candidates(
    traces: Traces, store: Store
) -> None:
    own, replay = await learn(traces, TRACE, TRACE)
    await learn(traces, TRACE, user="bob")
    source(store, replay, f"replay:{own}")
    assert [c.trace.id for c in traces.candidates(TRACE.goal, ALICE)] == [own]


async def test_a_run_that_is_not_over_is_no_candidate(traces: Traces, store: Store) -> None:
    (trace_id,) = await learn(traces, TRACE)
    row = update(table).where(table.c.id == trace_id).values(status="running")
    store.write(lambda tx: tx.conn.execute(row))
    assert traces.candidates(TRACE.goal, ALICE) == []


async def test_goals_with_one_digest_are_still_two(traces: Traces, store: Store) -> None:
    (trace_id,) = await learn(traces, TRACE)
    row = update(table).where(table.c.id == trace_id).values(folded="something else")
    store.write(lambda tx: tx.conn.execute(row))
    assert traces.candidates(TRACE.goal, ALICE) == []


async def test_recent_traces_come_newest_first(traces: Traces) -> None:
    ids = await learn(traces, TRACE, replace(TRACE, goal="Other"))
    (of_bob,) = await learn(traces, TRACE, user="bob")
    assert [t.id for t in traces.recent()] == [of_bob, *reversed(ids)]
    assert [t.id for t in traces.recent(ALICE, limit=1)] == [ids[1]]
    assert [t.id for t in traces.recent(BOB)] == [of_bob]


# --- by id ----------------------------------------------------------------------------------


async def test_a_trace_is_found_by_either_end_of_its_id(traces: Traces) -> None:
    (trace_id,) = await learn(traces, TRACE)
    for part in (trace_id, trace_id[:20], trace_id[:4], trace_id[-6:], trace_id[-6:].lower()):
        assert traces.get(part).id == trace_id
    assert traces.get(f" {trace_id} ").id == trace_id


async def test_a_part_that_several_ids_share_is_refused(traces: Traces) -> None:
    one, _ = await learn(traces, TRACE, TRACE)
    with pytest.raises(UserError, match="several"):
        traces.get(one[:4])
    assert traces.get(one).id == one


@pytest.mark.parametrize(
    "text", ["", "abc", "%", "____", "%%%%", "01__", "' OR 1=1", "no-such", "\0" * 5, "x" * 26]
)
async def test_what_is_no_id_finds_nothing(traces: Traces, text: str) -> None:
    await learn(traces, TRACE)
    with pytest.raises(UserError, match="trace") as e:
        traces.get(text)
    assert "llmos traces list" in e.value.hint


async def test_the_middle_of_an_id_does_not_find_it(traces: Traces) -> None:
    (trace_id,) = await learn(traces, TRACE)
    with pytest.raises(UserError, match="no trace"):
        traces.get(trace_id[4:20])


# --- verdicts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("was", "said", "then"),
    [
        (Verdict.COMPLETED, Verdict.CONFIRMED, Verdict.CONFIRMED),
        (Verdict.COMPLETED, Verdict.REFUTED, Verdict.REFUTED),
        (Verdict.VERIFIED, Verdict.CONFIRMED, Verdict.VERIFIED),
        (Verdict.CONFIRMED, Verdict.VERIFIED, Verdict.VERIFIED),
        (Verdict.VERIFIED, Verdict.REFUTED, Verdict.REFUTED),
        (Verdict.REFUTED, Verdict.CONFIRMED, Verdict.CONFIRMED),
        (Verdict.FAILED, Verdict.CONFIRMED, Verdict.CONFIRMED),
    ],
)
async def test_the_last_word_counts_but_praise_takes_no_passed_check_away(
    traces: Traces, was: Verdict, said: Verdict, then: Verdict
) -> None:
    (trace_id,) = await learn(traces, replace(TRACE, verdict=was))
    got = await traces.judge(trace_id, said, user_id="alice", by="person")
    assert (got.verdict, got.quarantined) == (then, said is Verdict.REFUTED)


async def test_a_verdict_on_a_replay_is_one_on_the_trace_it_followed(
    traces: Traces, store: Store
) -> None:
    original, replay, other = await learn(traces, TRACE, TRACE, TRACE)
    source(store, replay, f"replay:{original}")
    await traces.judge(replay, Verdict.CONFIRMED, user_id="alice", by="person")
    assert traces.get(original).verdict is Verdict.CONFIRMED
    await traces.judge(replay, Verdict.REFUTED, user_id="alice", by="person", note="no")
    assert traces.get(original).quarantined
    assert traces.get(replay).quarantined
    assert traces.get(other).verdict is Verdict.COMPLETED


async def test_a_verdict_on_the_original_leaves_its_replays_alone(
    traces: Traces, store: Store
) -> None:
    original, replay = await learn(traces, TRACE, TRACE)
    source(store, replay, f"replay:{original}")
    await traces.judge(original, Verdict.REFUTED, user_id="alice", by="person")
    assert not traces.get(replay).quarantined


async def test_nobody_judges_another_users_trace_through_a_replay(
    traces: Traces, store: Store
) -> None:
    (of_bob,) = await learn(traces, TRACE, user="bob")
    (own,) = await learn(traces, TRACE)
    source(store, own, f"replay:{of_bob}")
    await traces.judge(own, Verdict.REFUTED, user_id="alice", by="person")
    assert traces.get(of_bob).verdict is Verdict.COMPLETED


async def test_every_verdict_is_kept_with_who_gave_it(traces: Traces, store: Store) -> None:
    (trace_id,) = await learn(traces, TRACE)
    await traces.judge(trace_id, Verdict.CONFIRMED, user_id="alice", by="person", note="fine")
    await traces.judge(trace_id, Verdict.REFUTED, user_id="alice", by="check")
    query = select(feedback.c.verdict, feedback.c.by, feedback.c.note, feedback.c.user_id)
    rows = store.read(lambda c: c.execute(query.order_by(feedback.c.id)).all())
    assert [tuple(r) for r in rows] == [
        ("confirmed", "person", "fine", "alice"),
        ("refuted", "check", "", "alice"),
    ]


async def test_a_failed_replay_weighs_more_than_a_clean_one(traces: Traces) -> None:
    (trace_id,) = await learn(traces, TRACE)
    for clean, expected in ((True, 1), (False, -1), (False, -3), (True, -2)):
        await traces.replayed(trace_id, clean=clean)
        assert traces.standing(trace_id) == expected


async def test_a_long_good_record_does_not_hide_new_failures(traces: Traces) -> None:
    (trace_id,) = await learn(traces, TRACE)
    for _ in range(40):
        await traces.replayed(trace_id, clean=True)
    assert traces.standing(trace_id) == 10


# --- folders --------------------------------------------------------------------------------

HERE = Places("/work/here", "/home/alice", "/tmp")
THERE = Places("/work/there", "/home/alice", "/tmp")


def test_a_stored_trace_names_the_folders_of_the_run_that_uses_it() -> None:
    got = absolute(replace(TRACE, output="see $CWD/a.txt"), THERE)
    assert got.output == "see /work/there/a.txt"
    assert got.steps[0].arguments["file_path"] == "/work/there/a.txt"
    assert got.steps[0].footprint.writes == (Change("file:/work/there/a.txt", None, "cd"),)
    assert list(got.steps[0].footprint.reads) == ["file:/work/there/b", "file:/work/there/c"]
    assert got.goal == TRACE.goal


def test_only_steps_that_name_the_folder_have_moved_with_it() -> None:
    plain = Step("Bash", {"command": "make"})
    trace = replace(TRACE, steps=(plain, STEP), cwd=HERE.cwd)
    assert moved(trace, HERE) == frozenset()
    assert moved(trace, THERE) == frozenset({1})


async def test_a_goal_is_found_however_often_it_was_replayed(store: Store, traces: Traces) -> None:
    (worked,) = await learn(traces, TRACE)
    query = WORKED_ON.params(key="0", owner="alice").compile(
        dialect=store._reading.dialect, compile_kwargs={"literal_binds": True}
    )

    def plan(conn: Connection) -> str:
        if isinstance(store.database, Sqlite):
            found = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")
            return " ".join(row.detail for row in found)
        for way in ("seqscan", "bitmapscan"):  # as if there were many rows
            conn.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        return " ".join(row[0] for row in conn.exec_driver_sql(f"EXPLAIN {query}"))

    assert "traces_worked" in store.read(plan), "an index that has no replays in it"
    assert [c.trace.id for c in traces.candidates(TRACE.goal, ALICE)] == [worked]
