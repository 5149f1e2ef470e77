"""The warehouse: oracles and experts agree, worlds differ, tools refuse."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest

from bench.depot.goals import (
    FAMILIES,
    Goal,
    drawn,
    is_right,
    near_misses,
    outcome,
    recorded,
    retold,
    truth,
)
from bench.depot.plugins import TOOLS, call, make_plugins
from bench.depot.plugins import WorldRef as Ref
from bench.depot.protocol import Plan, run_seed
from bench.depot.world import NOW, World, make_world, same_state
from llmos.plugins import tool_of

SEEDS = range(4)
EACH = 6


@cache
def world(seed: int) -> World:
    return make_world(seed)


@cache
def goals(seed: int) -> Sequence[Goal]:
    return drawn(world(seed), EACH, seed)


def replayed(goal: Goal, on: World) -> tuple[World, str]:
    after, trace = on.fresh(), recorded(goal, on)
    for step in trace.steps:
        assert call(after, step.tool, step.arguments).observation == step.observation
    return after, trace.output


@pytest.mark.parametrize("seed", SEEDS)
def test_experts_do_what_oracles_say(seed: int) -> None:
    for goal in goals(seed):
        right = truth(goal, world(seed))
        assert right is not None
        after, output = replayed(goal, world(seed))
        assert is_right(outcome(right, world(seed)), after.state(), output, goal.text), goal


def test_experts_do_what_oracles_say_in_another_world_at_another_time() -> None:
    other = make_world(9, NOW.replace(month=7, hour=5))
    again = retold(goals(0), other)
    assert len(again) > len(goals(0)) / 4
    for goal in again:
        right = truth(goal, other)
        assert right is not None
        after, output = replayed(goal, other)
        assert is_right(outcome(right, other), after.state(), output, goal.text), goal


@pytest.mark.parametrize("seed", SEEDS)
def test_every_family_has_its_goals_and_no_text_is_there_twice(seed: int) -> None:
    texts = [goal.text for goal in goals(seed)]
    assert len(set(texts)) == len(texts) == EACH * len(FAMILIES)


def test_reads_come_first_and_only_writes_change_the_world() -> None:
    for goal in goals(1):
        right = truth(goal, world(1))
        assert right is not None
        writes = [step for step in recorded(goal, world(1)).steps if step.effect.writes]
        assert len(writes) == len(right.calls)


def test_kinds_are_told_in_docstrings() -> None:
    kinds = {family.kind for family in FAMILIES.values()}
    assert kinds == {"Straight", "Computed", "Branch", "Loop", "Aggregate", "Question"}


def test_a_seed_is_a_world() -> None:
    assert same_state(make_world(3).state(), make_world(3).state())
    assert not same_state(make_world(3).state(), make_world(4).state())
    assert not same_state(make_world(3).state(), make_world(3, NOW.replace(month=5)).state())


def test_what_is_done_leaves_the_world_that_a_fresh_one_is_made_from() -> None:
    used = world(0).fresh()
    call(used, "orders.set_status", {"order_id": "O-1001", "status": "packed"})
    call(used, "mail.send", {"to": ["a@b.example"], "subject": "s", "body": "b"})
    assert not same_state(used.state(), world(0).state())
    assert same_state(used.fresh().state(), world(0).state())


def test_the_order_of_mails_is_nobodys_wish() -> None:
    first, second = world(0).fresh(), world(0).fresh()
    mails = [{"to": [f"{x}@b.example"], "subject": x, "body": x} for x in "ab"]
    for mail in mails:
        call(first, "mail.send", mail)
    for mail in reversed(mails):
        call(second, "mail.send", mail)
    assert same_state(first.state(), second.state())


def test_near_misses_ask_for_something_else() -> None:
    for miss in near_misses(goals(2), world(2), 1):
        same = same_state(miss.original.state, miss.right.state)
        assert not same or miss.original.answer != miss.right.answer
        assert miss.goal.text not in {goal.text for goal in goals(2)}


@pytest.mark.parametrize(
    ("output", "right"),
    [
        ("There are 12.", True),
        ("12.00 euros", True),
        ("There are 120.", False),
        ("12 of 40", False),
        ("12 since 2025-03-01", True),
        ("", False),
    ],
)
def test_an_answer_is_told_by_its_number(output: str, right: bool) -> None:
    goal = goals(0)[0]
    expected = outcome(truth(goal, world(0)) or pytest.fail("undefined"), world(0))
    asked = type(expected)(expected.state, 12)
    assert is_right(asked, expected.state, output, "How many since 2025-03-01?") is right


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("orders.get", {"order_id": "O-1"}, "no id 'O-1' among the orders"),
        ("orders.list", {"status": "lost"}, "status must be one of open"),
        ("orders.list", {"status": "open", "page": 0}, "page must be more than 0"),
        ("products.search", {"category": "cars"}, "category must be one of garden"),
        ("stock.level", {"sku": "SKU-2000", "site": "moon"}, "site must be one of main"),
        ("shipments.rebook", {"shipment_id": "S-301", "carrier": "x", "due": ""}, "carrier must"),
        ("products.set_price", {"sku": "SKU-2000", "price": -1.0}, "price must be more than 0"),
        ("mail.send", {"to": [], "subject": "", "body": ""}, "to must be a list of addresses"),
        (
            "purchases.create",
            {"supplier": "Tallis", "skus": ["SKU-2000"], "quantities": []},
            "must be of one length",
        ),
        (
            "tickets.create",
            {"queue": "inbound", "title": "", "due": "soon", "urgent": True},
            "'soon' is no date",
        ),
        (
            "stock.transfer",
            {"sku": "SKU-2000", "quantity": 9999, "source": "main", "target": "overflow"},
            "there are only",
        ),
    ],
)
def test_tools_refuse_in_words(tool: str, arguments: dict[str, Any], says: str) -> None:
    tried = world(0).fresh()
    result = call(tried, tool, arguments)
    assert result.is_error
    assert says in result.text
    assert same_state(tried.state(), world(0).state())


def test_every_tool_is_declared_with_all_its_arguments_described() -> None:
    made = [tool_of(plugin) for plugin in make_plugins(Ref(world(0)))]
    assert [tool.name for tool in made if tool] == list(TOOLS)
    for tool in made:
        assert tool is not None
        for name, schema in tool.parameters["properties"].items():
            assert schema.get("description"), f"{tool.name}: {name}"


def test_what_is_done_again_and_again_comes_to_cost_nothing_whatever_its_wording_is_like() -> None:
    """A third of these goals begin with "From now on", like a rule for good."""
    runs = run_seed(Plan(families=("reprice",)), 60).runs
    assert any(run.goal.startswith("From now on") for run in runs)
    assert all(run.right for run in runs)
    assert sum(run.zero for run in runs) >= 3
