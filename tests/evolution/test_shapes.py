"""Observations and arguments of other shapes than flat rows and texts."""

from __future__ import annotations

from datetime import datetime

import pytest

from llmos.evolution.learner import Learner
from llmos.evolution.plan import Request, Runner, Stop
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


def rebook(k: int, due: int, delivered: str | None) -> Trace:
    parcel, carrier = f"P-{300 + 13 * k}", ("Swift", "Blue", "Post")[k % 3]
    made = write("parcel.rebook", parcel=parcel, carrier=carrier)
    seen = {
        "parcel": parcel,
        "due": f"2025-{due // 40 + 2:02}-{due % 40 + 1:02}",
        "delivered": delivered,
    }
    return a_run(
        f"is {parcel} past its due day and still not delivered? then rebook it with {carrier}",
        read("parcel.get", seen, parcel=parcel),
        *([made] if due < 40 and delivered is None else []),
        id=f"o{k}",
    )


LATE = [rebook(k, 3 * k, None) for k in range(6)]
EARLY = [rebook(6 + k, 43 + 2 * k, None) for k in range(4)]
ARRIVED = [rebook(10 + k, 5 + 4 * k, "2025-02-02") for k in range(4)]


def rebooked(learner: Learner, due: str, delivered: str | None) -> bool:
    goal = "is P-999 past its due day and still not delivered? then rebook it with Blue"
    seen = {"parcel": "P-999", "due": due, "delivered": delivered}
    return [r.tool for r in foretold(learner, goal, seen)] == ["parcel.get", "parcel.rebook"]


def test_two_conditions_on_what_was_read_are_told_together() -> None:
    learner = learnt([*LATE, *EARLY, *ARRIVED])
    assert rebooked(learner, "2025-02-22", None)
    assert not rebooked(learner, "2025-02-22", "2025-02-25")
    assert not rebooked(learner, "2025-03-22", None)


def test_a_field_that_a_condition_names_must_be_as_it_always_was() -> None:
    learner = learnt([*LATE, *EARLY])
    assert rebooked(learner, "2025-02-22", None)
    with pytest.raises(Stop):
        rebooked(learner, "2025-02-22", "2025-02-25")


def cancel(k: int) -> Trace:
    id_, state = f"O-{100 + 7 * k}", ("open", "packed", "on hold", "shipped")[k % 4]
    made = write("order.cancel", order=id_)
    return a_run(
        f"unless order {id_} has been packed or shipped already, cancel it",
        read("order.get", {"id": id_, "state": state, "city": PEOPLE[k % 5]}, order=id_),
        *([made] if state in ("open", "on hold") else []),
        id=f"c{k}",
    )


def test_a_state_tells_what_is_done_and_one_that_was_never_seen_stops_the_run() -> None:
    learner = learnt([cancel(k) for k in range(12)])
    goal = "unless order O-77 has been packed or shipped already, cancel it"

    def done(state: str) -> list[str]:
        seen = {"id": "O-77", "state": state, "city": "ada"}
        return [r.tool for r in foretold(learner, goal, seen)]

    assert done("on hold") == ["order.get", "order.cancel"]
    assert done("shipped") == ["order.get"]
    with pytest.raises(Stop):
        done("lost")
