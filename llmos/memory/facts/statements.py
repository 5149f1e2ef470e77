"""What a user says as a lasting statement: found by form alone, and only where there is no doubt.

Only the user's own words are read: a goal, a note of feedback, a fact that is written down. Text
that may have been pasted into them (after a colon, after a line break, between quotes) is not.
A missed statement costs a sentence to the user; one that nobody made would be believed for good.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmos.memory.facts.fact import LONGEST_FACT, FactKind, Statement
from llmos.memory.fold import fold, goal_key
from llmos.memory.redact import redact_text

_LONGEST_GOAL = 1_000
"""Characters of a goal that is looked at: a longer one has text of others in it."""

_QUOTES = re.compile("[\"`“”„«»‹›「」『』]|(?<!\\w)['‘’]|['‘’](?!\\w)")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+")
_ASIDE = re.compile(r":(?:\s|$)")

_REMEMBER = re.compile(
    r"(?:please\s+)?(?:remember|keep in mind|don['’]t forget)(?:\s+that\s+|\s*:\s+)(?P<told>.+)",
    re.I | re.S,
)
_FROM_NOW = re.compile(r"(?:from now on|in (?:the )?future),?\s+(?P<told>\S.*)", re.I | re.S)
_CONDUCT = re.compile(
    r"(?:please|always|never|do not|don['’]t|you (?:should|must|may|can|need)"
    r"|i (?:want|prefer|like)|answer|ask|avoid|begin|explain|format|indent|keep|prefer|put|refer"
    r"|reply|respond|save|speak|spell|treat|use|write)\b",
    re.I,
)
"""How one is told to work. "From now on the lamp costs 20 euros" is a task, or news."""
_RULE = re.compile(r"(?P<how>always|never)\s+(?!mind\b)(?P<told>[^\W\d_]\S*.*)", re.I | re.S)
_IS = re.compile(
    r"(?P<subject>(?:my|our|the)\s+[^\s,;:]+(?:\s+[^\s,;:]+){0,4}?)\s+(?:is|are)\s+(?P<value>\S.*)",
    re.I | re.S,
)
_LASTING = re.compile(
    r"(?:my|our) (?:(?:favou?rite|preferred|default|usual|main) [\w-]+(?: [\w-]+)?"
    r"|(?:(?:full|first|last|user|work|home|company) ?)?"
    r"(?:name|e-?mail(?: address)?|address|phone number|time ?zone|birthday|editor|shell"
    r"|language|mother tongue|manager|team|company|employer|job|job title|pronouns))",
    re.I,
)
_POINTS = re.compile(
    r"\b(?:it|its|he|him|his|she|her|they|them|their|this|that|these|those|here|there|above|below"
    r"|now|today|tonight|tomorrow|yesterday|currently|again|just|latter|former)\b",
    re.I,
)
_CLAUSE = re.compile(r"[,;]|\b(?:and|but|so|because|if|when|while|which)\b", re.I)
_LONGEST_VALUE = 12
"""Words of what something is, where nobody said that it should be remembered."""
_CORRECTS = re.compile(
    r"\b(?:should|must|instead|rather than|needs? to|has to|have to|not\b.+\bbut)\b"
    r"|\buse\b.+\bnot\b|^(?:don['’]t|do not)\b",
    re.I | re.S,
)


def statements(text: str) -> list[Statement]:
    """The lasting statements in what a user said, in the order in which they stand there.

    Args:
        text: A goal, or a note of feedback.
    """
    own = _own(text)
    sentences = [s for s in _SENTENCE.split(own) if s.strip()]
    found = [_stated(s, alone=False) for s in sentences]
    if len(sentences) == 1 and own == text.strip() and found == [None]:
        # "Never raise" in the midst of a task is a part of that task; alone, it is a rule.
        found = [_stated(sentences[0], alone=True)]
    return list(_kept(s for s in found if s is not None))


def correction(goal: str, note: str) -> Statement | None:
    """What somebody says was wrong with a run, as a fact about its goal; None if nothing is clear.

    Args:
        goal: The goal of the run.
        note: Their words.
    """
    told = " ".join(note.split())
    if not told or "\n" in note.strip() or not _CORRECTS.search(told):
        return None
    named = " ".join(goal.split())
    named = named if len(named) <= 200 else f"{named[:199]}…"
    sentence = f"About the goal {named!r}: {told}"
    made = Statement(FactKind.CORRECTION, sentence, subject_of(goal))
    return next(_kept(iter([made])), None)


def subject_of(goal: str) -> str:
    """The subject of a correction: the very goal."""
    return f"goal:{goal_key(goal)}"


def read_statement(sentence: str) -> Statement:
    """What a sentence says that somebody writes down as a fact, whatever its form.

    Args:
        sentence: One sentence.
    """
    clean = " ".join(sentence.split())
    remembered = _REMEMBER.fullmatch(clean)
    return _said(remembered["told"] if remembered else clean)


def _own(text: str) -> str:
    """The part of a goal that the user certainly wrote: before a line break, colon or quote."""
    text = text.strip()
    if len(text) > _LONGEST_GOAL:
        return ""
    line = re.split(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", text, maxsplit=1)[0]
    cut = min(
        (m.start() for m in (_QUOTES.search(line), _colon(line)) if m is not None),
        default=len(line),
    )
    if cut == len(line):
        return line
    # The sentence that is broken off there says something else than its beginning does.
    whole = [m.start() for m in _SENTENCE.finditer(line) if m.end() <= cut]
    return line[: whole[-1]] if whole else ""


def _colon(line: str) -> re.Match[str] | None:
    for m in _ASIDE.finditer(line):
        if not re.search(r"(?:^|[.!?;]\s+)(?:please\s+)?remember\s*$", line[: m.start()], re.I):
            return m
    return None


def _stated(sentence: str, *, alone: bool) -> Statement | None:
    """What one sentence of a goal states for good; None if it does not, or not clearly."""
    text = sentence.strip()
    if text.endswith("?") or text.endswith("…") or text.endswith("..."):
        return None
    remembered = _REMEMBER.fullmatch(text)
    if remembered:
        told = remembered["told"].strip()
        return None if _POINTS.search(told) else _said(told)
    if _POINTS.search(_FROM_NOW.sub(r"\g<told>", text)):
        return None
    from_now = _FROM_NOW.fullmatch(text)
    if from_now and _CONDUCT.match(from_now["told"]):
        return _said(text)
    if alone and _RULE.fullmatch(text):
        return _said(text)
    lasting = _IS.fullmatch(text)
    if lasting is None or not _LASTING.fullmatch(" ".join(lasting["subject"].split())):
        return None
    value = lasting["value"]
    if _CLAUSE.search(value) or len(value.split()) > _LONGEST_VALUE:
        return None
    return _said(text)


def _said(sentence: str) -> Statement:
    """A statement with its kind and subject, by the form of the sentence."""
    text = " ".join(sentence.split())
    from_now = _FROM_NOW.fullmatch(text)
    rule = _RULE.fullmatch(from_now["told"] if from_now else text)
    if from_now or rule:
        what = rule["told"] if rule else from_now["told"] if from_now else text
        return Statement(FactKind.RULE, text, _subject(f"do {what}"))
    known = _IS.fullmatch(text)
    if known:
        return Statement(FactKind.ATTRIBUTE, text, _subject(known["subject"]))
    return Statement(FactKind.NOTE, text)


def _subject(text: str) -> str:
    folded = fold(text).casefold()
    return folded if len(folded) <= 120 else f"#{goal_key(folded)}"


def _kept(found: Iterator[Statement]) -> Iterator[Statement]:
    """Those that may be kept: short, and without what looks like a password."""
    for s in found:
        if len(s.sentence) <= LONGEST_FACT and "\0" not in s.sentence and not is_secret(s.sentence):
            yield s


def is_secret(sentence: str) -> bool:
    """Whether a sentence holds what looks like a key or password: a fact is shown to models."""
    return redact_text(sentence) != sentence
