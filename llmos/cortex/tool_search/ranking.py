"""Which of many tools a goal needs: by their words, and by what was used for near goals.

Pure and deterministic: equal goal, tools and past give an equal order. The lexical part is BM25
(Robertson and Zaragoza, 2009, k1 = 1.2, b = 0.75) over fields of different weight.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import is_
from typing import Any, NamedTuple

from llmos.cortex.tool_search.words import words
from llmos.values import ToolSpec

NAME, DESCRIPTION, ARGUMENTS = 3, 1, 1
"""How many times a word counts, by where it stands."""
K1, B = 1.2, 0.75
SIBLINGS = 0.4
"""Share of the best score that its neighbours get: tools that share the first part of a name."""
PAST = 4.0
"""Weight of what the runs of near goals used; the best match of words weighs 1."""
USUAL = 0.5
"""Weight of what most runs used, whatever their goals."""
NEAREST = 5
"""Runs of near goals that count."""

_PREFIX = re.compile(r"(.+)(?:\.|__|/)[^./]+")


@dataclass(frozen=True, slots=True)
class Used:
    """What a good run was for, and the tools it used."""

    goal: str
    tools: tuple[str, ...]


class Ranked(NamedTuple):
    """A tool with what speaks for it."""

    name: str
    score: float
    why: str
    """``words``, ``past`` or ``siblings``: what weighed most."""


class ToolText(NamedTuple):
    """What of a tool is searched."""

    name: str
    description: str
    arguments: str

    @classmethod
    def of(cls, spec: ToolSpec) -> ToolText:
        """The text of a tool; of arguments the names, with what their schema says of them."""
        properties: Mapping[str, Any] = spec.parameters.get("properties", {})
        told = [f"{name} {_said(schema)}" for name, schema in properties.items()]
        return cls(spec.name, spec.description, " ".join(told))


def _said(schema: Any) -> str:
    if not isinstance(schema, Mapping):
        return ""
    choices = [c for c in schema.get("enum", ()) if isinstance(c, str)]
    return " ".join([str(schema.get("description", "")), *choices])


class ToolIndex:
    """The words of tools, for asking what fits."""

    def __init__(self, texts: Sequence[ToolText]) -> None:
        self.names = tuple(text.name for text in texts)
        self.families = {name: _family(name) for name in self.names}
        """The first part of each name."""
        counts = [_counted(text) for text in texts]
        lengths = [sum(c.values()) for c in counts]
        mean = sum(lengths) / len(lengths) if lengths else 1.0
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for k, (count, length) in enumerate(zip(counts, lengths, strict=True)):
            norm = K1 * (1 - B + B * length / (mean or 1.0))
            for word, n in count.items():
                self._postings[word].append((k, n * (K1 + 1) / (n + norm)))

    def scores(self, text: str) -> dict[str, float]:
        """How well each tool fits ``text``; tools that share no word with it are left out."""
        found: dict[int, float] = defaultdict(float)
        total = len(self.names)
        for word in dict.fromkeys(words(text)):  # not a set: equal sums in every process
            posted = self._postings.get(word, ())
            rarity = math.log(1 + (total - len(posted) + 0.5) / (len(posted) + 0.5))
            for k, weight in posted:
                found[k] += rarity * weight
        return {self.names[k]: score for k, score in found.items()}


def _counted(text: ToolText) -> Counter[str]:
    counts: Counter[str] = Counter()
    for part, weight in zip(text, (NAME, DESCRIPTION, ARGUMENTS), strict=True):
        for word in words(part):
            counts[word] += weight
    return counts


_MADE: deque[tuple[tuple[ToolSpec, ...], ToolIndex]] = deque(maxlen=4)
"""The last indexes with the very tools that they are of, which so keep their identity."""


def index_of(tools: Sequence[ToolSpec]) -> ToolIndex:
    """The index of ``tools``; made once for the same ones."""
    for made_of, index in tuple(_MADE):
        if len(made_of) == len(tools) and all(map(is_, made_of, tools)):
            return index
    index = ToolIndex([ToolText.of(tool) for tool in tools])
    _MADE.append((tuple(tools), index))
    return index


def rank(goal: str, tools: Sequence[ToolSpec], past: Sequence[Used] = ()) -> list[Ranked]:
    """The tools that something speaks for, the best first; equally good ones by name.

    Args:
        goal: What is to be done, or what is looked for.
        tools: What there is.
        past: Good runs. Only the tools that there are count.
    """
    index = index_of(tools)
    fits, near, usual = _upto_one(index.scores(goal)), used_for(goal, past), _usual(past)
    own: dict[str, tuple[float, float]] = {}
    best: dict[str, float] = defaultdict(float)
    for name, family in index.families.items():
        by_past = PAST * near.get(name, 0.0) + USUAL * usual.get(name, 0.0)
        if (by_words := fits.get(name, 0.0)) + by_past:
            own[name] = (by_words, by_past)
            best[family] = max(best[family], by_words + by_past)
    ranked = []
    for name, family in index.families.items():
        beside = SIBLINGS * best.get(family, 0.0) if family else 0.0
        if name in own or beside:
            by_words, by_past = own.get(name, (0.0, 0.0))
            parts = {"words": by_words, "past": by_past, "siblings": beside}
            why = max(parts, key=parts.__getitem__)
            ranked.append(Ranked(name, by_words + by_past + beside, why))
    return sorted(ranked, key=lambda r: (-r.score, r.name))


def _usual(past: Sequence[Used]) -> dict[str, float]:
    """The share of runs that used each tool."""
    counts = Counter(tool for used in past for tool in set(used.tools))
    return {tool: n / len(past) for tool, n in counts.items()}


def used_for(goal: str, past: Sequence[Used]) -> dict[str, float]:
    """How much the runs of the goals nearest to ``goal`` used each tool, from 0 to 1.

    A tool's share among them, times how near the nearest goal is: cosine of the words, rare ones
    weighing more.
    """
    told, asked = [_word_set(used.goal) for used in past], _word_set(goal)
    seen_in = Counter(word for one in told for word in one)
    weight = {w: math.log(1 + len(past) / seen_in.get(w, 1)) for w in {*seen_in, *asked}}
    near = [(_cosine(asked, one, weight), k) for k, one in enumerate(told)]
    nearest = sorted((n for n in near if n[0] > 0), key=lambda n: (-n[0], n[1]))[:NEAREST]
    total = sum(similarity for similarity, _ in nearest)
    shares: dict[str, float] = defaultdict(float)
    for similarity, k in nearest:
        for tool in set(past[k].tools):
            shares[tool] += similarity / total * nearest[0][0]
    return dict(shares)


@lru_cache(maxsize=2_000)
def _word_set(goal: str) -> frozenset[str]:
    return frozenset(words(goal))


def _cosine(a: frozenset[str], b: frozenset[str], weight: Mapping[str, float]) -> float:
    # In a set's order sums would differ from process to process.
    both = math.fsum(weight[w] ** 2 for w in a & b)
    if not both:
        return 0.0
    length = math.fsum(weight[w] ** 2 for w in a) * math.fsum(weight[w] ** 2 for w in b)
    return both / math.sqrt(length)


def _upto_one(scores: Mapping[str, float]) -> dict[str, float]:
    most = max(scores.values(), default=0.0)
    return {name: score / most for name, score in scores.items()} if most else {}


def _family(name: str) -> str:
    """The first part of a name of several: ``mail`` of ``mail.send``; "" if it has one."""
    match = _PREFIX.fullmatch(name)
    return match[1] if match else ""
