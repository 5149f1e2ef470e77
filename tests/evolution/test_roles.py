"""Slots of several wordings are named alike where they are used alike."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llmos.evolution.roles import correspond, roles
from llmos.evolution.templates import SlotSpec, Template
from llmos.values import Effect, Step


def of(*slots: SlotSpec) -> Template:
    return Template((*(["x "] * len(slots)), " end"), slots)


def slot(name: str, kind: str, *seen: str) -> SlotSpec:
    return SlotSpec(name, kind, frozenset(seen))


def step(tool: str = "notes.write", **arguments: str) -> Step:
    effect = Effect.READ if tool.endswith("read") else Effect.WRITE
    return Step(tool, arguments, effect=effect)


def test_a_slot_is_named_after_the_argument_that_it_becomes() -> None:
    known = of(slot("s0", "text", "Blue Team"), slot("s1", "date", "friday"))
    bound = [{"s0": "Blue Team", "s1": "friday"}]
    runs = [[step(assigned_to="blue_team", due="2024-05-03")]]
    assert roles(known, bound, runs) == {"s0": "assigned_to", "s1": "date"}


def test_an_argument_of_few_runs_names_nothing() -> None:
    known = of(slot("s0", "text", "a1", "b1"))
    bound = [{"s0": "a1"}, {"s0": "b1"}]
    assert roles(known, bound, [[step(to="a1")], [step(to="other")]]) == {"s0": "word"}


def test_the_second_read_of_a_tool_gives_another_role() -> None:
    known = of(slot("s0", "text", "alice"), slot("s1", "text", "bob"))
    bound = [{"s0": "alice", "s1": "bob"}]
    runs = [[step("people.read", name="alice"), step("people.read", name="bob")]]
    assert roles(known, bound, runs) == {"s0": "name", "s1": "name1"}


def test_how_often_a_tool_wrote_before_gives_no_other_role() -> None:
    known = of(slot("s0", "text", "alice"))
    runs = [[step(to="alice")], [step(to="bob"), step(to="alice")]]
    assert roles(known, [{"s0": "alice"}] * 2, runs) == {"s0": "to"}


def test_directions_and_orders_are_told_apart() -> None:
    known = of(slot("s0", "polar", "more", "less"), slot("s1", "polar", "first"))
    found = roles(known, [{"s0": "more", "s1": "first"}], [[]])
    assert found == {"s0": "direction", "s1": "order"}


def test_a_role_is_given_once_even_if_an_argument_is_called_like_a_number_two() -> None:
    known = of(*(slot(f"s{i}", "text", v) for i, v in enumerate(["aa", "aa", "bb"])))
    bound = [{"s0": "aa", "s1": "aa", "s2": "bb"}]
    found = roles(known, bound, [[step(name="aa", name_2="bb")]])
    assert found == {"s0": "name", "s1": "name_2", "s2": "name_2_2"}


@given(
    st.lists(st.sampled_from(["aa", "bb", "5", "May 3"]), min_size=1, max_size=8),
    st.dictionaries(st.sampled_from(["to", "to_2", "to_2_2", "date", "word"]), st.just("aa")),
)
def test_every_slot_has_a_role_of_its_own(values: list[str], arguments: dict[str, str]) -> None:
    known = of(*(slot(f"s{i}", "text", v) for i, v in enumerate(values)))
    bound = {f"s{i}": v for i, v in enumerate(values)}
    found = roles(known, [bound], [[step(**arguments)]])
    assert found.keys() == bound.keys()
    assert len(set(found.values())) == len(values)


def test_more_than_a_hundred_slots_of_one_role_are_named() -> None:
    known = of(*(slot(f"s{i}", "number", "5") for i in range(150)))
    found = roles(known, [{f"s{i}": "5" for i in range(150)}], [[]])
    assert len(set(found.values())) == 150
    assert correspond(dict.fromkeys(()), known, found) is None


# --- another wording ---------------------------------------------------------------------------

FAMILY = {
    "to": slot("to", "text", "alice"),
    "date": slot("date", "date", "friday"),
    "number": slot("number", "time", "3:30"),
}


def test_slots_of_the_same_role_correspond() -> None:
    other = of(slot("s0", "date", "monday"), slot("s1", "text", "bob"), slot("s2", "number", "11"))
    own = {"s0": "date", "s1": "to", "s2": "number"}
    assert correspond(FAMILY, other, own) == own


def test_slots_of_one_kind_correspond_where_the_role_is_not_known() -> None:
    other = of(slot("s0", "date", "monday"), slot("s1", "text", "bob"), slot("s2", "number", "11"))
    own = {"s0": "due", "s1": "to", "s2": "number"}
    assert correspond(FAMILY, other, own) == {"s0": "date", "s1": "to", "s2": "number"}


def test_open_slots_of_another_role_correspond_only_by_a_value_in_common() -> None:
    family = {"to": slot("to", "text", "Alice"), "date": slot("date", "date", "friday")}
    dated = slot("s1", "date", "monday")
    own = {"s0": "owner", "s1": "date"}
    both = of(slot("s0", "text", "alice"), dated)
    assert correspond(family, both, own) == {"s0": "to", "s1": "date"}
    assert correspond(family, of(slot("s0", "text", "bob"), dated), own) is None


def test_wordings_with_too_few_slots_in_common_do_not_correspond() -> None:
    other = of(slot("s0", "date", "monday"))
    assert correspond(FAMILY, other, {"s0": "date"}) is None
    quotes = of(*(slot(f"s{i}", "quote", "a") for i in range(3)))
    assert correspond(FAMILY, quotes, {f"s{i}": f"quote_{i}" for i in range(3)}) is None


def test_a_slot_that_the_family_does_not_have_gets_a_name_of_its_own() -> None:
    other = of(
        slot("s0", "date", "monday"),
        slot("s1", "text", "bob"),
        slot("s2", "number", "11"),
        slot("s3", "quote", "hi"),
    )
    own = {"s0": "date", "s1": "to", "s2": "number", "s3": "date_2"}
    assert correspond(FAMILY, other, own) == own
    own["s3"] = "number"
    assert correspond(FAMILY, other, own) == {**own, "s3": "number_2"}


KINDS = st.sampled_from(["text", "date", "number", "time", "quote", "word", "polar"])
ROLES = st.sampled_from(["to", "to_2", "date", "number", "quote"])


@given(st.dictionaries(ROLES, KINDS, min_size=1), st.lists(st.tuples(ROLES, KINDS), max_size=6))
def test_no_two_slots_get_one_name(known: dict[str, str], own: list[tuple[str, str]]) -> None:
    family = {name: slot(name, kind, "a") for name, kind in known.items()}
    other = of(*(slot(f"s{i}", kind, "a") for i, (_, kind) in enumerate(own)))
    names = correspond(family, other, {f"s{i}": role for i, (role, _) in enumerate(own)})
    if names is not None:
        assert names.keys() == {s.name for s in other.slots}
        assert len(set(names.values())) == len(names)
