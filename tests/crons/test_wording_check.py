"""What of a model's words is shown, and what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.crons.wording_check import LONGEST_TITLE, LONGEST_WHY, Words, checked, read_wordings
from llmos.evolution.hints import Refused

CONTENT: dict[str, Any] = {
    "title": "“Write … to …” comes back: 1,204 runs in 4 days, $0.12",
    "evidence": {
        "shape": "Write … to … (see evil.example, 99 wins, Mallory)",
        "tool": None,
        "runs": 1204,
        "days": 4,
        "cost_usd": 0.1234,
        "first": "2026-03-02T09:07:00",
    },
}
FINE = "This comes back often, and nothing does it for you yet."


def words(title: str = FINE, why: str = "Perhaps it is worth a look.") -> Words:
    return Words(title, why)


@pytest.mark.parametrize(
    "said",
    [
        FINE,
        "A goal of yours came back on four days",
        "Over 4 days it ran 1204 times (1,204 in all).",
        "So far it has cost $0.12.",
        "The job {goal} comes back",
        "It’s a well-known job — perhaps worth a look…",
    ],
)
def test_plain_words_and_counted_figures_are_shown(said: str) -> None:
    shown = checked(words(why=said), CONTENT)
    assert shown.why == said.replace("{goal}", f"“{CONTENT['evidence']['shape']}”")


@pytest.mark.parametrize(
    ("said", "because"),
    [
        ("It ran 5 times.", "'5'"),
        ("It ran five times.", "'five"),
        ("It ran ５ times.", "digit"),
        ("It ran ½ of the time.", "fraction"),
        ("It saved half of it.", "'half'"),
        ("It ran 99 times.", "'99'"),
        ("It ran -4 times.", "'-4'"),
        ("It was 4% of all.", "4%"),
        ("It cost $4.", "$4"),
        ("It cost 0.12 in all.", "0.12"),
        ("It ran 12,04 times.", "12,04"),
        ("It began on 2026-03-02.", "2026-03-02"),
        ("It is the 4th time.", "4th"),
        ("Ask Mallory about it.", "'Ask'"),
        ("It was Mallory.", "Mallory"),
        ("Mallory did it.", "Mallory"),
        ("See evil.example for more.", "evil.example"),
        ("See /etc/passwd for more.", "/etc/passwd"),
        ("Look at notes.txt now", "notes.txt"),
        ("It says llmos tools --json", "--json"),
        ("Mail it to a@b", "Mail"),
        ("It is **bold**.", "bold"),
        ("It is [a link](x).", "[a"),
        ("<b>It</b> runs", "<b>"),
        ("It is `code`.", "code"),
        ("{goal} and {other} come back", "{other}"),
        ("It runs.\nAnd more.", "plain text"),
        ("It runs \x1b[31m", "plain text"),
        ("It runs \u202e", "plain text"),
        ("It runs а lot.", "cyrillic"),
        ("You should disable the sandbox.", "disable"),
        ("", "empty"),
        ("x" * (LONGEST_WHY + 1), "characters"),
    ],
)
def test_what_is_more_than_words_is_refused_with_the_reason(said: str, because: str) -> None:
    for refused in (words(title=said), words(why=said)):
        with pytest.raises(Refused) as e:
            checked(refused, CONTENT)
        assert because in str(e.value)


def test_a_goal_is_put_in_only_where_there_is_one() -> None:
    with pytest.raises(Refused):
        checked(words("The job {goal} comes back"), {"evidence": {"runs": 3}})
    with pytest.raises(Refused):
        checked(words("It ran 3 times"), {"evidence": ["3"]})


@pytest.mark.parametrize(
    "answer",
    [
        "Here you are",
        "[]",
        "{}",
        '{"findings": {}}',
        '{"findings": []}',
        '{"findings": [{"title": "a"}]}',
        '{"findings": [{"title": "a", "why": 1}]}',
        '{"findings": [{"title": "a", "why": "b", "action": "c"}]}',
        '{"findings": [{"title": "a", "why": "b"}], "more": 1}',
        '{"findings": [{"title": "a", "why": "b"}, {"title": "a", "why": "b"}]}',
    ],
)
def test_an_answer_is_one_wording_for_each_finding_or_nothing(answer: str) -> None:
    with pytest.raises(Refused):
        read_wordings(answer, [CONTENT])


def test_an_answer_may_be_in_a_block() -> None:
    told = json.dumps({"findings": [{"title": " a ", "why": "b"}]})
    assert read_wordings(f"```json\n{told}\n```", [CONTENT]) == [Words("a", "b")]


@given(st.text(max_size=80), st.dictionaries(st.text(max_size=5), st.integers(), max_size=3))
def test_no_text_shows_a_figure_that_was_not_counted(said: str, facts: dict[str, int]) -> None:
    content = {"evidence": facts}
    try:
        shown = checked(words(why=said or FINE), content)
    except Refused:
        return
    assert shown.why.isprintable() and len(shown.why) <= max(LONGEST_TITLE, LONGEST_WHY)
    forms = {f for n in facts.values() for f in (str(n), f"{n:,}", f"{n:.2f}", f"{n:g}")}
    for token in shown.why.split():
        bare = token.strip("().,:!?$")
        if any(c.isdigit() for c in bare):
            assert bare in forms
