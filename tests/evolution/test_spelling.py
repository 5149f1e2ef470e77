"""Capitals that a tool does not care about are no difference between runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from llmos.evolution.learner import Learner
from llmos.evolution.spelling import Spellings
from llmos.evolution.state import family_json, learner_from, rest_json
from llmos.values import Effect, Json, Step, Trace, Verdict

NOW = datetime(2025, 3, 3, 9, tzinfo=UTC)
DESKS = {"ines": 4, "leo": 11, "mara": 7, "tom": 2, "ada": 9}


def look(name: str, *, found: Json = None, tool: str = "desk.find") -> Step:
    seen = [{"owner": name.lower(), "desk": DESKS[name.lower()]}] if found is None else found
    return Step(tool, {"who": name}, seen, False, Effect.READ)


def clean(k: int, name: str, *, asked: str = "", sensitive: bool = False) -> Trace:
    """A run for a goal that says ``name``, which looks for it as ``asked``."""
    asked = asked or name
    found = [] if sensitive and asked != name else None
    book = Step("clean.book", {"desk": DESKS[name.lower()]}, "ok", False, Effect.WRITE)
    steps = (look(asked, found=found), book)
    return Trace(f"have the desk of {name} cleaned", steps, "", Verdict.CONFIRMED, NOW, id=f"t{k}")


def learnt(runs: Iterable[Trace], learner: Learner | None = None) -> Learner:
    learner = learner or Learner()
    for run in runs:
        learner.add(run)
    learner.learn()
    return learner


def shown(*steps: Step) -> frozenset[str]:
    spellings = Spellings()
    spellings.add(steps)
    spellings.look()
    return spellings.careless


MIXED = [clean(0, "ines", asked="Ines"), clean(1, "leo"), clean(2, "mara", asked="Mara")]
TOLD = [clean(3, "ines"), clean(4, "leo", asked="Leo")]


def test_a_tool_that_gave_the_same_for_both_spellings_of_two_texts_is_careless() -> None:
    assert shown(look("Ines"), look("ines"), look("LEO"), look("leo")) == {"desk.find who"}


def test_one_text_is_not_enough() -> None:
    assert not shown(look("Ines"), look("ines"), look("INES"))


def test_texts_for_which_nothing_is_there_are_not_enough() -> None:
    nothing = "nobody by that name"
    asked = ["Zoe", "zoe", "Max", "max", "Kim", "kim"]
    assert not shown(*(look(name, found=nothing) for name in asked))


def test_one_text_that_gave_something_else_is_enough_against_it() -> None:
    same = [look("Ines"), look("ines"), look("LEO"), look("leo")]
    assert not shown(*same, look("Tom"), look("tom", found=[]))


def test_another_argument_that_differs_is_another_question() -> None:
    def on(day: str, who: str) -> Step:
        return Step("desk.find", {"who": who, "day": day}, [{"on": day}], False, Effect.READ)

    assert not shown(on("mon", "Ines"), on("tue", "ines"), on("wed", "Leo"), on("thu", "leo"))


def test_runs_that_spell_a_name_otherwise_than_their_goals_make_a_tool() -> None:
    learner = learnt([*MIXED, *TOLD])
    (family,) = learner.families.values()
    assert len(family.traces) == 5
    assert len(learner.parse("have the desk of tom cleaned")) == 1


def test_it_is_found_out_later_for_runs_that_came_before() -> None:
    learner = learnt(MIXED)
    assert not learner.families
    learnt(TOLD, learner)
    assert [len(f.traces) for f in learner.families.values()] == [5]


def test_where_a_tool_cares_runs_are_left_as_they_are() -> None:
    runs = [
        clean(0, "ines", asked="Ines", sensitive=True),
        clean(1, "leo"),
        clean(2, "mara", asked="Mara", sensitive=True),
        clean(3, "ines"),
        clean(4, "leo", asked="Leo", sensitive=True),
    ]
    learner = learnt(runs)
    assert not learner.families


def test_a_tool_made_of_it_is_given_up_when_it_proves_wrong() -> None:
    learner = learnt([*MIXED, *TOLD])
    assert learner.families
    against = [look("Ada"), look("ada", found=[])]
    book = Step("log.add", {"text": "ada"}, "ok", False, Effect.WRITE)
    goal = "write ada into the log if nobody sits there"
    learnt([Trace(goal, (*against, book), "", Verdict.CONFIRMED, NOW, id="t9")], learner)
    assert not learner.families
    told = [step.arguments["who"] for g in learner.loose for t in g.traces for step in t.steps[:1]]
    assert sorted(told) == ["Ada", "Ines", "Leo", "Mara", "ines", "leo"]


def test_what_was_found_out_is_kept() -> None:
    learner = learnt([*MIXED, *TOLD])
    rest = json.loads(json.dumps(rest_json(learner)))
    families = {
        n: json.loads(json.dumps(family_json(f, learner.proofs[n])))
        for n, f in learner.families.items()
    }
    again = learner_from(rest, families, {t.id: t for t in [*MIXED, *TOLD]}, seconds=10)
    assert again.spellings.careless == learner.spellings.careless
    assert [f.traces for f in again.families.values()] == [
        f.traces for f in learner.families.values()
    ]


@given(st.lists(st.sampled_from(["Ines", "ines", "INES", "leo", "Leo", "tom", "Mara"]), max_size=9))
def test_a_run_is_only_ever_spelled_otherwise(names: Sequence[str]) -> None:
    spellings = Spellings()
    for name in names:
        spellings.add([look(name)])
    spellings.look()
    for k, name in enumerate(names):
        run = clean(k, name.lower(), asked=name)
        said = spellings.as_said(run)
        assert spellings.as_said(said) is said
        assert said.steps[0].arguments["who"].lower() == name.lower()
        assert said.steps[0].observation == run.steps[0].observation
        assert said.steps[1:] == run.steps[1:]
        if not spellings.careless:
            assert said is run


SAYINGS = {"ines": "shut the door", "leo": "mind the step", "mara": "call the shop"}


def advise(k: int, name: str, asked: str) -> Trace:
    """A run that writes what nothing explains."""
    note = {"desk": DESKS[name], "text": SAYINGS[name] + "!" * k}
    put = Step("note.put", note, "ok", False, Effect.WRITE)
    goal = f"leave a word on the desk of {name}"
    return Trace(goal, (look(asked), put), "", Verdict.CONFIRMED, NOW, id=f"w{k}")


def test_a_tool_that_leaves_a_value_open_does_not_outlive_what_it_rests_on_either() -> None:
    learner = learnt(
        [
            advise(0, "ines", "Ines"),
            advise(1, "leo", "leo"),
            advise(2, "mara", "Mara"),
            advise(3, "ines", "ines"),
            advise(4, "leo", "Leo"),
        ]
    )
    (name,) = learner.left_open.families
    against = (look("Ada"), look("ada", found=[]))
    put = Step("log.add", {"text": "ada"}, "ok", False, Effect.WRITE)
    odd = Trace("log ada", (*against, put), "", Verdict.CONFIRMED, NOW, id="t9")
    learnt([odd], learner)
    assert not learner.left_open.families
    assert name in learner.retired
