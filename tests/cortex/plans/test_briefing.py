"""What a model is told that takes a goal apart: the relevant few, under the token budget."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from llmos import LLMOSConfig
from llmos.cortex.assembly import assemble
from llmos.cortex.plans.briefing import Briefing, Thing
from llmos.cortex.processors.prompts import system_prompt, user_message
from llmos.memory.pieces import tokens_of
from llmos.store.schema import traces
from llmos.values import Context, Turn
from tests.conftest import MakeOS
from tests.cortex.tool_search.conftest import Notes, crowd
from tests.support.planner import Parts, Planner, part

GOAL = "Stamp the draft notes and write their names to names.txt"


def one(goal: str) -> Parts:
    return [part("a", "Write 'a' to a.txt")]


@cache
def thousand() -> list[Any]:
    """As many tools, described once for all tests."""
    return crowd(1000)


def data(question: str) -> Any:
    """The data of a question."""
    return json.loads(question[question.index("\n{") : question.rindex("}") + 1])


def size(planner: Planner) -> int:
    """Tokens of all that the planner read."""
    (question,), (context,) = planner.asked, planner.told
    return tokens_of(system_prompt(context) + user_message(question, context))


async def test_of_a_thousand_tools_the_relevant_few_are_told(make_os: MakeOS) -> None:
    planner = Planner(one)
    os = await make_os(processor=planner, plugins=[*thousand(), *Notes().plugins()])
    assert (await os.execute(GOAL, mode="ORCHESTRATOR")).success
    told = data(planner.asked[0])
    names = [line.partition("(")[0] for line in told["tools"]]
    assert {"notes.find", "notes.stamp", "Write"} <= set(names)
    assert len(names) <= 7 + LLMOSConfig().tools_given
    assert told["tools that are not named here"] + len(names) == len(os._kernel.registry.names)
    assert "notes.stamp(note, mark): Put a mark on a note." in told["tools"]
    assert size(planner) <= 2_000 < LLMOSConfig().context_tokens


async def test_the_prompt_stays_under_the_budget_and_the_best_stays_in_it(make_os: MakeOS) -> None:
    planner, budget = Planner(one), 1_500
    config = LLMOSConfig(context_tokens=budget, tool_search=2_000)
    os = await make_os(processor=planner, plugins=[*Notes().plugins(), *thousand()], config=config)
    assert (await os.execute(GOAL, mode="ORCHESTRATOR")).success
    assert budget - 50 < size(planner) <= budget
    told = data(planner.asked[0])
    assert 7 < len(told["tools"]) < 1000
    assert told["goal"] == GOAL


async def test_what_the_user_has_said_reaches_whoever_plans(make_os: MakeOS) -> None:
    planner = Planner(one)
    os = await make_os(processor=planner)
    os.facts.add("Names are written in small letters")
    turns = [Turn("List the notes", "There are three.")]
    seen = os.explain_context(GOAL, "ORCHESTRATOR", agent="coder", turns=turns)
    result = await os.execute(GOAL, mode="ORCHESTRATOR", agent="coder", turns=turns)
    (context,) = planner.told
    assert "- Names are written in small letters" in context.system
    assert os.kernel.agents.get("coder").agent.prompt.strip() in context.system
    assert context.turns == tuple(turns)
    assert context.system.endswith("answer in JSON.")
    # What `explain` tells is what it is told, and what is kept of the run.
    stored = os._kernel.store.read(
        lambda c: c.scalar(select(traces.c.context).where(traces.c.id == result.trace_id))
    )
    assert json.loads(stored) == seen.record()
    assert {"agent", "fact", "rules", "turn", "planning", "goal", "tool", "worker"} == {
        piece.source for piece in seen.pieces
    }


async def test_a_known_plan_is_told_of_as_before(make_os: MakeOS) -> None:
    os = await make_os(processor=Planner(one))
    await os.execute(GOAL, mode="ORCHESTRATOR")
    assert {piece.source for piece in os.explain_context(GOAL).pieces} == {"rules", "goal"}


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=60)
THINGS = st.lists(
    st.builds(
        Thing, st.sampled_from(["job", "tool", "worker"]), WORDS, WORDS, st.just("it is of use")
    ),
    max_size=8,
    unique_by=lambda thing: (thing.source, thing.name),
).map(tuple)


@settings(max_examples=40, deadline=None)
@given(THINGS, st.integers(0, 900))
def test_the_planner_reads_what_was_let_in_and_never_more_than_there_is_room_for(
    things: tuple[Thing, ...], budget: int
) -> None:
    briefing = Briefing("Do it", "Take a goal apart.", "As JSON.", things, 9)
    bare = Context(datetime(2026, 3, 2, tzinfo=UTC), Path("/work"))
    seen = assemble("Do it", bare, budget, planning=briefing.pieces())
    full = Briefing("Do it", "Take a goal apart.", "As JSON.", things, 9, seen)
    question = full.question("")
    read = tokens_of(system_prompt(full.context()) + user_message(question, full.context()))
    needed = sum(p.tokens for p in seen.pieces if p.source in ("rules", "planning", "goal"))
    # One more: for the brackets of three lists.
    assert read <= max(budget, needed) + 1
    told = data(question)
    assert len(told["known jobs"]) + len(told["tools"]) + len(told["agents"]) == sum(
        p.shown for p in seen.pieces if p.source in ("job", "tool", "worker")
    )
