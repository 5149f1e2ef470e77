"""Names the slots of several wordings alike, by what they are used for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count

from llmos.evolution.lexer import DIRECTIONS, FIGURES
from llmos.evolution.templates import SlotSpec, Template
from llmos.values import Step

_KINDS = {**dict.fromkeys([*FIGURES, "figure"], "number"), "text": "word"}


def roles(
    template: Template, bound: Sequence[Mapping[str, str]], runs: Sequence[Sequence[Step]]
) -> dict[str, str]:
    """The role of each slot: the argument that it becomes, or its kind.

    Args:
        template: One wording.
        bound: Bindings of its goals.
        runs: The steps of their traces.

    Returns:
        Slot name to role. A role is a name like ``title``, ``title_2`` or ``date``, given once.
    """
    taken: set[str] = set()
    found: dict[str, str] = {}
    for slot in template.slots:
        counts: Counter[tuple[str, int]] = Counter()
        for values, steps in zip(bound, runs, strict=True):
            counts.update(set(_places(values[slot.name], steps)))
        best = max(counts, key=lambda p: (counts[p], -p[1], p[0]), default=None)
        sure = best is not None and counts[best] * 2 > len(runs)
        name = f"{best[0]}{best[1] or ''}" if sure and best else _kind(slot)
        found[slot.name] = _fresh(name, taken)
        taken.add(found[slot.name])
    return found


def _places(value: str, steps: Sequence[Step]) -> Iterator[tuple[str, int]]:
    """Arguments that hold a value: (name, how often the tool was called before)."""
    wanted = _loose(value)
    if not wanted:
        return
    before: Counter[str] = Counter()
    for step in steps:
        for name, given in step.arguments.items():
            if isinstance(given, str) and _loose(given) == wanted:
                yield _identifier(name), before[step.tool] if not step.effect.writes else 0
        before[step.tool] += 1


def _identifier(name: str) -> str:
    return re.sub(r"\W+", "_", name)


def _loose(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.replace("_", " ").lower()))


Around = Mapping[str, Collection[tuple[str, str]]]
"""For each slot, the words before and after it in each wording; empty at marks and ends."""


def around(template: Template) -> dict[str, tuple[str, str]]:
    """The words before and after each slot of a wording."""
    found = {}
    for k, slot in enumerate(template.slots):
        before = re.search(r"(\w+)\W*\Z", template.literals[k])
        after = re.match(r"\W*(\w+)", template.literals[k + 1])
        found[slot.name] = (
            before.group(1).lower() if before else "",
            after.group(1).lower() if after else "",
        )
    return found


def correspond(
    known: Mapping[str, SlotSpec],
    template: Template,
    own: Mapping[str, str],
    near: Around | None = None,
) -> dict[str, str] | None:
    """Names for the slots of a wording that fit those of a family.

    Args:
        known: Slots of the family.
        template: The wording.
        own: What `roles` says of it.
        near: What stands around the slots of the family.

    Returns:
        Slot name of the wording to name in the family; None where they do not fit: too few
        slots in common for both to mean the same.
    """
    left = dict(known)
    names: dict[str, str] = {}
    for slot in template.slots:
        role = own[slot.name]
        # A role that is no more than a kind of text says little: what was seen there says more.
        vague = re.sub(r"_\d+$", "", role) in _LOOSE
        sure = not vague or (role in left and _shared(left[role], slot))
        if sure and role in left and _alike(left[role], slot):
            names[slot.name] = role
            del left[role]
    for slot in template.slots:
        if slot.name in names:
            continue
        fitting = [n for n, s in left.items() if _fits(s, slot)]
        role = own[slot.name]
        name = max(fitting, key=lambda n: (_shared(left[n], slot), n == role), default=None)
        if name is None:
            name = _fresh(own[slot.name], {*known, *names.values()})
        names[slot.name] = name
        left.pop(name, None)
    _by_words(names, template, left, near or {})
    matched = len(set(names.values()) & set(known))
    most = max(len(known), len(template.slots))
    return names if matched * 3 >= most * 2 else None


def _by_words(
    names: dict[str, str], template: Template, left: Mapping[str, SlotSpec], near: Around
) -> None:
    """Name slots that are left over like those of the family between the same words."""
    open_ = dict(left)
    words = around(template)
    for slot in template.slots:
        kind = _kind(slot)
        if names[slot.name] in near or kind not in ("word", "direction"):
            continue
        before, after = words[slot.name]

        def likeness(name: str, before: str = before, after: str = after) -> int:
            told = near.get(name, ())
            return max(
                (2 * (bool(b) and b == before) + (bool(a) and a == after) for b, a in told),
                default=0,
            )

        # Few words compare: one that stands before the same word is the same comparison.
        least = 1 if kind == "direction" else 2
        fitting = [n for n, s in open_.items() if _kind(s) == kind and likeness(n) >= least]
        if fitting:
            names[slot.name] = max(fitting, key=likeness)
            del open_[names[slot.name]]


_LOOSE = frozenset({"word", "quote", "direction", "order"})
"""Roles that say no more than what kind of text it is."""


_BY_VALUE = frozenset({"text", "polar"})
"""Kinds of which a goal may hold several that have nothing to do with each other."""


def _fits(known: SlotSpec, slot: SlotSpec) -> bool:
    """Whether a slot may be one of another role; some kinds only by a value in common."""
    return _alike(known, slot) and (known.kind not in _BY_VALUE or _shared(known, slot))


def _alike(a: SlotSpec, b: SlotSpec) -> bool:
    return _kind(a) == _kind(b)


def _kind(slot: SlotSpec) -> str:
    if slot.kind == "polar":
        compared = any(DIRECTIONS.get(w.lower()) and not w.endswith("st") for w in slot.seen)
        return "direction" if compared else "order"
    return _KINDS.get(slot.kind, slot.kind)


def _shared(a: SlotSpec, b: SlotSpec) -> bool:
    return bool({s.lower() for s in a.seen} & {s.lower() for s in b.seen})


def _fresh(name: str, taken: Collection[str]) -> str:
    numbered = (name if k == 1 else f"{name}_{k}" for k in count(1))
    return next(n for n in numbered if n not in taken)
