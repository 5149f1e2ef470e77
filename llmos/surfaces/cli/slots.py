"""From ``SLOT=VALUE`` arguments to the goal that a learned tool understands."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence

from llmos.errors import UserError
from llmos.evolution.templates import SlotSpec, Template
from llmos.evolution.tool import TOOL, LearntTool
from llmos.surfaces.cli.output import one_line
from llmos.values import Decision


def bound_of(name: str, template: Template, values: Sequence[str]) -> dict[str, str]:
    """What arguments say at the slots of a template.

    Args:
        name: Of the tool, for errors.
        template: Of the goal.
        values: ``SLOT=VALUE`` each.

    Raises:
        UserError: One is not of this form, there is no such slot, or it cannot hold the value.
    """
    specs = {slot.name: slot for slot in template.slots}
    bound: dict[str, str] = {}
    for given in values:
        slot, equals, value = given.partition("=")
        if not equals or slot not in specs:
            what = f"{name!r} has no slot {slot!r}" if equals else f"{given!r} is not SLOT=VALUE"
            raise UserError(what, _usage(name, template))
        if slot in bound:
            raise UserError(f"the slot {slot!r} is given twice", _usage(name, template))
        bound[slot] = _accepted(specs[slot], value)
    return bound


def ask_missing(
    name: str, template: Template, bound: Mapping[str, str], *, silent: bool
) -> dict[str, str]:
    """The values with those that are missing, which a person at a terminal is asked for.

    Args:
        name: Of the tool, for errors.
        template: Of the goal.
        bound: What is known.
        silent: Ask nothing.

    Raises:
        UserError: Values are missing and nobody can be asked.
    """
    missing = [s for s in {s.name: s for s in template.slots}.values() if s.name not in bound]
    if missing and (silent or not _at_terminal()):
        names = ", ".join(repr(slot.name) for slot in missing)
        raise UserError(f"{name!r} needs a value for {names}", _usage(name, template))
    return dict(bound) | {slot.name: _asked(slot) for slot in missing}


def goal_of(template: Template, bound: Mapping[str, str]) -> str:
    """The goal that a template makes of values."""
    told = [template.literals[0]]
    for slot, literal in zip(template.slots, template.literals[1:], strict=True):
        told += [bound[slot.name], literal]
    goal = "".join(told)
    # The initial is folded where a literal begins the goal; a value there is meant as it is.
    return goal[:1].upper() + goal[1:] if template.literals[0] else goal


def require_understood(
    tool: LearntTool, goal: str, bound: Mapping[str, str], decision: Decision
) -> None:
    """Check that a goal is understood as it was meant.

    Args:
        tool: The tool that is meant.
        goal: What the values made of its template.
        bound: The values.
        decision: What CRYSTALLIZED would do.

    Raises:
        UserError: The goal is not served, is another tool's, or says something else.
    """
    if decision.source is None:
        # The reasons begin with the names of what was looked at; without any nothing was.
        why = decision.reason if decision.refused else f"it does not understand {goal[:200]!r}"
        raise UserError(
            f"{tool.name!r} does not run with these values: {why}",
            f"let the model do it: llmos run {shlex.quote(goal)}",
        )
    other = decision.source.removeprefix(TOOL).partition("@")[0]
    if other != tool.name:
        raise UserError(
            f"with these values the goal is one of the tool {other!r}",
            f"see what it does: llmos tools show {other}",
        )
    if dict(decision.bindings) != dict(bound):
        raise UserError(
            "with these values the goal could be understood otherwise",
            "leave out quotes and words of the goal's own in the values",
        )


def _at_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _accepted(slot: SlotSpec, value: str) -> str:
    if not slot.accepts(value):
        raise UserError(
            f"the slot {slot.name!r} cannot be {value[:80]!r}: it takes {_kind(slot)}",
            f"it was, for example: {_examples(slot)}",
        )
    return value


def _asked(slot: SlotSpec) -> str:
    import typer

    question = f"{one_line(slot.name)} ({_kind(slot)}, for example {_examples(slot)})"
    while True:
        try:
            return _accepted(slot, str(typer.prompt(question, err=True)))
        except UserError as e:
            print(one_line(e.message, 300), file=sys.stderr)


def _kind(slot: SlotSpec) -> str:
    if slot.kind in ("word", "polar"):
        return "one of the words that were seen there"
    return {"text": "a few words", "quote": "any text"}.get(slot.kind, f"a {slot.kind}")


def _examples(slot: SlotSpec) -> str:
    return ", ".join(one_line(value, 30) for value in sorted(slot.seen)[:3])


def _usage(name: str, template: Template) -> str:
    slots = dict.fromkeys(slot.name for slot in template.slots)
    return " ".join([f"llmos tools run {name}", *(f"{slot}=…" for slot in slots)])
