"""A plan that can be carried out is one; any other is refused, with the part that is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmos.cortex.plans.plan import MOST_PARTS, Part, Plan, is_plan, run_of, step_of
from llmos.errors import UserError
from llmos.values import Json

IDS = [f"p{k}" for k in range(8)]


CALMLY = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no finding."""


@st.composite
def plans(draw: st.DrawFn) -> list[Part]:
    """Parts that wait for earlier ones only, in any order."""
    count = draw(st.integers(1, len(IDS)))
    parts = [
        Part(name, f"Do {name}", tuple(draw(st.sets(st.sampled_from(IDS[:k]))) if k else ()))
        for k, name in enumerate(IDS[:count])
    ]
    return draw(st.permutations(parts))


@CALMLY
@given(plans())
def test_parts_stand_behind_those_that_they_wait_for(parts: list[Part]) -> None:
    plan = Plan.of(parts)
    assert sorted(p.id for p in plan.parts) == sorted(p.id for p in parts)
    for k, part in enumerate(plan.parts):
        assert set(part.after) <= {p.id for p in plan.parts[:k]}


@CALMLY
@given(plans())
def test_a_plan_survives_json_and_the_steps_of_its_trace(parts: list[Part]) -> None:
    plan = Plan.of(parts)
    assert Plan.from_json(json.loads(json.dumps(plan.as_json()))) == plan
    steps = [step_of(p, f"run-{p.id}", "done", failed=False, seconds=0.1) for p in plan.parts]
    assert is_plan(steps) and Plan.from_steps(steps) == plan
    assert [run_of(s) for s in steps] == [f"run-{p.id}" for p in plan.parts]


@CALMLY
@given(plans(), st.data())
def test_each_part_is_ready_once_and_all_are_done_in_the_end(
    parts: list[Part], data: st.DataObject
) -> None:
    plan = Plan.of(parts)
    begun, ended = set[str](), set[str]()
    while len(ended) < len(plan.parts):
        ready = [p.id for p in plan.ready(ended, begun)]
        assert not begun.intersection(ready)
        begun |= set(ready)
        assert begun - ended, "nothing is under way, and not all is done"
        ended.add(data.draw(st.sampled_from(sorted(begun - ended))))


@CALMLY
@given(plans(), st.data())
def test_what_waits_for_a_failed_part_is_what_never_gets_ready(
    parts: list[Part], data: st.DataObject
) -> None:
    plan = Plan.of(parts)
    failed = data.draw(st.sampled_from([p.id for p in plan.parts]))
    ended = {failed}
    good = set[str]()
    while more := {p.id for p in plan.ready(good, ended)}:
        ended |= more
        good |= more
    assert {p.id for p in plan.parts} - ended == set(plan.waiting_for(failed))


def test_an_answer_that_is_put_in_is_waited_for() -> None:
    plan = Plan.of([Part("letter", "Send {{sum}} to bob"), Part("sum", "Add it up")])
    assert [p.id for p in plan.parts] == ["sum", "letter"]
    assert plan.parts[1].after == ("sum",)
    assert plan.parts[1].told({"sum": "12"}) == "Send 12 to bob"


def test_an_answer_is_text_and_never_read_for_answers_again() -> None:
    part = Part("b", "Say {{a}} and {{c}}")
    assert part.told({"a": "{{c}}", "c": "x"}) == "Say {{c}} and x"


PART: dict[str, Json] = {"id": "a", "goal": "Do it"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("Do it", "a list of parts"),
        ({"part": []}, "a list of parts"),
        ([], "1 to 20 parts, not 0"),
        ([PART | {"id": f"a{k}"} for k in range(MOST_PARTS + 1)], "not 21"),
        (["Do it"], "part 1 is not an object"),
        ([PART, PART], "two parts are called 'a'"),
        ([PART | {"id": "../x"}], "the id '../x'"),
        ([PART | {"id": 3}], "the id '3'"),
        ([PART | {"goal": " "}], "the goal is empty"),
        ([PART | {"goal": 3}], "a goal that is no text"),
        ([PART | {"after": "b"}], "'after' is no list"),
        ([PART | {"after": ["b"]}], "waits for 'b', which is no part"),
        ([PART | {"after": ["a"]}], "wait for each other: a"),
        ([PART | {"goal": "Say {{a}}"}], "wait for each other: a"),
        ([PART | {"goal": "Say {{b}}"}], "waits for 'b'"),
        ([PART | {"why": "x"}], "has 'why'"),
        ([PART | {"agent": "../x"}], "the agent '../x'"),
        ([PART | {"check": 1}], "must be texts"),
        ([PART | {"goal": "prepare all."}], "the whole goal again"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(given: Any, told: str) -> None:
    with pytest.raises(UserError) as e:
        Plan.from_json(given, "Prepare all")
    assert told in e.value.message
