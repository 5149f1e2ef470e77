"""Templates say what a goal means, or that they do not know."""

from __future__ import annotations

import json
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.evolution.slots import OPERATORS
from llmos.evolution.templates import Index, SlotSpec, Template, plain
from tests.evolution.goals import Told, template, together, told, wording


def slot(kind: str, *seen: str, name: str = "s") -> SlotSpec:
    return SlotSpec(name, kind, frozenset(seen))


def of(text: str, *slots: SlotSpec) -> Template:
    """A template written with ``_`` for each slot."""
    return Template(tuple(text.split("_")), slots)


# --- what may stand at a slot ------------------------------------------------------------------


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_free_text_does_not_swallow_an_operator_that_it_never_held(operator: str) -> None:
    names = slot("text", "alice", "bob the builder", "the other team")
    assert names.accepts("the blue team")
    assert not names.accepts(f"bob {operator} alice")
    assert not names.accepts(f"bob {operator.title().replace(chr(39), '’')}, alice")
    assert slot("text", f"you {operator} me").accepts(f"they {operator} us")


@pytest.mark.parametrize(
    "foreign",
    ["bob 5", "bob friday", "bob 3:30", "bob for 2 hours", "bob bob@example.com", "bob a/b.txt"],
)
def test_free_text_does_not_swallow_a_typed_piece_that_it_never_held(foreign: str) -> None:
    assert not slot("text", "alice", "bob the builder").accepts(foreign)
    assert slot("text", "the year 2024").accepts("the year 2025")
    assert not slot("text", "the year 2024").accepts("the year friday")


@pytest.mark.parametrize("foreign", ["a, b", "a; b", "a? b", "a (b)", 'a "b"', "a\nb", "a 'b c'"])
def test_free_text_does_not_swallow_punctuation_that_it_never_held(foreign: str) -> None:
    assert not slot("text", "alice", "bob the builder").accepts(foreign)


def test_free_text_of_single_words_takes_single_words_only() -> None:
    assert slot("text", "alice", "bob").accepts("carol")
    assert not slot("text", "alice", "bob").accepts("carol today again")
    assert not slot("text", "alice b").accepts(" ".join(["word"] * 7))
    assert not slot("text", "alice").accepts("x" * 10_000)


@pytest.mark.parametrize("kind", ["word", "polar"])
def test_words_that_make_a_difference_are_taken_only_if_seen(kind: str) -> None:
    assert slot(kind, "first", "more").accepts("first")
    assert not slot(kind, "first", "more").accepts("last")
    assert not slot(kind, "first", "more").accepts("First")


@pytest.mark.parametrize("kind", ["text", "word", "date", "number", "quote", "figure", "polar"])
def test_no_slot_is_empty(kind: str) -> None:
    assert not slot(kind, "x").accepts("")
    assert not slot(kind, "x").accepts("  ")


@given(st.frozensets(st.text(min_size=1)), st.text(), st.text(min_size=1))
def test_what_was_seen_more_never_takes_less(seen: frozenset[str], new: str, text: str) -> None:
    if SlotSpec("s", "text", seen).accepts(text):
        assert SlotSpec("s", "text", seen | {new}).accepts(text)


# --- matching ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "near"),
    [
        ("Delete the first 3 notes", "Delete the last 3 notes"),
        ("List notes of more than 3 lines", "List notes of less than 3 lines"),
        ("List notes from before friday", "List notes from after friday"),
        ("Send 'a' to bob", "Do not send 'a' to bob"),
        ("Send 'a' to bob", "Send 'a' not to bob"),
        ("Send 'a' to bob", "Send 'a' to not bob"),
        ("Send 'a' to bob", "Send 'a' to bob unless 'b'"),
        ("Send 'a' to bob", "Send 'a' to bob and 'b' to bob"),
        ("Send 'a' to bob", "Send 'a' to all except bob"),
        ("Send 'a' to bob", "Send 'a' not 'b' to bob"),
        ("Send 'a' to bob", "Send 'a' and 'b' to bob"),
        ('Send "a" to bob', 'Send "a" and "b" to bob'),
        ("Meet bob on May 3", "Meet bob on May 3 2024 at 5"),
        ("Meet bob in 2 hours", "Meet bob in 2"),
        ("Pay 5 to bob", "Pay -5% of 5 to bob"),
    ],
)
def test_a_near_miss_is_not_matched(one: str, near: str) -> None:
    known = template(one, name="bob")
    assert len(known.match(plain(one))) == 1
    assert known.match(plain(near)) == []


