"""Which wordings may ask for the same thing."""

from __future__ import annotations

import pytest

from llmos.evolution.akin import akin, likeness
from llmos.evolution.group import Group
from llmos.values import Effect, Step, Trace


def look(**arguments: str) -> Step:
    return Step("boxes.find", arguments, effect=Effect.READ)


def act(tool: str = "boxes.move", **arguments: str) -> Step:
    return Step(tool, arguments, effect=Effect.WRITE)


def group(goal: str, *steps: Step) -> Group:
    return Group.of(Trace(goal, steps))


MOVE = "If the box of Alice is too heavy, move it to the cellar and write a label for her"


def test_a_run_that_had_nothing_to_do_is_of_the_same_wording_in_other_words() -> None:
    acted = group(MOVE, look(owner="alice"), act(to="cellar"), act("labels.write", name="alice"))
    idle = group(
        "Check whether the box of Bob is too heavy: if so, move it to the cellar and write a label",
        look(owner="bob"),
    )
    assert akin(acted, idle) and akin(idle, acted)
    assert likeness(acted, acted) == 1.0


def test_a_word_that_is_an_argument_of_one_run_alone_is_a_word_of_both() -> None:
    acted = group(MOVE, look(owner="alice"), act(to="cellar"))
    (slot,) = [s for s in acted.template.slots if "cellar" in s.seen]
    idle = group(MOVE.replace("Alice", "Bob"), look(owner="bob"))
    assert slot.kind == "text" and "cellar" in str(idle.template)
    assert likeness(acted, idle) == 1.0


@pytest.mark.parametrize(
    "other",
    [
        "If the box of Alice is too heavy, paint a warning in red letters on every side of the lid",
        "Move the box of Alice to the cellar and write a label for her",
        "Send a letter",
    ],
)
def test_other_words_and_the_lack_of_a_condition_ask_for_something_else(other: str) -> None:
    acted = group(MOVE, look(owner="alice"), act(to="cellar"))
    assert not akin(acted, group(other, look(owner="alice"), act(to="cellar")))


def test_the_same_words_with_other_calls_ask_for_something_else() -> None:
    one = group("Move the box of Alice", look(owner="alice"), act(to="cellar"))
    two = group("Move the box of Bob", act("letters.send", name="bob"))
    assert not akin(one, two)


def test_a_mark_makes_a_slot_of_a_word_that_stands_there_once_and_can_be_taken_back() -> None:
    idle = group(MOVE.replace("Alice", "Bob"), look(owner="bob"))
    before, shown = idle.wording, str(idle.template)
    assert not idle.mark("attic", "text")
    assert idle.mark("cellar", "text")
    assert "cellar" not in str(idle.template)
    assert [b for b in idle.bound() if "cellar" in b.values()]
    idle.unmark(before)
    assert str(idle.template) == shown
    assert not group("Move box to box", act()).mark("box", "text")


def test_a_question_whose_runs_changed_nothing_asks_for_something_else() -> None:
    moved = group("Move the heaviest box of Alice", look(owner="alice"), act(to="cellar"))
    asked = group("Which is the heaviest box of Bob?", look(owner="bob"))
    assert not akin(moved, asked)
