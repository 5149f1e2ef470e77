"""The learned tool that a goal misses by one word, for whoever asks why a model would have to work.

Nothing runs because of it: a goal that is nearly of a tool is not of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from llmos.evolution.slots import SlotSpec
from llmos.evolution.templates import Template, plain
from llmos.evolution.tool import LearntTool

_SHOWN = 5
"""Of what was seen at a place."""
_LONGEST = 60
_WORDS = 3
"""That a value may have, or as many as those that were seen: more may be a goal of its own."""
_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_HERE = "…"
"""Name of a slot that stands for a word of the template, and how the place is shown."""


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A tool, and the one place at which a goal is not of it."""

    tool: str
    template: str
    """Its wording, with ``…`` at that place."""
    value: str
    """What the goal says there."""
    seen: tuple[str, ...]
    """What the runs said there that the tool was learnt from, as far as it tells."""
    of_wording: bool
    """Whether it is a word of the template itself; else it is the value of a slot."""

    def __str__(self) -> str:
        shown = ", ".join(_short(text) for text in self.seen[:_SHOWN])
        more = f" and {len(self.seen) - _SHOWN} more" if len(self.seen) > _SHOWN else ""
        known = f"; seen: {shown}{more}" if shown else ""
        return (
            f"tool {self.tool}: {_short(self.value)!r} was never seen where … stands in "
            f"“{self.template}”{known}; run it once with the model and vouch for it"
        )


def near_miss(goal: str, tools: Iterable[LearntTool]) -> NearMiss | None:
    """The tool that a goal is nearest to of those that it misses at one place; None without any.

    Args:
        goal: With paths as templates have them.
        tools: Those that are in use.
    """
    text = plain(goal)
    words = frozenset(re.findall(r"\w+", text))
    found = [
        (miss.of_wording, -len(template.words), tool.name, n, miss)
        for tool in tools
        for n, template in enumerate(tool.templates)
        for miss in _misses(tool.name, template, text, words)
    ]
    return min(found, key=lambda ranked: ranked[:-1])[-1] if found else None


def _misses(name: str, template: Template, text: str, words: frozenset[str]) -> Iterator[NearMiss]:
    missing = template.words - words
    if len(missing) > 1:
        return
    if not missing:
        for i, slot in enumerate(template.slots):
            yield from _at(name, _open(template, i), template, slot, text, of_wording=False)
    for relaxed, word in _without_a_word(template):
        if missing <= {word}:
            slot = SlotSpec(_HERE, "any", frozenset({word}))
            yield from _at(name, relaxed, relaxed, slot, text, of_wording=True)


def _at(
    name: str, relaxed: Template, shown: Template, slot: SlotSpec, text: str, *, of_wording: bool
) -> Iterator[NearMiss]:
    """The miss at one place, where the goal is of the template but for it, in one way."""
    search = relaxed.search(text)
    if not search.ended or len(search.found) != 1:
        return
    value = search.found[0][slot.name]
    longest = max([_WORDS, *(len(seen.split()) for seen in slot.seen)])
    if value in slot.seen or len(value.split()) > longest or not _WORD.search(value):
        return
    if not _WORD.fullmatch(value) if of_wording else slot.accepts(value):
        return
    wording = shown.told({slot.name: _HERE})
    yield NearMiss(name, wording, value, tuple(sorted(slot.seen)), of_wording)


def _open(template: Template, i: int) -> Template:
    """The template with anything at one of its slots."""
    name = template.slots[i].name
    free = tuple(replace(s, kind="any") if s.name == name else s for s in template.slots)
    return Template(template.literals, free)


def _without_a_word(template: Template) -> Iterator[tuple[Template, str]]:
    """The template with anything in place of one of its words, for each of them."""
    for i, literal in enumerate(template.literals):
        for found in _WORD.finditer(literal):
            around = (literal[: found.start()], literal[found.end() :])
            literals = (*template.literals[:i], *around, *template.literals[i + 1 :])
            here = SlotSpec(_HERE, "any")
            slots = (*template.slots[:i], here, *template.slots[i:])
            yield Template(literals, slots), found.group()


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
