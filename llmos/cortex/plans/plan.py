"""A plan as a value: parts, what each waits for, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llmos.errors import UserError
from llmos.memory.fold import goal_key
from llmos.memory.goals import check_goal
from llmos.values import Effect, Footprint, Json, Step, check_name

GOAL = "llmos.goal"
"""The name under which a part stands among the steps of its plan's trace. No such tool exists: what
a part does is in the trace of its own run."""

GOAL_DIGEST = "goal-1"
"""In place of a tool's digest. Another one takes known plans and their tools out of use."""

PLAN = "plan"
"""Where a run's decision keeps the plan that was carried out."""

MOST_PARTS = 20

_ANSWER = re.compile(r"\{\{([^{}\s]+)\}\}")
"""Where the answer of another part is to stand."""

_FIELDS = {"id", "goal", "after", "agent", "check"}


@dataclass(frozen=True, slots=True)
class Part:
    """One sub-goal."""

    id: str
    goal: str
    """May hold ``{{other}}``: there the answer of the part ``other`` is put in."""
    after: tuple[str, ...] = ()
    """Parts that must have ended well before."""
    agent: str = ""
    """Who does it, where a model has to; the default agent when empty."""
    check: str | None = None
    """A shell command that says whether it is right."""

    @property
    def asks(self) -> bool:
        """Whether its goal is not known before other parts have answered."""
        return bool(_ANSWER.search(self.goal))

    def told(self, answers: Mapping[str, str]) -> str:
        """The goal with the answers of other parts put in."""
        return _ANSWER.sub(lambda found: answers[found.group(1)], self.goal)

    def as_dict(self) -> dict[str, Json]:
        """The part as JSON; what is empty is left out."""
        told: dict[str, Json] = {"id": self.id, "goal": self.goal}
        if self.after:
            told["after"] = list(self.after)
        if self.agent:
            told["agent"] = self.agent
        if self.check is not None:
            told["check"] = self.check
        return told

    @classmethod
    def from_dict(cls, given: Any, place: str) -> Part:
        """The part that JSON describes.

        Args:
            given: Whatever somebody wrote.
            place: Where, for errors.

        Raises:
            UserError: It is none.
        """
        if not isinstance(given, Mapping):
            raise UserError(f"{place} is not an object", "give it an id and a goal")
        unknown = sorted(str(key) for key in given if key not in _FIELDS)
        if unknown:
            raise UserError(f"{place} has {unknown[0]!r}", f"it may have {', '.join(_FIELDS)}")
        id_ = check_name(given.get("id", ""), f"{place}: the id")
        goal, after = given.get("goal", ""), given.get("after", [])
        agent, check = given.get("agent", ""), given.get("check")
        if not isinstance(goal, str):
            raise UserError(f"part {id_!r} has a goal that is no text", "say what is to be done")
        if isinstance(after, str) or not isinstance(after, Sequence):
            raise UserError(f"part {id_!r}: 'after' is no list", 'for example ["collect"]')
        if not isinstance(agent, str) or not (check is None or isinstance(check, str)):
            raise UserError(f"part {id_!r}: agent and check must be texts", "leave them out")
        named = check_name(agent, f"part {id_!r}: the agent") if agent else ""
        return cls(id_, check_goal(goal), tuple(map(str, after)), named, check)


