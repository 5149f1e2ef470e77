"""A small office of books, parcels and climates; its jobs and the traces that they leave."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from llmos import Step, Trace
from llmos.evolution.columns import Observed, ToolHabits
from llmos.evolution.example import Example
from llmos.evolution.family import wrote
from llmos.evolution.ir import Program
from llmos.evolution.learner import Learner
from llmos.evolution.plan import Request, Runner, Stop
from llmos.evolution.prove import writes_of
from llmos.plugins.tool import tool
from llmos.values import Effect, Json, Usage

TOPICS = ("botany", "tides", "clocks", "maps")
ROOMS = ("attic", "cellar", "hall", "annex")
_ADJECTIVES = ("Quiet", "Old", "Small", "Bright", "Northern", "Hidden")
_NOUNS = ("rivers", "gardens", "wheels", "coasts", "towers", "lamps")

PAGE = 5
"""Books that one search shows."""

Call = tuple[str, dict[str, Json]]


@dataclass
class Office:
    """The world: tools look at it and change it."""

    books: list[dict[str, Json]] = field(default_factory=list)
    parcels: list[dict[str, Json]] = field(default_factory=list)
    climate: dict[str, dict[str, float]] = field(default_factory=dict)
    done: list[Call] = field(default_factory=list)
    """Writes, in order."""
    looked: int = 0
    """Reads that were made."""

    def call(self, name: str, arguments: Mapping[str, Json]) -> Json:
        """Make one call."""
        return copy.deepcopy(TOOLS[name][1](self, **arguments))

    def become(self, other: Office) -> None:
        """Look like another office from now on; what was done before is forgotten."""
        again = other.copy()
        self.books, self.parcels, self.climate = again.books, again.parcels, again.climate
        self.done, self.looked = [], 0

    def copy(self) -> Office:
        """As it is now, with nothing done yet."""
        again = copy.deepcopy(self)
        again.done, again.looked = [], 0
        return again


def _find(office: Office, topic: str = "", before: str = "") -> Json:
    """Books, the latest first, at most `PAGE`; ``before`` goes on."""
    office.looked += 1
    found = [b for b in office.books if topic in ("", b["topic"])]
    found = [b for b in found if not before or b["shelved"] < before]
    return sorted(found, key=lambda b: str(b["shelved"]), reverse=True)[:PAGE]


def _parcels(office: Office, room: str = "") -> Json:
    office.looked += 1
    return [p for p in office.parcels if room in ("", p["room"])] or "No parcels."


def _climate(office: Office, room: str) -> Json:
    office.looked += 1
    return office.climate[room]


def _remove(office: Office, code: str) -> Json:
    office.done.append(("shelf.remove", {"code": code}))
    office.books = [b for b in office.books if b["code"] != code]
    return "Removed."


def _lend(office: Office, code: str, room: str) -> Json:
    office.done.append(("shelf.lend", {"code": code, "room": room}))
    for book in office.books:
        book["state"] = "lent" if book["code"] == code else book["state"]
    return "Lent."


def _post(office: Office, room: str, text: str) -> Json:
    office.done.append(("note.post", {"room": room, "text": text}))
    return "Posted."


def _duty(office: Office, room: str, day: str) -> Json:
    office.done.append(("duty.add", {"room": room, "day": day}))
    return "Added."


def _order(office: Office, number: str) -> Json:
    office.done.append(("courier.order", {"number": number}))
    return "Ordered."


TOOLS: dict[str, tuple[Effect, Callable[..., Json]]] = {
    "shelf.find": (Effect.READ, _find),
    "parcel.list": (Effect.READ, _parcels),
    "climate.get": (Effect.READ, _climate),
    "shelf.remove": (Effect.WRITE, _remove),
    "shelf.lend": (Effect.WRITE, _lend),
    "note.post": (Effect.WRITE, _post),
    "duty.add": (Effect.WRITE, _duty),
    "courier.order": (Effect.EXTERNAL, _order),
}


def an_office(rng: random.Random, books: int = 9) -> Office:
    """A random office around the present."""
    names = [f"{a} {n}" for a in _ADJECTIVES for n in _NOUNS]
    rng.shuffle(names)
    days = rng.sample(range(60), books)
    shelf: list[dict[str, Json]] = [
        {
            "code": f"B{rng.randint(0, 99):02d}{k:02d}",
            "title": names[k],
            "topic": rng.choice(TOPICS),
            "state": rng.choice(["in", "lent"]),
            "shelved": (datetime(2026, 2, 1) + timedelta(days=days[k])).date().isoformat(),
            "copies": rng.randint(1, 9),
        }
        for k in range(books)
    ]
    parcels: list[dict[str, Json]] = [
        {"number": f"P{rng.randint(0, 99):02d}{k}", "room": rng.choice(ROOMS), "weight": w}
        for k, w in enumerate(rng.sample(range(1, 30), rng.randint(0, 4)))
    ]
    climate = {
        room: {f"2026-03-0{d}": round(rng.uniform(10, 30), 1) for d in range(1, 6)}
        for room in ROOMS
    }
    return Office(shelf, parcels, climate)


# --- jobs and what is recorded of them ---------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """Something that is asked for again and again, and how it is rightly done."""

    wording: str
    """With ``{slot}`` where goals differ."""
    program: Program

    def goal(self, slots: Mapping[str, str]) -> str:
        """The sentence that asks for it."""
        return self.wording.format(**slots)


_TEXTS = ("please hurry", "the lamp is broken", "bring the keys", "mind the step", "all is well")
_DAYS = ("tomorrow", "Friday", "Monday", "April 7", "2026-05-02", "June 3", "April 21")


def some_slots(rng: random.Random) -> dict[str, str]:
    """Something to say at every slot that a wording may have."""
    return {
        "topic": rng.choice(TOPICS),
        "room": rng.choice(ROOMS),
        "text": rng.choice(_TEXTS),
        "day": rng.choice(_DAYS),
        "past": f"February {rng.randint(2, 28)}"
        if rng.random() < 0.6
        else f"March {rng.randint(1, 30)}",
        "number": str(rng.randint(2, 8)),
        "degrees": str(rng.randint(18, 30)),
        "span": f"{rng.randint(2, 9)} days",
    }


def a_clock(rng: random.Random) -> datetime:
    """A moment after everything that the shelves hold."""
    return datetime(2026, 4, 1, 8, 15) + timedelta(minutes=rng.randint(0, 12 * 1440))


def carry_out(job: Job, slots: Mapping[str, str], now: datetime, office: Office) -> list[Step]:
    """Do a job rightly; returns what was called.

    Raises:
        Stop: It cannot be done in this office.
    """
    steps: list[Step] = []
    run = Runner(job.program, slots, now, strict=False).run()
    observation: Json = None
    try:
        while True:
            request = run.send(observation)
            arguments = dict(request.arguments)
            observation = office.call(request.tool, arguments)
            effect = TOOLS[request.tool][0]
            steps.append(Step(request.tool, arguments, observation, effect=effect))
    except StopIteration:
        return steps


def traces(job: Job, seed: int, count: int) -> list[Trace]:
    """Traces of a job, each in an office of its own."""
    rng = random.Random(seed)
    found: list[Trace] = []
    for _ in range(20 * count):
        if len(found) == count:
            break
        slots, now, office = some_slots(rng), a_clock(rng), an_office(rng)
        try:
            steps = carry_out(job, slots, now, office)
        except Stop:
            continue
        if steps:
            at = now.replace(tzinfo=UTC)
            found.append(
                Trace(job.goal(slots), tuple(steps), "Done.", now=at, id=f"t{seed}-{len(found)}")
            )
    return found


@dataclass(frozen=True)
class Lesson:
    """One goal, the office and the hour it is for, and what is rightly done."""

    goal: str
    office: Office
    now: datetime
    steps: tuple[Step, ...]

    @property
    def writes(self) -> list[Call]:
        """What is rightly written."""
        return [(s.tool, dict(s.arguments)) for s in self.steps if s.effect.writes]

    @property
    def recording(self) -> Trace:
        """What a model does for the goal."""
        calls = tuple(Step(s.tool, s.arguments) for s in self.steps)
        return Trace(self.goal, calls, "Done.", usage=Usage(1000, 50), cost_usd=0.01)


def lessons(
    job: Job,
    seed: int,
    count: int,
    wanted: Callable[[Lesson], bool] = lambda lesson: True,
    **fixed: str,
) -> list[Lesson]:
    """Lessons of a job with different goals; ``fixed`` says what stands at some slots."""
    rng = random.Random(seed)
    found: dict[str, Lesson] = {}
    for _ in range(100 * count):
        if len(found) == count:
            break
        slots, now, office = some_slots(rng) | fixed, a_clock(rng), an_office(rng)
        before = office.copy()
        try:
            steps = carry_out(job, slots, now, office)
        except Stop:
            continue
        lesson = Lesson(job.goal(slots), before, now.replace(tzinfo=UTC), tuple(steps))
        if wanted(lesson):
            found.setdefault(lesson.goal, lesson)
    return list(found.values())


def learnt(given: Sequence[Trace], at_once: bool = True) -> Learner:
    """A learner that has seen some traces, in one night or in one night each."""
    learner = Learner(seconds=5.0)
    for trace in given:
        learner.add(trace)
        if not at_once:
            learner.learn()
    learner.learn()
    return learner


def served(learner: Learner, goal: str, now: datetime, office: Office) -> list[Call] | None:
    """What would be written for a goal at zero tokens, or None where it goes to the model."""
    plans: list[list[Call]] = []
    for reading in learner.parse(goal):
        family, proof = learner.families[reading.family], learner.proofs[reading.family]
        if proof.refusal(family.templates[reading.template], reading.slots) is not None:
            continue
        made = foreseen(family.program, reading.slots, now, office)
        if made is not None and proof.knows_way(reading.slots, writes_of(made)):
            plans.append([(r.tool, dict(r.arguments)) for r in made if r.writes])
    if not plans or any(plan != plans[0] for plan in plans[1:]):
        return None
    return plans[0]


def foreseen(
    program: Program, slots: Mapping[str, str], now: datetime, office: Office
) -> list[Request] | None:
    """All calls that a program would make, without a write; None where it stops."""
    made: list[Request] = []
    run = Runner(program, slots, now).run(foresee=True)
    observation: Json = None
    try:
        while True:
            request = run.send(observation)
            made.append(request)
            calls = not request.writes
            observation = office.call(request.tool, request.arguments) if calls else None
    except StopIteration:
        return made
    except Stop:
        return None


# --- for tests of single rooms -----------------------------------------------------------------


def example(slots: Mapping[str, str], trace: Trace, **more: Any) -> Example:
    """A trace with its slots named as its job names them."""
    return Example(slots, trace.now.replace(tzinfo=None), trace.steps, trace.output, **more)


def examples(job: Job, seed: int, count: int) -> list[Example]:
    """Examples of a job, each in an office of its own, with only the slots that it names."""
    rng = random.Random(seed)
    found: list[Example] = []
    for _ in range(20 * count):
        if len(found) == count:
            break
        slots, now, office = some_slots(rng), a_clock(rng), an_office(rng)
        own = {k: v for k, v in slots.items() if f"{{{k}}}" in job.wording}
        try:
            steps = carry_out(job, own, now, office)
        except Stop:
            continue
        if steps:
            found.append(Example(own, now, tuple(steps), "Done."))
    return found


def habits(given: Sequence[Example]) -> ToolHabits:
    """How the tools of some examples cut off their results."""
    observed = Observed()
    for one in given:
        observed.add(one.steps)
    return observed.habits()


def writes_in(given: Example) -> list[Call]:
    """What an example wrote."""
    return wrote(given)


# --- as plugins --------------------------------------------------------------------------------


def plugins(office: Office) -> list[Callable[..., Any]]:
    """The tools of an office for a real kernel. All writes but the courier's can be undone."""

    def undo(arguments: Mapping[str, Json], result: Json) -> None:
        office.done.append(("undone", dict(arguments)))

    @tool(effects="read", name="shelf.find")
    def shelf_find(topic: str = "", before: str = "") -> Json:
        """Books, the latest first."""
        return office.call("shelf.find", {"topic": topic, "before": before})

    @tool(effects="read", name="parcel.list")
    def parcel_list(room: str = "") -> Json:
        """Parcels."""
        return office.call("parcel.list", {"room": room})

    @tool(effects="read", name="climate.get")
    def climate_get(room: str) -> Json:
        """Temperatures of a room by day."""
        return office.call("climate.get", {"room": room})

    @tool(effects="write", name="shelf.remove", undo=undo)
    def shelf_remove(code: str) -> Json:
        """Take a book away."""
        return office.call("shelf.remove", {"code": code})

    @tool(effects="write", name="shelf.lend", undo=undo)
    def shelf_lend(code: str, room: str) -> Json:
        """Lend a book."""
        return office.call("shelf.lend", {"code": code, "room": room})

    @tool(effects="write", name="note.post", undo=undo)
    def note_post(room: str, text: str) -> Json:
        """Put up a note."""
        return office.call("note.post", {"room": room, "text": text})

    @tool(effects="write", name="duty.add", undo=undo)
    def duty_add(room: str, day: str) -> Json:
        """Add a duty."""
        return office.call("duty.add", {"room": room, "day": day})

    @tool(effects="external", name="courier.order")
    def courier_order(number: str) -> Json:
        """Call the courier for a parcel."""
        return office.call("courier.order", {"number": number})

    return [
        shelf_find,
        parcel_list,
        climate_get,
        shelf_remove,
        shelf_lend,
        note_post,
        duty_add,
        courier_order,
    ]
