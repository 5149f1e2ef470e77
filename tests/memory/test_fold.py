"""Which goals are the same: when in doubt, they are not."""

from __future__ import annotations

import string
from itertools import product

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from llmos.memory.fold import fold, goal_key

# The characters that folding looks at, and some neighbours of other kinds.
TRICKY = st.text(st.sampled_from(" \t\n\u00a0aZ5_-.,?!/\\'’\"`“”«»‘()=İßẞǅ\u0301é中"), max_size=30)
ANY = st.text(max_size=60)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Create a file", "create a file"),
        ("Create a file.", "Create a file"),
        ("Create a file!", "Create a file"),
        ("What is in it?", "What is in it"),
        ("  Create a file \n", "Create a file"),
        ("Create  a\tfile", "Create a file"),
        ("Create\u00a0a\u00a0file", "Create a file"),
        ("Create.", "create"),
        ("Re-run the tests", "re-run the tests"),
        ("Überprüfe das", "überprüfe das"),
        ("Don't  touch  it", "don't touch it"),
        ("Don’t  touch  it", "don’t touch it"),
        ("It's Bob's  file", "it's Bob's file"),
        ('Copy  "a"  to  "b"', 'Copy "a" to "b"'),
        ("Write 'a b'  and   `c d`.", "write 'a b' and `c d`"),
        ("Make it 'Bob's  file'  now", "make it 'Bob's  file' now"),
        ('Say (“a”,  "b")', 'say (“a”, "b")'),
    ],
)
def test_a_goal_may_be_typed_a_little_differently(one: str, other: str) -> None:
    assert fold(one) == fold(other)
    assert goal_key(one) == goal_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("grep -V x", "grep -v x"),
        ("tell US about it", "tell us about it"),
        ("US sales", "us sales"),
        ("iPhone sales", "IPhone sales"),
        ("X marks it", "x marks it"),
        ("A is b", "a is b"),
        ("Set x = -5", "Set x = 5"),
        ("Set x = 5", "Set x = 50"),
        ("Set x = 1.0", "Set x = 10"),
        ("Compute 5!", "Compute 5"),
        ("Compute n!", "Compute n"),
        ("Go to ..", "Go to ."),
        ("Go to ..", "Go to"),
        ("Copy it to .", "Copy it to"),
        ("List src/.", "List src/"),
        ("Wait...", "Wait.."),
        ("Wait...", "Wait"),
        ("echo $?", "echo $"),
        ("Delete logs/app?", "Delete logs/app"),
        ("Delete *.tx?", "Delete *.tx"),
        ("Delete a/b!", "Delete a/b"),
        ("Readme.md: mend it", "readme.md: mend it"),
        ("Src/a is wrong", "src/a is wrong"),
        ("File2 is wrong", "file2 is wrong"),
        ("Run_it is wrong", "run_it is wrong"),
        ("Key=5 is wrong", "key=5 is wrong"),
        ("delete file A", "delete file a"),
        ("a b", "ab"),
        ("say hello, bob", "say hello bob"),
    ],
)
def test_goals_that_mean_something_else_stay_apart(one: str, other: str) -> None:
    assert fold(one) != fold(other)
    assert goal_key(one) != goal_key(other)


@pytest.mark.parametrize(
    "goal",
    [
        'Write "a@b" to f',
        "Write 'a@b' to f",
        "Write `a@b` to f",
        "Write “a@b” to f",
        "Write «a@b» to f",
        "Write ‘a@b’ to f",
        "Schreib „a@b“ nach f",
        "Schreib ‚a@b‘ nach f",
        "Schreib »a@b« nach f",
        "「a@b」と書く",
        "Write ```\na@b\n``` to f",
        "print r'a@b' now",
        "print'a@b'",
        "Don't print r'a@b'",
        "grep -e'foo@bar' x",
        'Buy a 5" pipe called "two@words"',
        'Buy 5" and 6" pipes called "two@words"',
        "Call it 'Bob's a@b' now",
        'Say "he said \\"a@b\\"" now',
        'Say "a@b',
        "Say 'a@b",
        "the users' list and 'a@b'",
    ],
)
def test_whitespace_in_quotes_counts(goal: str) -> None:
    variants = [goal.replace("@", space) for space in (" ", "  ", "\t", "\n", "")]
    assert len({fold(v) for v in variants}) == len(variants)


def test_a_quote_that_is_not_closed_reaches_to_the_end() -> None:
    assert fold('say  it:  "a  b.') == 'say it: "a  b.'


@given(st.one_of(TRICKY, ANY))
@example("'-'")
@example("Ǆx y")
@example('A "b.')
def test_folding_twice_changes_nothing_more(goal: str) -> None:
    assert fold(fold(goal)) == fold(goal)


@given(st.one_of(TRICKY, ANY))
def test_folding_changes_nothing_but_whitespace_one_letter_and_one_mark(goal: str) -> None:
    def bare(text: str) -> str:
        return "".join(text.split())

    before, after = bare(goal), bare(fold(goal))
    assert len(before) - len(after) in (0, 1)
    if len(after) < len(before):
        assert before[-1] in ".?!"
    assert before[1 : len(after)] == after[1:]
    assert before[:1] == after[:1] or before[0].lower() == after[0]


VISIBLE = st.characters(exclude_categories=["Z", "C"])


@given(TRICKY, VISIBLE, VISIBLE, TRICKY)
def test_another_letter_in_the_middle_is_another_goal(
    before: str, one: str, other: str, after: str
) -> None:
    assume(one != other)
    assert fold(f"do{before}{one}{after}it") != fold(f"do{before}{other}{after}it")


WORD = st.text(string.ascii_letters + string.digits, min_size=1, max_size=5)
QUOTES = st.sampled_from(['""', "''", "``", "“”", "«»", "‘’"])


@given(TRICKY, QUOTES, WORD, WORD, TRICKY)
def test_what_is_quoted_is_kept_whatever_stands_around_it(
    before: str, quotes: str, first: str, last: str, after: str
) -> None:
    one, two = (f"{before} {quotes[0]}{first}{gap}{last}{quotes[1]} {after}" for gap in (" ", "  "))
    assert fold(one) != fold(two)


def test_no_two_short_texts_with_one_space_more_in_quotes_are_equal() -> None:
    # Every text of up to seven of these; the doubled space is surely quoted in "a  a".
    for length in range(4):
        for around in product("a \"'", repeat=length):
            text = "".join(around)
            assert fold(f'{text}"a  a"') != fold(f'{text}"a a"')
            assert fold(f' "a  a"{text}') != fold(f' "a a"{text}')


@pytest.mark.parametrize(
    "text", ["“" * 50_000, "'a" * 50_000, "('a" * 30_000, "-a" * 50_000, "x " * 50_000 + "'"]
)
@pytest.mark.timeout(10)
def test_a_long_goal_is_folded_in_linear_time(text: str) -> None:
    assert fold(text)
    assert len(goal_key(text)) == 64


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Remove these lines:\na b\nc", "Remove these lines:\na\nb c"),
        ("Run if x:\n    y()\nz()", "Run if x:\n    y()\n    z()"),
        ("Write a \nb", "Write a b"),
    ],
)
def test_line_breaks_inside_a_goal_count(one: str, other: str) -> None:
    assert fold(one) != fold(other)
