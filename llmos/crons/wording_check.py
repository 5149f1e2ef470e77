"""Whether a model's words for findings may be shown: a pure check that believes nothing.

Words are the only thing that a model may bring. Every figure in them must be one that the code has
counted; names, paths, addresses, commands and markup are refused wherever they come from. What
strangers have written, such as the goals themselves, vouches for nothing: a model that was talked
into something by a goal can say it only in small words, beside the facts.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmos.evolution.hints import Refused, read_answer
from llmos.values import Json

LONGEST_TITLE = 120
LONGEST_WHY = 300
GOAL = "{goal}"
"""Stands for the goal in a wording; the code puts it in, in quotes, as it does in its own."""

_MARKUP = set("`*_<>[]{}|\\#~^=@/&%+;\"'")
_QUOTES = str.maketrans({"“": "", "”": "", "‘": "'", "’": "'", "–": " ", "—": " ", "…": " "})
_NUMBER = re.compile(r"(\$?)(\d+(?:[.,]\d+)*)")
_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*", re.I)
_EDGES = "().,:!?"
_ENDS = (".", "!", "?", ":")


def _listed(text: str) -> list[str]:
    return text.split()


_SMALL = _listed(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
)
_WORDS = {
    **{word: number for number, word in enumerate(_SMALL)},
    **{"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80},
    **{"ninety": 90, "hundred": 100, "thousand": 1000, "million": 1_000_000, "dozen": 12},
    **{"once": 1, "single": 1, "twice": 2},
}
_UNCOUNTED = frozenset(
    _listed(
        "half halved third quarter double doubled triple tripled percent hundreds thousands "
        "dozens billion couple pair thrice majority"
    )
)
"""Figures that no fact has in that form."""
_ACTS = frozenset(
    _listed(
        "click download install uninstall delete disable enable sudo curl password passwords "
        "secret secrets credential credentials sandbox key keys login http https www dollar "
        "dollars euro euros pay send email urgent compromised hacked"
    )
)
"""What no wording needs, and what somebody who speaks through a model would."""
_OPENERS = frozenset(
    _listed(
        "a an the this that these those it its there here you your they their what when where "
        "which while since after before because so if as perhaps maybe possibly probably no not "
        "none all some most many few each every another other one only still now again often "
        "recently lately something someone nothing and but or for with without in on at by from "
        "to of over under is are was were has have had can could may might would should look "
        "looking check checking see consider think worth new recurring repeated runs goals tools "
        "jobs failures"
    )
)
"""Words that may begin a sentence, and so be written large."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a model says of one finding."""

    title: str
    why: str


def read_wordings(answer: str, findings: Sequence[Mapping[str, Json]]) -> list[Words]:
    """What a model says of some findings.

    Args:
        answer: All that it said.
        findings: Their contents, in the order in which it was told them.

    Raises:
        Refused: It is not what was asked for: nothing of it is used.
    """
    told = read_answer(answer, ("findings",))
    if not isinstance(told["findings"], list):
        raise Refused("the answer is not the one list that was asked for")
    if len(told["findings"]) != len(findings):
        raise Refused(f"it words {len(told['findings'])} findings, and {len(findings)} were told")
    return [_words(said) for said in told["findings"]]


def _words(said: Json) -> Words:
    if not isinstance(said, dict) or set(said) != {"title", "why"}:
        raise Refused("a wording is not a title and a why")
    if not all(isinstance(text, str) for text in said.values()):
        raise Refused("a wording is no text")
    return Words(said["title"].strip(), said["why"].strip())


def checked(words: Words, content: Mapping[str, Json]) -> Words:
    """The wording of a finding as it may be shown, with the goal in its place.

    Args:
        words: What the model says.
        content: The finding, as the code has made it.

    Raises:
        Refused: It may not be shown.
    """
    evidence = content.get("evidence")
    facts = evidence if isinstance(evidence, dict) else {}
    shape = facts.get("shape")
    for text, longest in ((words.title, LONGEST_TITLE), (words.why, LONGEST_WHY)):
        if not text:
            raise Refused("a wording is empty")
        if len(text) > longest:
            raise Refused(f"a wording has {len(text)} characters, at most {longest} are shown")
        _check_text(text.replace(GOAL, "goal") if isinstance(shape, str) else text, facts)
    put_in = f"“{shape}”"
    return Words(words.title.replace(GOAL, put_in), words.why.replace(GOAL, put_in))


def _check_text(text: str, facts: Mapping[str, Json]) -> None:
    plain = text.translate(_QUOTES)
    odd = next((c for c in plain if not (c.isascii() and c.isprintable())), None)
    if odd is not None:
        raise Refused(
            f"it holds {unicodedata.name(odd, repr(odd)).lower()}, which is no plain text"
        )
    figures, begins = _Figures.of(facts), True
    for token in plain.split():
        bare = token.strip(_EDGES)
        if bare:
            _check_token(bare, figures, begins, token)
        begins = token.endswith(_ENDS) or (begins and not bare)


def _check_token(bare: str, figures: _Figures, begins: bool, token: str) -> None:
    if any(c.isdigit() for c in bare) or "$" in bare:
        figures.check(bare)
        return
    if set(bare.replace("'", "")) & _MARKUP or bare.strip("-") != bare or "." in bare:
        raise Refused(f"{token!r} is no plain word")
    if not _WORD.fullmatch(bare):
        raise Refused(f"{token!r} is no plain word")
    small = bare.lower()
    opens = bare == small.capitalize() and small.partition("'")[0] in _OPENERS
    if bare != small and not (begins and opens):
        raise Refused(f"{token!r} may be a name, and no name is taken from a model")
    for part in re.split(r"['-]", small):
        if part in _ACTS:
            raise Refused(f"{token!r} is more than a wording needs")
        if part in _UNCOUNTED or (part in _WORDS and _WORDS[part] not in figures.values):
            raise Refused(f"the figure {token!r} is not in the facts")


@dataclass(frozen=True, slots=True)
class _Figures:
    """The figures that a wording may hold: the numbers that were counted, as people write them."""

    plain: frozenset[str]
    money: frozenset[str]
    values: frozenset[float]

    @classmethod
    def of(cls, facts: Mapping[str, Json]) -> _Figures:
        numbers = list(_numbers("", facts))
        plain = {form for name, n in numbers if not _paid(name) for form in _forms(n)}
        money = {form for name, n in numbers if _paid(name) for form in (f"{n:.2f}", f"{n:g}")}
        return cls(
            frozenset(plain), frozenset(money), frozenset(n for k, n in numbers if not _paid(k))
        )

    def check(self, bare: str) -> None:
        found = _NUMBER.fullmatch(bare)
        known = found is not None and found[2] in (self.money if found[1] else self.plain)
        if not known:
            raise Refused(f"the figure {bare!r} is not in the facts")


def _numbers(name: str, value: Json) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(str(key), inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _numbers(name, inner)
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        yield name, value


def _paid(name: str) -> bool:
    return "usd" in name or "cost" in name


def _forms(number: float) -> Iterator[str]:
    if float(number).is_integer():
        yield f"{int(number)}"
        yield f"{int(number):,}"
    else:
        yield f"{number:g}"
        yield f"{number:.2f}"
