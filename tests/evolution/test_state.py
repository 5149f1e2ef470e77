"""A learner that was stored goes on as if it had never stopped."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmos.evolution.ir import program_json
from llmos.evolution.learner import Learner
from llmos.evolution.state import family_from, family_json, learner_from, rest_json, trace_ids
from llmos.values import Trace
from tests.evolution.jobs import CLEAR, NOTE, SIMPLE, jobs
from tests.evolution.office import Job, learnt, traces


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value, ensure_ascii=False))


def stored(learner: Learner, given_: list[Trace]) -> Learner:
    """The learner, written and read again."""
    families = {
        name: through_json(family_json(family, learner.proofs[name]))
        for name, family in learner.families.items()
    }
    rest = through_json(rest_json(learner))
    known = {t.id: t for t in given_}
    assert set(trace_ids(rest, *families.values())) <= set(known)
    return learner_from(rest, families, known, seconds=learner.seconds)


def told(learner: Learner) -> Any:
    """All that a learner knows, in a form that can be compared."""
    families = {n: family_json(f, learner.proofs[n]) for n, f in learner.families.items()}
    return through_json([families, rest_json(learner)])


def test_a_learner_survives_as_json() -> None:
    given_ = [*traces(NOTE, 1, 4), *traces(CLEAR, 2, 6), *traces(SIMPLE["duty"], 3, 2)]
    learner = learnt(given_)
    assert len(learner.families) == 2
    assert learner.loose
    again = stored(learner, given_)
    assert told(again) == told(learner)
    for trace in given_:
        assert [r.slots for r in again.parse(trace.goal)] == [
            r.slots for r in learner.parse(trace.goal)
        ]
        assert again.knows(trace.id)


def test_a_family_whose_trace_is_gone_cannot_be_read() -> None:
    given_ = traces(NOTE, 1, 4)
    learner = learnt(given_)
    (name,) = learner.families
    content = family_json(learner.families[name], learner.proofs[name])
    with pytest.raises(KeyError):
        family_from(content, {t.id: t for t in given_[1:]})


def test_what_was_said_of_a_family_later_is_kept() -> None:
    given_ = traces(NOTE, 1, 6)
    learner = learnt(given_[:4])
    for trace in given_[4:]:
        learner.add(trace)
    learner.learn()
    (name,) = learner.families
    learner.refute(name)
    learner.learn()
    again = stored(learner, given_)
    assert (again.families[name].agreed, again.families[name].disagreed) == (0, 1)
    assert again.proofs[name].risk > learnt(given_).proofs[name].risk


def test_retired_names_are_not_given_again() -> None:
    given_ = traces(NOTE, 1, 3)
    learner = learnt(given_)
    (name,) = learner.families
    learner.forget(given_[0].id)
    assert learner.retired == {name}
    again = stored(learner, given_)
    for trace in traces(NOTE, 2, 4):
        again.add(trace)
    again.learn()
    assert again.families
    assert name not in again.families


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(jobs("loop") | jobs("single"), st.integers(10**3, 10**6), st.integers(1, 7))
def test_learning_goes_on_from_what_was_stored(job: Job, number: int, at: int) -> None:
    given_ = traces(job, number, 8)
    for trace in given_[:at]:
        assert trace.id
    learner = learnt(given_[:at], at_once=False)
    again = stored(learner, given_)
    for one in (learner, again):
        for trace in given_[at:]:
            one.add(trace)
            one.learn()
    assert {n: program_json(f.program) for n, f in again.families.items()} == {
        n: program_json(f.program) for n, f in learner.families.items()
    }
    assert told(again) == told(learner)


def test_what_is_known_of_tools_that_were_tried_survives_as_json() -> None:
    learner = Learner()
    learner.tried, learner.settled = {"a": True, "b": False}, {"x"}
    again = stored(learner, [])
    assert (again.tried, again.settled) == (learner.tried, learner.settled)
    assert (again.peers("a"), again.peers("b"), again.peers("c")) == ((0, 1), (1, 0), (1, 1))