def test_a_typed_slot_holds_a_whole_piece_and_no_part_of_one() -> None:
    dated = of("meet _ _", slot("date", "May 3", name="a"), slot("number", "2", name="b"))
    assert dated.match("meet May 3 2") == [{"a": "May 3", "b": "2"}]
    assert dated.match("meet May 3 2024") == []
    assert of("pay _", slot("number", "5")).match("pay 3.50") == [{"s": "3.50"}]


@pytest.mark.parametrize("text", ["it's late", "the users' guide", "he said 'no' twice", r"a\nb"])
def test_a_quote_may_hold_marks_and_breaks_as_two_characters(text: str) -> None:
    quoted = of("say '_' now", slot("quote", "hi"))
    assert quoted.match(f"say '{text}' now") == [{"s": text}]


def test_an_ambiguous_goal_has_two_bindings() -> None:
    names = of("tell _ to _", slot("text", "a to b", name="a"), slot("text", "c to d", name="b"))
    assert names.match("tell x to y to z") == [
        {"a": "x", "b": "y to z"},
        {"a": "x to y", "b": "z"},
    ]
    assert len(names.match("tell a to b to c to d")) == 2


def test_a_slot_named_twice_says_the_same_twice() -> None:
    both = of("from _ to _", slot("number", "1"), slot("number", "1"))
    assert both.match("from 5 to 5") == [{"s": "5"}]
    assert both.match("from 5 to 6") == []


def test_the_initial_is_written_large_or_small_and_nothing_else() -> None:
    known = template("Übersetze 'a' für bob", name="bob")
    assert known.match(plain("übersetze 'a' für bob"))
    assert known.match(plain("Übersetze 'b' für bob"))
    assert not known.match(plain("ÜBERSETZE 'b' für bob"))
    assert template("İstanbul 5").match(plain("İstanbul 6"))


@given(told())
def test_a_template_matches_the_goal_it_was_induced_from(one: Told) -> None:
    known = wording(one).template()
    (bound,) = known.match(plain(one.goal))
    # The initial of a goal may be written large or small.
    said, again = plain(one.goal), together(known, bound)
    assert again[:1].lower() + again[1:] == said[:1].lower() + said[1:]


@given(told(), told())
def test_a_goal_has_at_most_two_bindings_that_put_it_together(one: Told, other: Told) -> None:
    goal = plain(other.goal)
    known = wording(one).template()
    bindings = known.match(goal)
    assert len(bindings) <= 2
    for bound in bindings:
        assert together(known, bound)[1:] == goal[1:]
        assert all(s.accepts(bound[s.name]) for s in known.slots)


@given(told())
def test_a_template_is_the_same_after_json(one: Told) -> None:
    known = wording(one).template()
    assert Template.from_json(json.loads(json.dumps(known.as_json()))) == known


@given(told())
def test_renamed_slots_bind_the_same(one: Told) -> None:
    known = wording(one).template()
    names = {s.name: f"new_{s.name}" for s in known.slots}
    (bound,) = known.match(plain(one.goal))
    assert known.renamed(names).match(plain(one.goal)) == [{names[k]: v for k, v in bound.items()}]


# --- bounds ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["text", "word", "any"])
@pytest.mark.parametrize("joint", [" ", "", "a", "'"])
def test_many_slots_on_a_long_goal_end_soon(kind: str, joint: str) -> None:
    seen = ("a", "a a", "a a a a a a a a a a a a")
    slots = [slot(kind, *seen, name=f"s{i}") for i in range(30)]
    known = Template(("do ", *[joint] * 29, " end!"), tuple(slots))
    for unit in ("a ", "a", "a'", "' "):
        began = time.perf_counter()
        assert len(known.match("do " + (unit * 100_000)[:100_000] + " end!")) in (0, 2)
        assert time.perf_counter() - began < 10


