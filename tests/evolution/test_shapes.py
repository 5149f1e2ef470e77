"""Observations and arguments of other shapes than flat rows and texts."""

from __future__ import annotations

from datetime import datetime

from llmos.evolution.learner import Learner
from llmos.evolution.plan import Request, Runner
from llmos.values import Json, Trace
from tests.evolution.test_unproven import a_run, learnt, read, write

PEOPLE = ("ada", "leo", "mara", "tom", "nils", "ines")


def foretold(learner: Learner, goal: str, *observations: Json) -> list[Request]:
    """What the one reading of a goal calls, given what its reads see."""
    (reading,) = learner.parse(goal)
    run = Runner(learner.families[reading.family].program, reading.slots, datetime(2025, 3, 3))
    made = [next(going := run.run(foresee=True))]
    try:
        for observation in observations:
            made.append(going.send(observation))
        going.send(None)
    except StopIteration:
        return made
    raise AssertionError("it goes on")


def order(k: int) -> Trace:
    who, id_ = PEOPLE[k % 6], f"O-{100 + 7 * k}"
    seen = {"id": id_, "placed": {"by": {"mail": "x"}, "mail": f"{who}@shop.example"}}
    goal = f"tell whoever placed order {id_} that it is late"
    return a_run(
        goal,
        read("order.get", seen, order=id_),
        write("mail.send", to=[f"{who}@shop.example"], text="It is late."),
        id=f"n{k}",
    )


def test_a_field_of_an_object_in_an_object_is_handed_over_in_a_list() -> None:
    learner = learnt([order(k) for k in range(6)])
    seen = {"id": "O-9", "placed": {"by": {"mail": "x"}, "mail": "new@shop.example"}}
    *_, sent = foretold(learner, "tell whoever placed order O-9 that it is late", seen)
    assert dict(sent.arguments) == {"to": ["new@shop.example"], "text": "It is late."}


def claims_of(reasons: list[str]) -> Json:
    claims = [{"claim": f"C{i}", "reason": reason} for i, reason in enumerate(reasons)]
    return {"count": len(claims), "claims": claims}


def claim(k: int) -> Trace:
    reason, limit = ("rust", "broken lid", "wrong size")[k % 3], 1 + k % 4
    found = ["rust"] * (k % 5) + ["broken lid"] * (k % 4) + ["wrong size"] * (k * 2 % 7)
    act = found.count(reason) > limit
    return a_run(
        f"if there are more than {limit} claims because of '{reason}', ring the bell",
        read("claims.open", claims_of(found)),
        *([write("bell.ring")] if act else []),
        id=f"c{k}",
    )


def test_rows_in_an_object_that_have_what_the_goal_names_are_counted() -> None:
    learner = learnt([claim(k) for k in range(24)])
    goal = "if there are more than 2 claims because of 'rust', ring the bell"
    few, many = claims_of(["rust"] * 2 + ["broken lid"] * 9), claims_of(["rust"] * 3)
    assert [r.tool for r in foretold(learner, goal, few)] == ["claims.open"]
    assert [r.tool for r in foretold(learner, goal, many)] == ["claims.open", "bell.ring"]
