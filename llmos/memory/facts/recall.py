"""Which facts a goal is told, under a budget. Pure: the same facts give the same answer.

What was said as a rule is told to every goal, and what was corrected to the very goal. Of the rest,
every fact that shares a telling word with the goal is: when in doubt a goal is told more, which
costs a model's tokens, while a free run that knows less could do the wrong thing. How well they
fit (BM25; Robertson and Zaragoza 2009, k1 1.2, b 0.75) only decides what goes in first where
there is not room for all.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache

from llmos.memory.facts.fact import Fact, FactKind
from llmos.memory.facts.statements import statements, subject_of
from llmos.memory.facts.words import words_of
from llmos.memory.fold import fold
from llmos.memory.pieces import Piece

_K1, _B = 1.2, 0.75

FACT = "fact"
"""Source of a piece that is a fact."""
MOST_NEAR = 3
"""Facts that are told for their meaning alone. With many facts some are near to any goal."""

Nearness = Callable[[str, Sequence[str]], Sequence[float]]
"""How near in meaning each of some sentences is to a goal, at most 1; 0 where it is not near."""


def recall(
    facts: Sequence[Fact], goal: str, budget: int, near: Nearness | None = None
) -> list[Piece]:
    """The facts that bear on a goal, each shown or left out with the reason.

    Args:
        facts: All that hold for the user, in every project and in this one.
        goal: The user's sentence.
        budget: Tokens that those shown may take together.
        near: Adds some that are near in meaning, after all that the words find; None for none.

    Returns:
        Those shown first, in an order that only their sentences and the goal decide; then those
        left out.
    """
    if not facts:
        return []
    ranked = _ranked(facts, goal)
    out = dict(_outdone(facts, goal))
    known = {fact.id for fact, _, _ in ranked}
    meant = _near(facts, goal, near, known | out.keys()) if near is not None else []
    left, shown, missed = budget, [], []
    for fact, _, why in ranked + meant:
        piece = Piece(FACT, fact.id, fact.sentence, True, why)
        if fact.id in out:
            missed.append(Piece(FACT, fact.id, fact.sentence, False, out[fact.id]))
        elif piece.tokens > left:
            told = f"{why}, but there is no room for it"
            missed.append(Piece(FACT, fact.id, fact.sentence, False, told))
        else:
            left -= piece.tokens
            shown.append(piece)
    kinds = {f.id: f.kind for f in facts}
    others = {fact.id for fact, _, _ in meant}
    shown.sort(key=lambda p: (kinds[p.name] is not FactKind.RULE, p.name in others, p.text, p.name))
    return shown + missed


def _ranked(facts: Sequence[Fact], goal: str) -> list[tuple[Fact, float, str]]:
    """What bears on the goal and why: rules first, corrections, then the best by words."""
    asked, this = words_of(goal), subject_of(goal)
    told = {f.id: _words(f.sentence) for f in facts}
    frequency = Counter(word for words in told.values() for word in words)
    length = sum(map(len, told.values())) / len(told) if told else 0.0
    found: list[tuple[int, Fact, float, str]] = []
    for fact in facts:
        shared = asked & told[fact.id]
        if fact.kind is FactKind.RULE:
            found.append((0, fact, 0.0, "it is a rule"))
        elif fact.kind is FactKind.CORRECTION:
            if fact.subject == this:
                found.append((1, fact, 0.0, "it was said of this very goal"))
        elif shared:
            why = f"it shares {', '.join(sorted(shared)[:4])} with the goal"
            score = _bm25(len(facts), [frequency[w] for w in shared], len(told[fact.id]) / length)
            found.append((2, fact, score, why))
    # A nearer one first, then the later: of rules too many, the newest are told.
    found.sort(key=lambda f: (f[0], -f[2], f[1].project == "", -f[1].at.timestamp(), f[1].id))
    return [(fact, score, why) for _, fact, score, why in found]


def _near(
    facts: Sequence[Fact], goal: str, near: Nearness, known: Collection[str]
) -> list[tuple[Fact, float, str]]:
    """The nearest in meaning of those that are recalled by words and were not found so."""
    kinds = (FactKind.ATTRIBUTE, FactKind.NOTE)
    left = [f for f in facts if f.kind in kinds and f.id not in known]
    if not left:
        return []
    scored = zip(left, near(goal, [f.sentence for f in left]), strict=True)
    found = [(f, score, f"near in meaning ({score:.2f})") for f, score in scored if score > 0]
    found.sort(key=lambda f: (-f[1], f[0].project == "", -f[0].at.timestamp(), f[0].id))
    return found[:MOST_NEAR]


def _bm25(documents: int, frequencies: Sequence[int], length: float) -> float:
    # A word is in a fact once or not at all: sentences do not repeat themselves.
    share = (_K1 + 1) / (1 + _K1 * (1 - _B + _B * length))
    # Sorted, so that the order of a set of words does not change the last bit of the sum.
    return sum(math.log(1 + (documents - n + 0.5) / (n + 0.5)) * share for n in sorted(frequencies))


def _outdone(facts: Sequence[Fact], goal: str) -> list[tuple[str, str]]:
    """Facts that need not or must not be told: the goal says so itself, or a nearer fact does."""
    said = {s.subject or fold(s.sentence) for s in statements(goal)}
    nearer = {f.subject for f in facts if f.project and f.subject}
    if not said and not nearer:
        return []
    outdone = []
    for fact in facts:
        if said and (fact.subject or fold(fact.sentence)) in said:
            outdone.append((fact.id, "the goal says itself what holds"))
        elif not fact.project and fact.subject in nearer:
            outdone.append((fact.id, "the project has a fact of its own about it"))
    return outdone


@lru_cache(maxsize=4096)
def _words(sentence: str) -> frozenset[str]:
    return words_of(sentence)