def test_a_goal_that_takes_too_long_to_tell_is_not_understood() -> None:
    slots = [slot("any", name=f"s{i % 2}") for i in range(12)]
    known = Template(("do ", *[" "] * 11, "!"), tuple(slots))
    goal = "do " + " ".join(map(str, range(40))) + "!"
    search = known.search(goal)
    assert not search.ended
    assert Index.of({"one": [known]}).parse(goal) == []


# --- the index ---------------------------------------------------------------------------------


def scan(filed: dict[str, list[Template]], goal: str) -> list[tuple[str, Template, dict[str, str]]]:
    text = plain(goal)
    return [(name, t, b) for name, several in filed.items() for t in several for b in t.match(text)]


@given(st.lists(told(), min_size=1, max_size=12), st.lists(told(), max_size=5))
def test_the_index_finds_what_a_scan_finds(known: list[Told], new: list[Told]) -> None:
    filed: dict[str, list[Template]] = {}
    for k, one in enumerate(known):
        filed.setdefault(f"tool-{k % 3}", []).append(wording(one).template())
    index = Index.of(filed)
    for one in [*known, *new]:
        for goal in (one.goal, one.goal.lower(), one.goal.upper(), f"  {one.goal}."):
            found, expected = index.parse(goal), scan(filed, goal)
            assert sorted(map(str, found)) == sorted(map(str, expected))


@pytest.mark.parametrize(
    "text", ["_", "_s notes", "a_", "notes of_ are_", "Delete _", "'_'", "(delete) _", "x", "_ _"]
)
def test_the_index_finds_templates_of_few_words(text: str) -> None:
    slots = [slot("any", name=f"s{i}") for i in range(text.count("_"))]
    filed = {"one": [of(text, *slots)]}
    index = Index.of(filed)
    goals = [text.replace("_", word) for word in ("b", "5", "'b c'", "é-é", "b's", "1s", "B")]
    for goal in [*goals, *(g[:1].upper() + g[1:] for g in goals)]:
        assert index.parse(goal) == scan(filed, goal)


def test_the_order_of_readings_does_not_depend_on_the_run() -> None:
    words = ["red", "green", "blue", "white", "black", "grey"]
    filed = {w: [of(f"paint _ {w}", slot("any"))] for w in words}
    readings = Index.of(filed).parse("paint " + " ".join(words))
    assert [name for name, _, _ in readings] == ["grey"]
    both = {w: [of(f"paint {w} _", slot("any")), of("paint _", slot("any"))] for w in words}
    assert [n for n, _, _ in Index.of(both).parse("paint blue 5")] == ["blue", *words]


def test_a_goal_is_looked_up_without_looking_at_every_template() -> None:
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefghij", k=5)) for _ in range(500)]
    filed = {
        f"tool-{k}": [of(f"do {' '.join(rng.sample(words, 3))} _", slot("number", "5"))]
        for k in range(5_000)
    }
    index = Index.of(filed)
    goals = [str(several[0]).replace("{s}", "7") for several in filed.values()][:200]
    began = time.perf_counter()
    for goal in goals:
        assert index.parse(goal)
    indexed = time.perf_counter() - began
    began = time.perf_counter()
    for goal in goals[:10]:
        scan(filed, goal)
    assert indexed / len(goals) < (time.perf_counter() - began) / 10 / 5


def test_a_goal_of_100_000_characters_is_looked_up_within_seconds() -> None:
    filed = {f"tool-{k}": [of(f"w{k} and w{k + 1} _ w{k + 2}", slot("any"))] for k in range(1_000)}
    goal = " ".join(f"w{k % 1_000} and" for k in range(15_000))
    began = time.perf_counter()
    Index.of(filed).parse(goal)
    assert time.perf_counter() - began < 10