@dataclass(frozen=True, slots=True)
class Plan:
    """Parts in an order in which they can be done one after the other."""

    parts: tuple[Part, ...]

    @classmethod
    def of(cls, parts: Sequence[Part], whole: str = "") -> Plan:
        """A plan, checked.

        Args:
            parts: The parts, in any order.
            whole: The goal that they are for: none of them may be that again.

        Raises:
            UserError: It cannot be carried out; the message names the part.
        """
        if not 0 < len(parts) <= MOST_PARTS:
            raise UserError(f"a plan has 1 to {MOST_PARTS} parts, not {len(parts)}")
        names = [part.id for part in parts]
        twice = next((name for k, name in enumerate(names) if name in names[:k]), None)
        if twice is not None:
            raise UserError(f"two parts are called {twice!r}", "give every part an id of its own")
        waiting = [_with_answers(part) for part in parts]
        for part in waiting:
            for other in part.after:
                if other not in names:
                    raise UserError(
                        f"part {part.id!r} waits for {other!r}, which is no part",
                        f"parts: {', '.join(names)}",
                    )
            if whole and goal_key(part.goal) == goal_key(whole):
                raise UserError(
                    f"part {part.id!r} is the whole goal again", "a part must be less than that"
                )
        return cls(tuple(_in_order(waiting)))

    def as_json(self) -> list[dict[str, Json]]:
        """The plan as JSON: a list of parts."""
        return [part.as_dict() for part in self.parts]

    @classmethod
    def from_json(cls, given: Any, whole: str = "") -> Plan:
        """The plan that JSON describes: a list of parts, or an object that has one as ``parts``.

        Raises:
            UserError: It is none, or cannot be carried out.
        """
        listed = given.get("parts") if isinstance(given, Mapping) else given
        if isinstance(listed, str) or not isinstance(listed, Sequence):
            raise UserError("a plan is a list of parts", 'for example [{"id": "a", "goal": "…"}]')
        parts = [Part.from_dict(part, f"part {k + 1}") for k, part in enumerate(listed)]
        return cls.of(parts, whole)

    @classmethod
    def from_steps(cls, steps: Sequence[Step]) -> Plan:
        """The plan that a trace has carried out."""
        return cls.of([_part_of(step.arguments) for step in steps])

    def ready(self, ended: Collection[str], begun: Collection[str]) -> Iterator[Part]:
        """Parts that can begin now.

        Args:
            ended: Parts that have ended well.
            begun: Parts that have begun, ended or not.
        """
        for part in self.parts:
            if part.id not in begun and all(other in ended for other in part.after):
                yield part

    def waiting_for(self, failed: str) -> list[str]:
        """Parts that cannot be done when one has failed."""
        lost = {failed}
        for part in self.parts:
            if lost & set(part.after):
                lost.add(part.id)
        return [part.id for part in self.parts if part.id in lost - {failed}]


def is_plan(steps: Sequence[Step]) -> bool:
    """Whether a trace is that of a plan: its steps are parts."""
    return bool(steps) and all(step.tool == GOAL for step in steps)


def step_of(part: Part, run_id: str, answer: str, *, failed: bool, seconds: float) -> Step:
    """A part that was done, as a step of its plan's trace.

    What it changed stands in the trace of its own run, by which it is taken back.
    """
    return Step(
        GOAL,
        part.as_dict(),
        {"run": run_id, "answer": answer},
        failed,
        Effect.WRITE,
        Footprint(undoable=True),
        seconds,
    )


def run_of(step: Step) -> str:
    """Id of the run that has done a part; empty where there was none."""
    seen = step.observation
    return str(seen.get("run", "")) if isinstance(seen, Mapping) else ""


def _part_of(arguments: Mapping[str, Json]) -> Part:
    return Part.from_dict(dict(arguments), "the part")


def _with_answers(part: Part) -> Part:
    """The part, waiting also for those whose answers stand in its goal."""
    named = dict.fromkeys((*part.after, *_ANSWER.findall(part.goal)))
    return replace(part, after=tuple(named))


def _in_order(parts: Sequence[Part]) -> Iterator[Part]:
    """The parts, each behind those that it waits for; as they were given where that is free."""
    left, ended = list(parts), set[str]()
    while left:
        part = next((p for p in left if ended.issuperset(p.after)), None)
        if part is None:
            circle = ", ".join(p.id for p in left)
            raise UserError(f"these parts wait for each other: {circle}", "take one 'after' out")
        left.remove(part)
        ended.add(part.id)
        yield part
