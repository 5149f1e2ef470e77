"""What a model is asked about what was learnt, and what is made of its answers.

Each question is one short text. What strangers have said in it (goals, values, results) is data,
marked as such and without secrets; the answer is JSON that `llmos.evolution.hints` checks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

from llmos.evolution.asking import question_of, shown
from llmos.evolution.columns import ToolHabits
from llmos.evolution.emit import emit
from llmos.evolution.example import NoProgram
from llmos.evolution.family import Family, solve
from llmos.evolution.group import Group
from llmos.evolution.hints import (
    LANGUAGE,
    Hint,
    Naming,
    Refused,
    check_expression,
    check_labels,
    check_tool_name,
    read_answer,
)
from llmos.evolution.learner import Learner
from llmos.evolution.roles import roles
from llmos.evolution.synthesize import Unexplained, synthesize
from llmos.values import Json

NAMES = "Propose better names for a learned tool."
VALUE = "Propose how a value is made."
"""First lines of the questions."""

_RUNS = 5
"""Runs that a question shows."""
_SHOWN, _TEXT = 1_500, 300
"""Characters kept of one result, and of one other value."""
_SEVERAL = 3
"""Expressions that one answer may hold."""
_ROUNDS = 4
"""Values of one program that are asked for."""


class Further(Exception):
    """An answer is right so far, and more has to be asked."""

    def __init__(self, question: ValueQuestion) -> None:
        super().__init__()
        self.question = question


@dataclass(frozen=True)
class NameQuestion:
    """How a tool and its parameters should be called."""

    name: str
    family: Family
    renames: bool
    """Whether the tool may get another name: nobody knows it by this one yet."""

    @property
    def about(self) -> str:
        """For people."""
        return f"names for {self.name}"

    @property
    def prompt(self) -> str:
        """The question."""
        seen = {s.name: sorted(s.seen)[:3] for s in self.family.slots.values()}
        told = {
            "name": self.name,
            "parameters": {n: [shown(n, v, _TEXT) for v in vs] for n, vs in seen.items()},
            "templates": [shown("", str(t), _TEXT) for t in self.family.templates[:_RUNS]],
            "calls": sorted({s.tool for t in self.family.traces for s in t.steps}),
        }
        asked = '"name": "verb-object", ' if self.renames else ""
        return question_of(
            NAMES,
            f'Answer {{{asked}"parameters": {{"old name": "new_name"}}}}. Names say what a thing '
            "is for, in small ASCII letters and digits; words of the tool's name are joined by "
            "'-', of a parameter's by '_'. Leave out what is well named.",
            told,
        )

    def mark(self, learner: Learner) -> None:
        """Note that it was asked."""
        learner.named[self.name] = Naming()

    def take(self, learner: Learner, answer: str, by: str) -> str:
        """Do what an answer proposes; what is so now, for people.

        Args:
            learner: Is changed only by an answer that is taken.
            answer: What the model said.
            by: The processor and model.

        Raises:
            Refused: The answer cannot be used.
        """
        keys = ("name", "parameters") if self.renames else ("parameters",)
        found = read_answer(answer, keys)
        labels = check_labels(found.get("parameters", {}), set(self.family.slots))
        name = found.get("name", self.name)
        if name != self.name:
            name = check_tool_name(name, learner.used_names)
            learner.rename(self.name, name)
        if name == self.name and not labels:
            return "well named"
        learner.named[name] = Naming(by, labels)
        learner.changed.add(name)
        told = [f"{self.name} is {name} now"] if name != self.name else []
        return "; ".join([*told, *(f"{slot} is {label}" for slot, label in labels.items())])


@dataclass(frozen=True)
class ValueQuestion:
    """By which expression a value that nothing explains comes about."""

    group: Group
    it: Unexplained
    seconds: float
    held: tuple[Hint, ...] = ()
    """What was proposed for other values of the same program, and fits."""
    round: int = 1

    @property
    def about(self) -> str:
        """For people."""
        return f"{self.it.place} of {self.group.template}"

    @property
    def prompt(self) -> str:
        """The question."""
        pool = self.it.pool
        runs = [
            {
                "slots": {s.name: shown(s.name, env.slots[s.name], _TEXT) for s in pool.slots},
                "now": env.now.isoformat(),
                "seen": {node: shown("", env.seen[node], _SHOWN) for node in pool.nodes},
                "value": shown(self.it.place.rpartition(".")[2], target, _SHOWN),
            }
            for env, target in list(zip(pool.envs, self.it.targets, strict=True))[:_RUNS]
        ]
        return question_of(
            VALUE,
            'Answer {"expressions": [e]}, with up to three expressions that give "value" in every '
            'run. An expression is a JSON list: ["slot", name], ["seen", step], ["now"], ["const", '
            'text, number or boolean] or ["call", function, [expressions]]. Functions:\n'
            + _LANGUAGE,
            {"goal": str(self.group.template), "value of": self.it.place, "runs": runs},
        )

    def mark(self, learner: Learner) -> None:
        """Note that it was asked."""
        learner.asked[str(self.group.template)] = len(self.group.traces)

    def take(self, learner: Learner, answer: str, by: str) -> str:
        """Do what an answer proposes; what is so now, for people.

        Args:
            learner: Is changed only by an answer that is taken.
            answer: What the model said.
            by: The processor and model.

        Raises:
            Refused: The answer cannot be used.
            Further: So far it can; another value has to be asked for.
        """
        hints = (*self.held, *self._fitting(read_answer(answer, ["expressions"]), by))
        known = learner.habits()
        known = replace(known, hints=(*known.hints, *((h.place, h.expr) for h in hints)))
        family, why = solve([self.group], known, seconds=self.seconds)
        if family is None:
            further = unexplained(self.group, known, self.seconds)
            if further is not None and self.round < _ROUNDS:
                raise Further(replace(self, it=further, held=hints, round=self.round + 1))
            raise Refused(f"that explains the value, but there is still no program: {why}")
        _check_emitted(family)
        before, learner.hints = learner.hints, [*learner.hints, *hints]
        made = learner.look_again(self.group)
        if not made:
            learner.hints = before
            raise Refused(f"that explains the value, but there is still no program: {why}")
        return f"it is done by {', '.join(sorted(made))} now"

    def _fitting(self, found: Mapping[str, Json], by: str) -> list[Hint]:
        given = found["expressions"]
        if not isinstance(given, list) or not 0 < len(given) <= _SEVERAL:
            raise Refused(f"the answer is no list of 1 to {_SEVERAL} expressions")
        hints: list[Hint] = []
        why: Refused | None = None
        for data in given:
            try:
                expr = check_expression(data, self.it.pool, self.it.targets)
                hints.append(Hint(self.it.place, expr, by))
            except Refused as e:
                why = why or e
        if not hints and why is not None:
            raise why
        return hints


Question = NameQuestion | ValueQuestion


def unexplained(group: Group, known: ToolHabits, seconds: float) -> Unexplained | None:
    """The first value of a group's runs that nothing explains; None if it is not a value."""
    names = roles(group.template, group.bound(), [t.steps for t in group.traces])
    try:
        synthesize(group.named(names, 0)[1], known, seconds=seconds)
    except Unexplained as e:
        return e
    except NoProgram:
        return None
    return None


def _check_emitted(family: Family) -> None:
    try:
        emit(family.program, name="tried", parameters=list(family.slots), docstring="")
    except ValueError as e:
        raise Refused(f"the expression cannot be written as code: {e}") from e


def _described(functions: Mapping[str, Callable[..., Any]]) -> Sequence[str]:
    told = []
    for name, function in sorted(functions.items()):
        arguments = ", ".join(
            str(p).partition(":")[0] for p in signature(function).parameters.values()
        )
        told.append(f"{name}({arguments}): {(function.__doc__ or '').splitlines()[0]}")
    return told


_LANGUAGE = "\n".join(_described(LANGUAGE))
