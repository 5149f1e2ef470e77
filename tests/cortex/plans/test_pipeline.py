"""Plans that people write: what a file means, and the line of what is wrong in one."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmos.cortex.plans.pipeline import pipeline, read_pipeline
from llmos.cortex.plans.plan import Part
from llmos.errors import UserError

WEEK = """---
goal: Prepare the week of '{team}'
---

# The week

## collect
List the open items of '{team}' in items.txt

## letter
after: collect
check: test -s letter.txt

Write a letter about items.txt, and {{collect}},
to letter.txt
"""


def test_headings_are_parts_and_the_lines_below_them_what_to_do() -> None:
    found = pipeline(WEEK, {"team": "alpha"})
    assert found.goal == "Prepare the week of 'alpha'"
    assert found.plan.parts == (
        Part("collect", "List the open items of 'alpha' in items.txt"),
        Part(
            "letter",
            "Write a letter about items.txt, and {{collect}},\nto letter.txt",
            ("collect",),
            check="test -s letter.txt",
        ),
    )


def test_several_may_be_waited_for() -> None:
    text = "---\ngoal: 'All'\n---\n## a\nA\n## b ##\nB\n## c\nafter: a, b\nC\n"
    found = pipeline(text, {})
    assert (found.goal, found.plan.parts[2].after) == ("All", ("a", "b"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("## a\nDo it", "does not begin with its goal"),
        ("---\n---\n## a\nDo it", "does not say what it is for"),
        ("---\ngoal: x\nname: y\n---\n## a\nDo it", "line 3: 'name: y'"),
        ("---\ngoal: x\n---\n", "has no parts"),
        ("---\ngoal: x\n---\nDo it\n## a\nDo it", "line 4: this is of no part"),
        ("---\ngoal: x\n---\n## a\n\n## b\nDo it", "line 4: part 'a' does not say"),
        ("---\ngoal: x\n---\n## a\nafter: b\nafter: c\nDo it", "line 6: 'after' stands here twice"),
        ("---\ngoal: x\n---\n## a\nGreet {who}", "line 5: no value is given for {who}"),
        ("---\ngoal: x {who}\n---\n## a\nDo it", "line 2: no value is given for {who}"),
        ("---\ngoal: x\n---\n## A B\nDo it", "line 4: the id 'A B'"),
        ("---\ngoal: x\n---\n## a\nafter: b\nDo it", "waits for 'b'"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(UserError) as e:
        pipeline(text, {}, "week.md")
    assert told in e.value.message


def test_a_value_for_nothing_is_a_mistake() -> None:
    with pytest.raises(UserError, match=r"has no \{tame\}"):
        pipeline(WEEK, {"team": "alpha", "tame": "x"})


def test_a_value_is_text_and_not_read_again() -> None:
    assert "'{x}'" in pipeline(WEEK, {"team": "{x}"}).goal


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.md").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot be read"):
        read_pipeline(tmp_path / "bad.md", {})
    with pytest.raises(UserError, match="cannot be read"):
        read_pipeline(tmp_path / "none.md", {})
