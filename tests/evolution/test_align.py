"""Goals of one wording come together, those of different ones never do."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.evolution.align import Wording, entities, mask, merge
from llmos.evolution.masking import leaves
from llmos.evolution.templates import plain
from llmos.values import Step
from tests.evolution.goals import Told, template, together, told, variants, wording, write


def slots(goal: str, *steps: Step, **phrases: str) -> list[tuple[str, str]]:
    """Kind and text of each slot of a goal."""
    phrases = {k.replace("_", " "): v for k, v in phrases.items()}
    masked = mask(goal, steps, phrases)
    return [(s.kind, masked.goal[s.start : s.end]) for s in masked.spans]


# --- the slots of one goal ---------------------------------------------------------------------


def test_typed_pieces_are_slots_without_any_step() -> None:
    assert slots("Book 2 hours after May 3 about 'plans'") == [
        ("duration", "2 hours"),
        ("polar", "after"),
        ("date", "May 3"),
        ("quote", "plans"),
    ]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("blue team", "Blue Team"),
        ("BLUE_TEAM", "Blue Team"),
        ("  blue team ", "Blue Team"),
        ("team", "Team"),
        ("tea", None),
        ("Blue Team plan 2", None),
        ("", None),
        ("_", None),
        ("__", None),
        ("_ team", None),
    ],
)
def test_what_came_back_as_an_argument_is_a_slot(value: str, found: str | None) -> None:
    expected = [("text", found)] if found else []
    assert slots("Tell Blue Team hello", write(to=value)) == expected


def test_arguments_are_found_in_lists_and_objects() -> None:
    step = Step("notes.write", {"to": [{"name": "alice"}, "bob"], "n": 3})
    assert slots("Tell alice and bob", step) == [("text", "alice"), ("text", "bob")]
    assert list(leaves({"a": [1, {"b": None}], "c": "x"})) == [1, None, "x"]


def test_a_longer_argument_swallows_the_typed_pieces_in_it() -> None:
    assert slots("Open report 5 of May 3", write(name="report 5 of May 3")) == [
        ("text", "report 5 of May 3")
    ]


def test_an_argument_between_marks_is_a_quote() -> None:
    assert slots("Say 'the users' guide' now", write(text="the users' guide")) == [
        ("quote", "the users' guide")
    ]


def test_text_that_repeats_another_slot_is_a_slot_of_its_own() -> None:
    assert slots("Tell bob that 'bob' is bob", write(to="bob")) == [
        ("text", "bob"),
        ("quote", "bob"),
        ("text", "bob"),
    ]


def test_a_line_break_in_an_argument_may_be_two_characters_in_the_goal() -> None:
    assert slots(r"Send Hi,\n\nbye to bob", write(text="Hi,\n\nbye")) == [("text", r"Hi,\n\nbye")]


def test_words_that_made_a_difference_elsewhere_are_slots() -> None:
    assert slots("Plot total visits", total_visits="word") == [("word", "total visits")]
    assert slots("Plot total visitsx", total_visits="word") == []
    assert slots("Plot 5", **{"5": "word"}) == [("number", "5")]


def test_a_document_has_no_slots() -> None:
    assert slots(" ".join(map(str, range(101)))) == []
    assert len(slots(" ".join(map(str, range(100))))) == 100


@given(told())
def test_slots_do_not_overlap_and_hold_no_space_at_their_ends(one: Told) -> None:
    masked = one.masked()
    for a, b in itertools.pairwise(masked.spans):
        assert a.end <= b.start
    for span in masked.spans:
        text = masked.goal[span.start : span.end]
        assert text and (span.kind == "quote" or text == text.strip())


@given(st.text(max_size=30), st.lists(st.text(max_size=8), max_size=3))
def test_any_goal_with_any_arguments_has_a_template_that_matches_it(
    goal: str, values: list[str]
) -> None:
    masked = mask(goal, [write(**{f"a{i}": v for i, v in enumerate(values)})])
    known = Wording(masked, [masked.goal]).template()
    (bound,) = known.match(plain(goal))
    assert together(known, bound).lower() == plain(goal).lower()


@given(st.lists(st.sampled_from([*"ab _-'\"\n5.", "\\n", "ab", "not", "May 3"]), max_size=20))
def test_arguments_cut_out_of_the_goal_have_a_template_that_matches_it(parts: list[str]) -> None:
    goal = "".join(parts)
    values = {f"a{i}": goal[i : i + 4] for i in range(0, len(goal), 3)}
    masked = mask(goal, [write(**values)])
    known = Wording(masked, [masked.goal]).template()
    assert len(known.match(plain(goal))) == 1


def test_entities_are_what_a_goal_says_of_each_argument() -> None:
    steps = [write(to="blue team", text="x" * 60, n="ab"), Step("notes.read", {"id": 7})]
    assert list(entities("Tell Blue Team ab " + "x" * 60, steps)) == [
        ("notes.write to", "Blue Team")
    ]


# --- several goals -----------------------------------------------------------------------------


def test_words_that_differ_become_a_slot_of_what_was_seen() -> None:
    known = template("Move the task to the review column", "Move the task to the done column")
    assert [(s.kind, s.seen) for s in known.slots] == [("word", {"review", "done"})]
    assert len(known.match("move the task to the done column")) == 1
    assert known.match("move the task to the other column") == []


def test_numbers_and_times_are_one_slot() -> None:
    known = template("Call bob at 11", "Call bob at 3:30", name="bob")
    assert [s.kind for s in known.slots] == ["text", "figure"]


def test_directions_are_taken_only_as_seen() -> None:
    known = template("Show the first 3 notes", "Show the last 3 notes")
    assert known.match("show the last 5 notes")
    assert not known.match("show the next 5 notes")
    assert not known.match("show the Last 5 notes")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Send 'a' to the board", "Do not send 'a' to the board"),
        ("Delete the old notes of the team", "Delete the old notes of the team now please"),
        ("Book a room", "Cancel all meetings"),
        ("one two three four five", "one two three six seven"),
        ("List a b c d e f g h i j", "List a b c d e f g h i j k"),
    ],
)
def test_goals_that_say_more_or_something_else_are_other_wordings(one: str, other: str) -> None:
    assert merge(mask(one, ()), mask(other, ())) is None
    first = mask(one, ())
    assert not Wording(first, [first.goal]).add(mask(other, ()))


def test_a_sealed_wording_makes_no_slot_of_words() -> None:
    first = mask("Move the task to the review column on friday", ())
    known = Wording(first, [first.goal])
    assert not known.add(mask("Move the task to the done column on friday", ()), sealed=True)
    assert known.add(mask("Move the task to the review column on monday", ()), sealed=True)


def test_a_goal_that_cannot_be_told_apart_is_its_own_template() -> None:
    goal = "Tell to a b to a b to"
    masked = mask(goal, [write(x="a b", y="to a b to")], {"a b to": "text"})
    known = Wording(masked, [masked.goal]).template()
    assert len(known.match(plain(goal))) == 1


@given(told(), told())
def test_a_merged_template_matches_both_or_there_is_none(one: Told, other: Told) -> None:
    first, second = one.masked(), other.masked()
    known = Wording(first, [first.goal])
    if known.add(second):
        assert known.goals == [first.goal, second.goal]
        assert all(len(known.template().match(g)) == 1 for g in known.goals)
    else:
        assert known == Wording(first, [first.goal])


@given(variants())
def test_a_merge_keeps_every_slot(goals: list[Told]) -> None:
    one = goals[0].masked()
    for other in goals[1:]:
        merged = merge(one, other.masked())
        if merged is not None:
            assert merged.goal == one.goal
            assert len(merged.tokens) <= len(one.tokens)
            for span in one.spans:
                assert any(s.start <= span.start and span.end <= s.end for s in merged.spans)


@given(told())
def test_a_goal_merged_with_itself_is_the_same(one: Told) -> None:
    masked = one.masked()
    assert merge(masked, masked) == masked


@given(variants())
def test_goals_added_in_any_order_are_all_kept(goals: list[Told]) -> None:
    for order in itertools.islice(itertools.permutations(goals), 6):
        kept: list[Wording] = []
        for one in order:
            masked = one.masked()
            if not any(w.add(masked) for w in kept):
                kept.append(Wording(masked, [masked.goal]))
        assert sum(len(w.goals) for w in kept) == len(goals)
        for one in goals:
            assert any(len(w.template().match(plain(one.goal))) == 1 for w in kept)
        for known in kept:
            found = known.template()
            for goal in known.goals:
                (bound,) = found.match(goal)
                assert together(found, bound)[1:] == goal[1:]


@given(variants())
def test_a_wording_says_what_was_seen_at_each_slot(goals: list[Told]) -> None:
    first = goals[0].masked()
    known = Wording(first, [first.goal])
    for one in goals[1:]:
        known.add(one.masked())
    found = known.template()
    bound = [found.match(g)[0] for g in known.goals]
    for slot in found.slots:
        assert slot.seen == {b[slot.name] for b in bound}


# --- bounds ------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["1 ", "a ", "ab 'c' ", "a a b ", "first x ", "'", "a.b "])
def test_goals_of_100_000_characters_are_masked_and_compared_within_seconds(unit: str) -> None:
    one = (unit * 100_000)[:100_000]
    steps = [write(a="a", b="a b", c=one[:50_000], d="1 1")]
    began = time.perf_counter()
    first, second = mask(one, steps), mask(one[:-9] + " end", steps)
    known = Wording(first, [first.goal])
    assert len(known.template().match(first.goal)) == 1
    known.add(second)
    known.add(first)
    assert time.perf_counter() - began < 20


@pytest.mark.parametrize("unit", [("a", "b"), ("a", "a", "b"), ("5", "a"), ("a",)])
def test_repetitive_goals_are_compared_within_seconds(unit: tuple[str, ...]) -> None:
    one = " ".join(itertools.islice(itertools.cycle(unit), 299))
    other = " ".join(reversed(one.split()))
    began = time.perf_counter()
    merge(mask(one, ()), mask(other, ()))
    merge(mask(f"a {one}", ()), mask(f"{one} b", ()))
    assert time.perf_counter() - began < 10


def test_many_known_phrases_do_not_slow_a_goal_down() -> None:
    phrases = {f"thing {i}": "text" for i in range(20_000)}
    began = time.perf_counter()
    assert slots("Open thing 7 now") == [("number", "7")]
    assert [s.kind for s in mask("Open thing 7 now", (), phrases).spans] == ["text"]
    assert time.perf_counter() - began < 1


def test_wording_is_the_same_however_often_a_goal_is_added() -> None:
    one = Told("Tell alice hello", (write(to="alice"),))
    assert wording(one, one, one).template() == wording(one).template()
