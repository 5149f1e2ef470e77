"""What a learned tool tells others: it runs the same, and says less."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmos.evolution.compiler import as_learnt
from llmos.evolution.contents import content_of
from llmos.evolution.disclosure import shared_content, telling, vocabulary
from llmos.evolution.prove import Proof
from llmos.evolution.templates import Template, plain
from tests.evolution.jobs import CLEAR, NOTE, WARM
from tests.evolution.office import Job, learnt, traces


def content(job: Job, seed: int, count: int) -> Mapping[str, Any]:
    learner = learnt([as_learnt(t) for t in traces(job, seed, count)])
    (name,) = learner.families
    return content_of(learner, name)[0]


def reads(content: Mapping[str, Any], goal: str) -> bool:
    return any(Template.from_json(t).match(plain(goal)) for t in content["templates"])


def refused(content: Mapping[str, Any], goal: str) -> list[bool]:
    proof = Proof.from_json(content["proof"])
    found = [
        (template, slots)
        for template in map(Template.from_json, content["templates"])
        for slots in template.match(plain(goal))
    ]
    return [proof.refusal(template, slots) is not None for template, slots in found]


def test_no_goal_and_no_id_of_a_run_leaves_the_volume() -> None:
    given = traces(NOTE, 1, 6)
    shared = shared_content(content(NOTE, 1, 6))
    told = str(shared)
    assert not [t.goal for t in given if t.goal in told]
    assert "groups" not in shared
    assert not [t.id for t in given if t.id and t.id in told]


def test_what_stood_at_an_open_slot_is_replaced_by_text_of_the_same_form() -> None:
    shared = shared_content(content(NOTE, 1, 6))
    quoted = [t.goal.split('"')[1] for t in traces(NOTE, 1, 6)]
    assert not [q for q in quoted if q in str(shared)]


def test_a_shared_tool_reads_and_refuses_the_same_goals() -> None:
    for job in (NOTE, CLEAR, WARM):
        whole = content(job, 2, 10)
        shared = shared_content(whole)
        for trace in [*traces(job, 2, 10), *traces(job, 77, 20)]:
            assert reads(whole, trace.goal) == reads(shared, trace.goal), trace.goal
            assert refused(whole, trace.goal) == refused(shared, trace.goal), trace.goal


def test_sharing_what_is_shared_changes_nothing() -> None:
    shared = shared_content(content(WARM, 2, 10))
    assert shared_content(shared) == shared


def test_a_constant_of_the_program_is_told() -> None:
    from llmos.evolution.ir import Program, call
    from tests.evolution.jobs import ROOM, TEXT, write

    job = Job(
        'Post the note "{text}" in the {room}',
        Program((write("note.post", room=ROOM, text=call("concat", "Project Falcon: ", TEXT)),)),
    )
    assert any("Project Falcon" in t for t in telling(shared_content(content(job, 1, 6))))


def test_a_name_in_the_wording_is_told_and_a_common_word_is_not() -> None:
    job = Job('Post the note "{text}" in the {room} for Falcon Ltd', NOTE.program)
    told = telling(shared_content(content(job, 1, 6)))
    assert "Falcon" in told
    assert "note" not in told


def test_words_of_the_tools_are_nobodys_own() -> None:
    known = vocabulary(traces(CLEAR, 1, 3))
    assert {"topic", "code"} <= known


def test_a_small_word_of_the_wording_is_told_too() -> None:
    job = Job('Post the divorce note "{text}" in the {room}', NOTE.program)
    told = telling(shared_content(content(job, 1, 6)))
    assert "divorce" in told
    assert not told & {"the", "post", "note"}


def test_what_results_are_keyed_by_may_be_somebodys_name() -> None:
    from dataclasses import replace

    (trace,) = traces(CLEAR, 1, 1)
    steps = tuple(replace(s, observation={"Falcon": 3}) for s in trace.steps)
    assert not {"Falcon", "falcon"} & vocabulary([replace(trace, steps=steps)])
