"""Goals from families: drawn, told anew in other worlds, and turned by one word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from bench.depot import aggregates, branches, loops, questions, straight
from bench.depot.families import Agent, Draw, Family, Slots, Truth, Undefined
from bench.depot.plugins import call
from bench.depot.world import State, World, same_state
from llmos.values import Trace, Verdict

FAMILIES: dict[str, Family] = Family.all
"""All of them; each module registers its own by being imported."""
MODULES = (straight, branches, loops, aggregates, questions)

IDLE_SHARE = 0.2
"""Of the goals of a family that may end without a write, those that do."""
TRIES = 200
NOT_YET = ("Do not do this yet: {}", "{} But wait until I say so.")


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal: what is said, and what is meant."""

    text: str
    family: str
    wording: str
    slots: Slots


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a world is to look after a goal, and what the answer carries."""

    state: State
    answer: str | int | float | None = None


class BrokenOracle(Exception):
    """An oracle asks for a call that the tools refuse."""


def drawn(world: World, each: int, seed: int) -> list[Goal]:
    """``each`` goals of every family, no text twice."""
    seen: set[str] = set()
    return [goal for name in FAMILIES for goal in _of_family(name, world, each, seed, seen)]


def _of_family(name: str, world: World, each: int, seed: int, seen: set[str]) -> Iterator[Goal]:
    rng = Random(f"{name} {seed}")
    draw = Draw(rng, world)
    for _ in range(each):
        idle = rng.random() < IDLE_SHARE
        fallback: Goal | None = None
        for _ in range(TRIES):
            goal = _draw_one(name, draw)
            if goal.text in seen or (right := truth(goal, world)) is None:
                continue
            fallback = goal
            if bool(right.calls) != idle or right.answer is not None:
                break
        if fallback:
            seen.add(fallback.text)
            yield fallback


def _draw_one(name: str, draw: Draw) -> Goal:
    family = FAMILIES[name]
    slots, wording = family.draw(draw), draw.of(family.wordings)
    return Goal(wording.format(**slots), name, wording, slots)


def truth(goal: Goal, world: World, flip: bool = False) -> Truth | None:
    """What is right, None when nothing is."""
    try:
        return FAMILIES[goal.family].oracle(world, goal.slots, flip)
    except Undefined:
        return None


def outcome(right: Truth, world: World) -> Outcome:
    """The world after what is right.

    Raises:
        BrokenOracle: A tool refuses.
    """
    after = world.fresh()
    for tool, arguments in right.calls:
        result = call(after, tool, arguments)
        if result.is_error:
            raise BrokenOracle(f"{tool} {arguments}: {result.text}")
    return Outcome(after.state(), right.answer)


def is_right(expected: Outcome, after: State, output: str, goal: str) -> bool:
    """Whether a run did what is right, and only that."""
    return same_state(expected.state, after) and (
        expected.answer is None or _carries(output, expected.answer, goal)
    )


_NUMBER = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?(?![\w-]|\.\d)")


def _carries(output: str, answer: str | int | float, goal: str) -> bool:
    """Whether a text tells the answer, and no number but that and those of the goal."""
    if isinstance(answer, str):
        return re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", output) is not None
    numbers = [float(n) for n in _NUMBER.findall(output)]
    asked = {float(n) for n in _NUMBER.findall(goal)}
    return float(answer) in numbers and set(numbers) <= asked | {float(answer)}


def recorded(goal: Goal, world: World) -> Trace:
    """The expert's run for the goal, in a world of its own."""
    agent = Agent(world.fresh())
    output = FAMILIES[goal.family].expert(agent, goal.slots)
    return Trace(goal.text, tuple(agent.steps), output, Verdict.VERIFIED, world.now, model="expert")


def retold(goals: Iterable[Goal], world: World) -> list[Goal]:
    """Those of the goals that make sense in another world."""
    return [goal for goal in goals if truth(goal, world) is not None]


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A goal for which doing what the original asks is wrong."""

    goal: Goal
    original: Outcome
    right: Outcome


def near_misses(goals: Sequence[Goal], world: World, each: int) -> Iterator[NearMiss]:
    """Of every family, up to ``each`` by every rule, for goals with another outcome."""
    for name in FAMILIES:
        own = [goal for goal in goals if goal.family == name]
        rules: list[str | tuple[str, str]] = [*FAMILIES[name].near, *NOT_YET]
        for rule in rules:
            found = (miss for goal in own if (miss := _turned(goal, rule, world)))
            yield from (miss for miss, _ in zip(found, range(each), strict=False))


def _turned(goal: Goal, rule: str | tuple[str, str], world: World) -> NearMiss | None:
    before, right = truth(goal, world), Truth()
    if isinstance(rule, str):
        text = rule.format(goal.text)
    else:
        wording = goal.wording.replace(*rule)
        text = wording.format(**goal.slots)
        turned = truth(goal, world, flip=True)
        if wording == goal.wording or turned is None:
            return None
        right = turned
    assert before is not None
    if isinstance(rule, str) and not before.calls:
        return None
    miss = NearMiss(
        Goal(text, goal.family, goal.wording, goal.slots),
        outcome(before, world),
        outcome(right, world),
    )
    same = same_state(miss.original.state, miss.right.state)
    return None if same and before.answer == right.answer else miss
