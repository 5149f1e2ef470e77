"""What a learned tool would tell others, and the same tool with less of it.

A tool holds words of the runs that it was learnt from: constants, the wordings of goals, values
that stood at slots. What is not needed to run it is left out when it leaves its volume; what is
needed, and only one user's runs hold, is shown to that user first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from llmos.evolution.ir import Const, Expr, every_candidate, parts, program_from
from llmos.evolution.prove import Proof
from llmos.evolution.slots import FREE, OPERATORS
from llmos.evolution.templates import SlotSpec, Template
from llmos.evolution.words import COMMON
from llmos.values import Json, Trace

_DROPPED = ("groups", "names")
"""Members of a tool's content that only learning needs: whole goals, and ids of runs."""

_TELLING = 3
"""Characters from which on a constant may say something of somebody."""

_NAMELIKE = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+|\w*\d\w*|\b[A-Z]\w*")
"""What in the wording of a goal may be a name: addresses, codes, words with a capital inside."""

_WORD = re.compile(r"[^\W\d_]{3,}")
"""A word of a wording that may say something, or a part of a tool's name."""

_LETTER, _DIGIT = re.compile(r"[^\W\d_]"), re.compile(r"\d")


def shared_content(content: Mapping[str, Any]) -> dict[str, Json]:
    """A tool's content as it may leave its volume: it runs the same, and says less.

    Whole goals and ids of runs are left out. What stood at slots that the program looks at, where
    any text of that sort will do, is replaced by text of the same form.

    Args:
        content: Of a version that `evolution.contents.content_of` made.
    """
    proof = Proof.from_json(content["proof"])
    templates = [Template.from_json(t) for t in content["templates"]]
    kinds: dict[str, set[str]] = {}
    for slot in (s for t in templates for s in t.slots):
        kinds.setdefault(slot.name, set()).add(slot.kind)
    # A word that only seen ones may stand for, or that nothing looks at, is part of the proof.
    open_ = {
        name
        for name in proof.used
        if len(proof.seen.get(name, ())) > 1 and not kinds.get(name, set()) & {"word", "polar"}
    }
    seen = {n: _veiled_counts(v) if n in open_ else dict(v) for n, v in proof.seen.items()}

    def veiled(slot: SlotSpec) -> SlotSpec:
        if slot.name not in open_:
            return slot
        return replace(slot, seen=frozenset(_veiled(v) for v in slot.seen))

    kept = {k: v for k, v in content.items() if k not in _DROPPED}
    kept["proof"] = replace(proof, seen=seen).as_json()
    kept["templates"] = [
        Template(t.literals, tuple(map(veiled, t.slots))).as_json() for t in templates
    ]
    if "holes" in kept:
        kept["holes"] = [{**hole, "examples": []} for hole in kept["holes"]]
    return kept


def _veiled(text: str) -> str:
    """A text of the same form: letters are ``x`` and digits ``1``, but in words of meaning."""
    words = re.split(r"(\w+(?:['’]\w+)*)", text)
    bare = (w if w.lower() in OPERATORS else _LETTER.sub("x", w) for w in words)
    return _DIGIT.sub("1", "".join(bare))


def _veiled_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts by veiled texts, as many as there were."""
    found: dict[str, int] = {}
    for text, n in counts.items():
        name = _veiled(text)
        while name in found:
            name += " x"
        found[name] = n
    return found


def telling(content: Mapping[str, Any]) -> set[str]:
    """Everything in a shared content that may say something of somebody.

    Args:
        content: What `shared_content` gave.
    """
    found: set[str] = set()
    program = program_from(content["program"])
    for candidates in every_candidate(program):
        for expr in candidates:
            found.update(_constants(expr))
    for template in (Template.from_json(t) for t in content["templates"]):
        # The initial of a goal is large in any case.
        first, *others = template.literals
        for literal in (first[1:], *others):
            found.update(m.group() for m in _NAMELIKE.finditer(literal))
        for literal in template.literals:
            found.update(w for w in _WORD.findall(literal.lower()) if w not in COMMON)
        for slot in template.slots:
            if slot.kind in FREE | {"quote"} or len(slot.seen) == 1:
                found.update(slot.seen)
    for words in content["proof"]["seen"].values():
        found.update(words)
    tools = [*content["tools"], *content["effects"]]
    of_tools = {*(name.lower() for name in tools), *_words_of(tools)}
    return {text for text in found if _says_something(text) and text.lower() not in of_tools}


def _constants(expr: Expr) -> Iterator[str]:
    for part in parts(expr):
        if isinstance(part, Const):
            yield from _texts(part.value)


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) >= 1000:
        yield str(value)


def _says_something(text: str) -> bool:
    bare = text.strip()
    words = re.findall(r"\w+", bare.lower())
    return len(bare) >= _TELLING and not all(set(w) <= set("x1") or w in OPERATORS for w in words)


def vocabulary(traces: Iterable[Trace]) -> set[str]:
    """Words of the tools themselves: their names, and those of their arguments; small.

    Not what their results are keyed by: that may be a name of somebody.
    """
    steps = [step for trace in traces for step in trace.steps]
    arguments = {name for step in steps for name in step.arguments}
    return {a.lower() for a in arguments} | _words_of([*(s.tool for s in steps), *arguments])


def _words_of(names: Iterable[str]) -> set[str]:
    return {word for name in names for word in _WORD.findall(name.lower())}
