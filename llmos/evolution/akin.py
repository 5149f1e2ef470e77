"""Whether two wordings may ask for the same thing."""

from __future__ import annotations

from collections.abc import Iterator

from llmos.evolution.group import Group, kind_of_call
from llmos.evolution.templates import Template
from llmos.evolution.words import COMMON

_APART = 2
"""Words that each of two wordings may have for itself; more, and they speak of different things."""


def akin(a: Group, b: Group) -> bool:
    """Whether two wordings may ask for the same: kinds of calls and words in common."""
    one, two = set(calls(a)), set(calls(b))
    if len(one & two) * 2 < len(one | two):
        return False
    mine, theirs = _telling(a.template), _telling(b.template)
    apart = min(len(mine - theirs), len(theirs - mine))
    return len(mine & theirs) * 2 >= min(len(mine), len(theirs)) > 0 and apart <= _APART


def _telling(template: Template) -> set[str]:
    return {w.lower() for w in template.words} - COMMON


def calls(group: Group) -> Iterator[tuple[bool, object]]:
    """The kinds of calls that the traces of a group make."""
    return (kind_of_call(step) for trace in group.traces for step in trace.steps)
