"""When a branch is taken: all that was true there and nowhere else."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.evolution import guards
from llmos.evolution.evaluate import Env
from llmos.evolution.ir import Expr, Now, Seen, Slot, call, const
from llmos.evolution.pool import Pool
from llmos.evolution.rows import Rows
from llmos.values import Json
from tests.evolution.office import a_clock, an_office, some_slots

CLIMATE, PARCELS = Seen("climate"), call("rows", Seen("parcels"))
LIMIT = call("number", Slot("degrees"))


def a_pool(seed: int, count: int, **said: str) -> Pool:
    rng = random.Random(seed)
    envs: list[Env] = []
    for k in range(count):
        office, slots = an_office(rng), some_slots(rng) | {"low": str(11 + k % 4)} | said
        seen: dict[str, Json] = {
            "climate": office.climate[slots["room"]],
            "parcels": [p for p in office.parcels if p["room"] == slots["room"]],
        }
        envs.append(Env(slots, a_clock(rng), seen))
    return Pool(envs, ["climate", "parcels"])


def said_of(pool: Pool) -> list[guards.Said]:
    return guards.conditions(pool, [Rows(pool, e) for e in pool.lists])


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_conditions_are_as_true_as_their_expressions(seed: int) -> None:
    pool = a_pool(seed, 4, way="over")
    for expr, truth in said_of(pool):
        assert [bool(pool.at(expr, i)) for i in range(4)] == truth, expr


MEANT: list[Expr] = [
    call("exists", PARCELS),
    call("negated", call("exists", PARCELS)),
    call("ever", CLIMATE, ">", LIMIT),
    call("ever", CLIMATE, "<", call("number", Slot("low"))),
    call("test", call("mean", CLIMATE), "<", LIMIT),
    call("test", call("highest", CLIMATE), ">", LIMIT),
    call("test", call("opening", CLIMATE), ">", call("closing", CLIMATE)),
]


@pytest.mark.parametrize("meant", MEANT)
def test_a_condition_that_was_meant_is_among_those_found(meant: Expr) -> None:
    pool = a_pool(7, 12)
    taken = [bool(pool.at(meant, i)) for i in range(12)]
    assert len(set(taken)) == 2
    found = guards.explain(said_of(pool), taken)
    assert meant in found
    for expr in found:
        assert [bool(pool.at(expr, i)) for i in range(12)] == taken


def test_two_conditions_on_one_row_are_found_where_one_is_not_enough() -> None:
    def env(*rows: tuple[str, str], room: str) -> Env:
        return Env(
            {"room": room},
            a_clock(random.Random(1)),
            {"s": [{"room": a, "state": b} for a, b in rows]},
        )

    envs = [
        env(("hall", "new"), ("attic", "old"), room="hall"),
        env(("hall", "old"), ("attic", "new"), room="hall"),
        env(("hall", "old"), ("attic", "new"), room="attic"),
        env(("hall", "new"), ("attic", "old"), room="attic"),
    ]
    pool = Pool(envs, ["s"])
    rows = Rows(pool, call("rows", Seen("s")))
    taken = [True, False, True, False]
    pairs = rows.paired(taken)
    assert pairs
    for expr in pairs:
        assert [pool.at(expr, i) for i in range(4)] == taken


def test_no_condition_fits_a_branch_taken_at_random() -> None:
    pool = a_pool(3, 2)
    same = Pool([pool.envs[0], pool.envs[0]], pool.nodes)
    assert guards.explain(said_of(same), [True, False]) == ()


def test_always_keeps_what_never_varied_in_the_form_in_which_it_held() -> None:
    pool = a_pool(4, 3)
    said = said_of(pool)
    held = set(guards.always(said))
    for expr, truth in said:
        assert (expr in held) == all(truth)
        assert (call("negated", expr) in held) == (not any(truth))


def test_a_direction_of_the_goal_turns_the_comparison() -> None:
    envs = [
        Env(
            {"way": w, "degrees": "20"}, a_clock(random.Random(1)), {"climate": {"a": 10.0, "b": t}}
        )
        for w, t in [("over", 25.0), ("under", 12.0), ("over", 15.0), ("under", 30.0)]
    ]
    for env in envs[1::2]:
        env.seen["climate"] = {
            k: v + 15 if env.seen["climate"]["b"] > 20 else v
            for k, v in env.seen["climate"].items()
        }
    pool = Pool(envs, ["climate"])
    table = call("mapped", Slot("way"), {"over": ">", "under": "<"})
    meant = call("ever", CLIMATE, table, LIMIT)
    taken = [bool(pool.at(meant, i)) for i in range(4)]
    assert meant in guards.explain(said_of(pool), taken)


def test_a_moment_is_compared_with_the_clock() -> None:
    rng = random.Random(1)
    now = a_clock(rng)
    envs = [Env({}, now, {"s": {"due": due}}) for due in ("2026-03-01 08:00", "2026-06-01 08:00")]
    found = guards.explain(said_of(Pool(envs, ["s"])), [True, False])
    assert call("test", call("moment", call("get", Seen("s"), "due")), "<", Now()) in found


def test_telling_keeps_those_that_look_at_the_most_idle_slots() -> None:
    with_number = call("test", call("mean", CLIMATE), ">", LIMIT)
    without = call("exists", PARCELS)
    assert guards.telling([without, with_number], {"degrees"}) == (with_number,)
    assert guards.telling([without, with_number], {"room"}) == (without, with_number)
    assert guards.telling([], {"room"}) == ()


def test_grounded_conditions_speak_of_goal_or_clock() -> None:
    assert guards.grounded(call("test", const(1), "<", LIMIT))
    assert guards.grounded(call("test", Now(), "<", Now()))
    assert not guards.grounded(call("exists", PARCELS))
