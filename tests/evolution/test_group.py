"""What a group keeps while runs come in is what it would work out of all of them at once."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmos.evolution.align import Wording
from llmos.evolution.example import distinct
from llmos.evolution.group import Group
from llmos.evolution.kept import Kept
from llmos.values import Trace
from tests.evolution.goals import Told, variants
from tests.evolution.jobs import NOTE, SIMPLE
from tests.evolution.office import Job, traces

DO = st.sampled_from(["look", "name", "undo"])
JOBS = [NOTE, *SIMPLE.values()]
CALMLY = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no finding."""


def anew(group: Group) -> Group:
    """The same group, of which nothing was worked out."""
    old = group.wording
    return Group(Wording(old.shown, list(old.goals), set(old.told)), list(group.traces))


def run_of(told: Told, number: int) -> Trace:
    return replace(traces(NOTE, 1, 1)[0], goal=told.goal, steps=told.steps, id=f"t{number}")


@CALMLY
@given(variants(), st.data())
def test_a_template_is_that_of_all_goals_at_once(goals: list[Told], data: st.DataObject) -> None:
    group = Group.of(run_of(goals[0], 0))
    for number, told in enumerate(goals[1:], 1):
        before = group.copy()
        group.take(Group.of(run_of(told, number)))
        if data.draw(DO) == "undo":
            group = before
        assert group.template == anew(group).template
        assert group.wording.template() == group.template


@CALMLY
@given(st.sampled_from(JOBS), st.data())
def test_bindings_and_examples_are_those_of_all_runs_at_once(job: Job, data: st.DataObject) -> None:
    first, *others = traces(job, data.draw(st.integers(0, 20)), 6)
    group = Group.of(first)
    for trace in others:
        before = group.copy()
        group.take(Group.of(trace))
        does = data.draw(DO)
        if does == "undo":
            group = before
        names = {s.name: f"{s.name}{'x' * (does == 'name')}" for s in group.template.slots}
        assert group.bound() == anew(group).bound()
        assert group.named(names, 2) == anew(group).named(names, 2)


def test_what_is_kept_of_runs_is_not_worked_out_again() -> None:
    runs, asked = traces(NOTE, 1, 4), list[int]()

    def work_out(k: int) -> str:
        asked.append(k)
        return runs[k].goal

    kept: Kept[str] = Kept()
    for upto in (2, 2, 4):
        kept = kept.upto("by", runs[:upto], work_out)
    assert asked == [0, 1, 2, 3]
    assert kept.upto("by", runs[:3], work_out).of == tuple(t.goal for t in runs[:3])
    assert asked == [0, 1, 2, 3, 0, 1, 2]
    assert kept.upto("other", runs, work_out).by == "other"
    assert len(asked) == 11


def test_repeats_are_one_however_often_they_are_compared() -> None:
    first, second = traces(NOTE, 1, 2)
    group = Group.of(first)
    group.take(Group.of(replace(first, id="again", output="said otherwise")))
    group.take(Group.of(second))
    seen = group.named({s.name: s.name for s in group.template.slots}, 0)[1]
    assert len(seen) == 3
    assert [distinct(seen)[k].fingerprint for k in (0, 1)] == [
        seen[0].fingerprint,
        seen[2].fingerprint,
    ]
