"""Goal templates: literal text and typed slots, matched unambiguously or not at all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

from llmos.evolution.courtesy import without_courtesy
from llmos.evolution.slots import FREE, SlotSpec
from llmos.memory.fold import fold
from llmos.values import Json

__all__ = ["Index", "SlotSpec", "Template", "plain"]

_STEPS = 5_000
"""Places for the end of a slot that are tried in one goal: some milliseconds."""


@dataclass(frozen=True)
class Template:
    """Literals and slots in turn: ``literals[0] slot[0] literals[1] … literals[n]``."""

    literals: tuple[str, ...]
    slots: tuple[SlotSpec, ...]

    def __str__(self) -> str:
        return self.told({})

    def told(self, texts: Mapping[str, str]) -> str:
        """The template with texts at some of its slots, and ``{name}`` at the others."""
        told = [self.literals[0]]
        for slot, literal in zip(self.slots, self.literals[1:], strict=True):
            told += [texts.get(slot.name, f"{{{slot.name}}}"), literal]
        return "".join(told)

    @cached_property
    def reading(self) -> tuple[object, ...]:
        """What it depends on how a goal is read: of two that are equal, the bindings are too."""
        return self.literals, tuple(slot.reading for slot in self.slots)

    @cached_property
    def words(self) -> frozenset[str]:
        """The words that every goal of the template holds, but for its first."""
        return frozenset(w for text in self._whole() for w in re.findall(r"\w+", text))

    def _whole(self) -> Iterator[str]:
        """Literals without words that a slot may run into."""
        last = len(self.literals) - 1
        for i, text in enumerate(self.literals):
            if i > 0:
                text = re.sub(r"^\w+", "", text)
            if i < last:
                text = re.sub(r"\w+$", "", text)
            # The initial is folded, so its case is not known.
            yield re.sub(r"^\W*\w+", "", text) if i == 0 else text

    @cached_property
    def keys(self) -> frozenset[str]:
        """What an index may file the template under: its words, and ``^`` with the first one."""
        found = re.match(r"\w+(?=\W)" if self.slots else r"\w+", self.literals[0])
        return self.words | {f"^{found.group().lower()}"} if found else self.words

    def match(self, goal: str) -> list[dict[str, str]]:
        """Bindings of the slots: none, one, or two where it is ambiguous.

        Args:
            goal: As `plain` gives it.
        """
        search = self.search(goal)
        # What there is no time to tell apart is ambiguous.
        return search.found if search.ended else search.found[:1] * 2

    def search(self, goal: str) -> Search:
        """A finished search for the bindings in a goal, as `plain` gives it."""
        search = Search(self, goal)
        head = self.literals[0]
        # The initial of a goal may be written large or small.
        alike = goal[:1].lower() == head[:1].lower() and goal.startswith(head[1:], 1)
        if (alike or not head) and (not self.slots or goal.endswith(self.literals[-1])):
            search.go(0, len(head))
        return search

    def renamed(self, names: Mapping[str, str]) -> Template:
        """With other slot names."""
        slots = tuple(replace(s, name=names.get(s.name, s.name)) for s in self.slots)
        return Template(self.literals, slots)

    def as_json(self) -> dict[str, Json]:
        """The template as JSON."""
        slots = [[s.name, s.kind, sorted(s.seen)] for s in self.slots]
        return {"literals": list(self.literals), "slots": slots}

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Template:
        """The template that `as_json` wrote."""
        slots = tuple(SlotSpec(n, k, frozenset(seen)) for n, k, seen in data["slots"])
        return cls(tuple(data["literals"]), slots)


@dataclass
class Search:
    """Looks for the ways in which a goal is of a template, until there are two."""

    template: Template
    goal: str
    found: list[dict[str, str]] = field(default_factory=list)
    """Up to two bindings."""
    ended: bool = True
    """All was looked at that could make a difference."""
    _bound: list[str] = field(default_factory=list)
    _dead: set[tuple[int, int]] = field(default_factory=set)
    _steps: int = 0

    def go(self, i: int, at: int) -> bool:
        """Go on with slot ``i`` at a place; whether the goal can be read on from there."""
        slots, goal = self.template.slots, self.goal
        if i == len(slots):
            return at == len(goal) and self._keep()
        if (i, at) in self._dead:
            return False
        alive = False
        for end in self._ends(i, at):
            self._steps += 1
            self.ended = self._steps <= _STEPS
            if not self.ended:
                return alive
            if slots[i].accepts(goal[at:end]):
                self._bound.append(goal[at:end])
                alive |= self.go(i + 1, end + len(self.template.literals[i + 1]))
                self._bound.pop()
                if len(self.found) > 1 or not self.ended:
                    return alive
        if not alive:
            self._dead.add((i, at))
        return alive

    def _ends(self, i: int, at: int) -> Iterator[int]:
        literal, last = self.template.literals[i + 1], i + 1 == len(self.template.slots)
        if last and self.template.slots[i].kind in FREE:
            end = len(self.goal) - len(literal)
            return iter((end,) if end > at else ())
        return self.template.slots[i].ends(self.goal, at, literal)

    def _keep(self) -> bool:
        bound: dict[str, str] = {}
        for slot, text in zip(self.template.slots, self._bound, strict=True):
            if bound.setdefault(slot.name, text) != text:
                return True  # It can be read, but says two things of one slot.
        if bound not in self.found:
            self.found.append(bound)
        return True


@lru_cache(maxsize=4096)
def plain(goal: str) -> str:
    """A goal as templates match it: folded, but with its own initial, and without courtesy."""
    folded = fold(goal)
    own = goal.strip()[:1]
    return without_courtesy(own + folded[1:] if folded[:1] == own.lower() else folded)


Entry = tuple[Template, str]


@dataclass
class Index:
    """Finds the templates that a goal may be of, without looking at all of them.

    A template is filed under the two rarest of its words; a goal looks under each pair of its own.
    """

    _filed: dict[str, dict[str, list[Entry]]] = field(default_factory=dict)
    """By the rarest word and the next; by ``""`` where there is none."""

    @classmethod
    def of(cls, templates: Mapping[str, list[Template]]) -> Index:
        """An index of templates.

        Args:
            templates: By the name of the tool that they call.
        """
        counts = Counter(key for several in templates.values() for t in several for key in t.keys)
        index = cls()
        for name, several in templates.items():
            for template in several:
                ranked = sorted(template.keys, key=lambda k: (counts[k], k))
                rarest, rare = [*ranked, "", ""][:2]
                entries = index._filed.setdefault(rarest, {}).setdefault(rare, [])
                entries.append((template, name))
        return index

    def parse(self, goal: str) -> list[tuple[str, Template, dict[str, str]]]:
        """Every reading of a goal: (tool, template, bindings). Several mean that it is ambiguous.

        A goal that takes too long to tell has none.
        """
        text = plain(goal)
        words = dict.fromkeys(re.findall(r"\w+", text))
        found: list[tuple[str, Template, dict[str, str]]] = []
        for template, name in self._near(text, words):
            if template.words <= words.keys():
                search = template.search(text)
                if not search.ended:
                    return []
                found += [(name, template, bound) for bound in search.found]
        return found

    def _near(self, text: str, words: Iterable[str]) -> Iterator[Entry]:
        first = re.match(r"\w+", text)
        keys = dict.fromkeys(["", *words, *([f"^{first.group().lower()}"] if first else [])])
        for key in keys:
            filed = self._filed.get(key)
            if filed:
                # The shorter of the two is gone through: a document has very many words.
                for other in keys if len(keys) < len(filed) else filed:
                    if other in keys and other in filed:
                        yield from filed[other]
