"""Which goals are given what was said before."""

from __future__ import annotations

import pytest

from llmos.surfaces.session import Session, refers_back
from llmos.values import Turn


@pytest.mark.parametrize(
    "goal",
    [
        "do it again",
        "Again!",
        "once more",
        "try again",
        "do that again please",
        "delete it",
        "now delete it",
        "and sort it",
        "please explain that",
        "explain this",
        "Fix that.",
        "Undo that",
        "undo",
        "delete that file",
        "run these tests again",
        "Do that for all files",
        "run it with python calc.py",
        "rename it to b.txt",
        "Put them into out.txt",
        "send it to bob",
        "Make it shorter",
        "it's too long",
        "that's wrong",
        "the same for bob",
        "do the same for bob",
        "what about bob?",
        "and now for bob?",
        "And for March?",
        "continue",
        "go on",
        "Why?",
        "What does it do?",
        "Is it correct?",
        "What did you mean by that?",
        "Tell me more about it",
        "Translate the last answer into French",
        "no, the other way",
    ],
)
def test_a_goal_that_only_makes_sense_after_another_refers_back(goal: str) -> None:
    assert refers_back(goal)


@pytest.mark.parametrize(
    "goal",
    [
        "Write a haiku to haiku.txt and print it",
        "Read data.csv and sort it",
        "Summarise sales.csv and mail it to bob",
        "Create a Python calculator and test it",
        "Fix the failing test and run it again",
        "Run the tests again",
        "Check that the tests pass",
        "Make sure that every test passes",
        "Remind me that the rent is due",
        "Rename all *.txt so that they end in .md",
        "Count the lines in this folder",
        "Clean up this repo",
        "What's the weather this week?",
        "Sort rows with the same name",
        "Write a script that prints its own source",
        "Find users who forgot their password",
        "Delete the file that bob made",
        "Print 'do it again'",
        'Write "that is it" to a.txt',
        "What is love?",
        "Compute 2+2",
        "Now write a file",
        "List files",
        "",
    ],
)
def test_a_goal_that_stands_for_itself_does_not(goal: str) -> None:
    assert not refers_back(goal)


def test_only_a_goal_that_refers_back_is_given_the_last_turns() -> None:
    session = Session(keep=2)
    assert session.turns_for("do it again") == ()
    said = [Turn(goal, f"{goal} done") for goal in ("first", "second", "third")]
    session.show(said)
    assert session.turns_for("List files") == ()
    assert session.turns_for("do it again") == (
        Turn("second", "second done"),
        Turn("third", "third done"),
    )
    session.show(said[:2])
    assert [t.goal for t in session.turns_for("do it again")] == ["first", "second"]
