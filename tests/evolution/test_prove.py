"""What must hold before a goal is done without a model."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.evolution.example import Example
from llmos.evolution.ir import Guard, Program, Read, Seen, Single, Slot, Write, call, const
from llmos.evolution.plan import Stop
from llmos.evolution.prove import MINIMUM, Proof, prove, writes_of
from llmos.evolution.templates import SlotSpec, Template
from llmos.values import Effect, Json, Step
from tests.evolution.jobs import CLEAR, NOTE, WARM, write
from tests.evolution.office import Job, examples

ONE_WAY = ("w1",)


def template(**kinds: str) -> Template:
    slots = tuple(SlotSpec(name, kind) for name, kind in kinds.items())
    return Template(("do ", *[" "] * (len(slots) - 1), ""), slots)


def proof(*goals: dict[str, str], used: str = "", runs: int = 5) -> Proof:
    seen: dict[str, dict[str, int]] = {}
    for goal in goals:
        for name, value in goal.items():
            counts = seen.setdefault(name, {})
            counts[value] = counts.get(value, 0) + 1
    idle = [n for n, c in seen.items() if len(c) > 1 and n not in used.split()]
    together = tuple((ONE_WAY, {n: g[n] for n in idle}) for g in goals)
    return Proof(runs, used=frozenset(used.split()), seen=seen, together=together)


def test_a_word_that_only_another_branch_has_seen_is_not_served_in_this_one() -> None:
    # In one branch nothing looked at the name; in the other it may be all that matters.
    branches = Proof(
        runs=5,
        together=((("a",), {"who": "alice"}), (("b",), {"who": "bob"})),
        ways={("a",): 3, ("b",): 2},
    )
    assert branches.knows_way({"who": "alice"}, {"a"})
    assert not branches.knows_way({"who": "bob"}, {"a"})
    assert branches.knows_way({}, {"b"})


def test_writes_that_one_run_made_together_are_not_known() -> None:
    once = Proof(runs=4, together=((("a",), {}), ((), {})), ways={("a",): 1, (): 1})
    assert not once.knows_way({}, {"a"})
    assert once.knows_way({}, set())


THREE = ({"a": "x"}, {"a": "y"}, {"a": "z"})


def test_fewer_good_runs_than_needed_serve_nothing() -> None:
    for runs in range(MINIMUM):
        why = proof(*THREE, used="a", runs=runs).refusal(template(a="text"), {"a": "x"})
        assert why == f"only {runs} good runs, 3 are needed"
    assert proof(*THREE, used="a", runs=3).refusal(template(a="text"), {"a": "new"}) is None


def test_a_slot_that_never_varied_is_served_for_its_value_alone() -> None:
    shown = proof({"a": "x"}, {"a": "x"}, {"a": "x"}, used="a")
    assert shown.refusal(template(a="text"), {"a": "x"}) is None
    assert "'y' was never seen there" in str(shown.refusal(template(a="text"), {"a": "y"}))


def test_a_slot_that_nothing_looks_at_holds_only_what_was_seen() -> None:
    assert proof(*THREE).refusal(template(a="text"), {"a": "y"}) is None
    assert "never seen" in str(proof(*THREE).refusal(template(a="text"), {"a": "new"}))


def test_words_that_nothing_looks_at_must_have_been_seen_together() -> None:
    shown = proof({"a": "x", "b": "1"}, {"a": "y", "b": "2"})
    assert shown.refusal(template(a="word", b="word"), {"a": "x", "b": "1"}) is None
    why = shown.refusal(template(a="word", b="word"), {"a": "x", "b": "2"})
    assert why == "its words were not seen together"


def test_words_of_opposite_direction_that_nothing_looks_at_are_never_served() -> None:
    shown = proof(*[{"a": "more"}] * 4, {"a": "less"})
    for word in ("more", "less"):
        assert "turns things round" in str(shown.refusal(template(a="polar"), {"a": word}))


def test_a_slot_that_repeats_one_that_is_looked_at_may_be_new_with_it() -> None:
    shown = replace(proof(*THREE), repeats=(("a", "b"),), used=frozenset("b"))
    shown = replace(shown, seen={**shown.seen, "b": {"x": 1, "y": 1, "z": 1}})
    both = template(a="text", b="text")
    assert shown.refusal(both, {"a": "new", "b": "New"}) is None
    assert "never seen" in str(shown.refusal(both, {"a": "new", "b": "other"}))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, 500), st.integers(0, 30))
def test_agreement_lowers_the_risk_and_disagreement_raises_it(agreed: int, wrong: int) -> None:
    at = Proof(3, agreed, wrong).risk
    assert 0 < at < 1
    assert Proof(3, agreed + 1, wrong).risk < at
    assert Proof(3, agreed, wrong + 1).risk > at


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 20))
def test_what_became_of_other_tools_moves_the_risk(exact: int, other: int, agreed: int) -> None:
    at = Proof(3, agreed, peers=(exact, other)).risk
    assert 0 < at < 1
    assert Proof(3, agreed, peers=(exact + 1, other)).risk < at
    assert Proof(3, agreed, peers=(exact, other + 1)).risk > at


def test_a_first_failure_asks_one_agreeing_run_of_each_new_tool_and_49_exact_ones_none() -> None:
    budget = 0.01 + 1e-9
    assert Proof(3).risk <= budget
    assert Proof(3, peers=(0, 1)).risk > budget
    assert Proof(3, agreed=1, peers=(0, 1)).risk <= budget
    assert Proof(3, peers=(48, 1)).risk > budget >= Proof(3, peers=(49, 1)).risk


@pytest.mark.parametrize("failed", [1, 10, 1000])
def test_no_number_of_failed_tools_stops_one_for_ever(failed: int) -> None:
    assert any(Proof(3, agreed=n, peers=(0, failed)).risk <= 0.01 for n in range(200))


def test_a_proof_from_before_tools_were_counted_is_read_as_if_there_were_none() -> None:
    told = Proof(5, agreed=2, peers=(3, 1)).as_json()
    assert Proof.from_json(json.loads(json.dumps(told))).peers == (3, 1)
    del told["peers"]
    assert Proof.from_json(told) == Proof(5, agreed=2)


# --- from traces -------------------------------------------------------------------------------


def test_a_proof_counts_what_the_traces_hold() -> None:
    shown = prove(WARM.program, examples(WARM, 3, 8), agreed=2, disagreed=1)
    assert (shown.runs, shown.agreed, shown.disagreed) == (8, 2, 1)
    assert shown.used == {"room", "degrees", "text"}
    assert sum(shown.ways.values()) == 8
    assert set(shown.ways) == {(), ("w",)}
    assert all(sum(counts.values()) == 8 for counts in shown.seen.values())


def test_a_slot_that_always_says_the_same_as_another_is_known_to() -> None:
    given_ = [
        replace(e, slots={**e.slots, "again": e.slots["room"].upper()})
        for e in examples(NOTE, 3, 5)
    ]
    assert ("again", "room") in prove(NOTE.program, given_).repeats


def test_the_same_run_again_is_no_evidence_of_its_own() -> None:
    once = examples(NOTE, 3, 3)
    later = [replace(e, now=e.now + timedelta(days=1)) for e in once]
    assert prove(NOTE.program, [*once, *once]) == prove(NOTE.program, once)
    assert prove(NOTE.program, [*once, *later]).runs == 2 * len(once)


def test_a_program_that_does_not_reproduce_a_trace_is_not_proven() -> None:
    other = Program((write("note.post", room=Slot("room"), text=const("another")),))
    with pytest.raises(Stop, match="was not recorded"):
        prove(other, examples(NOTE, 3, 3))


def test_a_loop_is_one_write_of_the_way() -> None:
    example: Example = max(examples(CLEAR, 3, 8), key=lambda e: len(e.steps))
    assert set(prove(CLEAR.program, [example]).ways) == {("w",)}
    assert writes_of([]) == ()


@pytest.mark.parametrize("job", [NOTE, CLEAR, WARM])
def test_a_proof_survives_as_json(job: Job) -> None:
    shown = prove(job.program, examples(job, 5, 6), agreed=1)
    assert Proof.from_json(json.loads(json.dumps(shown.as_json()))) == shown


def test_a_loop_without_a_row_is_no_other_set_of_writes() -> None:
    both = Proof(runs=4, together=((("a", "b"), {}),), ways={("a", "b"): 4})
    assert not both.knows_way({}, {"a"})
    assert both.knows_way({}, {"a"}, {"b"})
    assert not both.knows_way({}, {"b"}, {"c"})


def test_a_choosing_word_that_one_set_of_writes_never_varied_is_served_there_for_itself() -> None:
    table = call("mapped", Slot("room"), {"hall": "a1", "attic": "b2"})
    look = Read("r", (const("note.list"),), {"room": (table,)})
    post = Write("w", (const("note.post"),), (Single({"text": (const("x"),)}),), "g")
    some = call("exists", call("rows", Seen("r")))
    program = Program((look, post), {"g": Guard((some,))})
    seen = []
    runs = [("hall", True), ("hall", True), ("attic", False), ("hall", False)]
    for day, (room, found) in enumerate(runs, 1):
        rows: list[Json] = [{"n": 1}] if found else []
        asked = {"room": "a1" if room == "hall" else "b2"}
        read = Step("note.list", asked, rows, effect=Effect.READ)
        made = [Step("note.post", {"text": "x"}, "", effect=Effect.WRITE)] if found else []
        seen.append(Example({"room": room}, datetime(2026, 4, day), (read, *made)))
    shown = prove(program, seen)
    assert shown.knows_way({"room": "hall"}, {"w"})
    assert not shown.knows_way({"room": "attic"}, {"w"})
    assert shown.knows_way({"room": "attic"}, set())
    assert Proof.from_json(json.loads(json.dumps(shown.as_json()))) == shown


def test_what_a_hidden_guard_looks_at_is_looked_at() -> None:
    limit = call("number", Slot("limit"))
    guard = Guard(hidden=(call("test", call("count", call("rows", Seen("r"))), ">", limit),))
    look = Read("r", (const("note.list"),), {})
    program = Program((look, write("note.post", text="x")), {"": guard})
    shown = prove(program, [])
    assert shown.used == {"limit"}
