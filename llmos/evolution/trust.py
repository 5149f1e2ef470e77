"""Which families have a tool, and its name: proven ones, and those that leave something open."""

from __future__ import annotations

import re

from llmos.evolution.columns import ToolHabits
from llmos.evolution.family import Family
from llmos.evolution.hints import resting_on
from llmos.evolution.learnt import Learnt
from llmos.evolution.plan import Stop
from llmos.evolution.prove import OTHERS, UNANIMOUS, prove

_NAMELESS = "a an the to of in on at by for with my me i can you please and is it"
_FILLERS = frozenset(_NAMELESS.split())
"""Words that a name does without."""


def prove_family(learnt: Learnt, name: str) -> None:
    """Look at a family's evidence; without a proof it is given up."""
    family = learnt.tools[name]
    family.refresh()
    try:
        learnt.proofs[name] = prove(
            family.program,
            family.examples,
            agreed=family.agreed,
            disagreed=family.disagreed,
            peers=learnt.peers(name),
            prior=OTHERS if resting_on(family.program, learnt.hints) else UNANIMOUS,
        )
    except Stop as e:
        give_up(learnt, name, str(e))


def give_up(learnt: Learnt, name: str, why: str) -> None:
    """Take a family's tool away for good; its runs are loose again, and told why."""
    learnt.proofs.pop(name, None)
    learnt.retired.add(name)
    if learnt.left_open.families.pop(name, None) is not None:
        return
    groups = learnt.families.pop(name).groups
    for group in groups:
        group.why = why
    learnt.loose += groups


def leave_open(learnt: Learnt, known: ToolHabits) -> None:
    """Make tools of what has no program, where a model need only be asked for a value."""
    changed, gone = learnt.left_open.update(
        learnt.loose if learnt.leave_open else (),
        known,
        learnt.proofs,
        lambda family: new_name(learnt, family),
        seconds=learnt.seconds,
    )
    for name in gone:
        learnt.proofs.pop(name, None)
    learnt.retired |= gone
    learnt.changed |= changed
    for name in learnt.changed & learnt.left_open.families.keys():
        prove_family(learnt, name)


def note_tried(learnt: Learnt) -> None:
    """Write down which families were put to the test by now, and whether they were exact."""
    for name, family in learnt.families.items():
        if family.disagreed:
            learnt.tried[name] = False
        elif family.agreed:
            learnt.tried.setdefault(name, True)


def new_name(learnt: Learnt, family: Family) -> str:
    """A name made of the words that the wordings have in common.

    What left something open, and no longer has to, keeps its name.
    """
    if name := learnt.left_open.replaced_by(family):
        return name
    told = re.findall(r"[a-z0-9]+", str(family.templates[0]).lower())
    slots = set(family.slots)
    words = [w for w in told if w not in slots and w not in _FILLERS][:5] or ["job"]
    base = "-".join(words)[:48].strip("-")
    numbered = (base if k == 1 else f"{base}-{k}" for k in range(1, 10_000))
    taken = learnt.used_names
    return next(n for n in numbered if n not in taken)
