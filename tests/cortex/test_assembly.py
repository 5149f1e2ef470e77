"""What the model sees: every piece with its reason, and never more than there is room for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from llmos import Step, Trace
from llmos.cortex.assembly import NEEDED, Assembled, assemble
from llmos.cortex.processors.prompts import system_prompt, user_message
from llmos.memory.pieces import Piece
from llmos.values import Context, Turn

BARE = Context(datetime(2026, 3, 2, tzinfo=UTC), Path("/work"))
EXAMPLE = Trace("Add", (Step("Read", {"file_path": "a"}, "x" * 500),), "Done.", id="E1")
SMALL = st.text("abc ", max_size=200)
CONTEXTS = st.builds(
    Context,
    st.just(BARE.now),
    st.just(BARE.cwd),
    turns=st.lists(st.builds(Turn, SMALL, SMALL), max_size=12).map(tuple),
    examples=st.lists(st.just(EXAMPLE), max_size=4).map(tuple),
    prefix=st.lists(st.builds(Step, st.just("Read"), st.just({}), SMALL), max_size=2).map(tuple),
    note=SMALL,
)


def shown(told: Assembled, source: str) -> list[str]:
    return [p.name for p in told.pieces if p.source == source and p.shown]


@given(CONTEXTS, st.integers(0, 2000), SMALL)
def test_only_what_is_needed_exceeds_the_budget(context: Context, budget: int, state: str) -> None:
    memory = (Piece("fact", "F", "known", True, "it is a rule"),)
    told = assemble("Do it", context, budget, memory=memory, state=state)
    needed = sum(p.tokens for p in told.pieces if p.source in {*NEEDED, "fact"})
    assert told.tokens <= max(budget, needed)
    assert told.context.prefix == context.prefix
    assert told.context.note == context.note
    assert assemble("Do it", context, budget, memory=memory, state=state) == told


@given(CONTEXTS, st.integers(0, 2000))
def test_the_model_reads_exactly_what_is_told_to_be_shown(context: Context, budget: int) -> None:
    memory = (Piece("fact", "F", "known", True, ""), Piece("fact", "G", "unknown", False, ""))
    told = assemble("Do it", context, budget, memory=memory)
    read = system_prompt(told.context) + user_message("Do it", told.context)
    assert all(p.text in read for p in told.pieces if p.shown)
    assert len(told.context.turns) == len(shown(told, "turn")) <= 10
    assert len(told.context.examples) == len(shown(told, "example")) <= 3
    assert "unknown" not in told.context.system


@given(CONTEXTS, st.integers(0, 2000), SMALL)
def test_what_does_not_count_in_the_digest_takes_no_room_from_what_does(
    context: Context, budget: int, state: str
) -> None:
    without = Context(
        context.now, context.cwd, turns=context.turns, prefix=context.prefix, note=context.note
    )
    told = assemble("Do it", context, budget, state=state)
    assert shown(told, "turn") == shown(assemble("Do it", without, budget), "turn")


def test_the_newest_turns_go_in_first_and_none_is_skipped() -> None:
    turns = tuple(Turn(f"goal {i}", "x" * (400 if i == 3 else 10)) for i in range(5))
    room = assemble("Do it", BARE, 10_000).tokens + 40
    told = assemble("Do it", Context(BARE.now, BARE.cwd, turns=turns), room)
    assert shown(told, "turn") == ["5"]
    assert [p.why for p in told.pieces if p.source == "turn"][:4] == ["there is no room for it"] * 4


def test_without_anything_beside_the_goal_nothing_is_added() -> None:
    told = assemble("Do it", BARE, 32_000)
    assert told.context == BARE
    assert [p.source for p in told.pieces] == ["rules", "goal"]
