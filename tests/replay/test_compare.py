"""Two observations tell the same, or the replay stops; fresh ids stand for old ones, no more."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.plugins import Tool, tool, tool_of
from llmos.replay.compare import Mismatch, Renames, compare
from llmos.values import Json


def make(ids: tuple[str, ...] = (), compare: Any = None) -> Tool:
    @tool(effects="write", ids=ids, compare=compare)
    def act() -> str:
        """Do something."""
        return ""

    return tool_of(act)


PLAIN = make()
IDS = make(("id", "ids"))
WHOLE = make(("$",))


def renamed(*pairs: tuple[Json, Json]) -> Renames:
    renames = Renames()
    for old, new in pairs:
        renames.add(old, new, "here")
    return renames


def same(recorded: Json, live: Json, tool: Tool = PLAIN, fresh: bool = True) -> bool:
    try:
        compare(tool, recorded, live, Renames(), fresh=fresh)
    except Mismatch:
        return False
    return True


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.text("ab1", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("kl", max_size=2), inner),
    max_leaves=8,
)

# --- equality -------------------------------------------------------------------------------


@given(JSON, JSON)
def test_without_declared_ids_only_equal_json_tells_the_same(one: Json, other: Json) -> None:
    expected = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert same(one, other) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [(True, 1), (1, 1.0), (0, False), (None, False), ("1", 1), ("", None), ([], {}), (0.0, 0)],
)
def test_types_that_python_takes_for_equal_are_different(one: Json, other: Json) -> None:
    assert not same(one, other)
    assert not same({"a": [one]}, {"a": [other]})
    assert not same({"id": one}, {"id": other}, IDS)
    assert not same(one, other, WHOLE)


def test_the_order_of_keys_does_not_matter_that_of_items_does() -> None:
    assert same({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1})
    assert not same([1, 2], [2, 1])


@pytest.mark.parametrize(
    ("one", "other", "where"),
    [
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, r"result\.a\.b\[1\]: '3', not '2'"),
        ({"a": 1}, {"a": 1, "b": 2}, r"result: other fields \(b\)"),
        ({"a": [1]}, {"a": []}, r"result\.a: 0 items, not 1"),
        ("x" * 500 + "a", "x" * 500 + "b", "…"),
    ],
)
def test_a_mismatch_says_where(one: Json, other: Json, where: str) -> None:
    with pytest.raises(Mismatch, match=where) as e:
        compare(PLAIN, one, other, Renames(), fresh=True)
    assert len(str(e.value)) < 400


def test_a_tools_own_comparison_decides() -> None:
    loose = make(compare=lambda recorded, live: recorded["n"] == live["n"])
    assert same({"n": 1, "at": "a"}, {"n": 1, "at": "b"}, loose)
    assert not same({"n": 1}, {"n": 2}, loose)


# --- fresh ids ------------------------------------------------------------------------------


def test_a_write_may_make_up_ids_at_declared_fields() -> None:
    renames = Renames()
    compare(IDS, {"id": "ev_1", "t": "x"}, {"id": "ev_2", "t": "x"}, renames, fresh=True)
    assert renames.apply({"id": "ev_1", "note": "see ev_1"}, ("id",)) == {
        "id": "ev_2",
        "note": "see ev_2",
    }


def test_a_read_may_not() -> None:
    assert not same({"id": "ev_1"}, {"id": "ev_2"}, IDS, fresh=False)


def test_a_write_may_not_at_other_fields() -> None:
    assert not same({"key": "ev_1"}, {"key": "ev_2"}, IDS)
    assert not same("ev_1", "ev_2", IDS)


def test_a_result_may_be_an_id_as_a_whole() -> None:
    renames = Renames()
    compare(WHOLE, "ev_1", "ev_2", renames, fresh=True)
    compare(WHOLE, ["ev_3"], ["ev_4"], renames, fresh=True)
    assert renames.apply("ev_1 ev_3", ()) == "ev_2 ev_4"
    assert not same({"x": "ev_1"}, {"x": "ev_2"}, WHOLE)


def test_ids_are_learnt_in_lists_and_below_other_fields() -> None:
    renames = Renames()
    compare(
        IDS,
        {"ids": ["a_1", "b_1"], "made": [{"id": 11}, {"id": 12}]},
        {"ids": ["a_2", "b_2"], "made": [{"id": 21}, {"id": 22}]},
        renames,
        fresh=True,
    )
    assert renames.apply(["a_1", "b_1"], ()) == ["a_2", "b_2"]
    assert renames.apply({"ids": [12, 11]}, ("ids",)) == {"ids": [22, 21]}


def test_ids_are_learnt_under_a_tools_own_comparison_too() -> None:
    def without_time(recorded: Json, live: Json) -> bool:
        return bool({**recorded, "at": 0} == {**live, "at": 0})

    renames = Renames()
    loose = make(("id",), without_time)
    compare(loose, {"id": "ev_1", "at": 5}, {"id": "ev_2", "at": 6}, renames, fresh=True)
    assert renames.apply("ev_1", ()) == "ev_2"


def test_what_was_learnt_holds_in_later_results() -> None:
    renames = renamed(("ev_1", "ev_2"))
    compare(PLAIN, {"list": ["ev_1"]}, {"list": ["ev_2"]}, renames, fresh=False)
    with pytest.raises(Mismatch):
        compare(PLAIN, {"list": ["ev_1"]}, {"list": ["ev_1"]}, renames, fresh=False)


@pytest.mark.parametrize(("old", "new"), [("a_1", 7), (True, False), (1.5, 2.5), (None, "a_1")])
def test_what_cannot_be_an_id_is_none(old: Json, new: Json) -> None:
    assert not same({"id": old}, {"id": new}, IDS)


def test_an_empty_id_is_none() -> None:
    renames = Renames()
    with pytest.raises(Mismatch):
        compare(IDS, {"id": ""}, {"id": "ev_2"}, renames, fresh=True)
    assert renames.apply("some text", ()) == "some text"


# --- one to one -----------------------------------------------------------------------------


def test_one_id_cannot_become_two() -> None:
    renames = renamed(("a_1", "a_2"))
    with pytest.raises(Mismatch, match="both"):
        renames.add("a_1", "a_3", "here")


def test_two_ids_cannot_become_one() -> None:
    renames = renamed(("a_1", "a_2"))
    with pytest.raises(Mismatch, match="both"):
        renames.add("b_1", "a_2", "here")


def test_an_id_that_stayed_the_same_is_taken() -> None:
    # Recorded were two events; now the second call gave the first one again.
    renames = Renames()
    compare(IDS, {"id": "ev_1"}, {"id": "ev_2"}, renames, fresh=True)
    with pytest.raises(Mismatch):
        compare(IDS, {"id": "ev_2"}, {"id": "ev_2"}, renames, fresh=True)


def test_ids_that_stay_the_same_rename_nothing() -> None:
    renames = Renames()
    compare(IDS, {"id": "ev_1"}, {"id": "ev_1"}, renames, fresh=True)
    assert not renames
    compare(IDS, {"id": "ev_2"}, {"id": "ev_3"}, renames, fresh=True)
    assert renames


def test_a_number_and_its_text_are_one_id() -> None:
    renames = renamed((1001, 2002), ("1001", "2002"))
    assert renames.apply({"id": 1001, "ids": ["1001"]}, ("id", "ids")) == {
        "id": 2002,
        "ids": ["2002"],
    }


def test_ids_that_move_up_by_one_are_not_renamed_twice() -> None:
    renames = renamed(("task-101", "task-102"), ("task-102", "task-103"))
    assert renames.apply("task-101, then task-102", ()) == "task-102, then task-103"


def test_ids_that_change_places_do_so() -> None:
    renames = renamed(("a_1", "b_1"), ("b_1", "a_1"))
    assert renames.apply(["a_1", "b_1", "a_1 b_1"], ()) == ["b_1", "a_1", "b_1 a_1"]


ID = st.from_regex(r"[a-z]{2}_[0-9]{1,3}", fullmatch=True)
BIJECTION = st.lists(st.tuples(ID, ID), unique_by=(lambda p: p[0], lambda p: p[1]), max_size=6)


@given(BIJECTION, st.lists(ID | st.sampled_from([" ", ", ", "/", '"', "(", "x-", "1"]), max_size=8))
def test_renaming_forth_and_back_changes_nothing(
    pairs: list[tuple[str, str]], parts: list[str]
) -> None:
    there = renamed(*pairs)
    back = renamed(*((new, old) for old, new in pairs))
    # Where no fresh id was in the text before.
    text = "".join(p for p in parts if p not in {new for _, new in pairs} - {o for o, _ in pairs})
    assert back.apply(there.apply(text, ()), ()) == text


# --- where ids are renamed ------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "ev_10",
        "ev_1a",
        "xev_1",
        "my-ev_1",
        "ev_1-old",
        "EV_1",
        "ev 1",
    ],
)
def test_an_id_within_another_word_is_left(text: str) -> None:
    assert renamed(("ev_1", "ev_2")).apply(text, ()) == text


@pytest.mark.parametrize(
    "text", ["@", "see @.", "@, @; @", "/items/@/x", '{"id":"@"}', "@.json", "#@", "(@)", "a=@&b"]
)
def test_a_whole_token_is_renamed(text: str) -> None:
    renames = renamed(("ev_1", "ev_2"))
    assert renames.apply(text.replace("@", "ev_1"), ()) == text.replace("@", "ev_2")


def test_an_id_with_special_characters_is_taken_literally() -> None:
    renames = renamed(("a.b*", r"\1"))
    assert renames.apply("a.b* axb*", ()) == r"\1 axb*"


@pytest.mark.parametrize("old", [5, "5", "-5", "12345", "a", "inbox"])
def test_a_small_number_or_a_common_word_is_renamed_at_id_fields_only(old: Json) -> None:
    renames = renamed((old, "zz_9"))
    assert renames.apply({"id": str(old), "n": str(old)}, ("id",)) == {"id": "zz_9", "n": str(old)}
    assert renames.apply(f"take {old} of them", ()) == f"take {old} of them"
    assert renames.apply({"n": 5}, ("id",)) == {"n": 5}


def test_a_large_number_is_renamed_as_a_whole() -> None:
    renames = renamed((1234567, 7654321))
    assert renames.apply({"n": 1234567, "t": "of 1234567."}, ()) == {
        "n": 7654321,
        "t": "of 7654321.",
    }
    for text in ("12345678", "1234567.89", "0.1234567", "x1234567"):
        assert renames.apply(text, ()) == text


def test_truth_values_and_keys_are_never_renamed() -> None:
    renames = renamed(("True", "zz_1"), ("ev_1", "ev_2"), (1, 2))
    assert renames.apply({"id": True, "ev_1": 1.0}, ("id",)) == {"id": True, "ev_1": 1.0}


@given(JSON)
def test_without_renames_nothing_changes(value: Json) -> None:
    assert Renames().apply(value, ("id",)) is value
    assert renamed(("ev_1", "ev_1")).apply(value, ("id",)) is value


# --- what is left ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [{"n": 5}, {"t": "close 5"}, {"t": ["#5"]}, {"deep": {"n": [5]}}]
)
def test_an_old_id_that_may_not_be_renamed_is_told(arguments: Json) -> None:
    assert renamed((5, 7)).doubt(arguments, ("id",)) == "5"


@pytest.mark.parametrize(
    "arguments", [{"id": 5}, {"id": [5]}, {"n": 51}, {"t": "15 or 5.5"}, {"n": True}, {}]
)
def test_what_is_renamed_or_another_number_is_no_old_id(arguments: Json) -> None:
    assert renamed((5, 7)).doubt(arguments, ("id",)) is None


def test_an_id_that_stayed_or_is_renamed_everywhere_leaves_no_doubt() -> None:
    assert renamed((5, 5), ("ev_1", "ev_2")).doubt({"n": 5, "t": "ev_1"}, ("id",)) is None
